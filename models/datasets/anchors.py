"""Which pictures may share a piece: by small patches around corners, compared with all patches of all others.

Comparing every picture with every other over all shifts takes hours from some thousand pictures on. A corner (J. Shi
and C. Tomasi, "Good Features to Track", CVPR 1994) lies where it did when a picture is shifted, so the patches around
the strongest ones say which pictures are worth a look, and how one lies over the other; all of them are compared by
products of matrices. Patches are mirrored and transposed into one attitude by their first moments, so that pictures
that were turned by right angles or mirrored are found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_AGREEMENT = 0.8
"""The correlation from which two patches count as one."""

_MOST_EACH, _LEAST_EACH = 64, 16
_MOST_IN_ALL = 640_000
_REACH_PX = 8
_CORNER_PX = 9
_APART = np.ones((5, 5), np.uint8)
_OFFSETS = np.arange(-7, 8, 2)
_FLAT = 1e-3
_BLOCK = 4096
_MOST_TRIES = 4
_SURE = 0.9  # from here on one patch is enough
_SAME_PLACE_PX = 4
_ACROSS, _DOWN, _OVER = 1, 2, 4  # mirrored across, mirrored down, transposed: in this order

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Try:
    """How one picture may lie over another.

    Attributes:
        turn: What is done to the second picture first, see `turned`.
        down: Rows from the first one's corner to that of the second.
        right: Columns.
    """

    turn: tuple[int, int]
    down: int
    right: int


@dataclass(frozen=True, slots=True, eq=False)
class _Anchors:
    """The patches of all pictures, in their order.

    Attributes:
        patches: float32 (n, 64), of mean 0 and length 1.
        owners: int (n,), the picture of each.
        places: int (n, 2), row and column of its middle.
        turns: int (n,), what brought it into its attitude.
    """

    patches: Plane
    owners: NDArray[np.int64]
    places: NDArray[np.int64]
    turns: NDArray[np.int64]


def candidates(
    planes: Sequence[Plane], on_step: Callable[[int], None] = lambda _done: None
) -> Iterator[tuple[int, int, tuple[Try, ...]]]:
    """Pairs of pictures that have a patch in common.

    Args:
        planes: The pictures, freed of light and contrast, at one scale.
        on_step: Called with pictures done.

    Yields:
        The first picture, the second behind it, and the most likely ways in which they lie over each other.
    """
    anchors = _anchors_of(planes)
    owners = anchors.owners
    starts = np.searchsorted(owners, np.arange(len(planes) + 1))
    first = 0
    while first < len(planes):
        # Whole pictures at a time, so that all that speaks for a pair is seen together.
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _BLOCK, "right")) - 1)
        yield from _of_block(anchors, planes, slice(int(starts[first]), int(starts[last])))
        first = last
        on_step(first)


def turned(plane: Plane, turn: tuple[int, int]) -> Plane:
    """A plane brought into a patch's attitude by the first, and out of another's by the second."""
    into, out_of = turn
    for code, is_into in ((into, True), (out_of, False)):
        if code & _OVER and not is_into:
            plane = plane.T
        plane = plane[:: -1 if code & _DOWN else 1, :: -1 if code & _ACROSS else 1]
        if code & _OVER and is_into:
            plane = plane.T
    return plane


def _of_block(anchors: _Anchors, planes: Sequence[Plane], block: slice) -> Iterator[tuple[int, int, tuple[Try, ...]]]:
    """The candidates of the pictures whose anchors these are."""
    mine, theirs, agreements = [], [], []
    for start in range(block.start, len(anchors.patches), _BLOCK):
        others = slice(start, start + _BLOCK)
        found = anchors.patches[block] @ anchors.patches[others].T
        rows, columns = np.nonzero(found >= LEAST_AGREEMENT)
        is_behind = anchors.owners[block][rows] < anchors.owners[others][columns]
        rows, columns = rows[is_behind], columns[is_behind]
        mine.append(rows + block.start)
        theirs.append(columns + start)
        agreements.append(found[rows, columns])
    if not sum(map(len, mine)):
        return
    one, other = np.concatenate(mine), np.concatenate(theirs)
    agreement = np.concatenate(agreements)
    order = np.lexsort((-agreement, anchors.owners[other], anchors.owners[one]))
    one, other, agreement = one[order], other[order], agreement[order]
    keys = anchors.owners[one] * len(planes) + anchors.owners[other]
    ends = np.flatnonzero(np.diff(keys, append=-1)) + 1
    for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        first, second = int(anchors.owners[one[begin]]), int(anchors.owners[other[begin]])
        shape = planes[second].shape
        here = zip(*(each[begin:end].tolist() for each in (agreement, one, other)), strict=True)
        tries = _likely((agreed, _try(anchors, a, b, shape)) for agreed, a, b in here)
        if tries:
            yield first, second, tries


def _likely(tries: Iterator[tuple[float, Try]]) -> tuple[Try, ...]:
    """The ways that two patches speak for, or one that agrees well; those with most patches first."""
    ways: list[Try] = []
    votes: list[int] = []
    is_sure: list[bool] = []
    for agreement, each in tries:
        place = next((index for index, other in enumerate(ways) if _is_same(each, other)), len(ways))
        if place == len(ways):
            ways.append(each)
            votes.append(0)
            is_sure.append(agreement >= _SURE)
        votes[place] += 1
    kept = [index for index in range(len(ways)) if votes[index] > 1 or is_sure[index]]
    return tuple(ways[index] for index in sorted(kept, key=lambda index: -votes[index])[:_MOST_TRIES])


def _is_same(one: Try, other: Try) -> bool:
    is_near = abs(one.down - other.down) <= _SAME_PLACE_PX and abs(one.right - other.right) <= _SAME_PLACE_PX
    return is_near and one.turn == other.turn


def _try(anchors: _Anchors, one: int, other: int, shape: tuple[int, ...]) -> Try:
    into, out_of = int(anchors.turns[other]), int(anchors.turns[one])
    (y, x), (height, width) = anchors.places[other].tolist(), shape
    for code, is_into in ((into, True), (out_of, False)):
        if code & _OVER and not is_into:
            y, x, height, width = x, y, width, height
        y, x = height - 1 - y if code & _DOWN else y, width - 1 - x if code & _ACROSS else x
        if code & _OVER and is_into:
            y, x, height, width = x, y, width, height
    turn = (0, 0) if into == out_of else (into, out_of)
    return Try(turn, int(anchors.places[one, 0]) - y, int(anchors.places[one, 1]) - x)


def _anchors_of(planes: Sequence[Plane]) -> _Anchors:
    most = max(_LEAST_EACH, min(_MOST_EACH, _MOST_IN_ALL // max(1, len(planes))))
    found = [_anchors(plane, most) for plane in planes]
    owners = np.repeat(np.arange(len(planes)), [len(each[0]) for each in found])
    patches, places, turns = (np.concatenate([each[part] for each in found]) for part in range(3))
    return _Anchors(patches.astype(np.float32), owners, places, turns)


def _anchors(plane: Plane, most: int) -> tuple[Plane, NDArray[np.int64], NDArray[np.int64]]:
    """Patches, places and turns of a picture's strongest corners."""
    if min(plane.shape) <= 2 * _REACH_PX:
        return np.zeros((0, len(_OFFSETS) ** 2), np.float32), np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.0)
    strength = cv2.cornerMinEigenVal(smooth, _CORNER_PX)
    is_peak = (strength == cv2.dilate(strength, _APART)) & (strength > 1e-6)  # noqa: PLR2004 - of nothing at all
    for edge in (slice(_REACH_PX), slice(-_REACH_PX, None)):
        is_peak[edge] = False
        is_peak[:, edge] = False
    places = np.argwhere(is_peak)
    places = places[np.argsort(-strength[is_peak], kind="stable")[:most]]
    rows, columns = (places[:, axis, None] + _OFFSETS for axis in (0, 1))
    patches = np.asarray(smooth)[rows[:, :, None], columns[:, None, :]]
    patches = patches - patches.mean((1, 2), keepdims=True)
    lengths = np.sqrt(np.square(patches).sum((1, 2)))
    has_texture = lengths > _FLAT
    patches, turns = _upright(patches[has_texture] / lengths[has_texture, None, None])
    return patches.reshape(-1, len(_OFFSETS) ** 2), places[has_texture], turns


def _upright(patches: Plane) -> tuple[Plane, NDArray[np.int64]]:
    """Patches in one attitude: their weight lies to the right, below, and rather right than below."""
    across = patches.sum(1) @ _OFFSETS
    down = patches.sum(2) @ _OFFSETS
    is_over = np.abs(down) > np.abs(across)
    patches = np.where((across < 0)[:, None, None], patches[:, :, ::-1], patches)
    patches = np.where((down < 0)[:, None, None], patches[:, ::-1], patches)
    patches = np.where(is_over[:, None, None], patches.transpose(0, 2, 1), patches)
    turns = (across < 0) * _ACROSS + (down < 0) * _DOWN + is_over * _OVER
    return patches, np.asarray(turns, np.int64)
