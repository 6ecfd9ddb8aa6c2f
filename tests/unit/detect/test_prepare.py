"""How pictures of any size and shape lie in a model's input."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.detect.detector import InputSpec
from app.detect.prepare import Preparation, layout_of

SIDES = st.integers(1, 300)


def spec(fit, width=64, height=48, channels=1, golden=False, level=114):
    return InputSpec(width, height, channels, golden, fit, level)


def filled(taken, picture, golden=None):
    preparation = Preparation(taken)
    placement = preparation.fill(picture, golden)
    return preparation, placement


def rectangle(window):
    rows, columns = window
    return columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start


def in_picture(placement, x, y):
    return x * placement.scale_x + placement.offset_x_px, y * placement.scale_y + placement.offset_y_px


def noise(width, height, channels=1, seed=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)


def test_letterbox_scales_evenly_and_leaves_a_border_above_and_below():
    layout = layout_of(spec("letterbox"), 128, 64)
    assert rectangle(layout.filled) == (0, 8, 64, 32)
    assert in_picture(layout.placement, 0, 8) == (0, 0)
    assert in_picture(layout.placement, 64, 40) == (128, 64)
    assert layout.placement.limit_px == (128, 64)


def test_letterbox_leaves_the_smaller_half_of_an_odd_border_left_and_above():
    assert rectangle(layout_of(spec("letterbox", 64, 64), 64, 61).filled) == (0, 1, 64, 61)
    assert rectangle(layout_of(spec("letterbox", 64, 64), 61, 64).filled) == (1, 0, 61, 64)


def test_corner_begins_in_the_upper_left_and_rounds_down():
    layout = layout_of(spec("corner", 64, 64), 100, 67)
    assert rectangle(layout.filled) == (0, 0, 64, 42)
    assert in_picture(layout.placement, 32, 32) == (50, 50)


def test_crop_takes_the_middle_that_has_the_shape_of_the_input():
    layout = layout_of(spec("crop"), 200, 96)
    assert rectangle(layout.taken) == (36, 0, 128, 96)
    assert in_picture(layout.placement, 0, 0) == (36, 0)
    assert in_picture(layout.placement, 64, 48) == (164, 96)


def test_stretch_fills_the_input_whatever_the_shape():
    layout = layout_of(spec("stretch"), 128, 240)
    assert rectangle(layout.filled) == (0, 0, 64, 48)
    assert in_picture(layout.placement, 64, 48) == (128, 240)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["stretch", "letterbox", "corner", "crop"]))
def test_every_size_lies_inside_and_covers_what_is_taken(width, height, model_width, model_height, fit):
    layout = layout_of(spec(fit, model_width, model_height), width, height)
    left, top, across, down = rectangle(layout.filled)
    assert left >= 0 <= top
    assert across > 0 < down
    assert left + across <= model_width
    assert top + down <= model_height
    x, y, taken_width, taken_height = rectangle(layout.taken)
    assert x >= 0 <= y
    assert 0 < taken_width <= width - x
    assert 0 < taken_height <= height - y
    if fit != "corner":
        start, end = in_picture(layout.placement, left, top), in_picture(layout.placement, left + across, top + down)
        assert start == pytest.approx((x, y), abs=1e-6)
        assert end == pytest.approx((x + taken_width, y + taken_height), abs=1e-6)


@pytest.mark.parametrize(("width", "height"), [(128, 64), (31, 90), (64, 48), (64, 20), (300, 301)])
@pytest.mark.parametrize("channels", [1, 3])
def test_letterbox_gives_the_pixels_that_scaling_and_framing_give(width, height, channels):
    picture = noise(width, height, channels)
    preparation, _ = filled(spec("letterbox", channels=channels, level=114), picture)
    scale = min(64 / width, 48 / height)
    size = round(width * scale), round(height * scale)
    inner = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR) if size != (width, height) else picture
    left, top = round((64 - size[0]) / 2 - 0.1), round((48 - size[1]) / 2 - 0.1)
    wanted = cv2.copyMakeBorder(
        inner, top, 48 - size[1] - top, left, 64 - size[0] - left, cv2.BORDER_CONSTANT, value=(114, 114, 114)
    )
    assert np.array_equal(preparation.image[0].reshape(wanted.shape), wanted)


def test_border_is_drawn_anew_for_pictures_of_another_shape():
    preparation = Preparation(spec("letterbox"))
    preparation.fill(np.full((20, 64), 255, np.uint8), None)
    preparation.fill(np.full((48, 20), 255, np.uint8), None)
    fresh, _ = filled(spec("letterbox"), np.full((48, 20), 255, np.uint8))
    assert np.array_equal(preparation.image, fresh.image)


def test_border_lies_around_the_golden_sample_too():
    picture, golden = noise(64, 20), noise(64, 20, seed=4)
    preparation, _ = filled(spec("letterbox", golden=True, level=7), picture, golden)
    assert np.array_equal(preparation.golden[0, 14:34, :, 0], golden)
    assert set(preparation.golden[0, :14].ravel()) == set(preparation.golden[0, 34:].ravel()) == {7}


@pytest.mark.parametrize("fit", ["letterbox", "corner", "crop", "stretch"])
@pytest.mark.parametrize(("channels", "given"), [(1, 3), (3, 1)])
@pytest.mark.parametrize("size", [(64, 20), (200, 100)])
def test_channels_are_converted_where_the_picture_lies(fit, channels, given, size):
    grey = np.full(size[::-1], 200, np.uint8)
    picture = grey if given == 1 else cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    preparation, _ = filled(spec(fit, channels=channels, level=9), picture)
    left, top, across, down = rectangle(layout_of(spec(fit), *size).filled)
    inner = preparation.image[0, top : top + down, left : left + across]
    assert inner.shape[2] == channels
    assert set(inner.ravel()) == {200}
    assert set(preparation.image.ravel()) <= {200, 9}


def test_crop_gives_the_middle_as_it_is_where_nothing_is_scaled():
    picture = noise(100, 48)
    preparation, _ = filled(spec("crop"), picture)
    assert np.array_equal(preparation.image[0, :, :, 0], picture[:, 18:82])


def test_picture_of_one_pixel_is_laid_into_every_input():
    for fit in ("stretch", "letterbox", "corner", "crop"):
        preparation, _ = filled(spec(fit), np.full((1, 1), 200, np.uint8))
        assert 200 in preparation.image
