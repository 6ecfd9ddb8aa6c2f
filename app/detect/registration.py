"""Registration of a golden sample to a part, by whole pixels.

Most parts are found by a quick match that proves itself right (`app.detect.quick_match`). For the others, as on a
periodic board, the shift is found by phase correlation on small copies (`app.detect.correlation`) and refined on the
pictures themselves by a pattern search for the least mean absolute difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from app.detect.correlation import PhaseCorrelation, Shift
from app.detect.quick_match import MIN_CORRELATION, QuickMatch
from app.errors import DetectorError
from app.types import Image

SAMPLED_PIXELS = 100_000
_FLAT_LEVELS = 1.0
_CLEARLY_BETTER = 0.7
_MOST_PLACES = 400
_AROUND = tuple((dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy)

Rect = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """A golden sample laid over a part.

    Attributes:
        golden: uint8, the shape of the part's picture; a view that is not to be written to.
        shift_px: How far the part lies right of and below the golden sample.
        residual: Mean absolute difference that is left, 0 .. 1 of full scale.
    """

    golden: Image
    shift_px: Shift
    residual: float


class Registrar:
    """Lays one golden sample over part after part.

    What the golden sample shows beyond `rect` fills the edge that a shift uncovers; beyond its own edge its outermost
    pixels are repeated.

    Args:
        golden: The whole golden sample, uint8, (height, width) or (height, width, 3).
        max_shift_px: The farthest a part may lie off; 0 takes the golden sample as it lies.
        rect: x, y, width, height of what is judged; by default the whole picture.
    """

    def __init__(self, golden: Image, max_shift_px: float, rect: Rect | None = None) -> None:
        self._max_shift_px = max_shift_px
        self._margin = margin = int(max_shift_px)
        x, y, width, height = rect or (0, 0, golden.shape[1], golden.shape[0])
        # With its edges repeated once and for all, every shift is a view and copies nothing.
        wide = np.asarray(cv2.copyMakeBorder(golden, margin, margin, margin, margin, cv2.BORDER_REPLICATE), np.uint8)
        self._wide: Image = wide[y : y + height + 2 * margin, x : x + width + 2 * margin]
        self._wide.flags.writeable = False
        self._judged = self._shifted((0, 0))
        self._step = max(1, width * height // SAMPLED_PIXELS)
        self._correlation = PhaseCorrelation(self._judged, max_shift_px) if max_shift_px > 0 else None
        self._quick = QuickMatch(self._judged, max_shift_px, self._step) if margin > 0 else None

    def __getstate__(self) -> dict[str, Any]:
        """Without the view, which would become a copy of its own."""
        state = dict(self.__dict__)
        del state["_judged"]
        state["_wide"] = np.ascontiguousarray(self._wide)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes the view again."""
        self.__dict__.update(state)
        self._wide.flags.writeable = False
        self._judged = self._shifted((0, 0))

    def register(self, image: Image) -> Registered:
        """Lays the golden sample over a part.

        Args:
            image: What is judged of the part, uint8, of the size of `rect` and the golden sample's channels.

        Raises:
            DetectorError: Another shape, or the part is not found within `max_shift_px`.
        """
        if image.shape != self._judged.shape:
            raise DetectorError(
                f"the golden sample has shape {self._judged.shape} and the picture {image.shape}",
                "take the golden sample with the same camera settings",
            )
        if self._correlation is None:
            return Registered(self._judged, (0, 0), self._difference(image, (0, 0)) / 255)
        found = self._quick and self._quick.find(image, partial(self._difference, image), partial(self._square, image))
        if found:
            return Registered(self._shifted(found[0]), found[0], found[1] / 255)
        shift = self._find(image, self._correlation)
        if max(abs(shift[0]), abs(shift[1])) > self._max_shift_px or not self._is_alike(image, shift):
            raise DetectorError(
                f"the golden sample was not found within {self._max_shift_px:g} px of its place",
                "check that this is the right part; raise registration_px, or set it to 0 for parts without features",
            )
        return Registered(self._shifted(shift), shift, self._difference(image, shift) / 255)

    def _find(self, image: Image, correlation: PhaseCorrelation) -> Shift:
        """The best of three starts: unmoved, the best peak within reach, and the best peak anywhere."""
        if self._difference(image, (0, 0)) == 0:
            return 0, 0
        near, far = correlation.peaks(image)
        start = min(((0, 0), near), key=lambda shift: self._difference(image, shift))
        best, least = self._refined(image, start, correlation.error_px)
        if far == near:
            return best
        # On a periodic board a whole period off fits as well: a place out of reach has to be much better.
        far, far_least = self._refined(image, far, correlation.error_px)
        return far if far_least < _CLEARLY_BETTER * least else best

    def _refined(self, image: Image, start: Shift, error_px: int) -> tuple[Shift, float]:
        """Pattern search: the best of nine places, with steps that halve down to one pixel."""
        known: dict[Shift, float] = {}

        def difference(place: Shift) -> float:
            if place not in known:
                known[place] = self._difference(image, place)
            return known[place]

        best, step = start, 1 << (error_px.bit_length() - 1)
        while step:
            places = [(best[0] + dx * step, best[1] + dy * step) for dx, dy in _AROUND]
            nearest = min(places, key=difference)
            # Equal differences, as on a bare part, must not move it.
            if difference(nearest) < difference(best) and len(known) < _MOST_PLACES:
                best = nearest
            else:
                step //= 2
        return best, difference(best)

    def _difference(self, image: Image, shift: Shift) -> float:
        """Mean absolute difference where both overlap, 0 .. 255, on a sample of the rows."""
        mine, other = self._overlap(image, shift)
        if mine.size == 0:
            return 255.0
        return float(cv2.norm(mine, other, cv2.NORM_L1)) / mine.size

    def _square(self, image: Image, shift: Shift) -> float:
        """Mean squared difference, on the same sample."""
        mine, other = self._overlap(image, shift)
        return float(cv2.norm(mine, other, cv2.NORM_L2SQR)) / mine.size

    def _overlap(self, image: Image, shift: Shift) -> tuple[Image, Image]:
        """A sample of the rows of the part and of the golden sample, where both overlap."""
        (dx, dy), (height, width), step = shift, image.shape[:2], self._step
        left, right, top, bottom = max(dx, 0), width + min(dx, 0), max(dy, 0), height + min(dy, 0)
        mine = image[top:bottom:step, left:right]
        return mine, self._judged[top - dy : bottom - dy : step, left - dx : right - dx]

    def _is_alike(self, image: Image, shift: Shift) -> bool:
        """The two pictures correlate: another part, or none, does not."""
        mine, other = self._overlap(image, shift)
        (mine_mean, mine_std), (other_mean, other_std) = cv2.meanStdDev(mine), cv2.meanStdDev(other)
        mine_var, other_var = float((mine_std**2).sum()), float((other_std**2).sum())
        if other_var < _FLAT_LEVELS**2:
            return True  # a bare golden sample fits everywhere
        if mine_var < _FLAT_LEVELS**2:
            return False
        # Var(a - b) = Var(a) + Var(b) - 2 Cov(a, b), all of which OpenCV has without making a float picture.
        square = cv2.norm(mine, other, cv2.NORM_L2SQR) / (mine.shape[0] * mine.shape[1])
        of_difference = square - float(((mine_mean - other_mean) ** 2).sum())
        covariance = (mine_var + other_var - of_difference) / 2
        return bool(covariance >= MIN_CORRELATION * math.sqrt(mine_var * other_var))

    def _shifted(self, shift: Shift) -> Image:
        left, top = self._margin - shift[0], self._margin - shift[1]
        height, width = self._wide.shape[0] - 2 * self._margin, self._wide.shape[1] - 2 * self._margin
        return self._wide[top : top + height, left : left + width]
