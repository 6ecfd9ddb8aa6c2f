"""The quick way to a part's shift, where it proves itself right.

The sums of the columns and of the rows, each matched along one axis, give a first guess; the neighbours of that are
tried on the pictures themselves. If what is left of the difference is small against how unlike itself the golden sample
is at any other shift, no other place fits better (the triangle inequality) and nobody need look further. On a periodic
board, and for a part that is not there, it never is: then it is for `app.detect.registration` to search everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detect.correlation import Shift, least_self_difference
from app.types import Image

Difference = Callable[[Shift], float]
MIN_CORRELATION = 0.5
"""What two pictures of the same part have at least."""

_SAMPLED_SUMS = 320
_LEAST_CORE = 0.5
_MOST_STEPS = 8
_SURELY_LESS = 0.45
_SURELY_ALIKE = 0.3
_AROUND = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy)


class QuickMatch:
    """Matches part after part with one golden sample, in fixed buffers.

    Args:
        golden: uint8, (height, width) or (height, width, 3).
        max_shift_px: The farthest that a part may lie off; more than 0.
        row_step: Of how many rows one counts for the sums of the columns.
    """

    def __init__(self, golden: Image, max_shift_px: float, row_step: int) -> None:
        self._reach = reach = int(max_shift_px)
        self._unlike = self._least_square = 0.0
        if 2 * reach > (1 - _LEAST_CORE) * min(golden.shape[:2]):
            return
        self._columns = _Profile(golden, 0, reach, row_step)
        self._rows = _Profile(golden, 1, reach, 1)
        self._unlike = least_self_difference(golden)
        self._least_square = _SURELY_ALIKE * float((cv2.meanStdDev(golden)[1] ** 2).mean())

    def find(self, image: Image, difference: Difference, square: Difference) -> tuple[Shift, float] | None:
        """The part's shift, or `None` where that takes a search.

        Args:
            image: uint8, of the golden sample's shape.
            difference: The mean absolute difference of `image` and the golden sample at a shift, 0 .. 255.
            square: The mean squared difference, 0 .. 255^2.

        Returns:
            How far the part lies right of and below the golden sample, in pixels, and the difference that is left.
        """
        if self._least_square == 0:
            return None
        # The rows first: they bring the whole picture into the cache.
        dy, dx = self._rows.guess(image), self._columns.guess(image)
        shift, least = _descended((dx, dy), difference)
        is_within = max(abs(shift[0]), abs(shift[1])) <= self._reach
        return (shift, least) if is_within and self._is_sure(least, square(shift)) else None

    def _is_sure(self, difference: float, square: float) -> bool:
        """No other place fits better, and what is there is alike.

        The triangle inequality holds for the mean absolute difference, which proves more of black and white pictures,
        as for the root of the mean squared one, which proves more of noisy pictures.

        Alike is a correlation of `MIN_CORRELATION`. With d the deviation of the difference over the golden sample's,
        the part's is at least 1 - d and the correlation at least 1 - d^2 / (2 (1 - d)): a half at d^2 = 0.38.
        """
        is_only = difference < _SURELY_LESS * self._unlike or square < _SURELY_LESS**2 * 255 * self._unlike
        return is_only and square < self._least_square


def _descended(start: Shift, difference: Difference) -> tuple[Shift, float]:
    """Goes from neighbour to neighbour as long as the difference falls."""
    best, least, known = start, difference(start), {start}
    for _ in range(_MOST_STEPS):
        centre = best
        for right, down in _AROUND:
            place = centre[0] + right, centre[1] + down
            if place not in known:
                known.add(place)
                there = difference(place)
                if there < least:
                    best, least = place, there
        if best == centre:
            break
    return best, least


class _Profile:
    """The sums of the columns (axis 0) or of the rows (axis 1), and the golden sample's at every shift.

    The least squared difference over shifts s of the golden sample, sum((part - golden_s)^2), is the largest
    part . golden_s - golden_s^2 / 2; with the mean of each golden_s taken off, the part's brightness does not matter.
    """

    def __init__(self, golden: Image, axis: int, reach: int, row_step: int) -> None:
        length, channels = golden.shape[1 - axis], golden.shape[2:]
        self._axis, self._reach, self._row_step = axis, reach, row_step
        self._sums = np.zeros((1, length, *channels) if axis == 0 else (length, 1, *channels), np.float32)
        self._curve = np.zeros(length, np.float32)
        self._measure(golden)
        core = slice(reach, length - reach, max(1, (length - 2 * reach) // _SAMPLED_SUMS))
        self._core = core
        self._sampled = self._curve[core]
        self._part = np.zeros_like(self._sampled)
        places = np.arange(core.start, core.stop, core.step)
        shifted = self._curve[places[None] - np.arange(-reach, reach + 1)[:, None]]
        self._shifted: NDArray[np.float32] = shifted - shifted.mean(axis=1, keepdims=True)
        self._half_squares = (self._shifted**2).sum(axis=1) / 2
        self._scores = np.zeros(2 * reach + 1, np.float32)

    def __getstate__(self) -> dict[str, Any]:
        """Without the view, which would become a copy that nobody fills."""
        return {name: value for name, value in self.__dict__.items() if name != "_sampled"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._sampled = self._curve[self._core]

    def guess(self, image: Image) -> int:
        self._measure(image)
        np.copyto(self._part, self._sampled)
        np.dot(self._shifted, self._part, out=self._scores)
        np.subtract(self._scores, self._half_squares, out=self._scores)
        return int(self._scores.argmax()) - self._reach

    def _measure(self, image: Image) -> None:
        cv2.reduce(image[:: self._row_step], self._axis, cv2.REDUCE_AVG, dst=self._sums, dtype=cv2.CV_32F)
        np.sum(self._sums.reshape(self._curve.size, -1), axis=1, out=self._curve)
