"""Near-duplicates: pictures that show the same piece of the same part, shifted against each other or saved again.

Two crops of one strip agree in their fine texture once one is shifted onto the other, which two parts of one kind do
not. So each picture is freed of its brightness, its contrast and its long lines place by place; pairs that share a
patch (`models.datasets.anchors`) are correlated as they lie over each other then, turned by right angles or mirrored
too. In sets that are small enough every pair is correlated over all shifts as well, on small copies by FFT, normalised
by the energy of the overlap (J. P. Lewis, "Fast Normalized Cross-Correlation", Vision Interface 1995); what looks alike
there is correlated again on larger copies around that shift. Pictures that were saved again in another size are found
by the hash of their lowest frequencies (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010) and the same test, if they were not turned.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.datasets.anchors import candidates, turned

LEAST_SCORE = 0.5
"""The correlation from which two pictures count as near-duplicates."""

LEAST_OVERLAP = 0.35
"""The share of the smaller picture that must be seen in both."""

_COARSE_PX = 36
_FINE_PX = 128
_CANDIDATE = 0.25
_FINE_BLUR_PX = (2.5, 3.0)
_REACH_PX = 4
_LEAST_SIDE_PX = 32
_LEAST_TEXTURE = 0.02
_BATCH = 64
_MOST_THREADS = 8
_HASH_SIDE = 8
_HASH_COPY = 32
_HASH_BITS = 8  # two hashes of one picture differ in no more
_ALIGNED = 0.15  # unrelated pictures share no more of their energy
_FEW = 20
_MOST_EXHAUSTIVE = 600

_POINT = np.ones(1, np.float32)
_LINE = cv2.getGaussianKernel(73, 12, cv2.CV_32F)

Plane = NDArray[np.float32]
Place = tuple[int, int]
Steps = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are near-duplicates, by their places in the list, and how well they agree (0 to 1)."""

    first: int
    second: int
    score: float


def find_similar(
    copies: Sequence[NDArray[np.uint8]],
    sizes: Sequence[tuple[int, int]],
    least_score: float = LEAST_SCORE,
    on_step: Steps = lambda _done, _all: None,
) -> tuple[Pair, ...]:
    """Looks for near-duplicates among all pictures.

    Args:
        copies: uint8 (h, w), grey: each picture, shrunk.
        sizes: Width and height of each picture before that, as crops of one strip agree at one scale only.
        least_score: The correlation from which two are near-duplicates.
        on_step: Called with steps done and all.

    Returns:
        Each pair once, first below second.
    """
    if len(copies) < 2:  # noqa: PLR2004
        return ()
    usual = float(np.median([max(size) for size in sizes]))
    fine = _without_what_all_share(
        [_levelled(_at_scale(*each, usual, _FINE_PX)) for each in zip(copies, sizes, strict=True)]
    )
    is_small = len(fine) <= _MOST_EXHAUSTIVE
    steps = len(fine) * (2 if is_small else 1)
    found = _by_anchors(fine, least_score, lambda done: on_step(done, steps))
    if is_small:
        for pair, score in _by_shifts(fine, least_score, lambda done: on_step(len(fine) + done, steps)).items():
            found[pair] = max(score, found.get(pair, 0.0))
    squares = [_levelled(_resized(copy, (_COARSE_PX, _COARSE_PX))) for copy in copies]
    for first, second in _same_hash(copies):
        score = _correlation(squares[first], squares[second])
        if (first, second) not in found and sizes[first] != sizes[second] and score >= least_score:
            found[first, second] = score
    return tuple(Pair(*key, round(min(score, 1.0), 3)) for key, score in sorted(found.items()))


def _by_anchors(fine: Sequence[Plane], least_score: float, on_step: Callable[[int], None]) -> dict[Place, float]:
    """Pairs that share a patch and agree around it."""
    found: dict[Place, float] = {}
    for first, second, tries in candidates(fine, on_step):
        for each in tries:
            score = _fine_score(fine[first], turned(fine[second], each.turn), each.down, each.right)
            if score >= least_score:
                found[first, second] = score
                break
    return found


def _by_shifts(fine: Sequence[Plane], least_score: float, on_step: Callable[[int], None]) -> dict[Place, float]:
    """Pairs that agree at any shift."""
    coarse = _Coarse([_shrunk(plane, _COARSE_PX / _FINE_PX) for plane in fine])
    found: dict[Place, float] = {}

    def compare(first: int) -> list[tuple[int, float]]:
        scale = _FINE_PX / _COARSE_PX
        tried = (
            (second, _fine_score(fine[first], fine[second], round(dy * scale), round(dx * scale)))
            for second, dy, dx in coarse.candidates(first)
        )
        return [(second, score) for second, score in tried if score >= least_score]

    # The transforms run outside of Python's lock.
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="alike") as pool:
        for first, alike in enumerate(pool.map(compare, range(len(fine)))):
            found |= {(first, second): score for second, score in alike}
            on_step(first + 1)
    return found


def joined(count: int, pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Groups of what is joined directly or through others (union-find, R. E. Tarjan, JACM 22, 1975).

    Args:
        count: How many there are.
        pairs: Two that belong together.

    Returns:
        For each its group, numbered in the order of their first members.
    """
    parents = list(range(count))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in pairs:
        one, other = sorted((root(first), root(second)))
        parents[other] = one
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(root(index), len(numbers)) for index in range(count))


class _Coarse:
    """Correlates each small copy with all after it, over all shifts with enough overlap.

    Args:
        planes: The copies; smaller ones are padded with zeros.
    """

    def __init__(self, planes: Sequence[Plane]) -> None:
        self._shape = (max(plane.shape[0] for plane in planes), max(plane.shape[1] for plane in planes))
        stack = np.zeros((len(planes), *self._shape), np.float32)
        for index, plane in enumerate(planes):
            stack[index, : plane.shape[0], : plane.shape[1]] = plane
        down, right = (np.arange(-side + 1, side) for side in self._shape)
        area = np.outer(self._shape[0] - np.abs(down), self._shape[1] - np.abs(right))
        self._is_enough = area >= LEAST_OVERLAP * self._shape[0] * self._shape[1]
        rows, columns = np.nonzero(self._is_enough)
        self._shifts = np.stack((down[rows], right[columns]), 1)
        reach = np.abs(self._shifts).max(0)
        self._period = tuple(_even(side + int(far)) for side, far in zip(self._shape, reach, strict=True))
        self._places = (self._shifts[:, 0] % self._period[0]) * self._period[1] + self._shifts[:, 1] % self._period[1]
        self._spectra = np.stack([np.fft.rfft2(plane, self._period) for plane in stack]).astype(np.complex64)
        self._mirrored = np.conj(self._spectra)
        self._weights = np.stack([self._weight(plane, area) for plane in stack])
        # The overlap lies at the opposite end of the other picture.
        self._opposite = np.ascontiguousarray(self._weights[:, ::-1])

    def candidates(self, first: int) -> Iterator[tuple[int, int, int]]:
        """Those after `first` that look like it, each with the shift (down, right) that lays it over `first`."""
        for start in range(first + 1, len(self._spectra), _BATCH):
            batch = slice(start, start + _BATCH)
            product = self._spectra[first] * self._mirrored[batch]
            plane = np.fft.irfft2(product, self._period).reshape(len(product), -1)
            scores = np.take(plane, self._places, axis=1)
            scores *= self._weights[first]
            scores *= self._opposite[batch]
            best = scores.argmax(1)
            for index in np.flatnonzero(scores[np.arange(len(best)), best] >= _CANDIDATE).tolist():
                down, right = self._shifts[best[index]].tolist()
                yield start + index, down, right

    def _weight(self, plane: Plane, area: NDArray[np.int64]) -> Plane:
        """One over the root of the energy in the overlap at each shift; 0 where the overlap shows next to nothing."""
        sums = np.zeros((self._shape[0] + 1, self._shape[1] + 1))
        sums[1:, 1:] = np.square(plane, dtype=np.float64).cumsum(0).cumsum(1)
        low, high = zip(*(_overlap(side) for side in self._shape), strict=True)
        energy = sums[np.ix_(high[0], high[1])] - sums[np.ix_(low[0], high[1])]
        energy += sums[np.ix_(low[0], low[1])] - sums[np.ix_(high[0], low[1])]
        least = 0.25 * sums[-1, -1] / (self._shape[0] * self._shape[1]) * area
        shown = (energy > least) & (energy > 1e-3)  # noqa: PLR2004
        weight = np.where(shown, 1 / np.sqrt(np.maximum(energy, 1e-6)), 0)
        return np.asarray(weight[self._is_enough], np.float32)


def _overlap(side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the overlap begins and ends in the first picture, for each shift."""
    shifts = np.arange(-side + 1, side)
    return np.maximum(0, shifts), np.minimum(side, side + shifts)


def _even(side: int) -> int:
    """A length that the transform is quick with."""
    size = cv2.getOptimalDFTSize(side)
    return size if size % 2 == 0 else _even(size + 1)


def _at_scale(copy: NDArray[np.uint8], size: tuple[int, int], usual: float, side_px: int) -> NDArray[np.uint8]:
    """The copy at the scale that gives a picture of the usual size this side; far larger ones have twice that."""
    scale = side_px / max(usual, max(size) / 2)
    return _resized(copy, (max(8, round(size[0] * scale)), max(8, round(size[1] * scale))))


def _resized(copy: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if copy.shape[1::-1] == size:
        return copy
    return np.asarray(cv2.resize(copy, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shrunk(plane: Plane, scale: float) -> Plane:
    size = (max(4, round(plane.shape[1] * scale)), max(4, round(plane.shape[0] * scale)))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _levelled(copy: NDArray[np.uint8]) -> Plane:
    """Brightness, contrast and long lines taken out place by place.

    Flat areas, whose noise would be all there is, stay near 0. Grinding marks and scratches along the belt or across it
    agree in any two pictures once one is shifted far enough, so that they say nothing.
    """
    narrow, wide = _FINE_BLUR_PX
    plane = copy.astype(np.float32)
    plane -= cv2.GaussianBlur(plane, (0, 0), narrow)
    plane /= np.sqrt(cv2.GaussianBlur(plane * plane, (0, 0), wide)) + 1
    plane -= cv2.sepFilter2D(plane, -1, _POINT, _LINE)
    plane -= cv2.sepFilter2D(plane, -1, _LINE, _POINT)
    return np.asarray(plane, np.float32)


def _without_what_all_share(planes: list[Plane]) -> list[Plane]:
    """In a fixture every part looks the same: what is left when the mean is taken off tells them apart."""
    if len(planes) < _FEW or len({plane.shape for plane in planes}) > 1:
        return planes
    mean = np.zeros_like(planes[0])
    for plane in planes:
        mean += plane / len(planes)
    energy = float(np.mean([np.square(plane).mean() for plane in planes]))
    if energy < 1e-6 or float(np.square(mean).mean()) < _ALIGNED * energy:  # noqa: PLR2004
        return planes
    return [plane - mean for plane in planes]


def _fine_score(one: Plane, other: Plane, down: int, right: int) -> float:
    """The best correlation of the overlap around a shift; 0 where the overlap is too small."""
    reach = _REACH_PX
    top, bottom = max(0, down), min(one.shape[0], other.shape[0] + down)
    left, end = max(0, right), min(one.shape[1], other.shape[1] + right)
    if (bottom - top) * (end - left) < 0.9 * LEAST_OVERLAP * min(one.size, other.size):
        return 0.0
    # A sliver of a brushed surface shows a few stripes, which agree somewhere with those of any other.
    if min(bottom - top, end - left) < min(_LEAST_SIDE_PX, 0.8 * min(*one.shape, *other.shape)):
        return 0.0
    inner = one[top + reach : bottom - reach, left + reach : end - reach]
    if min(inner.shape, default=0) < reach or float(inner.std()) < _LEAST_TEXTURE:
        return 0.0
    around = other[max(0, top - down) : bottom - down, max(0, left - right) : end - right]
    scores = cv2.matchTemplate(np.ascontiguousarray(around), np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED)
    best = float(np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0).max())
    return best if math.isfinite(best) and best <= 1.01 else 0.0  # noqa: PLR2004


def _correlation(one: Plane, other: Plane) -> float:
    one, other = one - one.mean(), other - other.mean()
    energy = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return float((one * other).sum()) / energy if energy > 1e-3 else 0.0  # noqa: PLR2004


def _same_hash(copies: Sequence[NDArray[np.uint8]]) -> Iterator[tuple[int, int]]:
    """Pairs whose 64-bit hashes differ in few bits."""
    signs = np.stack([_hash_signs(copy) for copy in copies])
    for first in range(len(signs) - 1):
        bits = (signs.shape[1] - signs[first + 1 :] @ signs[first]) / 2
        for index in np.flatnonzero(bits <= _HASH_BITS).tolist():
            yield first, first + 1 + index


def _hash_signs(copy: NDArray[np.uint8]) -> Plane:
    """The 64 lowest frequencies but the mean, each above (1) or below (-1) their median."""
    small = _resized(copy, (_HASH_COPY, _HASH_COPY)).astype(np.float32)
    low = np.asarray(cv2.dct(small), np.float32)[: _HASH_SIDE + 1, : _HASH_SIDE + 1].ravel()[1 : 1 + _HASH_SIDE**2]
    return np.where(low > np.median(low), 1, -1).astype(np.float32)
