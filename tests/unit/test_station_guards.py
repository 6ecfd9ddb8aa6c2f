"""What the station tells the machines around it, and whom it shows that it lives."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_MS
from app.errors import ActuationError, LineError
from tests.unit.test_station import Bench

HANDSHAKE = {name: {"pin": pin} for pin, name in enumerate(("ready", "fault", "line_stop", "heartbeat", "stopped"), 10)}
WELL = {"ready": True, "fault": True, "line_stop": True}


class Guard:
    """Remembers what it was shown."""

    def __init__(self) -> None:
        self.pets = 0
        self.ends: list[bool] = []
        self.refuses = False

    def pet(self, now_ns):
        if self.refuses:
            raise LineError("the watchdog takes no sign of life", "expect a reset")
        self.pets += 1

    def close(self, *, is_safe):
        self.ends.append(is_safe)


def shaking(**changes) -> Bench:
    return Bench(handshake=HANDSHAKE, **changes)


def guarded() -> tuple[Bench, Guard]:
    bench, guard = Bench(), Guard()
    bench.station.guarded_by([guard])
    return bench, guard


def said(bench: Bench) -> dict[str, bool]:
    return {name: bench.io.lines[name] for name in WELL}


def hang(bench: Bench) -> None:
    """The line thread goes on and the verdict thread hangs."""
    for _ in range(100):
        bench.clock.advance_to(bench.clock.now_ns() + NS_PER_MS)
        bench.station.step_line()


# ---- handshake lines ----


def test_running_line_says_ready_and_no_fault() -> None:
    assert said(shaking()) == WELL


def test_lines_that_are_not_wired_are_not_touched() -> None:
    bench = Bench(handshake={"ready": {"pin": 10}})
    assert set(bench.io.lines) == {"ready"}


def test_line_that_purges_may_run_and_is_not_ready() -> None:
    bench = shaking()
    bench.station.stop("Ada")
    bench.station.reset("Ada", "lead", "looked")
    bench.move(100)
    assert said(bench) == {"ready": False, "fault": True, "line_stop": True}


def test_person_who_stops_the_line_is_no_fault() -> None:
    bench = shaking()
    bench.station.stop("Ada")
    assert said(bench) == {"ready": False, "fault": True, "line_stop": False}


def test_fault_of_an_output_is_told_in_the_same_step() -> None:
    bench = shaking()
    bench.io.faults = ["gate reads back otherwise"]
    bench.station.step()
    assert said(bench) == {"ready": False, "fault": False, "line_stop": False}


def test_camera_that_fails_is_a_fault_and_does_not_stop_the_line() -> None:
    bench = shaking()
    bench.eyes["top"].fails = "trigger"
    bench.part()
    assert said(bench) == {"ready": False, "fault": False, "line_stop": True}


def test_good_news_waits_for_the_heartbeat() -> None:
    bench = shaking()
    bench.station.stop("Ada")
    bench.station.reset("Ada", "lead", "looked")
    assert not bench.io.lines["line_stop"]
    bench.move(50)
    assert bench.io.lines["line_stop"]


def test_heartbeat_changes_also_while_the_line_is_stopped() -> None:
    bench = shaking()
    bench.station.stop("Ada")
    levels = []
    for _ in range(20):
        bench.move(10)
        levels.append(bench.io.lines["heartbeat"])
    assert set(levels) == {True, False}


def test_lines_are_not_refreshed_while_no_frame_can_be_judged() -> None:
    bench = shaking()
    hang(bench)
    bench.io.lines.clear()
    hang(bench)
    assert bench.io.lines == {}


def test_line_that_does_not_take_its_level_stops_the_line() -> None:
    bench = shaking(permit=None)
    bench.io.refuses = True
    bench.move(50)
    assert bench.station.status().state.value == "STOPPED"


# ---- guards ----


def test_guard_is_shown_that_all_workers_make_progress() -> None:
    bench, guard = guarded()
    bench.move(100)
    assert guard.pets > 0


def test_guard_is_shown_nothing_while_the_verdict_thread_hangs() -> None:
    bench, guard = guarded()
    hang(bench)
    guard.pets = 0
    hang(bench)
    assert guard.pets == 0


def test_guard_is_shown_life_also_while_the_line_is_stopped() -> None:
    bench, guard = guarded()
    bench.station.stop("Ada")
    guard.pets = 0
    bench.move(100)
    assert guard.pets > 0


def test_guard_that_cannot_be_reached_stops_the_line() -> None:
    bench, guard = guarded()
    guard.refuses = True
    bench.move(50)
    assert "takes no sign of life" in bench.station.status().why


@pytest.mark.parametrize("is_wanted", [True, False])
def test_guard_is_dismissed_only_when_the_station_was_told_to_end(is_wanted: bool) -> None:
    bench, guard = guarded()
    bench.station.close(is_wanted=is_wanted)
    assert guard.ends == [is_wanted]


def test_guard_stays_on_watch_when_an_output_does_not_go_safe() -> None:
    bench, guard = guarded()

    def refuse():
        raise ActuationError("gate reject cannot be switched off", "check its wires")

    bench.io.close = refuse
    with pytest.raises(ActuationError):
        bench.station.close(is_wanted=True)
    assert guard.ends == [False]
