"""What lies along the belt, and where one part may end and the next begin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_ROWS = 2
_VALLEY = 0.5
_DENT = 0.12
_REACH = 0.4
_SLANTS = (-0.16, -0.08, 0.08, 0.16)


@dataclass(frozen=True, slots=True)
class Gap:
    """A place where nothing lies, or less than on both sides of it.

    Attributes:
        low: Its upstream end, in columns: the leading edge of what comes after it.
        high: Its downstream end: the trailing edge of what lies before it.
        depth: 1 for bare belt, less for a valley.
    """

    low: float
    high: float
    depth: float

    @property
    def width(self) -> float:
        """Columns."""
        return self.high - self.low

    @property
    def middle(self) -> float:
        """Column."""
        return 0.5 * (self.low + self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What lies along the belt.

    Attributes:
        is_solid: bool, (columns,): something lies here, and it is no gap.
        gaps: Between solid columns, upstream first; the bare belt before the first and after the last is none.
        gapness: float, (columns,): 1 for bare belt, 0 where nothing is lower than what lies on both sides.
    """

    is_solid: NDArray[np.bool_]
    gaps: tuple[Gap, ...]
    gapness: NDArray[np.floating]

    def lead_before(self, column: float) -> float | None:
        """The most downstream edge of what is solid upstream of a column."""
        places = np.flatnonzero(self.is_solid[: max(0, min(self.is_solid.size, round(column)))])
        return float(places[-1] + 1) if places.size else None

    def dent_between(self, low: float, high: float) -> float | None:
        """The deepest column between two, if it is lower than its sides at all."""
        first = max(0, round(low))
        window = self.gapness[first : max(0, round(high))]
        if window.size == 0 or window.max() < _DENT:
            return None
        return float(first + int(window.argmax()))

    def solid_between(self, low: float, high: float) -> int:
        """How many columns are solid between two."""
        return int(self.is_solid[max(0, round(low)) : max(0, round(high))].sum())


def profile_of(amplitude: NDArray[np.float32], threshold: float, part_columns: float, squareness: float) -> Profile:
    """The profile of a map of differences from the belt.

    A gap counts although it runs askew by up to 9 degrees, as between parts that lie a little turned: the height at a
    column is the least mean along five slants through it.

    Args:
        amplitude: float32, (rows, columns).
        threshold: Difference that makes a part.
        part_columns: Columns of a part.
        squareness: Columns that are as long as a row is high.
    """
    least = min(_LEAST_ROWS, amplitude.shape[0])
    is_above = (amplitude > threshold).sum(axis=0) >= least
    height = _height(np.maximum(amplitude - 0.5 * threshold, 0), squareness)
    reach = max(2, round(_REACH * part_columns))
    beside = np.minimum(_peak_before(height, reach), _peak_before(height[::-1], reach)[::-1])
    gapness = np.clip(1 - height / np.maximum(beside, 1e-6), 0, 1)
    gapness[~is_above] = 1
    is_solid = _with_flanks(gapness < _VALLEY, is_above, height)
    return Profile(is_solid, _gaps(is_solid, gapness), gapness)


def _with_flanks(
    is_solid: NDArray[np.bool_], is_above: NDArray[np.bool_], height: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Adds the low front of each piece, as a nose has, down to the bare belt or to the bottom of the valley."""
    whole: NDArray[np.bool_] = is_solid.copy()
    for last in np.flatnonzero(is_solid[:-1] & ~is_solid[1:]):
        place = int(last) + 1
        while (
            place + 1 < height.size
            and is_above[place]
            and not is_solid[place + 1]
            and height[place + 1] < height[place]
        ):
            whole[place] = True
            place += 1
    return whole


def _gaps(is_solid: NDArray[np.bool_], gapness: NDArray[np.floating]) -> tuple[Gap, ...]:
    steps = np.flatnonzero(np.diff(is_solid.astype(np.int8)))
    gaps = []
    for low, high in pairwise(steps):
        if is_solid[low] and not is_solid[low + 1]:
            gaps.append(Gap(float(low + 1), float(high + 1), float(gapness[low + 1 : high + 1].max())))
    return tuple(gaps)


def _height(amplitude: NDArray[np.float32], squareness: float) -> NDArray[np.float32]:
    rows, columns = amplitude.shape
    least = amplitude.mean(axis=0)
    for slant in _SLANTS:
        shear = np.array([[1, slant * squareness, -slant * squareness * (rows - 1) / 2], [0, 1, 0]], np.float64)
        slanted = cv2.warpAffine(
            amplitude,
            shear,
            (columns, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        least = np.minimum(least, slanted.mean(axis=0))
    return np.asarray(least, np.float32)


def _peak_before(height: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The greatest height among each column and the `reach` before it."""
    kernel = np.ones((1, reach + 1), np.uint8)
    row = np.ascontiguousarray(height[np.newaxis])
    peak = cv2.dilate(row, kernel, anchor=(reach, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(peak[0], np.float32)
