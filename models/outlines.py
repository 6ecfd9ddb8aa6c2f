"""The outlines of defects: closed polygons, where the labels of a data set tell more than a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Outline = npt.NDArray[np.float32]
"""A closed polygon, float32 (K, 2), x and y in pixels."""
Region = tuple[Outline, ...]
"""All of one defect; what lies in any of its outlines belongs to it."""

_LEAST_NUMBERS = 6  # of a polygon: three corners


def region_of(row: Mapping[str, Any], corners: Sequence[float]) -> Region:
    """The region of a COCO annotation: its polygons, or its box where it has none.

    Args:
        row: The annotation.
        corners: Its box, x1, y1, x2, y2 in pixels.
    """
    polygons = row.get("segmentation")
    if not isinstance(polygons, list):
        polygons = []  # run lengths: the box has to do
    region = tuple(
        np.array(each, np.float32).reshape(-1, 2)
        for each in polygons
        if isinstance(each, list) and len(each) >= _LEAST_NUMBERS and len(each) % 2 == 0
    )
    return region or (rectangle(corners),)


def rectangle(corners: Sequence[float]) -> Outline:
    """The outline of a box x1, y1, x2, y2."""
    x1, y1, x2, y2 = corners
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)


def moved(regions: Sequence[Region], matrix: npt.NDArray[np.float64]) -> tuple[Region, ...]:
    """Regions after an affine map (2, 3)."""
    return tuple(
        tuple(np.asarray(each @ matrix[:, :2].T + matrix[:, 2], np.float32) for each in region) for region in regions
    )


def turned(regions: Sequence[Region], size_px: tuple[int, int], way: int) -> tuple[Region, ...]:
    """Regions after one of the 8 symmetries of the square, numbered as `models.training.augment.turn` does.

    Args:
        regions: The regions.
        size_px: Width and height of their picture before.
        way: Bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes.
    """
    width, height = size_px
    mirror = np.array(
        [[-1 if way & 1 else 1, 0, width if way & 1 else 0], [0, -1 if way & 2 else 1, height if way & 2 else 0]], float
    )
    return moved(regions, mirror[::-1] if way & 4 else mirror)


def chosen(regions: Sequence[Region], kept: Sequence[bool] | npt.NDArray[np.bool_]) -> tuple[Region, ...]:
    """Those of the regions that are kept; none where none are known."""
    return tuple(region for region, is_kept in zip(regions, kept, strict=True) if is_kept) if regions else ()
