"""The wheel holds everything that a box needs, and its dependencies exist for the boxes that we name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.groups import ROOT

pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]

ROOMS = ("app", "models", "calibration", "deploy", "ui")

# JetPack 6 is Ubuntu 22.04, which has glibc 2.35.
JETSON = ("manylinux_2_35", "manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


def run(*command, cwd=ROOT):
    """Runs a command free of what this checkout would lend it; gives its standard output."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    words = [str(word) for word in command]
    result = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: setuptools leaves its work beside the sources, and puts what it finds there into the wheel."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, source)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder with the commands of a clean environment that holds the wheel and its dependencies."""
    environment = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", f"{wheel}[openvino]")
    return environment / "bin"


@pytest.fixture(scope="module")
def names(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def shipped_files(room):
    folder = ROOT / room
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(ROOT)) for path in files}


@pytest.mark.parametrize("room", ["app", "models", "ui"])
def test_wheel_holds_every_file_of_the_room(names, room):
    assert shipped_files(room) - names == set()


def test_wheel_holds_no_tests(names):
    assert not {name for name in names if name.startswith("tests/")}


def test_installed_demo_runs_from_anywhere_and_its_account_balances(installed):
    figures = json.loads(run(installed / "takt", "demo", "--parts", "20", "--json", cwd=Path("/")))

    assert figures["triggers"] == sum(figures[key] for key in ("passed", "rejected", "lost", "in_flight"))
    assert figures["triggers"] == 20
    assert figures["unaccounted"] == 0


def test_installed_demo_writes_its_contact_sheet(installed, tmp_path):
    run(installed / "takt", "demo", "--parts", "40", "--out", tmp_path / "sheet", cwd=Path("/"))

    assert list((tmp_path / "sheet").glob("*.html"))


def test_installed_zoo_is_found(installed):
    packages = json.loads(run(installed / "takt", "models", "list", "--json", cwd=Path("/")))

    assert "pcb-nano" in json.dumps(packages)


@pytest.mark.parametrize(
    ("version", "extras"), [("3.10", ""), ("3.10", "[gpio,jetson,openvino]"), ("3.12", "[gpio,jetson,openvino]")]
)
def test_dependencies_exist_for_a_jetson(wheel, version, extras, tmp_path):
    run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run", "--ignore-installed"),
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", version),
        *("--abi", f"cp{version.replace('.', '')}", "--target", tmp_path),
        *(word for tag in JETSON for word in ("--platform", f"{tag}_aarch64")),
        f"{wheel}{extras}",
        "tomli>=2.0",  # pip reads the marker of its own Python here, so that the one for 3.10 has to be named
    )
