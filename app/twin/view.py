"""What a camera that runs freely sees of the twin's belt: parts wherever they lie, cut off where the picture ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np

from app.config import CameraSettings, VisionSettings
from app.twin.flow import Body
from app.types import Image

_BELT_GREY = 70
_WEAVE_GREY = 12
_PATTERN_MM = 400.0
"""The belt's texture comes again after so much belt."""

_KEPT_PIECES = 8
_ORIENT: dict[str, Callable[[Image], Image]] = {
    "right": lambda image: image,
    "left": lambda image: image[:, ::-1],
    "down": lambda image: image.swapaxes(0, 1),
    "up": lambda image: image[:, ::-1].swapaxes(0, 1),
}
"""From a picture in which parts move to the right to one in which they move the way that the settings name."""

_LAY_DOWN = _ORIENT | {"up": lambda image: image.swapaxes(0, 1)[:, ::-1]}
"""The other way, for a part's own picture, which is upright in the end."""


class View:
    """The picture of a stretch of belt.

    Args:
        camera: Size of the picture, and where on the belt the line is that parts trigger at.
        vision: The line's place in the picture, the direction in which parts move there, and the scale.
        length_mm: Length of a part; its picture is square.
    """

    def __init__(self, camera: CameraSettings, vision: VisionSettings, length_mm: float) -> None:
        self._orient, self._lay_down = _ORIENT[vision.motion], _LAY_DOWN[vision.motion]
        self._scale = 1.0 / vision.mm_per_px
        self._position_mm = camera.position_mm
        sides = (camera.width_px, camera.height_px)
        self._along, self._across = sides[::-1] if vision.motion in ("up", "down") else sides
        self._line_px = vision.line_share * self._along
        self._side = max(1, round(length_mm * self._scale))
        self._colour = camera.channels
        self._belt = woven(self._across, max(self._along, round(_PATTERN_MM * self._scale)))
        self._pieces: dict[int, Image] = {}

    def picture(self, bodies: Iterable[Body], belt_mm: float) -> Image:
        """The belt as it lies now.

        Args:
            bodies: The parts on it and beside it.
            belt_mm: How far it has come.

        Returns:
            uint8, (height, width) or (height, width, 3).

        Raises:
            DataError: A part's picture cannot be read.
        """
        start = round(-belt_mm * self._scale) % self._belt.shape[1]
        columns = (np.arange(self._along) + start) % self._belt.shape[1]
        canvas = self._belt[:, columns]
        for body in bodies:
            if body.is_on_belt:
                self._lay(canvas, body, belt_mm)
        turned = np.ascontiguousarray(self._orient(canvas))
        return turned if self._colour == 1 else np.asarray(cv2.cvtColor(turned, cv2.COLOR_GRAY2BGR), np.uint8)

    def _lay(self, canvas: Image, body: Body, belt_mm: float) -> None:
        lead_mm = belt_mm - body.start_mm - self._position_mm
        right = round(self._line_px + lead_mm * self._scale)
        left = right - self._side
        if right <= 0 or left >= self._along:
            return
        top = (self._across - self._side) // 2
        first_row, first_column = max(0, -top), max(0, -left)
        piece = self._seen(body)[first_row : first_row + self._across, first_column : self._along - left]
        row, column = max(0, top), max(0, left)
        canvas[row : row + piece.shape[0], column : column + piece.shape[1]] = piece

    def _seen(self, body: Body) -> Image:
        kept = self._pieces.get(body.index)
        if kept is None:
            image = body.piece.image
            grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)  # noqa: PLR2004 - mono
            small = np.asarray(cv2.resize(grey, (self._side, self._side), interpolation=cv2.INTER_AREA), np.uint8)
            kept = self._lay_down(small)
            if len(self._pieces) >= _KEPT_PIECES:
                del self._pieces[next(iter(self._pieces))]
            self._pieces[body.index] = kept
        return kept


def woven(rows: int, columns: int) -> Image:
    """An empty belt: dark cloth with a weave, always the same; uint8, (rows, columns)."""
    noise = np.random.default_rng(0).normal(0, _WEAVE_GREY, (rows, columns))
    weave = _WEAVE_GREY * np.sin(np.arange(columns) * 1.3)
    return np.asarray(np.clip(_BELT_GREY + weave + noise, 0, 255), np.uint8)
