"""Pixel formats of GenICam cameras become pictures."""

import numpy as np
import pytest

from app.capture.gige.pixels import FORMATS, decode, suitable_format

WIDTH, HEIGHT = 16, 12
RED, GREEN, BLUE = 200, 120, 40


def picture(name, content, channels, padding=0):
    memory = np.frombuffer(content.tobytes() + bytes(7), np.uint8)
    return decode(memory, (WIDTH, HEIGHT), padding, FORMATS[name], channels)


def mosaic(first_row, second_row):
    """A picture of one colour through a Bayer pattern, as GenICam names it: by the colours of its first rows."""
    level = {"R": RED, "G": GREEN, "B": BLUE}
    tile = np.array([[level[c] for c in first_row], [level[c] for c in second_row]], np.uint8)
    return np.tile(tile, (HEIGHT // 2, WIDTH // 2))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("BayerRG8", ("RG", "GB")),
        ("BayerGR8", ("GR", "BG")),
        ("BayerGB8", ("GB", "RG")),
        ("BayerBG8", ("BG", "GR")),
    ],
)
def test_bayer_pattern_gives_its_colours(name, rows):
    inside = picture(name, mosaic(*rows), 3)[2:-2, 2:-2].reshape(-1, 3)

    assert (inside == (BLUE, GREEN, RED)).all()


def test_bayer_pattern_may_be_made_mono():
    inside = picture("BayerRG8", mosaic("RG", "GB"), 1)[2:-2, 2:-2]

    assert inside.shape == (HEIGHT - 4, WIDTH - 4)
    assert np.ptp(inside) == 0


@pytest.mark.parametrize(("name", "order"), [("RGB8", (RED, GREEN, BLUE)), ("BGR8", (BLUE, GREEN, RED))])
def test_colours_are_handed_out_as_bgr(name, order):
    image = picture(name, np.tile(np.array(order, np.uint8), (HEIGHT, WIDTH, 1)), 3)

    assert (image == (BLUE, GREEN, RED)).all()


@pytest.mark.parametrize(("name", "bits"), [("Mono10", 10), ("Mono12", 12), ("Mono16", 16)])
def test_deep_mono_keeps_the_upper_eight_bits_that_count(name, bits):
    deep = np.arange(WIDTH * HEIGHT, dtype=np.uint32) * ((1 << bits) - 1) // (WIDTH * HEIGHT - 1)

    image = picture(name, deep.astype("<u2"), 1)

    assert (image.ravel() == deep >> (bits - 8)).all()
    assert (image.min(), image.max()) == (0, 255)


def test_mono_for_three_channels_is_grey():
    image = picture("Mono8", np.full((HEIGHT, WIDTH), 77, np.uint8), 3)

    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (image == 77).all()


def test_padding_at_the_end_of_a_row_is_no_picture():
    padded = np.full((HEIGHT, WIDTH + 3), 255, np.uint8)
    padded[:, :WIDTH] = 9

    assert (picture("Mono8", padded, 1, padding=3) == 9).all()


@pytest.mark.parametrize("name", FORMATS)
def test_picture_shares_nothing_with_the_memory(name):
    memory = np.zeros(WIDTH * HEIGHT * FORMATS[name].pixel_bytes, np.uint8)
    channels = 1 if name.startswith("Mono") else 3

    image = decode(memory, (WIDTH, HEIGHT), 0, FORMATS[name], channels)
    before = image.copy()
    memory[:] = 255

    assert (image == before).all()
    assert (image.dtype, image.flags.c_contiguous, image.flags.owndata or image.base is not memory) == (
        np.uint8,
        True,
        True,
    )


def test_format_is_chosen_by_channels():
    offered = [FORMATS[name].code for name in ("RGB8", "BayerGB8", "Mono16", "Mono8")]

    assert suitable_format(offered, 1) == FORMATS["Mono8"]
    assert suitable_format(offered, 3) == FORMATS["BayerGB8"]


def test_mono_camera_has_no_format_for_colour():
    assert suitable_format([FORMATS["Mono8"].code, 0x12345678], 3) is None
