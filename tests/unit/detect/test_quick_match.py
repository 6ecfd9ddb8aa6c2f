"""The quick match: what it finds is the best place there is, and where it cannot know that it says nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.detect.correlation import least_self_difference
from app.detect.quick_match import QuickMatch
from app.detect.registration import Registrar
from tests.unit.detect.boards import SIZE, board, noisy, periodic, view

REACH = 12


def overlap(part, golden, shift):
    (dx, dy), (height, width) = shift, part.shape[:2]
    mine = part[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    return mine, golden[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]


def square(part, golden, shift):
    mine, other = overlap(part.astype(float), golden.astype(float), shift)
    return ((mine - other) ** 2).mean()


def difference(part, golden, shift):
    mine, other = overlap(part.astype(np.int16), golden.astype(np.int16), shift)
    return float(np.abs(mine - other).mean())


def find(golden, part, reach=REACH):
    return QuickMatch(golden, reach, 2).find(
        part, lambda shift: difference(part, golden, shift), lambda shift: square(part, golden, shift)
    )


@pytest.mark.parametrize("shift", [(0, 0), (1, -1), (-12, 12), (12, 5)])
@pytest.mark.parametrize("sigma", [0, 10])
def test_part_is_found_with_the_difference_that_is_left(shift, sigma):
    whole = board()
    golden, part = view(whole), noisy(view(whole, *shift), sigma)
    assert find(golden, part) == (shift, difference(part, golden, shift))


@settings(deadline=None, max_examples=15)
@given(dx=st.integers(-8, 8), dy=st.integers(-8, 8), seed=st.integers(0, 50), sigma=st.sampled_from([0, 20, 60]))
def test_no_place_within_reach_is_better_than_what_is_found(dx, dy, seed, sigma):
    whole = board(seed, 100, 90)
    golden, part = view(whole), noisy(view(whole, dx, dy), sigma)
    found = find(golden, part, 8)
    places = [(x, y) for x in range(-8, 9) for y in range(-8, 9)]
    assert found is None or found[1] == min(difference(part, golden, place) for place in places)


def test_brighter_picture_is_found():
    whole = board()
    assert find(view(whole), view(whole, 5, -3) + 8)[0] == (5, -3)


def test_defects_leave_the_part_where_it_is():
    whole = board()
    part = view(whole, -4, 3)
    part[100:130, 60:110] = 20
    part[200:212, 200:212] = 220
    assert find(view(whole), part)[0] == (-4, 3)


def test_colour_picture_is_found():
    whole = np.dstack([board(1), board(2), board(3)])
    assert find(view(whole), view(whole, 6, 2))[0] == (6, 2)


@pytest.mark.parametrize("period", [16, 26, 40])
def test_nothing_is_sure_on_a_periodic_board(period):
    whole = periodic(period)
    assert find(view(whole), view(whole, 3, -2)) is None


@pytest.mark.parametrize("part", [view(board(2)), np.full((SIZE, SIZE), 20, np.uint8), view(board(1), 20, -30)])
def test_nothing_is_said_of_another_part_an_empty_belt_and_a_part_out_of_reach(part):
    assert find(view(board(1)), part) is None


def test_nothing_is_said_of_a_bare_part():
    bare = np.full((SIZE, SIZE), 128, np.uint8)
    assert find(bare, bare.copy()) is None


def test_nothing_is_said_where_the_reach_is_more_than_a_quarter_of_the_picture():
    whole = board()
    golden = view(whole)[:40]
    assert find(golden, golden.copy(), 11) is None
    assert find(golden, golden.copy(), 10) == ((0, 0), 0)


@settings(deadline=None, max_examples=15)
@given(dx=st.integers(-12, 12), dy=st.integers(-12, 12), seed=st.integers(0, 50), sigma=st.sampled_from([0, 20]))
def test_search_finds_the_same_place(dx, dy, seed, sigma):
    whole = board(seed)
    golden, part = view(whole), noisy(view(whole, dx, dy), sigma)
    quick, search = Registrar(golden, REACH), Registrar(golden, REACH)
    search._quick = None
    assert quick.register(part).shift_px == search.register(part).shift_px


def test_self_difference_is_the_least_of_all_shifts():
    golden = board(4, 48, 60, 0)
    height, width = golden.shape
    squares = []
    for dx in range(-(width // 2), width // 2 + 1):
        for dy in range(-(height // 2), height // 2 + 1):
            if max(abs(dx), abs(dy)) > 2:
                one, other = overlap(golden.astype(float), golden.astype(float), (dx, dy))
                squares.append(((one - other) ** 2).mean())
    assert least_self_difference(golden) == pytest.approx(min(squares) / 255, rel=1e-3)


@pytest.mark.parametrize("make", [board, lambda seed: np.dstack([board(seed + i) for i in range(3)])])
def test_self_difference_of_a_larger_picture_is_a_lower_bound(make):
    whole = make(7)
    golden = view(whole, 0, 0, 20)
    shifts = [(9, 0), (0, -11), (30, 20), (-60, 80), (100, 3)]
    assert 0 < least_self_difference(golden) <= min(difference(golden, golden, shift) for shift in shifts)


def test_periodic_and_bare_pictures_do_not_differ_from_themselves():
    assert least_self_difference(periodic(20)) == pytest.approx(0, abs=0.01)
    assert least_self_difference(np.full((50, 50), 9, np.uint8)) == pytest.approx(0, abs=0.01)
