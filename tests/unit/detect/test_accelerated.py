"""The accelerator while it is trusted, and the standby for the very picture that it fails on."""

import pytest

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.detect.curtain import Phase
from app.detect.failover import JUST_NS, KEPT, STILL_NS, Accelerated, Slices
from app.errors import DetectorError
from app.types import Detection
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import blank


class ScriptedCurtain:
    """An accelerator that is trusted until it fails."""

    def __init__(self, detector):
        self.detector = detector
        self.why = ""
        self.phase = Phase.TRUSTED
        self.failures = []
        self.steps = 0
        self.taken = []
        self.slice_ns = self.least_ns = 0
        self.allowed_ns = []
        self.is_closed = False

    def allow(self, slice_ns):
        self.allowed_ns.append(slice_ns)

    def failed(self, why, code):
        self.code = code
        self.failures.append(why)
        self.why, self.detector = why, None

    def took(self, infer_ns):
        self.taken.append(infer_ns)

    def step(self):
        self.steps += 1

    def close(self):
        self.is_closed = True


class Rig:
    """Both detectors, and what stands between them."""

    def __init__(self, thresholds=(0.5, 0.5)):
        self.clock = VirtualClock(NS_PER_S)
        self.first = ScriptedDetector(runtime="gpu", is_golden=True)
        self.standby = ScriptedDetector(Detection("left", 0.6, (0, 0, 1, 1)), runtime="cpu")
        self.curtain = ScriptedCurtain(self.first)
        slices = Slices(budget_ns=10 * NS_PER_MS, standby_ns=4 * NS_PER_MS, least_ns=NS_PER_MS)
        self.both = Accelerated(self.standby, self.first.spec, self.curtain, thresholds, self.clock, slices)

    def after(self, ns):
        self.clock.advance_to(self.clock.now_ns() + ns)
        return self


@pytest.fixture
def rig():
    return Rig()


def test_accelerator_judges_while_it_is_trusted(rig):
    rig.both.detect(blank())
    assert (rig.both.runtime, rig.both.failovers, rig.both.why) == ("gpu", 0, "")
    assert rig.curtain.taken == [2], "what the accelerator took"
    assert rig.standby.seen == []


def test_standby_judges_the_very_picture_that_the_accelerator_failed_on(rig):
    rig.first.is_failing = True
    picture, golden = blank(), blank()
    assert [each.label for each in rig.both.detect(picture, golden).detections] == ["left"]
    assert rig.standby.seen[0][0] is picture
    assert rig.standby.seen[0][1] is golden
    assert (rig.both.runtime, rig.both.failovers, rig.curtain.failures) == ("cpu", 1, ["gpu is lost; restart it"])


def test_standby_judges_alone_while_there_is_no_accelerator(rig):
    rig.curtain.detector = None
    rig.both.detect(blank())
    assert (rig.both.runtime, rig.both.failovers, rig.curtain.failures) == ("cpu", 0, [])


def test_picture_that_neither_can_judge_says_nothing_against_the_accelerator(rig):
    rig.first.is_failing = rig.standby.is_failing = True
    with pytest.raises(DetectorError, match="cpu is lost"):
        rig.both.detect(blank())
    assert rig.curtain.failures == []
    rig.first.is_failing = False
    rig.both.detect(blank())
    assert rig.both.runtime == "gpu"


def test_golden_sample_is_wanted_if_either_wants_it(rig):
    assert rig.both.spec.is_golden


@pytest.mark.parametrize(
    ("score", "told"), [(0.0, 0.0), (0.1, 0.2), (0.2, 0.4), (0.6, 0.7), (1.0, 1.0)], ids=lambda value: f"{value}"
)
def test_scores_of_the_standby_are_told_by_the_accelerators_threshold(score, told):
    rig = Rig(thresholds=(0.2, 0.4))
    rig.curtain.detector = None
    rig.standby.detections = (Detection("left", score, (0, 0, 1, 1)),)
    assert rig.both.detect(blank()).detections[0].score == pytest.approx(told)


def test_rest_does_something_right_after_a_picture_or_when_the_line_stands(rig):
    rig.both.detect(blank())
    rig.both.rest()
    assert rig.curtain.steps == 1
    rig.after(JUST_NS + NS_PER_MS).both.rest()
    assert rig.curtain.steps == 1, "the next picture may be due"
    rig.after(STILL_NS).both.rest()
    assert rig.curtain.steps == 2


def test_close_lets_both_go(rig):
    rig.both.close()
    assert (rig.standby.closings, rig.curtain.is_closed) == (1, True)


def test_slice_is_what_standby_and_the_way_from_memory_leave_of_the_budget(rig):
    since_ns = rig.clock.now_ns()
    rig.after(2 * NS_PER_MS).both.begin(since_ns)
    rig.both.detect(blank())
    assert rig.curtain.allowed_ns == [4 * NS_PER_MS]


def test_picture_that_says_nothing_of_its_frame_begins_when_it_is_judged(rig):
    rig.both.begin(rig.clock.now_ns())
    rig.both.detect(blank())
    rig.after(3 * NS_PER_MS).both.detect(blank())
    assert rig.curtain.allowed_ns == [6 * NS_PER_MS, 6 * NS_PER_MS], "the frame of the one before is not its own"


def test_picture_that_waited_for_another_is_not_held_against_the_accelerator(rig):
    rig.curtain.least_ns = 2 * NS_PER_MS
    since_ns = rig.clock.now_ns()
    rig.after(20 * NS_PER_MS).both.begin(since_ns)
    rig.both.detect(blank())
    assert rig.curtain.allowed_ns == [2 * NS_PER_MS]


def test_golden_frames_get_the_slice_of_a_usual_picture(rig):
    for ahead_ms in (1, 1, 50):
        since_ns = rig.clock.now_ns()
        rig.after(ahead_ms * NS_PER_MS).both.begin(since_ns)
        rig.both.detect(blank())
    rig.both.rest()
    assert rig.curtain.slice_ns == 5 * NS_PER_MS, "one that was held up does not count"


def test_ways_are_those_of_the_last_pictures():
    slices = Slices(budget_ns=100, standby_ns=10, least_ns=1)
    assert slices.ahead_ns == 0
    for _ in range(KEPT):
        slices.left_ns(0, 30)
    for _ in range(KEPT):
        slices.left_ns(0, 20)
    assert (slices.ahead_ns, slices.usual_ns) == (20, 70)


def test_what_deciding_takes_behind_the_standby_is_kept_back_too(rig):
    since_ns = rig.clock.now_ns()
    rig.both.begin(since_ns)
    rig.both.detect(blank())
    rig.after(NS_PER_MS).both.done(rig.clock.now_ns() - since_ns)
    rig.both.begin(rig.clock.now_ns())
    rig.both.detect(blank())
    assert rig.curtain.allowed_ns == [6 * NS_PER_MS, 5 * NS_PER_MS]


def test_picture_that_never_came_to_a_detector_tells_nothing_of_its_times(rig):
    rig.both.begin(rig.clock.now_ns())
    rig.after(50 * NS_PER_MS).both.done(50 * NS_PER_MS)
    assert rig.both.slices.usual_ns == 6 * NS_PER_MS
