"""The accelerator while it is trusted, and the standby for the very picture that it fails on."""

import pytest

from app.clock import NS_PER_MS, VirtualClock
from app.detect.curtain import Phase
from app.detect.failover import JUST_NS, STILL_NS, Accelerated
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
        self.is_closed = False

    def failed(self, why):
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
        self.clock = VirtualClock()
        self.first = ScriptedDetector(runtime="gpu", is_golden=True)
        self.standby = ScriptedDetector(Detection("left", 0.6, (0, 0, 1, 1)), runtime="cpu")
        self.curtain = ScriptedCurtain(self.first)
        self.both = Accelerated(self.standby, self.first.spec, self.curtain, thresholds, self.clock)

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
