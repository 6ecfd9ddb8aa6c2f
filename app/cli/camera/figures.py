"""A picture's stamps, and its figures as a terminal shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS
from app.types import Frame

BINS = 32
_BARS = " ▁▂▃▄▅▆▇█"


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


def stamps_of(frame: Frame) -> Stamps:
    """Takes the stamps off a frame."""
    memory_ms = (frame.in_memory_ns - frame.host_ns) / NS_PER_MS
    return Stamps(frame.counter, frame.device_ns, frame.host_ns, frame.uncertainty_ns, round(memory_ms, 3))


def bars(histogram: NDArray[np.float64]) -> str:
    """The histogram as 32 letters of rising height, dark to bright; the root of each share, so that few are seen too.

    Args:
        histogram: float64 (256,).
    """
    shares = np.sqrt(histogram.reshape(BINS, -1).sum(axis=1))
    steps = np.ceil(shares / max(float(shares.max()), 1e-12) * (len(_BARS) - 1)).astype(int)
    return "".join(_BARS[step] for step in steps)
