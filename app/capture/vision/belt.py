"""What the empty belt looks like, and by how much a strip differs from it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.vision.strip import Strip

Mask = NDArray[np.bool_]

_OFFSET = 4.0
_LEAST_CELLS = 12
_RATE = 0.04
_FIRST_RATE = 0.25
_FIRST_BAND = 20.0
_ENOUGH = 0.02
_EVERY = 4
_SIDE = 6
_ROUNDS = 8
_GHOST_PARTS = 2.5


class BeltLevel:
    """The level of the empty belt at each cell of the strip, in the light of the first frame.

    The light is one factor per row, the median over the cells that show belt: so a belt that gets darker, an automatic
    exposure and the bands of flickering lamps are taken out before anything is compared. A running mean follows what
    changes slower (Stauffer and Grimson, "Adaptive background mixture models", 1999, with one mode and the parts left
    out).

    A cell that differs but keeps its value while some parts' lengths of belt and no gap go by is no part: the belt or
    its light has changed there, and the cell is learnt anew.

    Args:
        first: The first strip; it may show parts.
        part_columns: Columns of a part.
    """

    def __init__(self, first: Strip, part_columns: float) -> None:
        self._part_columns = part_columns
        self._level = first_level(first, part_columns)
        self._light = np.ones((*first.shape[:2], 1), np.float32)
        self._held = first.copy()
        self._held_columns = np.zeros(first.shape[1:], np.float32)
        self._looks = 0

    @property
    def light(self) -> float:
        """The light as a share of that of the first frame."""
        return float(np.median(self._light))

    def differences(self, strip: Strip, is_belt: Mask) -> Strip:
        """The strip less the belt, in the light of the first frame.

        Args:
            strip: As it was seen.
            is_belt: (rows, columns): cells that presumably show belt.
        """
        self._follow_light(strip, is_belt)
        return np.asarray(strip / self._light - self._level, np.float32)

    def learn(self, differences: Strip, is_belt: Mask, is_solid: Mask, travel: float, scale: float) -> None:
        """Takes in what the belt looks like now.

        Args:
            differences: Of this frame.
            is_belt: Cells that show belt beyond doubt.
            is_solid: (columns,), no gap between parts is seen here.
            travel: Columns that the belt has gone since the last frame.
            scale: Difference that makes a part.
        """
        self._looks += 1
        rate = np.float32(max(_RATE, _FIRST_RATE / self._looks))
        self._level += (rate * is_belt) * differences
        seen = differences + self._level
        is_same = np.abs(seen - self._held).max(axis=0) < 0.5 * scale
        self._held_columns = (self._held_columns + np.float32(abs(travel))) * (
            is_same & ~is_belt & ~_swept(is_solid, travel)
        )
        self._held = seen + np.float32(0.9) * is_same * (self._held - seen)
        is_ghost = self._held_columns > _GHOST_PARTS * self._part_columns
        if is_ghost.any():
            self._level[:, is_ghost] = self._held[:, is_ghost]
            self._held_columns[is_ghost] = 0

    def _follow_light(self, strip: Strip, is_belt: Mask) -> None:
        """The median of each channel's and row's belt, held to that of the whole strip where little of it is seen."""
        some = is_belt[:, ::_EVERY]
        cells = some.sum(axis=1)
        if cells.sum() < _LEAST_CELLS:
            return
        ratio = (strip[:, :, ::_EVERY] + _OFFSET) / (self._level[:, :, ::_EVERY] + _OFFSET)
        whole = np.median(ratio[:, some], axis=1)[:, np.newaxis]
        ordered = np.sort(np.where(some, ratio, np.inf), axis=2)  # those that are no belt come last
        middle = np.minimum(cells // 2, ordered.shape[2] - 1)
        rows = ordered[:, np.arange(cells.size), middle]
        weight = cells / (cells + ordered.shape[2] / 2)
        light = np.where(cells > 0, weight * np.where(cells > 0, rows, 1) + (1 - weight) * whole, whole)
        self._light = np.clip(light, 0.02, 50).astype(np.float32)[:, :, np.newaxis]


def _swept(is_solid: Mask, travel: float) -> Mask:
    """The columns over which bare belt has gone since the last look."""
    width = 2 * round(abs(travel)) + 1
    bare = (~is_solid).astype(np.uint8)[np.newaxis]
    return np.asarray(cv2.dilate(bare, np.ones((1, width), np.uint8))[0] > 0, np.bool_)


def first_level(strip: Strip, part_columns: float) -> Strip:
    """The belt's level from one strip that may show parts.

    Each row is presumed to show belt at the level that most of it has, and belt and parts are told apart by that
    level, which spreads from there: it may change slowly along the row, as in the corners of a lens, and the edge of a
    part stops it.
    """
    level = _like_the_sides(strip, _modes(strip))
    reach = 4 * int(part_columns / 8) + 5
    for _ in range(_ROUNDS):
        is_belt = (np.abs(strip - level).max(axis=0) < _FIRST_BAND).astype(np.float32)
        weight = cv2.blur(is_belt, (reach, 1), borderType=cv2.BORDER_REPLICATE)
        mean = np.stack([cv2.blur(plane * is_belt, (reach, 1), borderType=cv2.BORDER_REPLICATE) for plane in strip])
        level = np.where(weight > _ENOUGH, mean / np.maximum(weight, _ENOUGH), level)
    return np.asarray(level, np.float32)


def _like_the_sides(strip: Strip, modes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows that parts cover for the most part, and that show in their gaps what the sides of the strip show."""
    count = max(1, strip.shape[1] // _SIDE)
    sides = np.median(np.concatenate((modes[:, :count], modes[:, -count:]), axis=1), axis=1, keepdims=True)
    is_like = np.abs(strip - sides).max(axis=0) < _FIRST_BAND
    is_covered = (is_like.mean(axis=1) > _ENOUGH) & (np.abs(modes - sides).max(axis=0)[:, 0] >= _FIRST_BAND)
    return np.where(is_covered[np.newaxis, :, np.newaxis], sides, modes)


def _modes(strip: Strip) -> NDArray[np.float32]:
    """The level, (channels, rows, 1), around which most cells of each row lie: the middle of their densest quarter."""
    width = max(2, strip.shape[2] // 4)
    ordered = np.sort(strip, axis=2)
    start = (ordered[:, :, width:] - ordered[:, :, :-width]).argmin(axis=2)[:, :, np.newaxis]
    return np.asarray(np.take_along_axis(ordered, start + width // 2, axis=2), np.float32)
