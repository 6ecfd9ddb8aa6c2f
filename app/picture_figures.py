"""What a picture says of its camera in figures, and what a person should mind in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Image

LEVELS = 256
WHITE = LEVELS - 1
_MUCH_WHITE = 0.01
"""Highlights of a bright part are fewer; more than this and the picture has lost what was there."""
_DIM_GREY = 30.0
_FLAT_GREYS = 2.0
_COLOUR = 3


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """One picture in figures.

    Attributes:
        width_px: Width.
        height_px: Height.
        channels: 1 or 3.
        mean: Mean grey, 0 .. 255.
        deviation: Standard deviation of the greys.
        low: The darkest value of any channel.
        high: The brightest value of any channel.
        saturated: Share of the pixels with a channel at 255, 0 .. 1.
        focus: Variance of the Laplacian of the greys: larger is sharper, for the same scene only.
        histogram: float64 (256,): share of the pixels at each grey.
    """

    width_px: int
    height_px: int
    channels: int
    mean: float
    deviation: float
    low: int
    high: int
    saturated: float
    focus: float
    histogram: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a person should mind.

    Attributes:
        kind: `dark`, `dim`, `saturated` or `flat`.
        text: What it is, and what to do about it.
    """

    kind: str
    text: str


def figures_of(image: Image) -> Figures:
    """Measures a picture.

    Args:
        image: uint8, (height, width) or (height, width, 3) BGR, at least one pixel.
    """
    grey = _grey_of(image)
    brightest = grey
    if image.ndim == _COLOUR:
        brightest = np.asarray(cv2.max(cv2.max(image[:, :, 0], image[:, :, 1]), image[:, :, 2]), np.uint8)
    mean, deviation = (float(each[0, 0]) for each in cv2.meanStdDev(grey))
    low, high, _, _ = cv2.minMaxLoc(np.ascontiguousarray(image).reshape(image.shape[0], -1))
    return Figures(
        width_px=image.shape[1],
        height_px=image.shape[0],
        channels=_COLOUR if image.ndim == _COLOUR else 1,
        mean=mean,
        deviation=deviation,
        low=int(low),
        high=int(high),
        saturated=float(counts_of(brightest)[WHITE]) / grey.size,
        focus=focus_of(grey),
        histogram=counts_of(grey) / grey.size,
    )


def focus_of(image: Image) -> float:
    """The focus score of a picture or of a part of one: larger is sharper, for the same scene only.

    It is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a
    comparative study", ICPR 2000); it also grows with contrast and with noise.

    Args:
        image: uint8, (height, width) or (height, width, 3) BGR, at least one pixel.
    """
    # 16 bits hold every value of the Laplacian of 8, and a picture of 5 megapixels is done in a third of the time.
    laplacian = cv2.Laplacian(_grey_of(image), cv2.CV_16S)
    return float(cv2.meanStdDev(laplacian)[1][0, 0]) ** 2


def counts_of(grey: Image) -> NDArray[np.int64]:
    """How many pixels have each grey, int64 (256,).

    Args:
        grey: uint8, (height, width).
    """
    # In float32, which is exact up to 16 million: each row of tiles is counted by itself.
    total = np.zeros(LEVELS, np.int64)
    rows = max(1, (1 << 24) // grey.shape[1])
    for row in range(0, grey.shape[0], rows):
        part = np.ascontiguousarray(grey[row : row + rows])
        total += np.asarray(cv2.calcHist([part], [0], None, [LEVELS], [0, LEVELS])).ravel().astype(np.int64)
    return total


def remarks_on(figures: Figures, dark_level: float) -> tuple[Remark, ...]:
    """What a person should mind; nothing where the picture is sound.

    Args:
        figures: The picture.
        dark_level: The camera's setting of that name.
    """
    found = []
    if figures.mean < dark_level:
        found.append(
            Remark(
                "dark",
                f"dark: the mean grey of {figures.mean:.1f} is below dark_level = {dark_level:g}, a line would"
                " refuse it; look at the light, the lens cap, the aperture and exposure_ms",
            )
        )
    elif figures.mean < _DIM_GREY and figures.high < LEVELS // 2:
        found.append(
            Remark(
                "dim",
                f"dim: the mean grey is {figures.mean:.1f} and nothing is brighter than {figures.high}; give it more"
                " light, or a longer exposure_ms",
            )
        )
    if figures.saturated > _MUCH_WHITE:
        found.append(
            Remark(
                "saturated",
                f"saturated: {figures.saturated:.0%} of the pixels are at 255, what was there is lost; shorten"
                " exposure_ms or lower the gain",
            )
        )
    if figures.deviation < _FLAT_GREYS and figures.mean >= dark_level:
        found.append(
            Remark(
                "flat",
                f"flat: all of it is one grey of {figures.mean:.0f}; look at the focus, and whether anything is in"
                " view",
            )
        )
    return tuple(found)


def _grey_of(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8) if image.ndim == _COLOUR else image
