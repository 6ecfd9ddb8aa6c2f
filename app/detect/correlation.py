"""Phase correlation of small copies of two pictures.

C. D. Kuglin and D. C. Hines, "The phase correlation image alignment method", Proc. IEEE Int. Conf. Cybernetics and
Society, 1975: the shift is where the inverse transform of the normalised cross-power spectrum peaks.
`cv2.phaseCorrelate` gives that peak over all shifts only; on a periodic board the one within reach is wanted, and the
golden sample's spectrum is the same for every part.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.types import Image

COPY_PX = 160
_WEAK_BIN = 1e-3
_NEAR = 2
_HEAVIEST_OF_GREY = 3 * 0.587

Shift = tuple[int, int]
"""Right and down, in pixels."""


class PhaseCorrelation:
    """Correlates picture after picture with one golden sample, in fixed buffers.

    Args:
        golden: uint8, (height, width) or (height, width, 3).
        max_shift_px: What counts as within reach.

    Attributes:
        error_px: How far a peak may lie from the true shift: half a pixel of the small copy.
    """

    def __init__(self, golden: Image, max_shift_px: float) -> None:
        height, width = golden.shape[:2]
        scale = max(1.0, max(height, width) / COPY_PX)
        self._size = (_even_size(width / scale), _even_size(height / scale))
        self._scales = (width / self._size[0], height / self._size[1])
        self.error_px = max(1, math.ceil(max(self._scales) / 2))
        self._halves = _halves(golden, self._size)
        shape = self._size[::-1]
        self._small = np.zeros((*shape, *golden.shape[2:]), np.uint8)
        self._grey = np.zeros(shape, np.uint8)
        self._window = cv2.createHanningWindow(self._size, cv2.CV_32F)
        self._plane, self._part, self._golden = (np.zeros(shape, np.float32) for _ in range(3))
        # numpy would make buffers for views that skip every other number: the pairs are taken apart and put together.
        bins = (shape[0], shape[1] // 2 - 1)
        self._pairs = np.zeros((*bins, 2), np.float32)
        self._real, self._imaginary, self._weight = (np.zeros(bins, np.float32) for _ in range(3))
        self._out_of_reach = self._beyond(max_shift_px)
        self._transform(golden, self._golden)

    def peaks(self, image: Image) -> tuple[Shift, Shift]:
        """How far `image` lies off: by the highest peak within reach, and by the highest of all.

        Args:
            image: uint8, of the golden sample's shape.
        """
        self._transform(image, self._part)
        cv2.mulSpectrums(self._part, self._golden, 0, self._part, conjB=True)
        self._whiten(self._part)
        cv2.dft(self._part, self._plane, cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT)
        far = self._shift_at(int(self._plane.argmax()))
        np.copyto(self._plane, -np.inf, where=self._out_of_reach)
        return self._shift_at(int(self._plane.argmax())), far

    def _transform(self, image: Image, spectrum: NDArray[np.float32]) -> None:
        # Halving averages 2x2 pixels and is several times faster than one step by area.
        for half in self._halves:
            cv2.resize(image, half.shape[1::-1], dst=half, interpolation=cv2.INTER_AREA)
            image = half
        small = self._small
        cv2.resize(image, self._size, dst=small, interpolation=cv2.INTER_AREA)
        if small.ndim == 3:  # noqa: PLR2004
            cv2.cvtColor(small, cv2.COLOR_BGR2GRAY, dst=self._grey)
            small = self._grey
        # Not by numpy: where two types meet, it may make buffers of its own.
        mean = np.array(cv2.mean(small))
        cv2.subtract(small, mean, dst=self._plane, dtype=cv2.CV_32F)
        np.multiply(self._plane, self._window, out=self._plane)
        cv2.dft(self._plane, spectrum)

    def _whiten(self, spectrum: NDArray[np.float32]) -> None:
        """Divides every bin of a packed spectrum by its magnitude, bins that hold only noise excepted.

        OpenCV packs the half spectrum of a real picture of even size so: columns 1 and 2, 3 and 4 and so on are real
        and imaginary parts; in the first and the last column the rows 1 and 2, 3 and 4 and so on are.
        """
        pairs, real, imaginary, weight = self._pairs, self._real, self._imaginary, self._weight
        np.copyto(pairs.reshape(pairs.shape[0], -1), spectrum[:, 1:-1])
        cv2.extractChannel(pairs, 0, dst=real)
        cv2.extractChannel(pairs, 1, dst=imaginary)
        cv2.magnitude(real, imaginary, magnitude=weight)
        weak = _WEAK_BIN * cv2.mean(weight)[0] + float(np.finfo(np.float32).tiny)
        weight += weak
        real /= weight
        imaginary /= weight
        cv2.insertChannel(real, pairs, 0)
        cv2.insertChannel(imaginary, pairs, 1)
        np.copyto(spectrum[:, 1:-1], pairs.reshape(pairs.shape[0], -1))
        for column in (spectrum[:, 0], spectrum[:, -1]):
            sides = np.hypot(column[1:-1:2], column[2:-1:2]) + weak
            column[1:-1:2] /= sides
            column[2:-1:2] /= sides
            column[0] /= abs(column[0]) + weak
            column[-1] /= abs(column[-1]) + weak

    def _beyond(self, max_shift_px: float) -> NDArray[np.bool_]:
        far: list[NDArray[np.bool_]] = []
        for side, scale in zip(self._size, self._scales, strict=True):
            places = np.arange(side)
            far.append(np.minimum(places, side - places) > max_shift_px / scale + 1)
        return np.logical_or.outer(far[1], far[0])

    def _shift_at(self, index: int) -> Shift:
        y, x = divmod(index, self._size[0])
        dx, dy = (
            round((place - side if 2 * place > side else place) * scale)
            for place, side, scale in zip((x, y), self._size, self._scales, strict=True)
        )
        return dx, dy


def least_self_difference(golden: Image) -> float:
    """How unlike itself a golden sample is at least, once it is shifted.

    A part that differs by less than half of that at one place differs by more at any other (the triangle inequality),
    so that nobody need look there. Shifts of less than three pixels of the small copy, and shifts that leave less than
    half of a side in common, do not count.

    Args:
        golden: uint8, (height, width) or (height, width, 3).

    Returns:
        A lower bound of the mean absolute difference, 0 .. 255: on the small copy, whose averages hide some of it, and
        the mean squared difference over 255, which is no more than the absolute one.
    """
    grey = cv2.cvtColor(golden, cv2.COLOR_BGR2GRAY) if golden.ndim == 3 else golden  # noqa: PLR2004
    scale = max(1.0, max(grey.shape) / COPY_PX)
    width, height = (max(1, round(side / scale)) for side in grey.shape[::-1])
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    # Over what both have in common: sum(a - b)^2 = sum(a^2) + sum(b^2) - 2 sum(a b), the last of them a correlation.
    plane = np.zeros((_even_size(2 * height), _even_size(2 * width)), np.float32)  # wide enough for no shift to wrap
    plane[:height, :width] = small
    cv2.dft(plane, plane)
    cv2.mulSpectrums(plane, plane, 0, plane, conjB=True)
    cv2.dft(plane, plane, cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
    # A shift up is one down of the other picture: those down are enough.
    down, across = np.arange(height // 2 + 1)[:, None], np.arange(-(width // 2), width // 2 + 1)[None]
    left, right = np.maximum(across, 0), np.minimum(width, width + across)
    areas = cv2.integral(small * small, sdepth=cv2.CV_64F)
    squares = areas[height, right] - areas[height, left] - areas[down, right] + areas[down, left]
    # The other picture is the same one, at what lies as far from the opposite corner.
    squares = squares + areas[height - down, width - left] - areas[height - down, width - right]
    common = (height - down) * (width - abs(across))
    total = squares - 2 * plane[down, across]
    is_other = (down > _NEAR) | (abs(across) > _NEAR)
    # A difference in green alone is heavier in grey than in the mean of the channels.
    heaviest = _HEAVIEST_OF_GREY if golden.ndim == 3 else 1.0  # noqa: PLR2004
    return max(0.0, float((total / common)[is_other].min(initial=np.inf))) / 255 / heaviest


def _even_size(side: float) -> int:
    """The next even length that transforms fast."""
    return 2 * int(cv2.getOptimalDFTSize(max(2, math.ceil(side / 2))))


def _halves(golden: Image, size: tuple[int, int]) -> list[Image]:
    """Buffers for the steps by two that come before the last one."""
    (height, width), halves = golden.shape[:2], []
    while height // 2 >= size[1] and width // 2 >= size[0] and max(width // size[0], height // size[1]) > 2:  # noqa: PLR2004
        height, width = height // 2, width // 2
        halves.append(np.zeros((height, width, *golden.shape[2:]), np.uint8))
    return halves
