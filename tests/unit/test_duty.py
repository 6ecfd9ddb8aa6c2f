"""What a station makes of an accelerator that is away: told, written down, and the line stopped where it must be."""

import pytest

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.detect.curtain import Phase
from app.detect.failover import Slices
from app.entries.duty import WAIT_NS, Duty
from app.errors import CommandRefusedError
from app.types import EventKind
from tests.unit.detect.test_standby import line_with


class Curtain:
    """An accelerator that stands where a test puts it."""

    def __init__(self):
        self.phase, self.why, self.since_ns = Phase.TRUSTED, "", 5
        self.runtime, self.failures, self.promotions = "tensorrt", 0, 1
        self.is_asked_for = False

    def unpark(self):
        self.is_asked_for = True


class Both:
    """Accelerator and standby."""

    def __init__(self, standby_ms, clock):
        self.curtain = Curtain()
        self.standby_runtime = "openvino"
        self.slices = Slices(5 * NS_PER_MS, round(standby_ms * NS_PER_MS), NS_PER_MS)
        self._clock = clock
        self.rests = 0

    @property
    def why(self):
        return self.curtain.why

    @property
    def code(self):
        return "GONE"

    def rest(self):
        self.rests += 1
        self._clock.advance_to(self._clock.now_ns() + NS_PER_S)


class Told:
    """A tracker that remembers what it is told."""

    def __init__(self):
        self.accelerators, self.standbys = [], []

    def note(self, kind, **said):
        assert kind is EventKind.ACCELERATOR
        self.accelerators.append(tuple(said.values()))

    def standby(self, text):
        self.standbys.append(text)


class Rig:
    """A duty over all of it."""

    def __init__(self, standby_ms=3.0, degraded="stop"):
        self.clock = VirtualClock()
        self.both = Both(standby_ms, self.clock)
        self.told = Told()
        self.duty = Duty(self.both, line_with(model={"accelerator": "auto", "degraded": degraded}), self.clock)

    def look(self):
        return self.duty.look(lambda question: question(self.told))

    def lose(self, why="accelerator gone", phase=Phase.AWAY):
        self.both.curtain.phase, self.both.curtain.why = phase, why

    def regain(self):
        self.both.curtain.phase, self.both.curtain.why = Phase.TRUSTED, ""


def test_status_says_which_runtime_why_and_since_when():
    rig = Rig()
    rig.lose()
    said = rig.look()
    assert (said.phase, said.why, said.since_ns) == ("away", "accelerator gone", 5)
    assert (said.runtime, said.standby, said.asks_mm_s) == ("tensorrt", "openvino", None)
    assert (said.slice_ms, said.standby_ms, said.standby_mm_s) == (2.0, 3.0, 1000.0)


def test_each_change_is_written_down_once_and_a_proof_is_none():
    rig = Rig()
    rig.look()
    rig.lose()
    rig.look()
    rig.look()
    rig.lose(phase=Phase.PROVING)
    rig.look()
    rig.lose("... and is parked", Phase.PARKED)
    rig.look()
    assert rig.told.accelerators == [
        ("trusted", "tensorrt"),
        ("away", "accelerator gone"),
        ("parked", "... and is parked"),
    ]


def test_line_whose_standby_keeps_up_runs_on():
    rig = Rig()
    rig.lose()
    rig.look()
    assert rig.told.standbys == []
    assert rig.duty.why == "accelerator gone"
    assert rig.duty.at_load() == ()


def test_line_whose_standby_cannot_keep_up_is_stopped_until_the_accelerator_judges_again():
    rig = Rig(standby_ms=180)
    rig.look()
    rig.lose()
    rig.look()
    rig.look()
    rig.regain()
    rig.look()
    assert rig.told.standbys == [f"accelerator gone; {rig.duty.hold.text}", ""]
    assert "the standby holds 500 mm/s" in rig.told.standbys[0]


def test_slow_asks_for_the_speed_that_the_standby_holds_and_only_while_it_judges():
    rig = Rig(standby_ms=180, degraded="slow")
    assert rig.look().asks_mm_s is None
    rig.lose()
    assert rig.look().asks_mm_s == 500.0
    assert rig.duty.why.endswith("; run the belt at 500 mm/s at most")
    assert rig.told.standbys == []


def test_run_asks_for_nothing_and_stops_nothing():
    rig = Rig(standby_ms=180, degraded="run")
    rig.lose()
    assert rig.look().asks_mm_s is None
    assert rig.told.standbys == []
    assert "the standby holds 500 mm/s" in rig.duty.why


@pytest.mark.parametrize(
    ("degraded", "follows"), [("stop", "the line stops"), ("slow", "asks for that speed"), ("run", "are rejected")]
)
def test_load_names_the_speed_that_the_standby_holds_and_what_follows(degraded, follows):
    held, missed = Rig(standby_ms=180, degraded=degraded).duty.at_load()
    assert "the standby holds 500 mm/s" in held
    assert follows in held
    assert f"model.degraded = {degraded}" in held
    assert "model.verdict_ms allows 5" in missed


def test_line_that_may_not_run_without_it_waits_for_it_before_it_starts():
    rig = Rig(standby_ms=180)
    rig.lose("the accelerator is starting")
    rig.both.rest = rig.regain
    rig.duty.await_trust(lambda: False)
    assert rig.both.why == ""


def test_and_waits_no_longer_than_makes_sense():
    rig = Rig(standby_ms=180)
    rig.lose("the accelerator is starting")
    rig.duty.await_trust(lambda: False)
    assert rig.both.rests == WAIT_NS // NS_PER_S


@pytest.mark.parametrize(("standby_ms", "degraded"), [(3, "stop"), (180, "slow"), (180, "run")])
def test_other_lines_start_at_once(standby_ms, degraded):
    rig = Rig(standby_ms, degraded)
    rig.lose("the accelerator is starting")
    rig.duty.await_trust(lambda: False)
    assert rig.both.rests == 0


def test_parked_accelerator_is_asked_for_with_name_and_reason():
    rig = Rig()
    rig.lose("failed 3 times and is parked", Phase.PARKED)
    rig.look()
    rig.duty.unpark(rig.told, "Ada", "fan cleaned")
    assert rig.both.curtain.is_asked_for
    assert rig.told.accelerators[-1] == ("away", "fan cleaned", "Ada")
    assert rig.look().phase == "away", "before the other thread has taken it up"
    assert len(rig.told.accelerators) == 2


@pytest.mark.parametrize(("phase", "words"), [(Phase.TRUSTED, "it judges"), (Phase.AWAY, "brought back by itself")])
def test_one_that_is_not_parked_needs_no_asking(phase, words):
    rig = Rig()
    rig.lose(phase=phase)
    with pytest.raises(CommandRefusedError, match=words):
        rig.duty.unpark(rig.told, "Ada", "")
    assert not rig.both.curtain.is_asked_for
