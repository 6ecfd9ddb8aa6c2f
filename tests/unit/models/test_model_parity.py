import pytest

from app.types import Detection
from models.evaluation.judging import Judgement
from models.evaluation.parity import Side, compare


def said(*rows):
    return Judgement.of([Detection(label, score, box) for label, score, box in rows])


def side(judgements, threshold=0.5, precision="fp32", name="it"):
    return Side(name, threshold, precision, judgements)


ONE = ("open", 0.8, (10.0, 10.0, 20.0, 20.0))


def test_equal_models_are_in_parity():
    found = compare(side([said(ONE), said()]), side([said(ONE), said()]), "detection")
    assert (found.same_verdict, found.pictures, found.unmatched) == (2, 2, 0)
    assert (found.distance_px, found.score_difference) == (0.0, 0.0)
    assert found.is_kept


def test_farthest_edge_and_largest_difference_of_scores_count():
    moved = said(("open", 0.795, (10.5, 10.0, 20.0, 20.7)))
    found = compare(side([moved]), side([said(ONE)]), "detection")
    assert found.distance_px == pytest.approx(0.7, abs=1e-5)
    assert found.score_difference == pytest.approx(0.005)
    assert found.is_kept


@pytest.mark.parametrize(
    "row", [("open", 0.8, (11.5, 10.0, 20.0, 20.0)), ("open", 0.82, ONE[2]), ("short", 0.8, ONE[2])]
)
def test_box_score_and_class_that_differ_break_parity(row):
    assert not compare(side([said(row)]), side([said(ONE)]), "detection").is_kept


def test_score_that_falls_just_short_is_a_partner_and_costs_the_verdict():
    found = compare(side([said(("open", 0.499, ONE[2]))]), side([said(("open", 0.501, ONE[2]))]), "detection")
    assert (found.same_verdict, found.unmatched) == (0, 0)
    assert found.score_difference == pytest.approx(0.002)


def test_finding_without_a_partner_breaks_parity_although_the_verdict_is_the_same():
    found = compare(side([said(ONE, ("open", 0.7, (90.0, 90.0, 9.0, 9.0)))]), side([said(ONE)]), "detection")
    assert (found.same_verdict, found.unmatched) == (1, 1)
    assert not found.is_kept


def test_findings_below_both_thresholds_do_not_matter():
    found = compare(side([said(("open", 0.2, ONE[2]))]), side([said(("spur", 0.4, (0.0, 0.0, 5.0, 5.0)))]), "detection")
    assert (found.same_verdict, found.compared, found.unmatched) == (1, 0, 0)


def test_one_verdict_in_a_thousand_may_differ():
    same = [said(ONE)] * 999
    near = [Judgement((), 0.499, 0.499)], [Judgement((), 0.501, 0.501)]
    assert compare(side(same + near[0]), side(same + near[1]), "detection").is_kept
    assert not compare(side(same[:500] + near[0]), side(same[:500] + near[1]), "detection").is_kept


def test_each_model_judges_by_its_own_threshold():
    found = compare(side([said(("open", 0.3, ONE[2]))], 0.25), side([said(ONE)], 0.5), "detection")
    assert found.same_verdict == 1


def test_eight_bits_are_not_bound_by_the_limits():
    assert not compare(side([said(ONE)], precision="int8"), side([said(ONE)]), "detection").is_bound
    assert compare(side([said(ONE)], precision="fp16"), side([said(ONE)]), "detection").is_bound


def test_anomaly_models_are_compared_by_the_scores_of_whole_pictures():
    one, other = Judgement((), 0.40, 0.40), Judgement((), 0.42, 0.42)
    found = compare(side([one]), side([other]), "anomaly")
    assert found.score_difference == pytest.approx(0.02)
    assert not found.is_kept
