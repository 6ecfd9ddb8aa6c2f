"""Registration of a golden sample: known shifts are found, and what cannot be registered is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.detect.registration import Registrar
from app.errors import DetectorError
from tests.unit.detect.boards import SIZE, board, noisy, periodic, view

MAX_PX = 12


@pytest.mark.parametrize("make", [board, lambda: periodic(20), lambda: np.full((400, 400), 128, np.uint8)])
def test_identical_pictures_do_not_move(make):
    golden = view(make())
    registered = Registrar(golden, MAX_PX).register(golden.copy())
    assert (registered.shift_px, registered.residual) == ((0, 0), 0)
    assert np.array_equal(registered.golden, golden)


@pytest.mark.parametrize("sigma", [5, 20])
@pytest.mark.parametrize("make", [board, lambda: periodic(20)])
def test_aligned_noisy_picture_does_not_move(make, sigma):
    golden = view(make())
    assert Registrar(golden, MAX_PX).register(noisy(golden, sigma)).shift_px == (0, 0)


def test_defect_on_a_bare_part_does_not_move_it():
    golden = np.full((SIZE, SIZE), 128, np.uint8)
    part = golden.copy()
    part[100:104, 50:60] = 30
    assert Registrar(golden, MAX_PX).register(part).shift_px == (0, 0)


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (3, -2), (-5, 7), (12, 12), (-12, 11), (9, -12)])
@pytest.mark.parametrize("sigma", [0, 15])
def test_known_shift_is_found(shift, sigma):
    whole = board()
    registered = Registrar(view(whole), MAX_PX).register(noisy(view(whole, *shift), sigma))
    assert registered.shift_px == shift


@pytest.mark.parametrize("shift", [(60, -60), (-47, 3), (0, 58)])
def test_large_shift_is_found_where_it_is_allowed(shift):
    whole = board(2, margin=80)
    assert Registrar(view(whole, margin=80), 60).register(view(whole, *shift, margin=80)).shift_px == shift


@settings(deadline=None, max_examples=40)
@given(dx=st.integers(-12, 12), dy=st.integers(-12, 12), seed=st.integers(0, 50))
def test_any_shift_of_any_board_is_found(dx, dy, seed):
    whole = board(seed)
    assert Registrar(view(whole), MAX_PX).register(view(whole, dx, dy)).shift_px == (dx, dy)


@pytest.mark.parametrize("period", [16, 26, 40])
@pytest.mark.parametrize("shift", [(4, 0), (-5, 6), (7, -7)])
def test_shift_within_half_a_period_is_found_on_a_periodic_board(period, shift):
    whole = periodic(period)
    registered = Registrar(view(whole), MAX_PX).register(noisy(view(whole, *shift), 10))
    assert registered.shift_px == shift


@pytest.mark.parametrize(("height", "width"), [(90, 131), (240, 640), (1003, 777)])
def test_any_size_and_shape_is_registered(height, width):
    whole = board(3, height, width)
    assert Registrar(view(whole), MAX_PX).register(view(whole, 5, -6)).shift_px == (5, -6)


def test_defects_do_not_pull_the_part():
    whole = board()
    part = view(whole, -4, 3)
    part[100:130, 60:110] = 20
    part[200:212, 200:212] = 220
    assert Registrar(view(whole), MAX_PX).register(part).shift_px == (-4, 3)


def test_colour_pictures_are_registered():
    whole = np.dstack([board(1), board(2), board(3)])
    registered = Registrar(view(whole), MAX_PX).register(view(whole, 6, 2))
    assert registered.shift_px == (6, 2)
    assert registered.golden.shape == (SIZE, SIZE, 3)


def test_golden_sample_lies_over_the_part_afterwards():
    whole = board()
    part = view(whole, 5, -7)
    golden = Registrar(view(whole), MAX_PX).register(part).golden
    assert np.array_equal(golden[:-7, 5:], part[:-7, 5:])


def test_uncovered_edge_repeats_the_outermost_pixels():
    whole = board()
    sample = view(whole)
    golden = Registrar(sample, MAX_PX).register(view(whole, 5, 0)).golden
    assert np.array_equal(golden[:, :5], np.repeat(sample[:, :1], 5, axis=1))


def test_region_is_filled_with_what_the_golden_sample_shows_around_it():
    whole = board()
    part = view(whole, 5, -7)
    rect = (40, 50, 200, 180)
    crop = part[50:230, 40:240]
    registered = Registrar(view(whole), MAX_PX, rect).register(crop)
    assert registered.shift_px == (5, -7)
    assert np.array_equal(registered.golden, crop)


def test_residual_says_how_unlike_they_stay():
    whole = board()
    part = view(whole)
    part[:32] = 255 - part[:32]
    expected = np.abs(part.astype(float) - view(whole)).mean() / 255
    assert Registrar(view(whole), MAX_PX).register(part).residual == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("shift", [(13, 0), (0, -13), (20, 20), (-30, 5)])
def test_part_beyond_the_limit_is_not_found(shift):
    whole = board()
    with pytest.raises(DetectorError, match="golden sample was not found within 12 px"):
        Registrar(view(whole), MAX_PX).register(view(whole, *shift))


def test_other_part_is_not_found():
    with pytest.raises(DetectorError, match="check that this is the right part"):
        Registrar(view(board(1)), MAX_PX).register(view(board(2)))


def test_empty_belt_is_not_found():
    with pytest.raises(DetectorError, match="not found"):
        Registrar(view(board(1)), MAX_PX).register(np.full((SIZE, SIZE), 20, np.uint8))


def test_limit_of_zero_takes_the_golden_sample_as_it_lies():
    whole = board()
    golden = view(whole)
    registered = Registrar(golden, 0).register(view(whole, 5, 5))
    assert registered.shift_px == (0, 0)
    assert np.array_equal(registered.golden, golden)
    assert registered.residual > 0.01


def test_picture_of_another_shape_is_refused():
    with pytest.raises(DetectorError, match=r"shape \(320, 320\) and the picture \(320, 319\)"):
        Registrar(view(board()), MAX_PX).register(view(board())[:, 1:])


def test_golden_sample_laid_over_a_part_is_not_to_be_written_to():
    whole = board()
    golden = Registrar(view(whole), MAX_PX).register(view(whole, 3, 4)).golden
    with pytest.raises(ValueError, match="read-only"):
        golden[0, 0] = 1


def test_answer_does_not_depend_on_the_part_before():
    whole = board()
    registrar = Registrar(view(whole), MAX_PX)
    first = registrar.register(view(whole, 5, 5)).golden.copy()
    registrar.register(view(whole, -9, 2))
    assert np.array_equal(registrar.register(view(whole, 5, 5)).golden, first)
