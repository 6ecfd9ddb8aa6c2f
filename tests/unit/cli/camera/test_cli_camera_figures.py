"""Figures of a picture, what they mean in words, and the pictures drawn of them."""

import cv2
import numpy as np
import pytest

from app.capture.camera import Knob
from app.cli.camera.asked import agree, in_ms
from app.cli.camera.figures import bars
from app.cli.camera.sheet import plot, shot_sheet
from app.cli.camera.shots import Shot, stamps_of
from app.cli.lettering import Mark
from app.config import CameraSettings
from app.picture_figures import figures_of, remarks_on
from app.types import Frame

SETTINGS = CameraSettings()


def board(seed=0):
    """Something with edges."""
    noise = np.random.default_rng(seed).integers(0, 2, (60, 80), np.uint8)
    return np.kron(noise, np.full((4, 4), 200, np.uint8)) + 20


def test_a_picture_in_figures():
    image = np.zeros((10, 20), np.uint8)
    image[:, :5] = 255

    figures = figures_of(image)

    assert (figures.width_px, figures.height_px, figures.channels) == (20, 10, 1)
    assert (figures.low, figures.high, figures.mean) == (0, 255, 63.75)
    assert figures.saturated == 0.25
    assert figures.histogram[0] == 0.75
    assert figures.histogram[255] == 0.25


def test_one_saturated_channel_saturates_the_pixel():
    image = np.full((10, 10, 3), 100, np.uint8)
    image[0, :, 2] = 255

    assert figures_of(image).saturated == pytest.approx(0.1)


def test_the_focus_score_is_the_variance_of_the_laplacian():
    image = board()

    assert figures_of(image).focus == pytest.approx(cv2.Laplacian(image, cv2.CV_64F).var(), rel=1e-5)


def test_the_focus_score_falls_with_every_blur():
    scores = [figures_of(cv2.GaussianBlur(board(), (0, 0), sigma)).focus for sigma in (0.3, 1, 2, 4)]

    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((8, 8), np.uint8), ["dark"]),
        (np.full((8, 8), 255, np.uint8), ["saturated", "flat"]),
        (np.full((8, 8), 90, np.uint8), ["flat"]),
        (board() // 8, ["dim"]),
        (board(), []),
    ],
)
def test_what_to_mind_is_said_in_words(image, words):
    assert [each.kind for each in remarks_on(figures_of(image), SETTINGS.dark_level)] == words


def test_dark_is_what_a_line_would_refuse():
    image = np.full((8, 8), 5, np.uint8)

    assert "dark_level = 20" in remarks_on(figures_of(image), 20)[0].text
    assert not any("dark:" in each.text for each in remarks_on(figures_of(image), 0))


def test_bars_are_as_high_as_there_are_pixels():
    image = np.repeat(np.array([0, 255], np.uint8), [100, 10_000])[None]

    shown = bars(figures_of(image).histogram)

    assert len(shown) == 32
    assert shown[-1] == "█"
    assert shown[0] not in " █"
    assert set(shown[1:-1]) == {" "}


def test_a_histogram_shows_saturation_in_red():
    white = plot(figures_of(np.full((8, 8), 255, np.uint8)).histogram)
    grey = plot(figures_of(np.full((8, 8), 100, np.uint8)).histogram)

    assert np.all(white == Mark.REJECT.colour, axis=2).any()
    assert not np.all(grey == Mark.REJECT.colour, axis=2).any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (24, 32), (300, 300, 3)])
def test_a_picture_of_any_shape_can_be_shown(shape, tmp_path):
    frame = Frame(np.full(shape, 7, np.uint8), "top", 0, in_memory_ns=2_500_000)
    figures = figures_of(frame.image)
    small = cv2.resize(frame.image, (10, 10))
    remarks = tuple(each.text for each in remarks_on(figures, SETTINGS.dark_level))
    shot = Shot("äöü" * 90, tmp_path, figures, stamps_of(frame), remarks, small)

    assert shot_sheet([shot] * 5, "x" * 300).dtype == np.uint8
    assert shot.stamps.memory_ms == 2.5


@pytest.mark.parametrize(
    ("wanted", "got", "is_taken"),
    [
        (2000, 2001.5, True),
        (2000, 2100.0, False),
        (0, 0.0, True),
        (True, True, True),
        (True, "true", True),
        ("ramp", "Ramp", True),
        ("Ramp", "Off", False),
        (1, "Manual Mode", None),
        (5, None, None),
    ],
)
def test_a_camera_may_round(wanted, got, is_taken):
    assert agree(wanted, got) is is_taken


def test_half_a_step_is_rounding():
    assert agree(10, 12, step=4) is True
    assert agree(10, 13, step=4) is False


@pytest.mark.parametrize(("value", "unit", "ms"), [(500, "us", 0.5), (20, "100 us", 2), (3, "ms", 3), (3, "", None)])
def test_an_exposure_in_any_unit_is_one_in_milliseconds(value, unit, ms):
    assert in_ms(Knob("exposure", value, unit=unit)) == (None if ms is None else pytest.approx(ms))
