"""Times in turns, on a clock that moves by what each detector takes."""

import os

import numpy as np
import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.detect.building_timing import TURN, Machine, Shot, scheduling, time_in_turns, times_of
from app.errors import DetectorError
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import blank


class Runner(ScriptedDetector):
    """Takes so many ms each time; remembers in a list that all share when it was asked."""

    def __init__(self, clock, log, name, took_ms):
        super().__init__(runtime=name)
        self._clock, self._log, self._took_ms = clock, log, took_ms

    def detect(self, image, golden=None):
        self._log.append(self.runtime)
        self._clock.advance_to(self._clock.now_ns() + round(self._took_ms * NS_PER_MS))
        return super().detect(image, golden)


def turns(log):
    """Whose turn it was, each turn once."""
    return "".join(log[place] for place in range(0, len(log), TURN + 1))


@pytest.fixture
def rig():
    clock, log = VirtualClock(), []
    return clock, log, [Runner(clock, log, name, took) for name, took in (("a", 2.0), ("b", 3.5))]


def timed(rig, rounds=2, **options):
    clock, _, runners = rig
    shots = [(Shot(blank(), None),)] * len(runners)
    return time_in_turns(runners, shots, rounds, clock, breathe=lambda _: None, **options)


def test_each_is_timed_by_itself(rig):
    assert [(each.count, each.p50_ms, each.max_ms) for each in timed(rig)] == [(20, 2.0, 2.0), (20, 3.5, 3.5)]


def test_turns_alternate_and_another_begins_each_round(rig):
    timed(rig, rounds=3)
    assert turns(rig[1]) == "abbaab"


class ColdRunner(Runner):
    """Takes 50 ms for the first picture of each turn."""

    def detect(self, image, golden=None):
        self._took_ms = 1.0 if len(self._log) % (TURN + 1) else 50.0
        return super().detect(image, golden)


def test_first_picture_of_a_turn_does_not_count(rig):
    clock, log, _ = rig
    shots = [(Shot(blank(), None),)]
    (times,) = time_in_turns([ColdRunner(clock, log, "c", 0)], shots, 3, clock, breathe=lambda _: None)
    assert (times.p50_ms, times.max_ms) == (1.0, 1.0)


def test_others_are_let_breathe_between_turns(rig):
    clock, _, runners = rig
    breaths = []
    time_in_turns(runners, [(Shot(blank(), None),)] * 2, 3, clock, breathe=breaths.append)
    assert len(breaths) == 6


def test_rounds_are_told(rig):
    told = []
    timed(rig, rounds=4, on_round=lambda: told.append(1))
    assert len(told) == 4


def test_failure_is_passed_on(rig):
    rig[2][1].is_failing = True
    with pytest.raises(DetectorError, match="b is lost"):
        timed(rig)


def test_figures_are_percentiles_in_ms():
    times = times_of(np.arange(1, 101) * NS_PER_MS)
    assert (times.count, times.p50_ms, times.max_ms) == (100, 50.5, 100.0)
    assert (times.p95_ms, times.p99_ms) == (95.05, 99.01)


@pytest.mark.parametrize(("load", "is_busy"), [(0.0, False), (1.0, False), (1.1, True)])
def test_machine_is_busy_when_others_want_more_than_half_a_core_each_before_the_run(load, is_busy):
    assert Machine(2, load, 9.0, "SCHED_OTHER").is_busy is is_busy


def test_scheduling_is_told_in_the_kernels_words(monkeypatch):
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_FIFO | os.SCHED_RESET_ON_FORK)
    monkeypatch.setattr(os, "sched_getparam", lambda _: os.sched_param(70))
    assert scheduling() == "SCHED_FIFO 70"
