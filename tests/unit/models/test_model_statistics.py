import pytest

from models.measures.statistics import (
    Wish,
    auroc,
    choose,
    choose_threshold,
    escapes,
    overkill,
    quantile,
    rate,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("count", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (1, 20, 0.0089, 0.2361),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_interval_equals_published_values(count, trials, low, high):
    assert wilson_interval(count, trials) == pytest.approx((low, high), abs=1e-4)


def test_wilson_interval_without_trials_says_nothing():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_more_events_than_trials_are_refused():
    with pytest.raises(ValueError, match="4 events in 3 trials"):
        wilson_interval(4, 3)


def test_rate_without_trials_is_zero():
    assert rate(0, 0).value == 0.0


def test_part_at_the_threshold_is_rejected():
    assert escapes([0.5], 0.5).count == 0
    assert overkill([0.5], 0.5).count == 1


def test_escapes_and_overkill_are_counted_on_their_own_parts():
    assert escapes([0.2, 0.4, 0.9], 0.5).value == pytest.approx(2 / 3)
    assert overkill([0.2, 0.4, 0.9], 0.5).value == pytest.approx(1 / 3)


def test_chosen_threshold_lies_between_good_and_bad():
    assert 0.3 < choose_threshold(bad=[0.7, 0.9], good=[0.1, 0.3]) <= 0.7


def test_chosen_threshold_is_far_from_either_mistake():
    assert choose_threshold(bad=[0.8], good=[0.2]) == pytest.approx(0.5, abs=0.02)


def test_threshold_for_wanted_escapes_costs_the_least_overkill():
    chosen = choose(bad=[0.2, *[0.8] * 99], good=[0.1] * 50 + [0.5] * 50, wish=Wish(max_escapes=0.01))
    assert chosen.is_reached
    assert 0.5 < chosen.value <= 0.8


def test_threshold_for_wanted_overkill_lets_the_fewest_defects_escape():
    chosen = choose(bad=[0.3] * 50 + [0.9] * 50, good=[0.1] * 98 + [0.6] * 2, wish=Wish(max_overkill=0.02))
    assert chosen.is_reached
    assert 0.1 < chosen.value <= 0.3


def test_threshold_keeps_to_both_wishes_where_it_can():
    bad, good = [0.3] * 2 + [0.7] * 98, [0.1] * 90 + [0.5] * 10
    assert 0.5 < choose(bad, good, Wish(0.02, 0.0)).value <= 0.7
    assert choose(bad, good, Wish(0.02, 0.0)).is_reached


def test_wish_that_no_threshold_keeps_is_told_with_the_nearest():
    bad, good = [0.3] * 10 + [0.7] * 90, [0.1] * 90 + [0.5] * 10
    chosen = choose(bad, good, Wish(0.0, 0.0))
    assert not chosen.is_reached
    assert 0.1 < chosen.value <= 0.7


def test_defect_that_is_not_seen_at_all_cannot_be_wished_away():
    chosen = choose(bad=[0.0, 0.9], good=[0.1], wish=Wish(max_escapes=0.0))
    assert (chosen.is_reached, chosen.value) == (False, pytest.approx(0.5, abs=0.41))
    assert escapes([0.0, 0.9], chosen.value).count == 1
    assert overkill([0.1], chosen.value).count == 0


def test_wish_is_told_in_words():
    assert Wish(0.01, 0.03).words == "escapes <= 1.00%, overkill <= 3.00%"
    assert Wish().words == "fewest escapes and overkill"


@pytest.mark.parametrize(
    ("bad", "good", "area"),
    [([0.9, 0.8], [0.1, 0.2], 1.0), ([0.1], [0.9], 0.0), ([0.5, 0.5], [0.5], 0.5), ([0.8, 0.3], [0.5, 0.1], 0.75)],
)
def test_area_under_the_curve_counts_pairs_in_order(bad, good, area):
    assert auroc(bad, good).value == pytest.approx(area)


def test_interval_of_the_area_is_that_of_hanley_and_mcneil():
    # Their worked example: area 0.893 with 51 abnormal and 58 normal pictures has a standard error of 0.032.
    found = auroc(*_with_area(0.893, 51, 58))
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.032, abs=0.001)


def test_area_needs_parts_of_both_kinds():
    assert auroc([0.5], []) is None


def test_quantile_is_one_of_the_values():
    assert [quantile([4, 1, 3, 2], share) for share in (0.0, 0.5, 0.75, 0.99, 1.0)] == [1, 2, 3, 4, 4]
    assert quantile([], 0.5) == 0.0


def _with_area(area, bad, good):
    """Scores of so many parts whose area under the curve is as near as can be."""
    wins = round(area * bad * good)
    full, rest = divmod(wins, good)
    ranks = [good] * full + [rest] + [0] * (bad - full - 1)
    return [rank - 0.5 for rank in ranks], [float(index) for index in range(good)]
