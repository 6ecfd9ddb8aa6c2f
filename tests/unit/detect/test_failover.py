"""The hot standby: the very frame that the first detector failed on is judged."""

import pytest

from app.detect.failover import Failover
from app.errors import DetectorError
from app.types import Detection
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import blank

FOUND = Detection("left", 0.9, (0, 0, 1, 1))


@pytest.fixture
def first():
    return ScriptedDetector(runtime="first")


@pytest.fixture
def standby():
    return ScriptedDetector(FOUND, runtime="standby")


@pytest.fixture
def failover(first, standby):
    return Failover(first, standby)


def test_first_judges_while_it_can(failover, standby):
    failover.detect(blank())
    assert (failover.runtime, failover.failovers, failover.is_degraded, failover.why) == ("first", 0, False, "")
    assert standby.seen == []


def test_standby_judges_the_very_frame_that_the_first_failed_on(failover, first, standby):
    first.is_failing = True
    picture, golden = blank(), blank()
    assert failover.detect(picture, golden).detections == (FOUND,)
    assert standby.seen[0][0] is picture
    assert standby.seen[0][1] is golden


def test_failure_is_told_with_its_cause(failover, first):
    first.is_failing = True
    failover.detect(blank())
    assert (failover.runtime, failover.is_degraded) == ("standby", True)
    assert failover.why == "first is lost; restart it"


def test_first_is_left_alone_after_it_failed(failover, first):
    first.is_failing = True
    failover.detect(blank())
    first.is_failing = False
    failover.detect(blank())
    assert len(first.seen) == 1
    assert failover.failovers == 2


def test_first_judges_again_after_it_was_restored(failover, first, standby):
    first.is_failing = True
    failover.detect(blank())
    first.is_failing = False
    failover.restore()
    failover.detect(blank())
    assert (len(first.seen), len(standby.seen), failover.failovers) == (2, 1, 1)


def test_new_first_takes_the_place_of_the_old_one(failover, first):
    first.is_failing = True
    failover.detect(blank())
    new = ScriptedDetector(runtime="new")
    failover.restore(new)
    failover.detect(blank())
    assert failover.runtime == "new"
    assert (first.closings, new.closings, len(new.seen)) == (1, 0, 1)


def test_first_that_is_restored_as_it_is_stays_open(failover, first):
    failover.restore(first)
    assert first.closings == 0


def test_picture_that_neither_can_judge_says_nothing_against_the_first(failover, first, standby):
    first.is_failing = standby.is_failing = True
    with pytest.raises(DetectorError, match="standby is lost"):
        failover.detect(blank())
    assert (failover.is_degraded, failover.failovers) == (False, 0)


def test_standby_that_fails_later_raises_and_the_first_stays_alone(failover, first, standby):
    first.is_failing = True
    failover.detect(blank())
    standby.is_failing = True
    with pytest.raises(DetectorError, match="standby is lost"):
        failover.detect(blank())
    assert (len(first.seen), failover.failovers) == (1, 1)


@pytest.mark.parametrize("wanting", [(True, False), (False, True)])
def test_golden_sample_is_wanted_where_either_wants_one(wanting):
    first, standby = (ScriptedDetector(is_golden=is_golden) for is_golden in wanting)
    assert Failover(first, standby).spec.is_golden


def test_both_are_closed(failover, first, standby):
    failover.close()
    assert (first.closings, standby.closings) == (1, 1)
