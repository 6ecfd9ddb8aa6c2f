"""What a picture says of its camera in figures, and those figures in words."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS
from app.config import CameraSettings
from app.types import Frame, Image

LEVELS = 256
WHITE = LEVELS - 1
BINS = 32
_BARS = " ▁▂▃▄▅▆▇█"
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
class Stamps:
    """When a picture was taken, and which one it is.

    Attributes:
        counter: The camera's trigger counter, where it has one.
        device_ns: The camera's own stamp, where it has one.
        host_ns: When the exposure began, by this machine's clock.
        uncertainty_ns: How well that is known.
        memory_ms: From there to the last byte in memory.
    """

    counter: int | None
    device_ns: int | None
    host_ns: int
    uncertainty_ns: int
    memory_ms: float


def figures_of(image: Image) -> Figures:
    """Measures a picture.

    The focus score is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield
    microscopy: a comparative study", ICPR 2000); it also grows with contrast and with noise.

    Args:
        image: uint8, (height, width) or (height, width, 3) BGR, at least one pixel.
    """
    is_colour = image.ndim == _COLOUR
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8) if is_colour else image
    brightest = image.max(axis=2) if is_colour else image
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    return Figures(
        width_px=image.shape[1],
        height_px=image.shape[0],
        channels=_COLOUR if is_colour else 1,
        mean=float(grey.mean()),
        deviation=float(grey.std()),
        low=int(image.min()),
        high=int(image.max()),
        saturated=float((brightest == WHITE).mean()),
        focus=float(np.var(laplacian, dtype=np.float64)),
        histogram=np.bincount(grey.ravel(), minlength=LEVELS) / grey.size,
    )


def stamps_of(frame: Frame) -> Stamps:
    """Takes the stamps off a frame."""
    memory_ms = (frame.in_memory_ns - frame.host_ns) / NS_PER_MS
    return Stamps(frame.counter, frame.device_ns, frame.host_ns, frame.uncertainty_ns, round(memory_ms, 3))


def remarks_on(figures: Figures, settings: CameraSettings) -> tuple[str, ...]:
    """What a person should mind, in words; nothing where the picture is sound.

    Args:
        figures: The picture.
        settings: The camera.
    """
    found = []
    if figures.mean < settings.dark_level:
        found.append(
            f"dark: the mean grey of {figures.mean:.1f} is below dark_level = {settings.dark_level:g}, a line would"
            " refuse it; look at the light, the lens cap, the aperture and exposure_ms"
        )
    elif figures.mean < _DIM_GREY and figures.high < LEVELS // 2:
        found.append(
            f"dim: the mean grey is {figures.mean:.1f} and nothing is brighter than {figures.high}; give it more light,"
            " or a longer exposure_ms"
        )
    if figures.saturated > _MUCH_WHITE:
        found.append(
            f"saturated: {figures.saturated:.0%} of the pixels are at 255, what was there is lost; shorten exposure_ms"
            " or lower the gain"
        )
    if figures.deviation < _FLAT_GREYS and figures.mean >= settings.dark_level:
        found.append(
            f"flat: all of it is one grey of {figures.mean:.0f}; look at the focus, and whether anything is in view"
        )
    return tuple(found)


def bars(histogram: NDArray[np.float64]) -> str:
    """The histogram as 32 letters of rising height, dark to bright; the root of each share, so that few are seen too.

    Args:
        histogram: float64 (256,).
    """
    shares = np.sqrt(histogram.reshape(BINS, -1).sum(axis=1))
    steps = np.ceil(shares / max(float(shares.max()), 1e-12) * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[step] for step in steps)
