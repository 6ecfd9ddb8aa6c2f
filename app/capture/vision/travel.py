"""How far the belt has gone between two looks at it, from what lies on it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.vision.strip import Strip

_LEAST_LIKENESS = 0.25
_UNSEEN = 0.15
_INERTIA = 0.12
_LEAST_OVERLAP = 0.15
_ROWS = 8


class TravelGauge:
    """Measures the travel of the belt by cross-correlation along it, over every shift at once.

    The measure is Dice's coefficient of the overlap, `2 ab / (aa + bb)`, with all sums by FFT or running sums as in
    J. P. Lewis, "Fast normalized cross-correlation" (1995). A row of like parts looks the same one pitch on; of shifts
    that are about as good, the one nearest to the travel before is taken.

    Args:
        part_columns: Columns of a part; what is coarser than a third of it does not count, so that a flat part that
            fills the picture tells nothing false.

    Attributes:
        last: The travel that was measured last, in columns.
    """

    def __init__(self, part_columns: float) -> None:
        self._part_columns = part_columns
        self._width = max(5, 2 * int(part_columns / 6) + 1)
        self.last = 0.0

    def measure(self, before: Strip, now: Strip, scale: float) -> float | None:
        """The travel in columns, positive downstream.

        Args:
            before: Differences from the empty belt, as known so far.
            now: The same of this frame.
            scale: Difference at which a feature begins to count no more than others.

        Returns:
            `None` where nothing that can be seen tells it.
        """
        a, b = self._features(before, scale), self._features(now, scale)
        likeness = _likeness(a, b)
        columns = before.shape[2]
        shifts = np.arange(-(columns - 1), columns)
        likeness[np.abs(shifts) > columns * (1 - _LEAST_OVERLAP)] = 0
        inertia = np.minimum(1.0, np.abs(shifts - self.last) / self._part_columns)
        judged = likeness * (1 - _INERTIA * inertia)
        best = int(np.argmax(judged))
        if likeness[best] < _LEAST_LIKENESS:
            return None
        self.last = float(shifts[best]) + _vertex(likeness, best)
        return self.last

    def _features(self, strip: Strip, scale: float) -> NDArray[np.float32]:
        grey = strip.mean(axis=0)
        rows = min(_ROWS, grey.shape[0])
        grey = cv2.resize(grey, (grey.shape[1], rows), interpolation=cv2.INTER_AREA)
        fine = grey - cv2.blur(grey, (self._width, 1), borderType=cv2.BORDER_REFLECT)
        return np.asarray(fine / (np.abs(fine) + scale), np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Dice's coefficient for each shift of b against a, from -(columns - 1) to columns - 1."""
    columns = a.shape[1]
    size = 1 << math.ceil(math.log2(2 * columns))
    spectrum = (np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size)).sum(axis=0)
    cross = np.fft.irfft(spectrum, size)
    cross = np.concatenate((cross[-(columns - 1) :], cross[:columns]))
    ea, eb = (a * a).sum(axis=0), (b * b).sum(axis=0)
    ca, cb = np.concatenate(([0.0], np.cumsum(ea))), np.concatenate(([0.0], np.cumsum(eb)))
    shifts = np.arange(-(columns - 1), columns)
    low_a, high_a = np.maximum(0, -shifts), np.minimum(columns, columns - shifts)
    energy = ca[high_a] - ca[low_a] + cb[high_a + shifts] - cb[low_a + shifts]
    return np.asarray(2 * cross / (energy + _UNSEEN * (ca[-1] + cb[-1]) + 1e-9), np.float64)


def _vertex(values: NDArray[np.float64], best: int) -> float:
    """Where the parabola through a peak and its neighbours has its top, from the peak."""
    if not 0 < best < values.size - 1:
        return 0.0
    left, top, right = values[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
