"""How an accelerator that failed is brought back."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.detect.curtain import MEND, Attached, Curtain, Phase, Rules, Shown
from app.errors import BusError, DetectorError
from app.types import Detection
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import blank

HOLE = Detection("left", 0.9, (0, 0, 8, 8))
RULES = Rules(slice_ns=2 * NS_PER_MS, samples=4)
PACKAGE = SimpleNamespace(
    name="tiny",
    variant="accelerator-fp16",
    variants=("accelerator-fp16",),
    score_threshold=0.5,
    tolerance_score=0.05,
    tolerance_px=1.0,
)
FRAME = SimpleNamespace(image=SimpleNamespace(name="golden.png"), detections=(HOLE,), picture_score=None)


class ScriptedRemote:
    """A process that remembers why it was distrusted."""

    def __init__(self):
        self.slice_ns = 0
        self.has_left = False
        self.distrusted = []

    def distrust(self, why):
        self.distrusted.append(why)


class World:
    """A clock, servers that come and go, and the curtain before them."""

    def __init__(self, rules=RULES):
        self.clock = VirtualClock(NS_PER_S)
        self.server = None
        self.trouble = None
        self.curtain = Curtain(self._attach, rules, self.clock)

    def _attach(self):
        if self.trouble:
            raise self.trouble
        return self.server

    def start_server(self, *found):
        remote, detector = ScriptedRemote(), ScriptedDetector(*(found or (HOLE,)), runtime="gpu")
        self.server = Attached(detector, remote, PACKAGE, (Shown(FRAME, blank(), None),))
        return detector, remote

    def steps(self, count=1, apart_ms=5):
        for _ in range(count):
            self.clock.advance_to(self.clock.now_ns() + apart_ms * NS_PER_MS)
            self.curtain.step()

    def promoted(self, *found):
        detector, remote = self.start_server(*found)
        self.steps(60)
        assert self.curtain.phase is Phase.TRUSTED
        return detector, remote


@pytest.fixture
def world():
    return World()


def test_accelerator_is_away_until_its_server_is_there(world):
    world.steps(100)
    assert (world.curtain.phase, world.curtain.detector) == (Phase.AWAY, None)
    assert world.curtain.why == "the accelerator is starting"


def test_it_judges_as_many_golden_frames_as_the_rules_want_before_it_is_trusted(world):
    detector, remote = world.start_server()
    world.steps(40)
    while world.curtain.phase is Phase.AWAY:
        world.steps()
    while world.curtain.phase is Phase.PROVING:
        assert world.curtain.detector is None
        world.steps()
    assert (world.curtain.phase, world.curtain.detector, world.curtain.why) == (Phase.TRUSTED, detector, "")
    assert remote.slice_ns == RULES.slice_ns
    assert world.curtain.promotions == 1


def test_one_step_asks_at_most_once(world):
    detector, _ = world.start_server()
    before = 0
    for _ in range(80):
        world.steps()
        assert len(detector.seen) - before <= 1
        before = len(detector.seen)
    assert before >= RULES.samples


def test_golden_frame_that_is_judged_wrongly_keeps_it_away(world):
    _, remote = world.start_server(Detection("right", 0.9, (0, 0, 8, 8)))
    world.steps(60)
    assert world.curtain.promotions == 0
    assert world.curtain.why.startswith("accelerator wrong: ")
    assert remote.distrusted[-1] == world.curtain.why


def test_trusted_one_shows_a_golden_frame_once_in_a_while(world):
    detector, _ = world.promoted()
    before = len(detector.seen)
    world.steps(1000)
    assert 4 <= len(detector.seen) - before <= 6, "5 s have gone by"


def test_silent_corruption_is_found_while_no_part_waits(world):
    detector, remote = world.promoted()
    detector.detections = ()
    world.steps(300)
    assert world.curtain.phase is not Phase.TRUSTED
    assert "hole" in world.curtain.why or "left" in world.curtain.why
    assert remote.distrusted
    assert detector.closings


def test_after_a_failure_another_server_is_proven_and_promoted(world):
    world.promoted()
    world.server = None
    world.curtain.failed("accelerator late: no answer within 2.0 ms", "LATE")
    assert world.curtain.code == "LATE"
    assert (world.curtain.phase, world.curtain.detector) == (Phase.AWAY, None)
    assert world.curtain.why.startswith("accelerator late")
    world.promoted()
    assert (world.curtain.failures, world.curtain.promotions, world.curtain.why) == (1, 2, "")
    assert world.curtain.code == ""


def test_failure_while_it_is_proven_starts_the_proof_again(world):
    detector, _ = world.start_server()
    while len(detector.seen) < RULES.samples - 1:
        world.steps()
    detector.is_failing = True
    world.steps()
    assert (world.curtain.phase, world.curtain.failures) == (Phase.AWAY, 1)
    fresh, _ = world.promoted()
    assert len(fresh.seen) >= RULES.samples


def test_flapping_accelerator_is_parked_until_somebody_asks(world):
    for _ in range(RULES.flaps):
        world.promoted()
        world.curtain.failed("accelerator gone")
    assert world.curtain.phase is Phase.PARKED
    assert "3 times within 600 s" in world.curtain.why
    assert world.curtain.code == "PARKED"
    world.steps(1000)
    assert world.curtain.phase is Phase.PARKED
    world.curtain.unpark()
    assert world.curtain.phase is Phase.PARKED, "the thread that judges does it, at its next step"
    world.steps()
    assert world.curtain.why == "the accelerator was asked for again"
    world.promoted()


def test_one_that_leaves_because_it_was_asked_to_is_away_and_not_on_its_way_to_be_parked(world):
    for _ in range(2 * RULES.flaps):
        _, remote = world.promoted()
        remote.has_left = True
        world.curtain.failed("accelerator gone")
        assert world.curtain.phase is Phase.AWAY
    assert world.curtain.failures == 2 * RULES.flaps, "it is told all the same"


def test_failures_far_apart_do_not_park_it(world):
    for _ in range(2 * RULES.flaps):
        world.promoted()
        world.curtain.failed("accelerator gone")
        world.clock.advance_to(world.clock.now_ns() + RULES.flap_window_ns)
    assert world.curtain.phase is Phase.AWAY


@pytest.mark.parametrize("trouble", [BusError("the file is torn", "wait"), DetectorError("it is gone", "wait")])
def test_trouble_while_attaching_is_told_and_tried_again(world, trouble):
    world.trouble = trouble
    world.steps(60)
    assert world.curtain.why == str(trouble)
    world.trouble = None
    world.promoted()


def test_accelerator_that_needs_more_than_its_slice_is_not_asked_and_the_figures_are_told(world):
    detector, remote = world.start_server()
    world.server = replace(world.server, usual_ns=3 * NS_PER_MS)
    world.steps(100)
    assert (world.curtain.phase, world.curtain.failures, remote.distrusted, detector.seen) == (Phase.AWAY, 0, [], [])
    assert world.curtain.why.startswith("the accelerator needs 3.0 ms and the standby leaves it 2.0 ms")


@pytest.mark.parametrize(
    ("took_ms", "is_trusted"),
    [(0.5, True), (1.2, True), (1.9, False)],
    ids=["as at its proof", "slower, but far from its slice", "slower, and near its slice"],
)
def test_accelerator_that_grows_slow_goes_before_it_is_late(took_ms, is_trusted):
    world = World(Rules(slice_ns=2 * NS_PER_MS, samples=30))
    detector, _ = world.start_server()
    detector.infer_ns = NS_PER_MS // 2
    world.steps(100)
    assert world.curtain.phase is Phase.TRUSTED
    for _ in range(200):
        world.curtain.took(round(took_ms * NS_PER_MS))
    assert (world.curtain.phase is Phase.TRUSTED) == is_trusted
    assert world.curtain.why.startswith("" if is_trusted else "accelerator slow: ")


def test_unpark_of_one_that_is_trusted_changes_nothing(world):
    world.promoted()
    world.curtain.unpark()
    assert world.curtain.phase is Phase.TRUSTED


def test_it_is_known_since_when_it_stands_where_it_stands(world):
    began_ns = world.curtain.since_ns
    world.promoted()
    trusted_ns = world.curtain.since_ns
    world.steps(10)
    assert began_ns < trusted_ns == world.curtain.since_ns
    world.steps(1)
    world.curtain.failed("accelerator gone")
    assert world.curtain.since_ns == world.clock.now_ns()
    assert world.curtain.runtime == "gpu"


def test_slice_of_a_part_is_no_golden_frames(world):
    _, remote = world.promoted()
    world.curtain.allow(5)
    assert remote.slice_ns == 5
    world.steps(300)
    assert remote.slice_ns == RULES.slice_ns


def test_what_it_needs_is_known_from_its_proof(world):
    detector, _ = world.start_server()
    detector.infer_ns = 700
    world.steps(60)
    assert world.curtain.least_ns == 1400


def test_parked_one_is_not_said_to_come_back_by_itself(world):
    for _ in range(RULES.flaps):
        world.promoted()
        world.curtain.failed(f"accelerator gone: its process has ended; {MEND}")
    assert world.curtain.why == (
        "accelerator gone: its process has ended; the standby judges; it failed 3 times within 600 s and is parked"
        " until somebody asks for it"
    )
