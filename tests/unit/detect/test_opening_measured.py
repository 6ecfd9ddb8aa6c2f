"""A station opens what was measured on its device, and says why where it does not."""

from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest

from app.config import ModelSettings
from app.detect.building_file import write_build
from app.detect.building_key import key_of
from app.detect.building_record import Measured, RoleBuild
from app.detect.building_timing import Machine, Times
from app.detect.choose import Candidate
from app.detect.unused import Unused
from app.detect.zoo import ZOO_VARIABLE
from app.entries import accelerator
from app.main import open_model
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import tiny_package

FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=timezone.utc)


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setenv(ZOO_VARIABLE, str(tmp_path / "zoo"))
    return tiny_package(tmp_path / "zoo" / "tiny")


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def measured(state, package, role, *runtimes, threads=1, **changes):
    """Writes a build in which each runtime is slower than the one before it."""
    times = [Times(200, place + 1.0, 2.0, 3.0, 4.0) for place in range(len(runtimes))]
    passed = [
        Measured(Candidate(package.variant, each), took, 0, 0, 1) for each, took in zip(runtimes, times, strict=True)
    ]
    key = replace(key_of(role, threads), **changes)
    write_build(state, package, role, RoleBuild(key, FRIDAY, Machine(2, 0, 0, "SCHED_OTHER"), "", tuple(passed), ()))


def opened(state, **model):
    told = []
    detector, _ = open_model(ModelSettings(package="tiny", threads=1, **model), state, told.append)
    detector.close()
    return detector.runtime, told


def test_auto_is_the_runtime_that_was_the_fastest_here(state, package):
    measured(state, package, "standby", "onnx", "openvino")
    assert opened(state) == ("onnx", ["accelerator-fp32 on onnx was the fastest here on 2026-11-20 14:30: 1.00 ms"])


def test_auto_is_the_preferred_runtime_where_nothing_was_measured(state, package):
    assert opened(state) == ("openvino", [])


def test_auto_is_the_preferred_runtime_where_the_device_is_another_and_that_is_told(state, package):
    measured(state, package, "standby", "onnx", "openvino", device="another board")
    runtime, told = opened(state)
    assert runtime == "openvino"
    assert "was made on another board, and this is " in told[0]


def test_runtime_that_the_line_names_is_not_overruled(state, package):
    measured(state, package, "standby", "onnx")
    assert opened(state, runtime="openvino") == ("openvino", [])


def test_accelerators_process_keeps_engines_in_the_stations_state_and_tells_what_becomes_of_them(
    state, package, monkeypatch, capsys
):
    asked = []

    def open_local(_model, _runtime, _threads, _clock, _preparation, keeping):
        keeping.on_note("an engine is built anew")
        asked.append(keeping.folder)
        return ScriptedDetector()

    monkeypatch.setattr(accelerator, "open_local", open_local)
    monkeypatch.setattr(accelerator, "prove", lambda *_: None)
    exchange = SimpleNamespace(input=None)
    post = SimpleNamespace(state=state, place=None)
    accelerator._open_proven(
        package, Candidate("accelerator-fp32", "tensorrt"), 1, None, exchange, post, Unused(accelerator._tell)
    )
    assert asked == [state / "engines"]
    assert "an engine is built anew" in capsys.readouterr().err
