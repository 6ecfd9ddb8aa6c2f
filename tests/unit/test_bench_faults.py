"""Faults of the accelerator in a bench: what is asked for, when each is injected, and what became of the part."""

from types import SimpleNamespace

import pytest

from app.bench.faults import HARMLESS_NS, Fail, Injector, fails_of
from app.bench.follower import Follower
from app.bench.geometry import fitted
from app.bench.order import Order, line_for
from app.clock import NS_PER_MS
from app.config import load_line
from app.detect.sickness import FAULTS, Sickness
from app.errors import UsageError
from app.setup import load_setup, twin_line
from app.status import State
from app.types import EventKind, LedgerEvent

LINE = load_line(twin_line())
LINE_AT, GEOMETRY = fitted(LINE, 300)
GATE_COUNTS = 2.0 * (450 + 10)
LATE_COUNTS = 550 * 2.0 * (12 + 5) / 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["flu@3"], "there is no fault 'flu'; use kill, hang"),
        (["kill"], "say at which, such as kill@100"),
        (["kill@"], "names no part"),
        (["kill@0"], "names no part"),
        (["kill@-1"], "names no part"),
        (["kill@1.5"], "names no part"),
        (["kill@²"], "names no part"),
    ],
)
def test_fault_that_makes_no_sense_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        fails_of(words)


def test_faults_come_in_the_order_of_their_parts():
    assert fails_of(["hang@30", "kill@4"]) == (Fail("kill", 4), Fail("hang", 30))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"loads": ("cpu",)}, "leave --fail or --load out"),
        ({"is_blank": True}, "leave --fail or --no-inference out"),
        ({"parts": 3}, "--fail kill@4 comes after the last of 3 parts"),
    ],
)
def test_order_that_does_not_go_with_a_fault_is_refused(more, said):
    with pytest.raises(UsageError, match=said):
        Order(**{"parts": 300, "parts_per_min": 300.0, "fails": fails_of(["kill@4"])} | more)


def test_line_with_faults_has_the_accelerator_that_fails_and_the_standby_in_its_station(tmp_path):
    order = Order(300, 300, fails=fails_of(["kill@4"]), budget_ms=40.0)
    model = line_for(order, load_setup(twin_line()), tmp_path)[0].model
    assert (model.accelerator, model.standby, model.runtime, model.verdict_ms) == ("sick", "none", "auto", 40.0)


class World:
    """A sickness, a station's word, and the events of its parts."""

    def __init__(self, folder, *words):
        self.sickness = Sickness(folder / "sickness")
        self.follower = Follower(LINE_AT, GEOMETRY)
        self.injector = Injector(fails_of(words), self.sickness, self.follower)
        self.fired_ns = 0
        self.sequence = 0

    def status(self, state=State.RUNNING, after_ms=0, why="", failovers=0):
        now_ns = self.fired_ns + after_ms * NS_PER_MS
        return SimpleNamespace(state=state, why=why, failovers=failovers, since_ns=now_ns, at_ns=now_ns)

    def fires(self):
        """The next request meets the fault."""
        self.fired_ns = 10**15
        self.sickness.at_request(self.fired_ns, self.fired_ns + 3 * NS_PER_MS)

    def event(self, kind, part_id, count=0, at_ns=0, **data):
        self.sequence += 1
        self.follower.hear(LedgerEvent(1, 1, self.sequence, at_ns, kind, part_id, count, data))

    def part(self, part_id, in_memory_ns, total_us, *, reasons="", count=100, stages_us=1000):
        self.event(EventKind.TRIGGER, part_id, trigger_count=0)
        self.event(EventKind.VERDICT, part_id, count, reasons=reasons)
        stages = dict.fromkeys(("wake_us", "pre_us", "infer_us", "decode_us", "decide_us"), stages_us // 5)
        self.event(EventKind.JUDGED, part_id, in_memory_ns=in_memory_ns, total_us=total_us, **stages)


@pytest.fixture
def world(tmp_path):
    worlds = []

    def make(*words):
        worlds.append(World(tmp_path, *words))
        return worlds[0]

    yield make
    for each in worlds:
        each.sickness.close()


def test_fault_is_injected_at_its_part_and_followed_until_the_accelerator_judges_again(world):
    it = world("driver@5")
    it.injector.look(3, it.status())
    assert it.sickness.is_over
    it.injector.look(4, it.status())
    assert not it.sickness.is_over
    it.fires()
    it.part(9, it.fired_ns - 2 * NS_PER_MS, 5000)
    it.injector.look(5, it.status(State.DEGRADED, 40, "accelerator failed: x", failovers=1))
    assert it.injector.left == 1
    it.injector.look(30, it.status(after_ms=2500, failovers=1))
    assert it.injector.left == 0
    [account] = it.injector.accounts()
    assert (account.kind, account.asked_at, account.at, account.met, account.part_id) == ("driver", 5, 5, "part", 9)
    assert (account.failovers, account.degraded_ms, account.trusted_ms) == (1, 40.0, 2500.0)
    assert (account.frame_to_verdict_ms, account.spent_ms, account.after_deadline_ms) == (5.0, 4.0, 0.0)
    assert account.before_cut_off_ms == pytest.approx((GATE_COUNTS - LATE_COUNTS - 100) / 1.1, abs=0.1)
    assert account.is_judged
    assert account.causes == ("accelerator failed: x",)


def test_slow_accelerator_is_told_with_what_its_inferences_took_before_and_meanwhile(world):
    it = world("slow-x2@1")
    it.injector.look(0, it.status())
    it.fires()
    for number in range(60):
        it.part(number, it.fired_ns - (100 - number) * 200 * NS_PER_MS, 3000, stages_us=5000)
    for number in range(60, 70):
        took_us = 9000 if number == 65 else 5000
        it.part(number, it.fired_ns - NS_PER_MS + (number - 60) * 200 * NS_PER_MS, took_us, stages_us=10_000)
    it.injector.look(70, it.status(after_ms=HARMLESS_NS // NS_PER_MS + 1))
    [account] = it.injector.accounts()
    assert (account.before_ms, account.meanwhile_ms) == (1.0, 2.0)
    assert (account.slowest_ms, account.parts) == (9.0, 10)
    assert (account.failovers, account.degraded_ms) == (0, None)


def test_fault_that_never_came_has_no_figures(world):
    [account] = world("kill@9").injector.accounts()
    assert (account.before_ms, account.meanwhile_ms, account.slowest_ms, account.parts) == (None, None, None, 0)


def test_fault_that_met_a_golden_frame_has_no_part(world):
    it = world("driver@1")
    it.injector.look(0, it.status())
    it.fires()
    it.part(9, it.fired_ns + 5 * NS_PER_MS, 5000)
    it.injector.look(1, it.status())
    [account] = it.injector.accounts()
    assert (account.met, account.part_id, account.frame_to_verdict_ms) == ("golden frame", None, None)


def test_next_fault_waits_until_the_one_before_is_over(world):
    it = world("driver@1", "kill@2")
    it.injector.look(0, it.status())
    it.fires()
    it.injector.look(2, it.status(State.DEGRADED, 10, "x"))
    it.injector.look(3, it.status(State.DEGRADED, 20, "x"))
    assert it.sickness.is_over, "the second is not injected"
    it.injector.look(4, it.status(after_ms=30))
    it.injector.look(5, it.status(after_ms=40))
    assert not it.sickness.is_over
    assert [(each.kind, each.at) for each in it.injector.accounts()] == [("driver", 1), ("kill", 6)]


def test_fault_that_changes_nothing_is_over_after_a_while(world):
    it = world("slow-x2@1")
    it.injector.look(0, it.status())
    it.fires()
    it.injector.look(5, it.status(after_ms=HARMLESS_NS // NS_PER_MS))
    assert it.injector.left == 1
    it.injector.look(6, it.status(after_ms=HARMLESS_NS // NS_PER_MS + 1))
    assert it.injector.left == 0
    assert it.sickness.is_over
    [account] = it.injector.accounts()
    assert (account.degraded_ms, account.trusted_ms, account.causes) == (None, None, ())


def test_parked_accelerator_meets_no_more_faults(world):
    it = world("storm@1", "kill@2")
    it.injector.look(0, it.status())
    it.fires()
    it.injector.look(2, it.status(State.DEGRADED, 10, "it failed 3 times and is parked until somebody asks for it"))
    it.injector.look(3, it.status(State.DEGRADED, 20, "the same"))
    assert it.injector.left == 0
    storm, kill = it.injector.accounts()
    assert (storm.is_parked, kill.is_parked, kill.at, kill.met) == (True, False, 0, "")


def test_parts_without_a_verdict_in_time_and_lost_ones_are_counted_from_a_time_on(world):
    it = world()
    it.follower.since_ns = 50
    for part_id, at_ns in ((1, 10), (2, 60), (3, 70), (4, 80), (5, 90)):
        it.event(EventKind.TRIGGER, part_id, at_ns=at_ns, trigger_count=0)
    for part_id, reasons in ((1, "DEADLINE"), (2, "DEADLINE"), (3, "DETECTOR_FAILED"), (4, "")):
        it.event(EventKind.VERDICT, part_id, reasons=reasons)
    for part_id, outcome in ((1, "LOST"), (2, "REJECTED"), (3, "REJECTED"), (4, "LOST"), (5, "PASSED")):
        it.event(EventKind.OUTCOME, part_id, outcome=outcome)
    assert (it.follower.lost, it.follower.without_verdict) == (1, 2)


def test_every_kind_says_what_happens():
    assert all(each.words and each.times for each in FAULTS.values())
