"""A station on which packages are activated, without a runtime: its detector is scripted."""

import os
from datetime import datetime, timezone

import pytest

from app.detect.installed import PACKAGES, installed_folders
from app.detect.pointer import read_pointer
from app.detect.proof import prove
from app.detect.registry import Errand, activate, rollback
from app.detect.zoo import ZOO_VARIABLE
from app.types import Detection
from tests.unit.detect.gpu_bench import GpuBench
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import read, tiny_onnx, write_package

FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)
ANN = Errand(FRIDAY, "ann")
RIGHT = Detection("right", 0.8, (16, 8, 8, 8))


def is_right(package):
    """A proof on a detector that finds what the golden frames of the tiny package show."""
    return prove(package, ScriptedDetector(RIGHT), read)


def label(name, version="1.0.0"):
    return f"{name}@{version}:accelerator-fp32"


class Station:
    """A state folder and who works on it."""

    def __init__(self, state, zoo, elsewhere):
        self.state, self.zoo, self.elsewhere = state, zoo, elsewhere

    def activate(self, named, prover=is_right, errand=ANN):
        return activate(self.state, self.zoo, str(named), prover, errand)

    def rollback(self, to="", prover=is_right):
        return rollback(self.state, self.zoo, prover, ANN, to)

    def brought(self, name, version="1.0.0", **manifest):
        """A package in a folder outside the zoo."""
        folder = self.elsewhere / f"{name}-{version}"
        return write_package(folder, **{"name": f'"{name}"', "version": f'"{version}"', **manifest})

    @property
    def active(self):
        pointer = read_pointer(self.state)
        return pointer.active.label if pointer else None

    @property
    def history(self):
        return [each.label for each in read_pointer(self.state).history]

    @property
    def copies(self):
        return [each.relative_to(self.state / PACKAGES).as_posix()[:-13] for each in installed_folders(self.state)]


@pytest.fixture
def station(tmp_path, monkeypatch):
    """A zoo with two packages, and a station on which nothing is active yet."""
    zoo = tmp_path / "zoo"
    write_package(zoo / "first")
    write_package(zoo / "second", tiny_onnx(golden=False), golden=False)
    monkeypatch.setenv(ZOO_VARIABLE, str(zoo))
    # What reaches the disk before what is tested elsewhere; here it would only take its time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return Station(tmp_path / "state", zoo, tmp_path / "elsewhere")


@pytest.fixture
def make_bench(monkeypatch, tmp_path):
    """Makes fake GPUs with TensorRT on them."""
    benches = []

    def make(**options):
        benches.append(GpuBench(monkeypatch, tmp_path / "engines", **options))
        return benches[-1]

    yield make
    for bench in benches:
        bench.end()


@pytest.fixture
def bench(make_bench):
    return make_bench()
