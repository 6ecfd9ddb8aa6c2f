"""Power cuts, kill -9 and full disks at every step of an activation: the old package is active, or the new one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.detect.installed import INCOMING, PACKAGES, content_hash, folder_of, installed_folders
from app.detect.pointer import POINTER, read_pointer
from app.detect.registry import activate, package_of
from tests.groups import ROOT
from tests.unit.detect.registry_faults import FRIDAY, Errand, proof
from tests.unit.detect.tiny_model import write_package

ANN = Errand(FRIDAY, "ann")
LEAST_STEPS = 25


def make(folder, version):
    return write_package(folder, name='"new"', version=f'"{version}"')


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A station with an active copy and three before it, and a package that is to become active."""
    root = tmp_path_factory.mktemp("faults")
    write_package(root / "zoo" / "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for version in "1234":
            make(root / f"source-{version}", version)
            activate(root / "state", root / "zoo", str(root / f"source-{version}"), proof, ANN)
    make(root / "elsewhere", "5")
    make(root / "other", "6")
    return root


def strikes_of(root, way):
    command = [sys.executable, "-m", "tests.unit.detect.registry_faults", str(root), way]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def killed(root, tmp_path_factory):
    return strikes_of(_copy(root, tmp_path_factory.mktemp("killed")), "exit")


@pytest.fixture(scope="module")
def starved(root, tmp_path_factory):
    return strikes_of(_copy(root, tmp_path_factory.mktemp("starved")), "full")


def _copy(root, target):
    subprocess.run(["cp", "-r", f"{root}/.", str(target)], check=True)
    return target


def version_at(state):
    """The version that a station would judge with, which is whole."""
    zoo = state.parent / "zoo"
    return package_of(read_pointer(state).active, state, zoo).version


def hidden(state):
    return [each for each in (state / PACKAGES).iterdir() if each.name.startswith(".")]


def test_the_strikes_meet_every_step(killed, starved):
    assert [each["code"] for each in killed] == [9] * (len(killed) - 1) + [0]
    assert len(killed) > LEAST_STEPS
    assert len(starved) > LEAST_STEPS / 2
    assert version_at(Path(killed[-1]["state"])) == version_at(Path(starved[-1]["state"])) == "5"


def test_killed_anywhere_the_old_package_is_active_or_the_new_one(killed):
    versions = [version_at(Path(each["state"])) for each in killed]

    assert versions == sorted(versions)
    assert set(versions) == {"4", "5"}


def test_killed_anywhere_every_folder_that_counts_is_whole(killed):
    for each in killed:
        for folder in installed_folders(Path(each["state"])):
            assert folder.name.endswith(f"-{content_hash(folder)[:12]}"), each


def test_killed_anywhere_what_can_be_rolled_back_to_is_there(killed):
    for each in killed:
        state = Path(each["state"])
        for before in read_pointer(state).history:
            assert content_hash(folder_of(state, before)) == before.content_sha256


def test_killed_anywhere_the_next_activation_clears_up(killed, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    for each in killed:
        state = Path(each["state"])
        activate(state, state.parent / "zoo", str(state.parent / "other"), proof, ANN)
        pointer = read_pointer(state)
        assert pointer.active.version == "6"
        kept = {folder_of(state, each) for each in (pointer.active, *pointer.history)}
        assert set(installed_folders(state)) == kept
        assert hidden(state) == []
        assert sorted(path.name for path in state.iterdir()) == [POINTER, PACKAGES]


def test_a_full_disk_is_one_sentence_and_the_old_package_stays(starved):
    for each in starved[:-1]:
        state = Path(each["state"])
        # Once the new pointer has its name, the folder that holds it may still not reach the disk.
        is_renamed = each["at"] == f"fsync {state}" and version_at(state) == "5"
        if "cleaning" not in _phase(each):
            assert each["error"], each
            assert version_at(state) == "4" or is_renamed, each


def test_a_full_disk_leaves_nothing_half_written(starved):
    for each in starved:
        state = Path(each["state"])
        assert INCOMING not in [path.name for path in hidden(state)]
        assert not (state / f"{POINTER}.new").exists()


def _phase(strike):
    """After the pointer was put onto the disk, all that is left is to clear away."""
    state = strike["state"]
    pointer = f"os.rename {os.path.join(state, POINTER)}.new"  # noqa: PTH118 - as the hook sees it
    steps = strike["steps"]
    return "cleaning" if pointer in steps and steps.index(pointer) + 2 < len(steps) else "working"


def test_everything_is_on_the_disk_before_it_is_named(killed):
    state = Path(killed[-1]["state"])
    steps = killed[-1]["steps"]
    draft = state / PACKAGES / INCOMING
    named = steps.index(f"os.rename {draft}")
    synced = {step.removeprefix("fsync ") for step in steps[:named] if step.startswith("fsync ")}
    written = {step.removeprefix("open ") for step in steps[:named] if step.startswith("open ")}

    assert len(written) == len(list((state.parent / "elsewhere").rglob("*.*")))
    assert written <= synced
    assert {str(draft), str(draft / "golden")} <= synced
    pointed = steps.index(f"os.rename {state / POINTER}.new")
    between = steps[named:pointed]
    for place in (state / PACKAGES / "new", state / PACKAGES, state, f"{state / POINTER}.new"):
        assert f"fsync {place}" in between
    assert steps[pointed + 1] == f"fsync {state}"
