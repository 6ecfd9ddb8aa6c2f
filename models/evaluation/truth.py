"""The truth about the pictures of a split: which are defective, and with what.

Boxes come from the COCO annotations. A picture's own row may say more, for sets without boxes: `label` is `ok` or
`defective`, and `class`, `image_class` or `defect` is the name of the class that the whole picture shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.detect.manifest import Kind
from app.errors import DataError
from models.data import LabelledPicture, LabelledSet, load_coco

GOOD_WORDS = ("ok", "good")
BAD_WORDS = ("defective", "bad", "not_ok")
_CLASS_KEYS = ("class", "image_class", "defect")


@dataclass(frozen=True, slots=True, eq=False)
class KnownPicture:
    """One picture and what is known of it.

    Attributes:
        labelled: Its file, its golden sample and its boxes.
        is_defective: A part that looks so must be rejected.
        label: The class that the whole picture shows; empty for a good one, or where its boxes are of several.
    """

    labelled: LabelledPicture
    is_defective: bool
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A split as an evaluation sees it.

    Attributes:
        classes: The names that the labels of the boxes index.
        pictures: Its pictures, in the order of the annotations.
    """

    classes: tuple[str, ...]
    pictures: tuple[KnownPicture, ...]

    @property
    def has_golden(self) -> bool:
        """Parts can be mended: every picture has its golden sample."""
        return all(each.labelled.golden is not None for each in self.pictures)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a split lies.

    Attributes:
        name: What it is called in tables: `test`.
        images: Folder of the pictures.
        truth: COCO annotations of them.
        golden: Folder of the golden samples, where there are any.
    """

    name: str
    images: Path
    truth: Path
    golden: Path | None

    @classmethod
    def of_split(cls, data: Path, split: str) -> Source:
        """A split of a data set in our layout; its golden samples are taken where the folder is there."""
        images = data / "images" / split
        golden = images.with_name(f"{split}_template")
        return cls(split, images, data / "annotations" / f"{split}.json", golden if golden.is_dir() else None)


def load_truth(source: Source, kind: Kind, classes: tuple[str, ...], good_classes: tuple[str, ...] = ()) -> Truth:
    """Reads a split for a package.

    An anomaly model knows no classes, so its truth may name any.

    Args:
        source: Where the split lies.
        kind: What the package's outputs mean.
        classes: Its class names.
        good_classes: Those of them that mean nothing is wrong.

    Raises:
        DataError: The annotations cannot be read, or do not fit the pictures or the package's classes.
    """
    names = tuple(_categories(source.truth)) if kind == "anomaly" else classes
    labelled = load_coco(source.truth, source.images, source.golden, names)
    return known(labelled, _rows(source.truth), good_classes)


def known(labelled: LabelledSet, rows: Mapping[int, Mapping[str, Any]], good_classes: tuple[str, ...] = ()) -> Truth:
    """Adds to a labelled set what the rows of its pictures say.

    Args:
        labelled: Pictures and boxes.
        rows: The COCO rows of the pictures by image id; may lack some.
        good_classes: Classes that mean that nothing is wrong.

    Raises:
        DataError: A row calls its picture good although it has boxes of defects.
    """
    pictures = [_known(each, labelled.classes, rows.get(each.image_id, {}), good_classes) for each in labelled.pictures]
    return Truth(labelled.classes, tuple(pictures))


def _known(
    picture: LabelledPicture, classes: tuple[str, ...], row: Mapping[str, Any], good_classes: tuple[str, ...]
) -> KnownPicture:
    boxed = [classes[index] for index in sorted(set(picture.labels.tolist()))]
    bad_boxed = [name for name in boxed if name not in good_classes]
    said = [str(row[key]) for key in _CLASS_KEYS if row.get(key)]
    named = next((each for each in said if each in classes), boxed[0] if len(boxed) == 1 else "")
    word = str(row.get("label", "")).lower()
    is_called_good = word in GOOD_WORDS or (not word and named in good_classes and bool(named))
    if is_called_good and bad_boxed:
        raise DataError(
            f"{picture.image.name} is called {word or named} and has a box of {bad_boxed[0]}",
            "correct its label, or remove the box",
        )
    is_named_bad = bool(named) and named not in good_classes
    is_defective = not is_called_good and (word in BAD_WORDS or bool(bad_boxed) or is_named_bad)
    return KnownPicture(picture, is_defective, named if is_defective else "")


def _categories(truth: Path) -> list[str]:
    return [str(row.get("name", "")) for row in _list(truth, "categories")]


def _rows(truth: Path) -> dict[int, Mapping[str, Any]]:
    return {int(row["id"]): row for row in _list(truth, "images")}


def _list(truth: Path, key: str) -> list[dict[str, Any]]:
    """One list of the annotations; what is wrong with it, `load_coco` says."""
    try:
        values = json.loads(truth.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    found = values.get(key, []) if isinstance(values, dict) else []
    return [row for row in found if isinstance(row, dict)]
