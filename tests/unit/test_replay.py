"""What counts as the same finding, and what is said of a difference."""

import pytest

from app.replay import Tolerance, compare
from app.types import Detection

ONE = Detection("spur", 0.8, (10.0, 20.0, 30.0, 40.0))
WIDER = Tolerance(score=0.03, px=1.5, least_score=0.4)


def moved(each, *, score=0.0, x=0.0):
    left, *others = each.box_px
    return Detection(each.label, each.score + score, (left + x, *others))


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (moved(ONE), ""),
        (moved(ONE, score=9e-5), ""),
        (moved(ONE, x=0.04), ""),
        (moved(ONE, score=2e-4), "scores"),
        (moved(ONE, x=0.06), "px off"),
    ],
)
def test_scores_and_boxes_have_their_tolerance(now, change):
    changes = compare([ONE], [now], Tolerance())
    assert bool(changes) is bool(change)
    assert all(change in each for each in changes)


def test_what_is_gone_and_what_is_new_are_both_told():
    other = Detection("open", 0.7, (300.0, 300.0, 10.0, 10.0))
    assert compare([ONE], [other], Tolerance()) == [
        "spur 0.80 at x=10 y=20 is not found",
        "open 0.70 at x=300 y=300 is new",
    ]


def test_one_of_the_same_class_far_away_is_another_one():
    assert len(compare([ONE], [moved(ONE, x=200)], Tolerance())) == 2


def test_each_finding_counts_once():
    assert compare([ONE, ONE], [ONE], Tolerance()) == ["spur 0.80 at x=10 y=20 is not found"]


def test_on_another_runtime_what_scores_below_the_threshold_is_not_compared():
    faint = Detection("spur", 0.3, (100.0, 100.0, 5.0, 5.0))
    assert compare([faint], [], WIDER) == []
    assert compare([], [faint], WIDER) == []
    assert compare([faint], [moved(faint, x=4)], WIDER) == []


def test_on_another_runtime_what_is_surely_above_it_is():
    assert compare([ONE], [], WIDER)
    assert compare([], [ONE], WIDER)
    assert compare([ONE], [moved(ONE, x=1.4, score=0.02)], WIDER) == []
    assert compare([ONE], [moved(ONE, x=1.6)], WIDER)


def test_beyond_what_the_ledger_keeps_of_a_frame_nothing_is_new():
    kept = [Detection("spur", 0.9 - number / 1000, (number * 50.0, 0.0, 5.0, 5.0)) for number in range(64)]
    beyond = Detection("spur", 0.5, (0.0, 500.0, 5.0, 5.0))
    above = Detection("spur", 0.95, (0.0, 500.0, 5.0, 5.0))
    assert compare(kept, [*kept, beyond], Tolerance()) == []
    assert len(compare(kept, [*kept, above], Tolerance())) == 1
