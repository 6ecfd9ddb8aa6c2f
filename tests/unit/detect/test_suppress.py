"""Greedy suppression: which candidates stay."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.detect.suppress import Suppression, Suppressor

CANDIDATES = 1000


def keep(*rows, iou=0.5, **options):
    """Rows of (x1, y1, x2, y2, score, class)."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    suppressor = Suppressor(len(table), Suppression(iou, **options))
    return suppressor.keep(table[None, :, :4], table[None, :, 4], table[None, :, 5].astype(np.int32))


def greedy(boxes, scores, classes, suppression):
    """The definition, one pair at a time, in float32 as the kernel of torchvision computes."""
    order = [row for row in np.argsort(-scores, kind="stable").tolist() if scores[row] >= suppression.score_floor]
    kept = []
    for row in order:
        if all(not drops(boxes, classes, better, row, suppression) for better in kept):
            kept.append(row)
    return kept[: suppression.max_detections]


def drops(boxes, classes, better, row, suppression):
    if not suppression.is_across_classes and classes[better] != classes[row]:
        return False
    (x1, y1, x2, y2), (other_x1, other_y1, other_x2, other_y2) = boxes[better], boxes[row]
    nothing = np.float32(0)
    across = max(nothing, min(x2, other_x2) - max(x1, other_x1))
    down = max(nothing, min(y2, other_y2) - max(y1, other_y1))
    shared = across * down
    union = (x2 - x1) * (y2 - y1) + (other_x2 - other_x1) * (other_y2 - other_y1) - shared
    return bool(union) and float(shared / union) > suppression.iou


def scene(seed, count, objects, spread=4.0):
    """Candidates around a few objects, best first."""
    rng = np.random.default_rng(seed)
    centre, side = rng.uniform(40, 600, (objects, 2)), rng.uniform(20, 80, (objects, 2))
    which = rng.integers(0, objects, count)
    middle = centre[which] + rng.normal(0, spread, (count, 2))
    half = side[which] * rng.uniform(0.85, 1.15, (count, 2)) / 2
    boxes = np.concatenate([middle - half, middle + half], 1).astype(np.float32)
    scores = np.sort(rng.uniform(0.02, 1, count).astype(np.float32))[::-1].copy()
    return boxes[None], scores[None], (which % 3).astype(np.int64)[None]


def test_best_of_two_that_overlap_stays():
    assert keep((0, 0, 10, 10, 0.9, 0), (1, 0, 11, 10, 0.8, 0)) == [0]


def test_overlap_of_just_the_threshold_stays():
    half = (0, 0, 10, 10, 0.9, 0), (0, 0, 10, 5, 0.8, 0)
    assert keep(*half, iou=0.5) == [0, 1]
    assert keep(*half, iou=0.499) == [0]


def test_threshold_of_which_float32_holds_less_or_more_means_what_is_written():
    three_fifths = (0, 0, 10, 10, 0.9, 0), (0, 0, 10, 6, 0.8, 0)  # 0.6 in float32 is a little more than 0.6
    assert keep(*three_fifths, iou=0.6) == [0]
    seven_tenths = (0, 0, 10, 10, 0.9, 0), (0, 0, 10, 7, 0.8, 0)  # 0.7 in float32 is a little less
    assert keep(*seven_tenths, iou=0.7) == [0, 1]


def test_other_class_is_left_alone_unless_all_are_one():
    rows = (0, 0, 10, 10, 0.9, 0), (0, 0, 10, 10, 0.8, 1)
    assert keep(*rows) == [0, 1]
    assert keep(*rows, is_across_classes=True) == [0]


def test_what_was_dropped_drops_nothing():
    assert keep((0, 0, 10, 10, 0.9, 0), (4, 0, 14, 10, 0.8, 0), (8, 0, 18, 10, 0.7, 0), iou=0.4) == [0, 2]


def test_of_equal_scores_the_first_stays():
    assert keep((1, 0, 11, 10, 0.5, 0), (0, 0, 10, 10, 0.5, 0)) == [0]


def test_candidates_in_any_order_are_taken_best_first():
    assert keep((0, 0, 10, 10, 0.3, 0), (1, 0, 11, 10, 0.9, 0), (50, 0, 60, 10, 0.6, 0)) == [1, 2]


def test_floor_is_reached_by_the_float32_of_its_decimals():
    assert keep((0, 0, 1, 1, 0.35, 0), (5, 0, 6, 1, 0.3499, 0), score_floor=0.35) == [0]


def test_no_more_stay_than_are_wanted():
    rows = [(10 * place, 0, 10 * place + 5, 5, 0.9 - 0.1 * place, 0) for place in range(5)]
    assert keep(*rows, max_detections=2) == [0, 1]


def test_nothing_above_the_floor_gives_nothing():
    assert keep((0, 0, 1, 1, 0.01, 0)) == []


def test_boxes_without_extent_suppress_nothing():
    assert keep((3, 3, 3, 3, 0.9, 0), (3, 3, 3, 3, 0.8, 0), iou=0.0) == [0, 1]


@pytest.mark.parametrize(("count", "objects", "spread"), [(100, 5, 4), (300, 300, 0), (CANDIDATES, 40, 4)])
@pytest.mark.parametrize("is_across_classes", [False, True])
def test_same_stay_as_by_definition(count, objects, spread, is_across_classes):
    boxes, scores, classes = scene(count + objects, count, objects, spread)
    suppression = Suppression(0.55, is_across_classes, max_detections=80)
    suppressor = Suppressor(count, suppression)
    assert suppressor.keep(boxes, scores, classes) == greedy(boxes[0], scores[0], classes[0], suppression)


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.3, 0.45, 0.5, 0.6, 0.7]), st.booleans())
def test_candidates_on_a_grid_meet_the_fate_of_the_definition(seed, count, iou, is_across_classes):
    rng = np.random.default_rng(seed)
    corner, side = rng.integers(0, 12, (count, 2)), rng.integers(0, 8, (count, 2))
    boxes = (np.concatenate([corner, corner + side], 1) / 10).astype(np.float32)
    scores = np.round(rng.uniform(0, 1, count), 1).astype(np.float32)
    classes = rng.integers(0, 3, count).astype(np.int32)
    suppression = Suppression(iou, is_across_classes)
    kept = Suppressor(count, suppression).keep(boxes[None], scores[None], classes[None])
    assert kept == greedy(boxes, scores, classes, suppression)


def test_one_picture_says_nothing_of_the_next():
    suppressor = Suppressor(CANDIDATES, Suppression(0.5))
    full, sparse = scene(1, CANDIDATES, 50), scene(2, CANDIDATES, 900)
    alone = suppressor.keep(*sparse)
    suppressor.keep(*full)
    assert suppressor.keep(*sparse) == alone


def test_no_buffer_over_4_kib_is_made_per_picture():
    suppressor = Suppressor(CANDIDATES, Suppression(0.5, max_detections=100))
    table = scene(3, CANDIDATES, 100)
    suppressor.keep(*table)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    suppressor.keep(*table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 4096 + 4096  # small arrays, and the Python objects of the rows that stay
