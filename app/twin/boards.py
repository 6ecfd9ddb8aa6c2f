"""Renders bare boards as a line-scan camera at 48 px/mm sees them: black copper on white ground, thresholded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from app.twin.artwork import SIZE_PX, Layout
from app.twin.defects import CLASSES, Sites
from app.types import Image

__all__ = ["CLASSES", "Design", "RenderedBoard"]

DEFAULT_SEED = 7
_SHIFT_PX = 2.0
_BOX_MARGIN_PX = 7
"""Boxes are drawn as a person draws them, with some room around the defect."""
_BLUR_PX = 1.1
_ROUGHNESS = 22.0
_GRAIN_PX = 1.6
_FIELD_PX = 2 * SIZE_PX
_FRAME_PX = 4


@dataclass(frozen=True, slots=True, eq=False)
class RenderedBoard:
    """A board and what is wrong with it.

    Attributes:
        image: uint8 (640, 640), 0 or 255.
        boxes: Class and (x, y, width, height) in pixels of each defect.
        shift_px: Where the board lies, against the design, in x and y.
    """

    image: Image
    boxes: tuple[tuple[str, tuple[int, int, int, int]], ...]
    shift_px: tuple[float, float]


class Design:
    """A board as it was designed, of which boards are made.

    Args:
        seed: Which design.
    """

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._artwork = Layout(seed).draw()
        self._seed = seed

    @cached_property
    def golden(self) -> Image:
        """The picture of a board without defects: uint8 (640, 640), 0 or 255."""
        return self._scan(self._artwork.copper, np.random.default_rng((self._seed, 0)), (0.0, 0.0))

    def board(self, seed: int, defects: tuple[str, ...] = ()) -> RenderedBoard:
        """One board of this design. Each lies a little differently, and its edges are rough in their own way.

        Args:
            seed: Which board.
            defects: Its defects, each one of `CLASSES`.

        Raises:
            ValueError: A defect is none of `CLASSES`, or the design has no room for it (one design in a hundred).
        """
        unknown = set(defects) - set(CLASSES)
        if unknown:
            raise ValueError(f"no such defects: {', '.join(sorted(unknown))}; there are {', '.join(CLASSES)}")
        random = np.random.default_rng((self._seed, 1, seed))
        shift = (float(random.uniform(-_SHIFT_PX, _SHIFT_PX)), float(random.uniform(-_SHIFT_PX, _SHIFT_PX)))
        copper = self._artwork.copper
        boxes = []
        for label in defects:
            copper, box = self._spoilt(copper, label, random, shift)
            boxes.append((label, box))
        return RenderedBoard(self._scan(copper, random, shift), tuple(boxes), shift)

    @cached_property
    def _sites(self) -> Sites:
        return Sites(self._artwork)

    @cached_property
    def _threshold(self) -> Image:
        """What makes edges rough: a threshold that wavers, larger than a picture, of which each takes another piece."""
        noise = np.random.default_rng((self._seed, 2)).normal(0, 1, (_FIELD_PX, _FIELD_PX)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), _GRAIN_PX)
        return np.asarray(np.clip(np.rint(127 + smooth * (_ROUGHNESS / smooth.std())), 1, 254), np.uint8)

    def _spoilt(
        self, copper: Image, label: str, random: np.random.Generator, shift: tuple[float, float]
    ) -> tuple[Image, tuple[int, int, int, int]]:
        """The copper with one more defect, and the defect's box in the picture."""
        spoilt = copper.copy()
        self._sites.draw(label, spoilt, random)
        x, y, width, height = cv2.boundingRect((spoilt != copper).astype(np.uint8))
        left = max(0, int(np.floor(x + shift[0])) - _BOX_MARGIN_PX)
        top = max(0, int(np.floor(y + shift[1])) - _BOX_MARGIN_PX)
        right = min(SIZE_PX, int(np.ceil(x + width + shift[0])) + _BOX_MARGIN_PX)
        bottom = min(SIZE_PX, int(np.ceil(y + height + shift[1])) + _BOX_MARGIN_PX)
        return spoilt, (left, top, right - left, bottom - top)

    def _scan(self, copper: Image, random: np.random.Generator, shift: tuple[float, float]) -> Image:
        """What the camera sees of the copper: shifted, softened, rough at the edges, thresholded."""
        ground = cv2.copyMakeBorder((1 - copper) * np.uint8(255), *(4 * (_FRAME_PX,)), cv2.BORDER_REPLICATE)
        # Whole pixels by another cut, the rest by a kernel off its centre: a tenth of the time of a warp.
        (left, right), (over, under) = _split(shift[0]), _split(shift[1])
        cut = ground[_FRAME_PX - over : _FRAME_PX - over + SIZE_PX, _FRAME_PX - left : _FRAME_PX - left + SIZE_PX]
        soft = cv2.sepFilter2D(cut, -1, _kernel(right), _kernel(under), borderType=cv2.BORDER_REPLICATE)
        row, column = random.integers(0, _FIELD_PX - SIZE_PX, 2)
        return np.asarray(
            cv2.compare(soft, self._threshold[row : row + SIZE_PX, column : column + SIZE_PX], cv2.CMP_GT)
        )


def _split(shift_px: float) -> tuple[int, float]:
    """Whole pixels and the rest of a shift."""
    whole = round(shift_px)
    return whole, shift_px - whole


def _kernel(rest_px: float) -> NDArray[np.float32]:
    """A blur that moves the picture by a part of a pixel."""
    weights = np.exp(-0.5 * ((np.arange(-2, 3) + rest_px) / _BLUR_PX) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)
