import numpy as np
import pytest

from app.types import Detection
from models.evaluation.calibration_curve import calibration, fitted_temperature
from models.evaluation.findings import finding_figures
from models.evaluation.matching import confusion_of_boxes, confusion_of_pictures, overlaps, pairs_of

CLASSES = ("open", "short")


def at(x, score=0.9, label="open", side=10.0):
    return Detection(label, score, (x, 0.0, side, side))


def box(x, side=10.0):
    return [x, 0.0, x + side, side]


def test_overlap_is_shared_over_joint_area():
    table = overlaps(np.array([box(0), box(100)]), np.array([box(5), box(0)]))
    assert table == pytest.approx(np.array([[1 / 3, 1.0], [0.0, 0.0]]))


def test_empty_boxes_overlap_nothing():
    assert overlaps(np.array([[3.0, 3.0, 3.0, 3.0]]), np.array([[3.0, 3.0, 3.0, 3.0]])) == 0.0


def test_better_finding_takes_the_box_and_the_other_goes_without():
    assert pairs_of([at(1, 0.5), at(2, 0.9)], np.array([box(0)])) == [None, 0]


def test_finding_whose_best_box_is_taken_gets_the_next():
    assert pairs_of([at(1, 0.9), at(1, 0.5)], np.array([box(1), box(3)])) == [0, 1]


def test_confusion_counts_right_wrong_missed_and_false():
    found = [[at(0), at(50, label="short"), at(200)]]
    truths = [(np.array([box(0), box(50), box(100)]), np.array([0, 0, 1]))]
    counts = confusion_of_boxes(found, truths, CLASSES, 0.5).counts
    assert counts == ((1, 1, 0), (0, 0, 1), (1, 0, 0))


def test_findings_below_the_threshold_do_not_count_in_the_confusion():
    truths = [(np.array([box(0)]), np.array([0]))]
    assert confusion_of_boxes([[at(0, 0.4)]], truths, CLASSES, 0.5).counts == ((0, 0, 1), (0, 0, 0), (0, 0, 0))


def test_picture_is_taken_for_its_best_class_or_for_good():
    found = [[at(0, 0.9), at(0, 0.95, "short")], [at(0, 0.1)], []]
    counts = confusion_of_pictures(found, ["open", "short", ""], CLASSES, 0.5).counts
    assert counts == ((0, 1, 0), (0, 0, 1), (0, 0, 1))


def test_confusion_without_a_mistake_has_no_worst():
    assert confusion_of_pictures([[at(0)]], ["open"], CLASSES, 0.5).worst is None


def test_precision_and_recall_of_findings_are_counted_from_the_threshold_on():
    figures = finding_figures([0.9, 0.8, 0.7, 0.2], [True, False, True, True], 4, 0.5)
    assert (figures.right.count, figures.right.trials) == (2, 3)
    assert (figures.found.count, figures.found.trials) == (2, 4)
    assert figures.best_f1 == pytest.approx(0.75)
    assert figures.best_threshold <= 0.2


def test_scores_that_mean_what_they_say_have_no_error():
    scores, right = [0.25] * 4 + [0.75] * 4, [True] + [False] * 3 + [True] * 3 + [False]
    found = calibration(scores, right, "findings")
    assert found.error == pytest.approx(0.0, abs=1e-9)
    assert found.temperature == pytest.approx(1.0, abs=0.01)
    assert [(each.count, each.share_right) for each in found.bins] == [(4, 0.25), (4, 0.75)]


def test_timid_scores_have_a_temperature_below_one_that_mends_them():
    found = calibration([0.6] * 100 + [0.4] * 100, [True] * 95 + [False] * 5 + [False] * 95 + [True] * 5, "pictures")
    assert found.error == pytest.approx(0.35)
    assert found.temperature < 0.2
    assert found.error_after < 0.01


def test_overbold_scores_have_a_temperature_above_one():
    scores = np.array([0.99] * 100 + [0.01] * 100)
    right = np.array([1.0] * 70 + [0.0] * 30 + [0.0] * 70 + [1.0] * 30)
    assert fitted_temperature(scores, right) == pytest.approx(np.log(99) / np.log(7 / 3), rel=1e-3)


def test_nothing_found_has_no_calibration():
    assert calibration([], [], "findings") is None
