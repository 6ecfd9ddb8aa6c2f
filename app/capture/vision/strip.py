"""The part of the picture that the vision trigger looks at, reduced and turned so that parts run to the right."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.config import CameraSettings, PartSettings
from app.config.vision import VisionSettings
from app.types import Image

Strip = NDArray[np.float32]
"""float32, (channels, rows across the belt, columns along it); column 0 is where parts come in."""

MOST_ROWS = 32
PART_COLUMNS = 96
"""About so many columns are enough for a part: a gap of a twentieth of it is then about five columns wide."""
LEAST_COLUMNS = 32
UM_PER_MM = 1000.0
_MONO_AXES = 2


class StripView:
    """Cuts the watched strip out of frames.

    Attributes:
        columns: Along the belt.
        part_columns: What a part of nominal length covers of them.
        line: Column of the virtual line.
        squareness: Columns that are as long as a row is high.
        um_per_column: Micrometres of belt per column.

    Args:
        settings: Where the strip and the line lie, and the scale.
        camera: The size of the frames.
        part: How long parts are.
    """

    def __init__(self, settings: VisionSettings, camera: CameraSettings, part: PartSettings) -> None:
        self._is_upright = settings.motion in ("up", "down")
        self._is_mirrored = settings.motion in ("left", "up")
        across_px = camera.width_px if self._is_upright else camera.height_px
        along_px = camera.height_px if self._is_upright else camera.width_px
        watched_px = max(1, round((settings.to_share - settings.from_share) * across_px))
        part_px = part.length_mm / settings.mm_per_px
        # Whole pixels per cell: OpenCV averages those many times faster.
        self._row_px = math.ceil(watched_px / MOST_ROWS)
        self._column_px = max(1, min(round(part_px / PART_COLUMNS), along_px // LEAST_COLUMNS))
        self.rows = max(1, watched_px // self._row_px)
        self.columns = along_px // self._column_px
        self._from_px = min(round(settings.from_share * across_px), across_px - self.rows * self._row_px)
        # Pixels that make no whole column are left out where parts leave.
        self._start_px = along_px - self.columns * self._column_px if self._is_mirrored else 0
        self.squareness = self._row_px / self._column_px
        self.part_columns = part_px / self._column_px
        self.line = settings.line_share * along_px / self._column_px
        self.um_per_column = settings.mm_per_px * UM_PER_MM * self._column_px

    def cut(self, image: Image) -> Strip:
        """The strip of a picture.

        Args:
            image: uint8, (height, width) or (height, width, 3), of the size that the camera's settings name.
        """
        across = slice(self._from_px, self._from_px + self.rows * self._row_px)
        along = slice(self._start_px, self._start_px + self.columns * self._column_px)
        if self._is_upright:
            small = cv2.resize(image[along, across], (self.rows, self.columns), interpolation=cv2.INTER_AREA)
            small = small.swapaxes(0, 1)
        else:
            small = cv2.resize(image[across, along], (self.columns, self.rows), interpolation=cv2.INTER_AREA)
        if self._is_mirrored:
            small = small[:, ::-1]
        planes = small[np.newaxis] if small.ndim == _MONO_AXES else small.transpose(2, 0, 1)
        return np.ascontiguousarray(planes, dtype=np.float32)
