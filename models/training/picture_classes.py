"""Pictures with one class each, for classifiers.

Read from a data set as `models.data` has it, where an image's `label` is its class (or else the class of its largest
box, or the good class where it has none); or from folders `<split>/<class>/`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import DataError
from models.data import PICTURE_SUFFIXES, LabelledPicture


@dataclass(frozen=True, eq=False, slots=True)
class ClassedPicture:
    """A picture and its class.

    Attributes:
        labelled: The files; without boxes.
        category: Index into the class names.
    """

    labelled: LabelledPicture
    category: int


def load_classed(
    data_dir: Path, split: str, classes: Sequence[str], good_classes: Sequence[str], *, golden: bool
) -> tuple[ClassedPicture, ...]:
    """Loads one split.

    Args:
        data_dir: Folder of the data set.
        split: "train", "val" or "test".
        classes: Class names in the order of the net's outputs.
        good_classes: Those that mean that nothing is wrong.
        golden: Whether each picture needs a golden sample, in `images/<split>_template/`.

    Raises:
        DataError: There is no such split, it has no picture, or a picture's class cannot be told.
    """
    truth, folder = data_dir / "annotations" / f"{split}.json", data_dir / split
    if truth.is_file():
        found = _from_coco(truth, data_dir / "images" / split, classes, good_classes)
    elif folder.is_dir():
        found = _from_folders(folder, classes)
    else:
        raise DataError(
            f"{data_dir} has neither annotations/{split}.json nor a folder {split}",
            "give a data set with images/<split>/ and annotations/<split>.json, or with <split>/<class>/",
        )
    if not found:
        raise DataError(f"the split {split} of {data_dir} has no pictures", "give at least one of each class")
    templates = data_dir / "images" / f"{split}_template" if golden else None
    return tuple(
        ClassedPicture(_labelled(number, image, templates), category) for number, (image, category) in enumerate(found)
    )


def _labelled(number: int, image: Path, templates: Path | None) -> LabelledPicture:
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    return LabelledPicture(number, image, None if templates is None else _golden(image, templates), *nothing)


def _golden(image: Path, templates: Path) -> Path:
    for suffix in (image.suffix, *PICTURE_SUFFIXES):
        if (path := templates / f"{image.stem}{suffix}").is_file():
            return path
    raise DataError(f"{image.name} has no golden sample in {templates}", "add it under the picture's name")


def _from_folders(folder: Path, classes: Sequence[str]) -> list[tuple[Path, int]]:
    found = []
    for each in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if each.name not in classes:
            raise DataError(
                f"folder {each}: {each.name!r} is not among the recipe's classes {', '.join(classes)}",
                "rename it, or name it in the recipe's classes",
            )
        pictures = sorted(path for path in each.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        found += [(path, classes.index(each.name)) for path in pictures]
    return found


def _from_coco(
    truth: Path, images: Path, classes: Sequence[str], good_classes: Sequence[str]
) -> list[tuple[Path, int]]:
    values = _read(truth)
    names = {row["id"]: str(row["name"]) for row in values.get("categories", [])}
    largest: dict[Any, tuple[float, str]] = {}
    for row in values.get("annotations", []):
        area = float(row["bbox"][2]) * float(row["bbox"][3])
        if area > largest.get(row["image_id"], (0.0, ""))[0]:
            largest[row["image_id"]] = area, names.get(row["category_id"], "")
    found = []
    for row in values["images"]:
        image = images / row["file_name"]
        if not image.is_file():
            raise DataError(f"{truth} names {row['file_name']}, which is not in {images}", "give the missing picture")
        good = good_classes[0] if len(good_classes) == 1 and row["id"] not in largest else ""
        told = (str(row.get("label", "")), largest.get(row["id"], (0.0, ""))[1], good)
        known = [classes.index(name) for name in told if name in classes]
        if not known:
            said = f"has the class {told[0] or told[1]!r}" if told[0] or told[1] else "has neither label nor box"
            raise DataError(
                f"{truth}: {row['file_name']} {said}, and the recipe's classes are {', '.join(classes)}",
                "correct its label, or name its class in the recipe",
            )
        found.append((image, known[0]))
    return found


def _read(truth: Path) -> dict[str, Any]:
    try:
        values = json.loads(truth.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"annotations {truth} cannot be read ({error})", "give a COCO JSON file") from error
    if not isinstance(values, dict) or "images" not in values:
        raise DataError(f"{truth} is not COCO: it has no 'images'", "give images, annotations and categories")
    return values
