from collections import Counter
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from app.errors import ConfigError
from app.record.figures import Tallied
from app.record.tallying import STRETCH_US, bin_of
from app.record.walltime import US_PER_DAY, US_PER_H
from app.web.figures.spans import offset_of, parse_shifts, shift_at, step_of
from app.web.figures.trends import pareto_of, percentile_ms, trend_of

BERLIN = ZoneInfo("Europe/Berlin")
THREE = (360, 840, 1320)


@pytest.mark.parametrize(
    ("at", "number", "since", "until"),
    [
        ("06:00", 1, "06:00", "14:00"),
        ("13:59", 1, "06:00", "14:00"),
        ("14:00", 2, "14:00", "22:00"),
        ("23:30", 3, "22:00", "06:00"),
        ("03:00", 3, "22:00", "06:00"),
    ],
)
def test_a_moment_lies_in_its_shift(at, number, since, until):
    moment = datetime.fromisoformat(f"2026-03-10T{at}:00").replace(tzinfo=BERLIN)

    shift = shift_at(moment, THREE)

    assert (shift.number, f"{shift.since:%H:%M}", f"{shift.until:%H:%M}") == (number, since, until)
    assert shift.since <= moment < shift.until


def test_the_night_shift_of_a_change_of_time_has_seven_hours():
    shift = shift_at(datetime(2026, 3, 29, 1, tzinfo=BERLIN), THREE)

    assert shift.until_us - shift.since_us == 7 * US_PER_H


def test_one_shift_is_the_whole_day():
    shift = shift_at(datetime(2026, 3, 10, 5, tzinfo=timezone.utc), (360,))

    assert (shift.number, shift.until - shift.since) == (1, timedelta(days=1))


def test_shifts_are_put_in_order():
    assert parse_shifts(["22:00", "06:00"]) == (360, 1320)


@pytest.mark.parametrize("starts", [["6:00"], ["24:00"], ["06:03"], ["06:00", "06:00"], []])
def test_shifts_that_cannot_be_are_refused(starts):
    with pytest.raises(ConfigError, match="shifts"):
        parse_shifts(starts)


@pytest.mark.parametrize(
    ("days", "step_us"), [(0, STRETCH_US), (1, STRETCH_US), (7, US_PER_H), (30, 4 * US_PER_H), (5000, 7 * US_PER_DAY)]
)
def test_steps_give_a_chart_some_hundred_points(days, step_us):
    assert step_of(0, days * US_PER_DAY) == step_us


def test_offset_is_that_of_the_zone_at_the_moment():
    winter, summer = datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 7, 1, tzinfo=timezone.utc)

    assert (offset_of(winter, BERLIN), offset_of(summer, BERLIN)) == (US_PER_H, 2 * US_PER_H)


def test_percentiles_are_told_by_the_upper_end_of_their_bin():
    bins = Counter({bin_of(1000): 98, bin_of(8000): 2})

    assert 1.0 <= percentile_ms(bins, 0.5) < 1.1
    assert 8.0 <= percentile_ms(bins, 0.99) < 8.8
    assert percentile_ms({}, 0.5) is None


def test_pareto_adds_up_to_all():
    bars = pareto_of({"short": 3, "open": 6, "TOUCHING": 1})

    assert [(each.cause, each.share, each.cumulated) for each in bars] == [
        ("open", 0.6, 0.6),
        ("short", 0.3, 0.9),
        ("TOUCHING", 0.1, 1.0),
    ]


def test_trend_has_columns_of_one_length_in_the_order_of_time():
    trend = trend_of({20: Tallied(10, 9, 1), 10: Tallied(4, 4)}, {20: Counter({bin_of(2000): 10})})

    assert (trend.starts_us, trend.control.centre) == ((10, 20), pytest.approx(1 / 14))
    assert [each is None for each in trend.p50_ms] == [True, False]
