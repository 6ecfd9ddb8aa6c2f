"""How a station says it is: a pure look, with who judges and since when each state holds."""

from __future__ import annotations

from app.clock import NS_PER_MS
from app.detect.detector import Result
from app.status import State
from tests.unit.test_station import Bench

WHY = "accelerator gone: its process has ended"


def running() -> Bench:
    bench = Bench()
    bench.move(900)
    assert bench.station.status().state is State.RUNNING
    return bench


def test_look_changes_nothing_and_two_in_a_row_say_the_same() -> None:
    bench = running()
    before = (len(bench.book.ledger), bench.io.toggles, list(bench.io.gates))
    assert bench.station.status() == bench.station.status()
    assert (len(bench.book.ledger), bench.io.toggles, list(bench.io.gates)) == before


def test_standby_that_judges_is_degraded_since_it_was_told() -> None:
    bench = running()
    bench.clock.advance_to(bench.clock.now_ns() + 5 * NS_PER_MS)
    told_ns = bench.clock.now_ns()
    bench.station.note_judge(WHY, 3)
    bench.clock.advance_to(told_ns + 40 * NS_PER_MS)
    status = bench.station.status()

    assert (status.state, status.why, status.failovers) == (State.DEGRADED, WHY, 3)
    assert status.since_ns == told_ns
    assert status.lamps == ("lamp_amber",)


def test_camera_that_fails_counts_before_a_standby_that_judges() -> None:
    bench = running()
    bench.station.note_judge(WHY, 1)
    bench.eyes["top"].fails = "grab"
    bench.station.serve("top")
    status = bench.station.status()

    assert (status.state, status.why) == (State.NO_CAMERA, "camera top is gone; check its cable")
    assert status.since_ns == bench.clock.now_ns(), "before the next step has taken it down too"


def test_cause_is_told_as_a_code_of_the_camera_of_the_judge_or_of_the_stop() -> None:
    bench = running()
    bench.station.note_judge(WHY, 1, "GONE")
    assert bench.station.status().code == "GONE"

    bench.eyes["top"].fails = "grab"
    bench.station.serve("top")
    status = bench.station.status()
    assert (status.code, status.cameras[0].code) == ("OTHER", "OTHER"), "its driver gave no code"

    bench.station.stop("Ada")
    assert bench.station.status().code == "OPERATOR"


def test_line_without_trouble_has_no_code() -> None:
    status = running().station.status()
    assert (status.code, status.cameras[0].code) == ("", "")


def test_accelerator_that_is_back_is_running_again() -> None:
    bench = running()
    bench.station.note_judge(WHY, 1)
    bench.station.note_judge("", 1)
    status = bench.station.status()

    assert (status.state, status.why, status.failovers) == (State.RUNNING, "", 1)


def test_judge_is_told_when_each_frame_came_and_how_long_its_verdict_took() -> None:
    bench = Bench()
    told: list[tuple[str, int]] = []
    bench.mind.begin = lambda since_ns: told.append(("begin", since_ns))
    bench.mind.done = lambda total_ns: told.append(("done", total_ns))
    bench.mind.says = [Result(())]
    bench.part()
    bench.look()

    assert [name for name, _ in told] == ["begin", "done"]
    assert all(ns >= 0 for _, ns in told)
