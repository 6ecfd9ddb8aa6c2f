"""Labelled boards: COCO annotations, and the golden sample that belongs to each picture.

Layout of a data set: `images/<split>/`, `annotations/<split>.json` and, for paired sets, one golden sample per
picture in the sibling folder `images/<split>_template/`, named by the `template` key of the COCO image or else by
the picture's stem.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from app.errors import DataError
from models.outlines import Region, region_of

Picture = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
_Defect = tuple[list[float], int, Region]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """One picture on disk and the defects known to be in it.

    Attributes:
        image_id: The COCO image id.
        image: The picture's file.
        golden: The golden sample's file, or None in a set without.
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels.
        labels: int64 (N,), index into the class names.
        outlines: Per box the region of its defect; empty where boxes are all that is known.
    """

    image_id: int
    image: Path
    golden: Path | None
    boxes: Boxes
    labels: Labels
    outlines: tuple[Region, ...] = ()


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """A split: its pictures and the class names their labels index."""

    classes: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]


def load_split(data_dir: Path, split: str, classes: Sequence[str], *, golden: bool) -> LabelledSet:
    """Loads one split of a data set.

    Args:
        data_dir: Folder with `images/` and `annotations/`.
        split: "train", "val" or "test".
        classes: Class names in the order the labels shall index.
        golden: Whether each picture needs a golden sample.

    Raises:
        DataError: A file or folder is missing, or the annotations do not fit the pictures or classes.
    """
    images = data_dir / "images" / split
    template_dir = images.with_name(f"{split}_template") if golden else None
    return load_coco(data_dir / "annotations" / f"{split}.json", images, template_dir, classes)


def load_coco(truth: Path, images: Path, golden: Path | None, classes: Sequence[str]) -> LabelledSet:
    """Loads COCO annotations against a folder of pictures.

    Args:
        truth: COCO JSON; `bbox` is x, y, width, height in pixels.
        images: Folder of the pictures named in it.
        golden: Folder of the golden samples, or None for a model without.
        classes: Class names in the order the labels shall index; the COCO ids may differ.

    Raises:
        DataError: See `load_split`.
    """
    for folder, role in ((images, "pictures"), (golden, "golden samples")):
        if folder is not None and not folder.is_dir():
            raise DataError(f"folder of {role} {folder} does not exist", "give the folder that holds them")
    values = _read_json(truth)
    label_of = _label_map(values, tuple(classes), truth)
    found: dict[int, list[_Defect]] = {}
    for row in values["annotations"]:
        if row["category_id"] not in label_of:
            raise DataError(
                f"{truth}: annotation {row.get('id')} has category {row['category_id']}, which is not listed",
                "list it under categories or correct the annotation",
            )
        corners = _corners(row, truth)
        found.setdefault(row["image_id"], []).append((corners, label_of[row["category_id"]], region_of(row, corners)))
    pictures = tuple(_picture(row, images, golden, found.pop(row["id"], []), truth) for row in values["images"])
    if found:
        raise DataError(f"{truth} has boxes for image {min(found)}, which is not listed", "list it under images")
    if not pictures:
        raise DataError(f"{truth} lists no images", "give annotations of at least one picture")
    return LabelledSet(tuple(classes), pictures)


def read_picture(path: Path, channels: int = 1) -> Picture:
    """Decodes a picture as the camera would deliver it: its pixels as they are stored, whatever its EXIF data asks for.

    Args:
        path: An image file.
        channels: 1 for grey, 3 for BGR.

    Returns:
        uint8 (H, W) grey or (H, W, 3) BGR.

    Raises:
        DataError: The file is missing or is no picture.
    """
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    pixels = cv2.imread(str(path), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise DataError(f"picture {path} cannot be read", "check that it exists and is a picture")
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def read_pair(picture: LabelledPicture, channels: int = 1) -> tuple[Picture, Picture | None]:
    """Decodes a picture and its golden sample.

    Returns:
        The picture and the golden sample (or None), as `read_picture` gives them.

    Raises:
        DataError: A file cannot be read, or the two differ in size.
    """
    image = read_picture(picture.image, channels)
    if picture.golden is None:
        return image, None
    golden = read_picture(picture.golden, channels)
    if golden.shape != image.shape:
        raise DataError(
            f"{picture.golden} and its picture differ in size",
            "give a golden sample of the picture's size",
        )
    return image, golden


def _read_json(truth: Path) -> dict[str, Any]:
    try:
        values = json.loads(truth.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"annotations {truth} cannot be read ({error.strerror})", "give a COCO JSON file") from error
    except json.JSONDecodeError as error:
        raise DataError(f"annotations {truth} are not valid JSON ({error})", "give a COCO JSON file") from error
    keys = ("images", "annotations", "categories")
    missing = [key for key in keys if not isinstance(values, dict) or key not in values]
    if missing:
        raise DataError(f"{truth} is not COCO: it has no {missing[0]!r}", "give images, annotations and categories")
    return dict(values)


def _label_map(values: dict[str, Any], classes: tuple[str, ...], truth: Path) -> dict[int, int]:
    label_of = {}
    for row in values["categories"]:
        if row["name"] not in classes:
            raise DataError(
                f"{truth}: class {row['name']!r} is not among the model's {', '.join(classes)}",
                "rename it, or name it in the recipe's classes",
            )
        label_of[int(row["id"])] = classes.index(row["name"])
    return label_of


def _corners(row: dict[str, Any], truth: Path) -> list[float]:
    x, y, width, height = (float(value) for value in row["bbox"])
    if width <= 0 or height <= 0:
        raise DataError(f"{truth}: annotation {row.get('id')} has an empty box", "remove it or give it a size")
    return [x, y, x + width, y + height]


def _picture(
    row: dict[str, Any], images: Path, golden: Path | None, found: list[_Defect], truth: Path
) -> LabelledPicture:
    image = images / row["file_name"]
    if not image.is_file():
        raise DataError(f"{truth} names {row['file_name']}, which is not in {images}", "give the folder that holds it")
    return LabelledPicture(
        image_id=int(row["id"]),
        image=image,
        golden=None if golden is None else _golden_of(row, image, golden),
        boxes=np.array([box for box, _, _ in found], dtype=np.float32).reshape(-1, 4),
        labels=np.array([label for _, label, _ in found], dtype=np.int64),
        outlines=tuple(region for _, _, region in found),
    )


def _golden_of(row: dict[str, Any], image: Path, golden: Path) -> Path:
    named = row.get("template")
    candidates = [golden / named] if named else [golden / f"{image.stem}{suffix}" for suffix in PICTURE_SUFFIXES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(
        f"{image.name} has no golden sample: {candidates[0]} does not exist", "add it or name it by `template`"
    )
