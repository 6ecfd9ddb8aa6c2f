"""Pixel masks: each connected region of a class is one box.

Regions are 8-connected (cv2.connectedComponentsWithStats).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import DataError
from models.datasets.picture_files import read_bytes
from models.datasets.records import (
    Box,
    Problem,
    Reading,
    ReadOptions,
    Sample,
    name_in,
    pictures_below,
    split_named,
)

MASK_FOLDERS = frozenset(("masks", "mask", "ground_truth", "annotations_masks", "labels_masks", "segmentationclass"))
_ENDINGS = ("_mask", "-mask", "_label", "_gt")
_MOST_VALUES = 32
_HALF = 128
_DEFECT = "defect"


def find_masks(source: Path) -> Path | None:
    """The folder of masks of a source, or None."""
    if not source.is_dir():
        return None
    folders = sorted(path for path in source.iterdir() if path.is_dir() and path.name.lower() in MASK_FOLDERS)
    return next((path for path in folders if pictures_below(path)), None)


def read_masks(source: Path, options: ReadOptions) -> Reading:
    """Reads pictures with a mask each, in a folder of masks that mirrors theirs; an empty mask means a good part.

    Values of a mask are classes: 1 the first of `--classes`, 2 the second. A mask of two values has one class; one of
    more than 32 values was compressed or smoothed and counts from half its range on.

    Raises:
        DataError: No masks, or more values than classes.
    """
    folder = find_masks(source)
    if folder is None:
        raise DataError(f"{source} holds no masks", "put them into masks/, beside the pictures' folder")
    masks = {_stem(path, folder): path for path in pictures_below(folder)}
    samples, problems = [], []
    used: set[Path] = set()
    classes: tuple[str, ...] = ()
    for image in pictures_below(source):
        if image.is_relative_to(folder):
            continue
        name = name_in(source, image)
        mask = _of(image, source, masks)
        sample = Sample(name, image, split=split_named(image.relative_to(source).parts[:-1]), is_good=True)
        if mask is None:
            if options.unlabelled == "stop":
                text = "has no mask: nobody said that it is good (--unlabelled good, or leave-out)"
                problems.append(Problem("no-labels", name, text))
            elif options.unlabelled == "good":
                samples.append(sample)
            continue
        used.add(mask)
        boxes, size, names = boxes_of(mask, options)
        classes = max(classes, names, key=len)
        sample = replace(sample, boxes=boxes, is_good=not boxes, size_px=size, mask=mask)
        samples.append(replace(sample, label_file=name_in(source, mask)))
    problems += [
        Problem("label-without-picture", name_in(source, mask), "there is no picture of that name")
        for mask in masks.values()
        if mask not in used
    ]
    return Reading("masks", source, options.classes or classes or (_DEFECT,), tuple(samples), tuple(problems))


def boxes_of(
    mask: Path, options: ReadOptions, label: str = ""
) -> tuple[tuple[Box, ...], tuple[int, int], tuple[str, ...]]:
    """The boxes around a mask's regions.

    Args:
        mask: Its file.
        options: Class names by value, and how small dust is.
        label: The class of every region, where the mask's values say nothing.

    Returns:
        The boxes, the mask's width and height, and the class names that its values may mean.

    Raises:
        DataError: It cannot be read, or has more values than there are classes.
    """
    values = _values(mask)
    names = (label,) if label else options.classes or (_DEFECT,)
    levels = [int(level) for level in np.unique(values) if level]
    if len(names) == 1:
        values, levels = (values > 0).astype(np.uint8), [1] if levels else []
    elif levels and levels[-1] > len(names):
        raise DataError(
            f"{mask} has value {levels[-1]}, but there are {len(names)} classes", "give --classes a,b,c, in order"
        )
    boxes: list[Box] = []
    for level in levels:
        regions = (values == level).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(regions, connectivity=8)
        for x, y, width, height, area in stats[1:count].tolist():
            if area >= options.smallest_px:
                place = f"region at {x}, {y}"
                boxes.append(Box(x, y, x + width, y + height, names[level - 1], place))
    return tuple(boxes), (values.shape[1], values.shape[0]), names


def _values(mask: Path) -> NDArray[np.uint8]:
    found: Any = cv2.imdecode(np.frombuffer(read_bytes(mask), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise DataError(f"mask {mask} cannot be read", "save it as PNG with one value per class")
    if found.ndim == 3:  # noqa: PLR2004
        found = found[:, :, :3].max(2)
    if len(np.unique(found)) > _MOST_VALUES:
        half = _HALF if found.dtype == np.uint8 else int(found.max()) // 2
        found = found >= half
    elif set(np.unique(found).tolist()) <= {0, int(found.max())}:
        found = found > 0
    return np.asarray(found, np.uint8)


def _stem(path: Path, folder: Path) -> tuple[str, ...]:
    stem = path.stem
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return (*path.parent.relative_to(folder).parts, stem)


def _of(image: Path, source: Path, masks: dict[tuple[str, ...], Path]) -> Path | None:
    """The mask at the same place, with or without the pictures' own top folder, or else of the same stem."""
    place = (*image.parent.relative_to(source).parts, image.stem)
    for key in (place, place[1:], place[-1:]):
        if key in masks:
            return masks[key]
    return None
