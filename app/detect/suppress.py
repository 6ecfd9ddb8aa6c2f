"""Greedy non-maximum suppression, for models whose graph gives every candidate and not the final boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.detect.decode import SCORE_FLOOR, SCORE_STEP, Indices

_PAIRS = 65536
"""Overlaps computed at once: some 2 MiB of buffers, which a processor's cache still holds."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """What is still to be done to the boxes of a graph.

    Attributes:
        iou: A box that overlaps a better one by more than this share of their union goes.
        is_across_classes: A box suppresses those of every class, not only of its own.
        max_detections: So many stay at most, the best ones.
        score_floor: Candidates that score less are dropped first.
    """

    iou: float
    is_across_classes: bool = False
    max_detections: int = 300
    score_floor: float = SCORE_FLOOR


class _Boxes(NamedTuple):
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    area: NDArray[np.float32]
    kind: NDArray[np.float32]


class _Overlap:
    """Which boxes of a few overlap which of many by more than a threshold, computed in buffers made once.

    Rows and columns are copied out to whole tables first: numpy would make buffers of its own, of 64 KiB, wherever it
    repeats one operand along another, and be slower.
    """

    def __init__(self, count: int, iou: float, *, is_by_kind: bool) -> None:
        pairs = min(_PAIRS, count * count)
        # A threshold in decimals is no float32: from the next one below, "more" means what it means in float64.
        nearest = np.float32(iou)
        self._iou = nearest if float(nearest) <= iou else np.nextafter(nearest, np.float32(-1))
        self._is_by_kind = is_by_kind
        self._start, self._end, self._other, self._nothing = (np.zeros(2 * pairs, np.float32) for _ in range(4))
        self._shared, self._union = (np.zeros(pairs, np.float32) for _ in range(2))
        self._is_over, self._is_alike = (np.zeros(pairs, np.bool_) for _ in range(2))

    def between(self, few: _Boxes, many: _Boxes) -> NDArray[np.bool_]:
        """One row for each of the few; a view that holds until the next call."""
        shape = (len(few.area), len(many.area))
        size = shape[0] * shape[1]
        start, end, other, nothing = (
            each[: 2 * size].reshape(2, *shape) for each in (self._start, self._end, self._other, self._nothing)
        )
        shared, union = (each[:size].reshape(shape) for each in (self._shared, self._union))
        is_over, is_alike = (each[:size].reshape(shape) for each in (self._is_over, self._is_alike))
        np.copyto(start, many.low[:, None])
        np.copyto(other, few.low[:, :, None])
        np.maximum(start, other, out=start)
        np.copyto(end, many.high[:, None])
        np.copyto(other, few.high[:, :, None])
        np.minimum(end, other, out=end)
        np.subtract(end, start, out=end)
        np.maximum(end, nothing, out=end)
        np.multiply(end[0], end[1], out=shared)
        np.copyto(union, many.area)
        np.copyto(other[0], few.area[:, None])
        np.add(union, other[0], out=union)
        np.subtract(union, shared, out=union)
        with np.errstate(invalid="ignore"):  # two boxes without extent share 0 of 0, which is no overlap
            np.divide(shared, union, out=shared)
        np.greater(shared, self._iou, out=is_over)
        if self._is_by_kind:
            np.copyto(other[0], few.kind[:, None])
            np.copyto(other[1], many.kind)
            np.equal(other[0], other[1], out=is_alike)
            np.logical_and(is_over, is_alike, out=is_over)
        return is_over


class Suppressor:
    """Does it to the candidates of one picture after another, in buffers made once. Not thread-safe.

    It keeps what `torchvision.ops.batched_nms` keeps: the best box first, all that overlap it by more than the
    threshold dropped, and so on; equal scores in the order in which they come; overlaps computed in float32 in the
    order of its CPU kernel, so that even a box right at the threshold meets the same fate.

    A block of the best candidates is settled among itself, and what stays of it drops what follows in one sweep: that
    takes a fraction of the calls that one box at a time takes, and computes no overlap that this would not.

    Args:
        count: Candidates per picture, K.
        suppression: What to do.
    """

    def __init__(self, count: int, suppression: Suppression) -> None:
        self._suppression = suppression
        self._low, self._high = np.zeros((2, count), np.float32), np.zeros((2, count), np.float32)
        self._sides = np.zeros((2, count), np.float32)
        self._area, self._kind = np.zeros(count, np.float32), np.zeros(count, np.float32)
        self._is_alive, self._is_hit = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self._overlap = _Overlap(count, suppression.iou, is_by_kind=not suppression.is_across_classes)

    def keep(self, boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: Indices) -> list[int]:
        """Chooses the rows that stay, best first.

        Args:
            boxes: float32 (1, K, 4), x1, y1, x2, y2, finite.
            scores: float32 (1, K), finite; where they descend, as they should, nothing has to be sorted.
            classes: int32 or int64 (1, K).
        """
        order = self._order(scores[0])
        np.greater_equal(scores[0], self._suppression.score_floor - SCORE_STEP, out=self._is_hit)
        count = int(np.count_nonzero(self._is_hit))
        if order is None:
            self._load(boxes[0, :count], classes[0, :count])
            return self._settle(count)
        self._load(boxes[0, order[:count]], classes[0, order[:count]])
        return [int(order[row]) for row in self._settle(count)]

    def _order(self, scores: NDArray[np.float32]) -> NDArray[np.intp] | None:
        """Best first; `None` for scores that are so already."""
        ascends = np.greater(scores[1:], scores[:-1], out=self._is_hit[1:])
        return np.argsort(-scores, kind="stable") if ascends.any() else None

    def _load(self, boxes: NDArray[np.float32], classes: Indices) -> None:
        count = len(boxes)
        np.copyto(self._low[:, :count], boxes[:, :2].T)
        np.copyto(self._high[:, :count], boxes[:, 2:].T)
        np.copyto(self._kind[:count], classes, casting="unsafe")
        sides = np.subtract(self._high[:, :count], self._low[:, :count], out=self._sides[:, :count])
        np.multiply(sides[0], sides[1], out=self._area[:count])
        self._is_alive[:count] = True

    def _settle(self, count: int) -> list[int]:
        kept: list[int] = []
        first, rows = 0, _PAIRS // max(count, 1)
        while first < count and len(kept) < self._suppression.max_detections:
            end = min(first + rows, count)
            stay = self._stay(first, end)
            kept += stay
            if end < count:
                is_over = self._overlap.between(self._picked(stay), self._ranged(end, count))
                is_hit = np.logical_or.reduce(is_over, axis=0, out=self._is_hit[end:count])
                following = self._is_alive[end:count]
                np.greater(following, is_hit, out=following)
                first = end + int(following.argmax()) if following.any() else count
            else:
                first = count
        return kept[: self._suppression.max_detections]

    def _stay(self, first: int, end: int) -> list[int]:
        """What stays of a block, which begins with a row that does."""
        block = self._ranged(first, end)
        is_over = self._overlap.between(block, block)
        alive = self._is_alive[first:end]
        stay = []
        for row in range(end - first):
            if alive[row]:
                stay.append(first + row)
                np.greater(alive[row + 1 :], is_over[row, row + 1 :], out=alive[row + 1 :])
        return stay

    def _ranged(self, first: int, end: int) -> _Boxes:
        rows = slice(first, end)
        return _Boxes(self._low[:, rows], self._high[:, rows], self._area[rows], self._kind[rows])

    def _picked(self, rows: list[int]) -> _Boxes:
        return _Boxes(self._low[:, rows], self._high[:, rows], self._area[rows], self._kind[rows])
