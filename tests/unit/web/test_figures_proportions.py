from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.figures.proportions import RUN, Z_95, p_chart, share


def test_wilson_interval_of_a_worked_example():
    """Brown, Cai and DasGupta (2001) and every table: 10 of 100 lies between 5.52 % and 17.44 %."""
    known = share(10, 100)

    assert (known.low, known.high) == (pytest.approx(0.05523, abs=5e-6), pytest.approx(0.17437, abs=5e-6))


@pytest.mark.parametrize("of", [1, 7, 100])
def test_wilson_interval_of_none_and_all_in_closed_form(of):
    edge = Z_95**2 / (of + Z_95**2)

    assert (share(0, of).low, share(0, of).high) == (0.0, pytest.approx(edge))
    assert (share(of, of).low, share(of, of).high) == (pytest.approx(1 - edge), 1.0)


def test_share_of_nothing_is_unknown():
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("hits", "of"), [(2, 1), (-1, 3), (0, -1)])
def test_what_is_no_share_is_refused(hits, of):
    with pytest.raises(ValueError, match="is no share"):
        share(hits, of)


@given(of=st.integers(1, 10**6), seed=st.floats(0, 1))
def test_a_share_lies_in_its_interval_and_that_in_the_unit(of, seed):
    known = share(round(seed * of), of)

    assert 0 <= known.low <= known.value <= known.high <= 1


def test_p_chart_has_limits_by_the_size_of_each_sample():
    chart = p_chart([5, 10], [50, 100])

    assert chart.centre == pytest.approx(0.1)
    for point, size in zip(chart.points, (50, 100), strict=True):
        half = 3 * sqrt(0.1 * 0.9 / size)
        assert (point.low, point.high) == (pytest.approx(max(0, 0.1 - half)), pytest.approx(0.1 + half))


def test_point_beyond_a_limit_is_marked():
    assert [each.is_out for each in p_chart([2] * 19 + [30], [100] * 20).points] == [False] * 19 + [True]


def test_run_on_one_side_of_the_centre_is_marked_from_its_eighth_point():
    chart = p_chart([4] * 10 + [6] * 10, [100] * 20)

    assert [each.is_run for each in chart.points] == ([False] * (RUN - 1) + [True] * 3) * 2


def test_sample_without_parts_is_a_gap():
    chart = p_chart([0, 3], [0, 10])

    assert (chart.centre, chart.points[0].share, chart.points[0].is_out) == (0.3, None, False)


def test_chart_of_nothing_has_no_centre():
    assert (p_chart([], []).centre, p_chart([0], [0]).centre) == (None, None)
