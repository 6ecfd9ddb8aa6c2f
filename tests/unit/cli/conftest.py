"""A command line without a terminal, a zoo of tiny packages, and pictures that they know."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.groups import ROOT
from tests.unit.detect.tiny_model import blank, with_spot, write_package


@dataclass
class Terminal:
    """Runs command lines in this process or in one of their own."""

    env: dict

    def run(self, *words):
        return CliRunner(env=self.env).invoke(app, [str(word) for word in words], prog_name="takt")

    def json(self, *words):
        result = self.run(*words, "--json")
        return json.loads(result.stdout), result

    def process(self, *words, **options):
        command = [sys.executable, "-m", "app.cli", *map(str, words)]
        env = {**os.environ, **self.env, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
            **options,
        )


@pytest.fixture
def zoo(tmp_path):
    """A package that wants golden samples, and one that does not."""
    folder = tmp_path / "zoo"
    write_package(folder / "tiny")
    write_package(folder / "plain", golden=False)
    return folder


@pytest.fixture
def takt(tmp_path, zoo):
    env = {"TAKT_ZOO": str(zoo), "TAKT_STATE": str(tmp_path / "state"), "NO_COLOR": "1", "TERM": "dumb"}
    return Terminal(env)


@pytest.fixture
def pictures(tmp_path):
    """Two good parts, one with a defect on the right and one with a faint spot just below the threshold."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_picture(folder / "a-good.png", blank())
    write_picture(folder / "b-bad.png", with_spot(20, 10, 204))
    write_picture(folder / "c-faint.png", with_spot(4, 4, 77))
    write_picture(folder / "d-good.png", blank())
    return folder


@pytest.fixture
def golden(tmp_path):
    """One golden sample for all pictures."""
    return write_picture(tmp_path / "golden.png", blank())


@pytest.fixture
def inspect(takt, pictures, golden):
    """Inspects the pictures with the tiny model, and whatever else is said."""

    def run(*words, sources=None):
        given = sources if sources is not None else [pictures]
        return takt.run("inspect", *given, "--model", "tiny", "--golden", golden, "--runtime", "onnx", *words)

    return run


def write_picture(path: Path, image) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def only_sentence(text: str) -> str:
    """The one line of stderr, which begins with the command's name and holds what and mend."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("takt: "), text
    return lines[0]
