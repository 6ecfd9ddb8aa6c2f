import pytest

from models.statistics import choose_threshold, escapes, overkill, rate, wilson_interval


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
