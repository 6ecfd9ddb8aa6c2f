from workshop import Pieces

from app.twin.flow import BY_HAND, GOOD_BIN, ON_BELT, Body
from app.twin.truth import Record, Truth
from app.types import PASS, Outcome

PASSED, REJECTED, LOST = Outcome.PASSED, Outcome.REJECTED, Outcome.LOST


def truth(*parts):
    """Parts as (is bad, trigger count, place)."""
    pieces = Pieces(len(parts), bad=[i for i, part in enumerate(parts) if part[0]])
    return Truth(Body(i, 0.0, pieces[i], place, count) for i, (_, count, place) in enumerate(parts))


def counts(comparison):
    return comparison.escapes, comparison.overkill, comparison.unaccounted, comparison.removed_by_hand


def test_ledger_that_agrees_has_nothing_against_it():
    compared = truth((False, 100, GOOD_BIN), (True, 300, "reject")).compare(
        [Record(100, PASSED, PASS), Record(300, REJECTED, "reject")]
    )
    assert counts(compared) == (0, 0, 0, 0)
    assert compared.details == ()


def test_bad_part_in_the_good_bin_is_an_escape():
    compared = truth((True, 100, GOOD_BIN)).compare([Record(100, PASSED)])
    assert counts(compared) == (1, 0, 0, 0)
    assert "part-0.png" in compared.details[0]


def test_good_part_in_a_reject_bin_is_overkill():
    assert counts(truth((False, 100, "reject")).compare([Record(100, REJECTED)])) == (0, 1, 0, 0)


def test_part_without_a_record_is_unaccounted():
    compared = truth((False, 100, GOOD_BIN), (False, 300, GOOD_BIN)).compare([Record(100, PASSED)])
    assert counts(compared) == (0, 0, 1, 0)
    assert "no record" in compared.details[0]


def test_record_without_a_part_is_unaccounted():
    compared = truth((False, 100, GOOD_BIN)).compare([Record(100, PASSED), Record(300, PASSED)])
    assert counts(compared) == (0, 0, 1, 0)
    assert "300" in compared.details[0]


def test_passed_part_in_a_bin_is_unaccounted():
    assert truth((False, 100, "reject")).compare([Record(100, PASSED)]).unaccounted == 1


def test_rejected_part_in_the_good_bin_is_unaccounted():
    assert truth((True, 100, GOOD_BIN)).compare([Record(100, REJECTED)]).unaccounted == 1


def test_lost_part_is_accounted_for_wherever_it_is():
    for place in (GOOD_BIN, "reject", BY_HAND, ON_BELT):
        assert truth((False, 100, place)).compare([Record(100, LOST)]).unaccounted == 0


def test_part_on_the_belt_is_accounted_for_only_while_it_is_in_flight():
    on_belt = truth((False, 100, ON_BELT))
    assert on_belt.compare([Record(100, None)]).unaccounted == 0
    assert on_belt.compare([Record(100, PASSED)]).unaccounted == 1
    assert on_belt.compare([Record(100, REJECTED)]).unaccounted == 1


def test_part_taken_by_hand_is_counted_and_contradicts_nothing():
    taken = truth((False, 100, BY_HAND))
    assert counts(taken.compare([Record(100, LOST)])) == (0, 0, 0, 1)
    assert counts(taken.compare([Record(100, REJECTED)])) == (0, 0, 0, 1)


def test_dropped_part_has_no_record_and_says_why():
    dropped = Truth([Body(0, 0.0, Pieces(1)[0], GOOD_BIN, None, is_dropped=True)])
    compared = dropped.compare([])
    assert compared.unaccounted == 1
    assert "dropped" in compared.details[0]


def test_part_that_never_came_is_no_part_of_the_truth():
    assert truth((True, None, ON_BELT)).parts == ()


def test_nearest_record_is_taken_and_none_beyond_the_tolerance():
    two = truth((False, 100, GOOD_BIN), (True, 110, "reject"))
    assert two.compare([Record(103, PASSED), Record(111, REJECTED)]).unaccounted == 0
    assert two.compare([Record(100, PASSED), Record(119, REJECTED)]).unaccounted == 2


def test_order_of_the_records_does_not_matter():
    two = truth((False, 100, GOOD_BIN), (True, 300, "reject"))
    assert two.compare([Record(300, REJECTED), Record(100, PASSED)]).unaccounted == 0
