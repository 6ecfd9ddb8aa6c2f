"""Anomaly maps -> detections."""

import numpy as np
import pytest

from app.detect.decode import Placement
from app.detect.regions import MAX_REGIONS, Regions
from app.errors import DetectorError

AS_IT_IS = Placement()
ROWS, COLUMNS = 20, 30


def flat(value=0.0):
    return np.full((ROWS, COLUMNS), value, np.float32)


def regions(heat, score=0.0, threshold=0.5, placement=AS_IT_IS, size=(COLUMNS, ROWS)):
    reader = Regions(ROWS, COLUMNS, "odd", threshold)
    return reader.read(np.array([[score]], np.float32), heat, placement, size)


def found(heat, **options):
    return [(each.score, each.box_px) for each in regions(heat, **options)[0]]


def test_flat_map_gives_no_detection_but_the_score():
    assert regions(flat(0.2), score=0.3) == ((), 0.3)


def test_region_is_a_box_and_scores_its_highest_place():
    heat = flat()
    heat[4:7, 10:15] = 0.6
    heat[5, 12] = 0.9
    ((detection,), _) = regions(heat)
    assert (detection.label, detection.score, detection.box_px) == ("odd", 0.9, (10, 4, 5, 3))


def test_places_that_meet_at_a_corner_are_one_region():
    heat = flat()
    heat[3, 3] = heat[4, 4] = 0.7
    assert found(heat) == [(0.7, (3, 3, 2, 2))]


def test_regions_come_best_first():
    heat = flat()
    heat[1, 1], heat[10, 20], heat[15, 5] = 0.6, 0.9, 0.75
    assert [score for score, _ in found(heat)] == [0.9, 0.75, 0.6]


def test_region_inside_the_box_of_another_lends_it_no_score():
    heat = flat()
    heat[2:13, 2:13] = 0.6
    heat[3:12, 3:12] = 0.0
    heat[7, 7] = 0.95
    assert found(heat) == [(0.95, (7, 7, 1, 1)), (0.6, (2, 2, 11, 11))]


def test_value_of_the_threshold_counts():
    heat = flat()
    heat[2, 2] = np.float32(0.35)
    assert found(heat, threshold=0.35) == [(0.35, (2, 2, 1, 1))]


def test_whole_picture_is_found_where_only_its_score_reaches_the_threshold():
    assert found(flat(0.4), score=0.8) == [(0.8, (0, 0, COLUMNS, ROWS))]


def test_whole_picture_is_not_found_beside_a_region():
    heat = flat()
    heat[2, 2] = 0.6
    assert found(heat, score=0.8) == [(0.6, (2, 2, 1, 1))]


def test_box_lies_in_pixels_of_the_picture_and_ends_at_its_edges():
    heat = flat()
    heat[0:2, 0:2] = 0.7
    assert found(heat, placement=Placement(4, 5, -3, 10), size=(100, 15)) == [(0.7, (0, 10, 5, 5))]


def test_noise_gives_its_largest_regions_and_the_highest():
    heat = flat()
    heat[::2, ::2] = 0.6
    heat[0, 0:2] = heat[4, 6] = 0.6
    heat[18, 28] = 0.99
    scores_and_boxes = found(heat)
    assert len(scores_and_boxes) in (MAX_REGIONS, MAX_REGIONS + 1)
    assert scores_and_boxes[0] == (0.99, (28, 18, 1, 1))
    assert (0.6, (0, 0, 3, 1)) in scores_and_boxes


def test_same_reader_judges_maps_of_other_sizes_in_turn():
    reader = Regions(ROWS, COLUMNS, "odd", 0.5)
    score, heat = np.zeros((1, 1), np.float32), flat()
    heat[10, 10] = 0.8
    heat[0, 0] = 0.7
    whole = reader.read(score, heat, AS_IT_IS, (COLUMNS, ROWS))
    part = reader.read(score, heat[5:15, 5:25], AS_IT_IS, (COLUMNS, ROWS))
    assert [each.box_px for each in part[0]] == [(5, 5, 1, 1)]
    assert reader.read(score, heat, AS_IT_IS, (COLUMNS, ROWS)) == whole


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite_is_refused(number):
    heat = flat()
    heat[3, 3] = number
    with pytest.raises(DetectorError, match="a map with numbers that are not finite"):
        regions(heat)
    with pytest.raises(DetectorError, match="a score with numbers that are not finite"):
        regions(flat(), score=number)


@pytest.mark.parametrize("number", [-0.01, 1.01, 14.0])
def test_number_outside_its_range_is_refused(number):
    heat = flat()
    heat[3, 3] = number
    with pytest.raises(DetectorError, match=r"a map from .*, outside 0 \.\. 1"):
        regions(heat)
    with pytest.raises(DetectorError, match=r"a score from .*, outside 0 \.\. 1"):
        regions(flat(), score=number)


def test_rounding_just_over_one_is_one():
    assert found(flat(), score=1.00001) == [(1.0, (0, 0, COLUMNS, ROWS))]
