"""Outputs of a model -> detections."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.detect.decode import SCORE_FLOOR, Placement, decode_peaks, decode_probabilities
from app.errors import DetectorError

LABELS = ("open", "short")
AS_IT_IS = Placement()


def decode(*rows, placement=AS_IT_IS, kind=np.int32, **options):
    """Decodes rows of (x1, y1, x2, y2, score, class)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    boxes, scores = table[None, :, :4].astype(np.float32), table[None, :, 4].astype(np.float32)
    return decode_peaks(boxes, scores, table[None, :, 5].astype(kind), LABELS, placement, **options)


def test_corners_become_place_and_size():
    (found,) = decode((10, 20, 14, 29, 0.9, 1))
    assert (found.label, found.score, found.box_px) == ("short", 0.9, (10, 20, 4, 9))


def test_nothing_found_is_no_error():
    assert decode() == ()


def test_box_is_scaled_then_moved():
    (found,) = decode((10, 20, 14, 29, 0.9, 0), placement=Placement(2, 3, 100, 1000))
    assert found.box_px == (120, 1060, 8, 27)


def test_score_at_the_floor_is_kept_and_below_is_dropped():
    found = decode((0, 0, 1, 1, SCORE_FLOOR, 0), (5, 0, 6, 1, SCORE_FLOOR - 0.001, 0))
    assert [each.score for each in found] == [SCORE_FLOOR]


def test_floor_can_be_set():
    assert decode((0, 0, 1, 1, 0.4, 0), floor=0.5) == ()


def test_score_keeps_the_decimal_that_a_threshold_is_written_with():
    (found,) = decode((0, 0, 1, 1, 0.35, 0))
    assert found.score == 0.35


def test_best_comes_first_whatever_the_order():
    found = decode((0, 0, 1, 1, 0.2, 0), (0, 0, 1, 1, 0.8, 0), (0, 0, 1, 1, 0.5, 0))
    assert [each.score for each in found] == [0.8, 0.5, 0.2]


def test_equal_scores_go_by_class_then_place():
    rows = [(5, 0, 6, 1, 0.5, 1), (5, 9, 6, 10, 0.5, 0), (5, 0, 6, 1, 0.5, 0), (4, 9, 6, 10, 0.5, 0)]
    found = decode(*rows)
    assert found == decode(*reversed(rows))
    assert [(each.label, each.box_px[:2]) for each in found] == [
        ("open", (4, 9)),
        ("open", (5, 0)),
        ("open", (5, 9)),
        ("short", (5, 0)),
    ]


def test_class_indices_may_be_64_bits_wide():
    assert decode((0, 0, 1, 1, 0.5, 1), kind=np.int64)[0].label == "short"


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", range(5))
def test_number_that_is_not_finite_is_refused(number, column):
    row = [0, 0, 1, 1, 0.5, 0]
    row[column] = number
    with pytest.raises(DetectorError, match="not finite"):
        decode((0, 0, 1, 1, 0.9, 0), row)


def test_number_that_is_not_finite_is_refused_below_the_floor_too():
    with pytest.raises(DetectorError, match="not finite"):
        decode((np.nan, 0, 1, 1, 0.0, 0))


@pytest.mark.parametrize("score", [-0.01, 1.01])
def test_score_outside_its_range_is_refused(score):
    with pytest.raises(DetectorError, match=r"outside 0 \.\. 1"):
        decode((0, 0, 1, 1, score, 0), (0, 0, 1, 1, 0.5, 0))


@pytest.mark.parametrize("score", [0, 1])
def test_score_at_the_end_of_its_range_is_allowed(score):
    assert len(decode((0, 0, 1, 1, score, 0), floor=0)) == 1


@pytest.mark.parametrize("index", [-1, 2])
def test_class_without_a_name_is_refused(index):
    with pytest.raises(DetectorError, match="class indices"):
        decode((0, 0, 1, 1, 0.5, index))


def test_class_of_what_is_dropped_does_not_matter():
    assert decode((0, 0, 1, 1, 0.0, 99)) == ()


@pytest.mark.parametrize("corners", [(2, 0, 1, 1), (0, 2, 1, 1)])
def test_box_turned_inside_out_is_refused(corners):
    with pytest.raises(DetectorError, match="right or lower edge"):
        decode((*corners, 0.5, 0))


def test_box_without_extent_is_allowed():
    assert decode((3, 3, 3, 3, 0.5, 0))[0].box_px == (3, 3, 0, 0)


@pytest.mark.parametrize(
    ("boxes", "scores", "classes"),
    [
        ((1, 3, 4), (1, 2), (1, 2)),
        ((1, 2, 5), (1, 2), (1, 2)),
        ((1, 2, 4), (1, 2), (1, 3)),
        ((2, 4), (2,), (2,)),
        ((2, 2, 4), (2, 2), (2, 2)),
        ((1, 1, 4), (), (1, 1)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(boxes, scores, classes):
    with pytest.raises(DetectorError, match=r"\(1, K, 4\)"):
        decode_peaks(
            np.zeros(boxes, np.float32), np.zeros(scores, np.float32), np.zeros(classes, np.int32), LABELS, Placement()
        )


def test_box_is_cut_off_at_the_edges_of_a_picture_that_has_some():
    rows = [(-2, -3, 4, 5, 0.9, 0), (6, 6, 30, 30, 0.8, 0), (20, 1, 25, 2, 0.7, 0)]
    found = decode(*rows, placement=Placement(limit_px=(10, 8)))
    assert [each.box_px for each in found] == [(0, 0, 4, 5), (6, 6, 4, 2), (10, 1, 0, 1)]


def classify(*shares, good=("fine",), labels=("fine", "open", "short"), **options):
    return decode_probabilities(np.array([shares], np.float32), labels, good, (40, 30), **options)


def test_class_that_is_not_good_is_found_on_the_whole_picture():
    found, score = classify(0.3, 0.1, 0.6)
    assert [(each.label, each.score, each.box_px) for each in found] == [
        ("short", 0.6, (0, 0, 40, 30)),
        ("open", 0.1, (0, 0, 40, 30)),
    ]
    assert score == 0.7


def test_class_below_the_floor_is_not_found_but_counts():
    found, score = classify(0.94, 0.02, 0.04)
    assert found == ()
    assert score == 0.06


def test_several_classes_may_be_good():
    assert classify(0.5, 0.4, 0.1, good=("fine", "open"))[1] == pytest.approx(0.1, abs=1e-6)


def test_picture_has_no_score_where_no_class_is_good():
    found, score = classify(0.5, 0.4, 0.1, good=())
    assert [each.label for each in found] == ["fine", "open", "short"]
    assert score is None


def test_equal_probabilities_go_by_class():
    assert [each.label for each in classify(0.5, 0.25, 0.25)[0]] == ["open", "short"]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_probability_that_is_not_finite_is_refused(number):
    with pytest.raises(DetectorError, match="not finite"):
        classify(0.5, number, 0.5)


def test_probability_outside_its_range_is_refused():
    with pytest.raises(DetectorError, match=r"probabilities from -0\.2 to 1\.1, outside 0 \.\. 1"):
        classify(1.1, -0.2, 0.1)


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.189), (0.5, 0.3, 0.211), (0, 0, 0), (1, 1, 1)])
def test_probabilities_that_are_not_one_in_all_are_refused(shares):
    with pytest.raises(DetectorError, match="in all, and not 1"):
        classify(*shares)


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.191), (0.5, 0.3, 0.209), (-0.001, 0.5, 0.5)])
def test_rounding_of_half_precision_is_allowed(shares):
    classify(*shares)


def test_probabilities_of_another_count_are_refused():
    with pytest.raises(DetectorError, match=r"probabilities \(1, 2\) for 3 classes"):
        classify(0.5, 0.5)


@given(st.permutations(range(12)))
def test_order_of_the_outputs_never_matters(order):
    rows = [(place % 4, place // 4, place % 4 + 1, 9, 0.3 + 0.1 * (place % 3), place % 2) for place in range(12)]
    assert decode(*(rows[place] for place in order)) == decode(*rows)
