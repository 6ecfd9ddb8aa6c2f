"""Why a build, an engine or a model is not what judges: told to the log, and kept for the status in bounds."""

import pytest

from app.detect.building_file import write_build
from app.detect.building_key import key_of
from app.detect.building_record import Measured, RoleBuild
from app.detect.building_timing import Machine, Times
from app.detect.building_use import measured_first
from app.detect.choose import Candidate, Refusal
from app.detect.unused import LONGEST, MOST, Unused, reasons_of
from tests.unit.detect.test_building_use import FRIDAY, no_gpu
from tests.unit.detect.tiny_model import tiny_package


def test_each_reason_is_logged_and_kept_once_and_cut_to_a_line():
    log = []
    unused = Unused(log.append)
    unused("engine stale")
    unused("engine stale")
    unused("two\n lines " + "x" * 1000)
    assert log[:2] == ["engine stale"] * 2
    assert unused.said[0] == "engine stale"
    assert unused.said[1].startswith("two lines x")
    assert [len(each) for each in unused.said] == [12, LONGEST]


def test_status_never_grows_beyond_its_room():
    unused = Unused(lambda _: None)
    for number in range(100):
        unused(f"reason {number}")
    assert unused.said == tuple(f"reason {number}" for number in range(MOST))


@pytest.mark.parametrize("said", [None, 5, "text", {"a": "b"}, [1, None, ["x"]]])
def test_nonsense_of_another_process_is_no_reason(said):
    assert reasons_of(said) == ()


def test_reasons_of_another_process_are_held_to_the_same_bounds():
    said = reasons_of(["x" * 5000, *(f"reason {number}" for number in range(50))])
    assert (len(said), len(said[0])) == (MOST, LONGEST)


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


def asked(package, state, threads=2):
    log, unused = [], []
    candidates = [Candidate(package.variant, "openvino"), Candidate(package.variant, "onnx")]
    found = measured_first(candidates, state, package, "standby", threads, log.append, no_gpu, unused.append)
    return [each.runtime for each in found], log, unused


def written(package, state, refused=()):
    passed = (Measured(Candidate(package.variant, "onnx"), Times(200, 1, 2, 3, 4), 0.1, 0.01, 1.0),)
    build = RoleBuild(key_of("standby", 2, no_gpu), FRIDAY, Machine(2, 0, 0, "SCHED_OTHER"), "", passed, refused)
    write_build(state, package, "standby", build)


def test_build_that_is_stale_says_so_where_the_status_shows_it(package, tmp_path):
    written(package, tmp_path)
    runtimes, log, unused = asked(package, tmp_path, threads=4)
    assert (runtimes, log) == (["openvino", "onnx"], [])
    assert "was made with 2 threads of an inference, and 4 are set; run: takt models build" in unused[0]


def test_candidate_that_missed_parity_is_named_with_what_it_missed_by(package, tmp_path):
    written(package, tmp_path, (Refusal(Candidate(package.variant, "openvino"), "a score is off by 0.41"),))
    runtimes, log, unused = asked(package, tmp_path)
    assert runtimes == ["onnx", "openvino"]
    assert "was the fastest here" in log[0]
    assert unused == [
        f"{package.variant} on openvino did not pass the build of 2026-11-20 14:30: a score is off by 0.41"
    ]
