"""A free-running camera over the twin's belt sees parts wherever they lie."""

import numpy as np
import pytest

from app.config import CameraSettings, VisionSettings
from app.twin.flow import Body
from app.twin.parts import Piece
from app.twin.view import View

LENGTH_MM, MM_PER_PX = 40.0, 0.5
SIDE = round(LENGTH_MM / MM_PER_PX)
MOTIONS = ("right", "left", "down", "up")


def arrow():
    """White, with a black corner at the top left, so that one sees how it lies."""
    image = np.full((SIDE, SIDE), 255, np.uint8)
    image[: SIDE // 4, : SIDE // 4] = 0
    return image


def view(motion="right", line_share=0.5, channels=1):
    camera = CameraSettings(position_mm=100, width_px=320, height_px=240, channels=channels, trigger="free")
    vision = VisionSettings(mm_per_px=MM_PER_PX, motion=motion, line_share=line_share)
    return View(camera, vision, LENGTH_MM)


def body(start_mm, **changes):
    return Body(0, start_mm, Piece("a", False, arrow), **changes)


def extent(image, motion):
    """First and last place of the part along the motion, where 0 is where parts come in."""
    along = 1 if motion in ("right", "left") else 0
    bright = np.flatnonzero((image > 200).any(axis=1 - along))
    first, last = int(bright[0]), int(bright[-1]) + 1
    size = image.shape[along]
    return (first, last) if motion in ("right", "down") else (size - last, size - first)


@pytest.mark.parametrize("motion", MOTIONS)
def test_leading_edge_is_at_the_line_when_the_part_is_at_the_cameras_position(motion):
    image = view(motion).picture([body(500.0)], 600.0)
    size = 320 if motion in ("right", "left") else 240

    assert image.shape == (240, 320)
    assert extent(image, motion) == (size // 2 - SIDE, size // 2)


@pytest.mark.parametrize("motion", MOTIONS)
def test_part_goes_the_way_that_is_set(motion):
    seen = view(motion)

    assert extent(seen.picture([body(500.0)], 610.0), motion)[1] - extent(seen.picture([body(500.0)], 600.0), motion)[
        1
    ] == round(10 / MM_PER_PX)


@pytest.mark.parametrize("motion", MOTIONS)
def test_part_lies_upright(motion):
    image = view(motion).picture([body(500.0)], 600.0)
    rows, columns = np.nonzero(image > 200)
    corner = image[rows.min() : rows.min() + SIDE // 4, columns.min() : columns.min() + SIDE // 4]

    assert (corner == 0).all()


def test_part_that_comes_in_is_cut_off_where_the_picture_begins():
    image = view(line_share=0.1).picture([body(500.0)], 600.0)

    assert extent(image, "right") == (0, 32)


def test_parts_before_the_picture_beyond_it_and_off_the_belt_are_not_seen():
    away = [body(5000.0), body(-5000.0), body(500.0, is_on_belt=False)]

    assert not (view().picture(away, 600.0) > 200).any()


def test_belt_moves_with_the_parts():
    seen = view()
    before, after = seen.picture([], 0.0), seen.picture([], 10.0)

    assert np.array_equal(after[:, 20:], before[:, :-20])


def test_colour_camera_gives_three_channels():
    assert view(channels=3).picture([], 0.0).shape == (240, 320, 3)
