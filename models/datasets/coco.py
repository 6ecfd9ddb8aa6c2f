"""COCO annotations, and our own layout, which is COCO with golden samples.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", 2014; the format is described at cocodataset.org.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.errors import DataError
from models.datasets.picture_files import read_bytes
from models.datasets.records import Box, Problem, Reading, ReadOptions, Sample, name_in, pictures_below, split_named

_KEYS = ("images", "annotations", "categories")
_CORNERS = 4
Place = tuple[Path, str]


def find_coco(source: Path) -> tuple[Path, ...]:
    """The COCO files of a source, which may be such a file itself.

    Args:
        source: A folder, or a JSON file.
    """
    if source.is_file():
        return (source,) if source.suffix.lower() == ".json" and _is_coco(source) else ()
    places = (source, source / "annotations", *sorted(path for path in source.iterdir() if path.is_dir()))
    found = dict.fromkeys(path for place in places if place.is_dir() for path in sorted(place.glob("*.json")))
    return tuple(path for path in found if _is_coco(path))


def read_coco(source: Path, options: ReadOptions) -> Reading:
    """Reads one COCO file or a folder of them.

    Args:
        source: A JSON file, or a folder with such files in it, in `annotations/` or beside the pictures.
        options: What only a person knows.

    Raises:
        DataError: No COCO file, or one that does not hold together.
    """
    files = find_coco(source)
    if not files:
        raise DataError(f"{source} holds no COCO annotations", "give a JSON with images, annotations and categories")
    root = source if source.is_dir() else source.parent
    root = root.parent if root.name == "annotations" else root
    reader = _Reader(root, options)
    for file in files:
        reader.read(file)
    return reader.reading()


class _Reader:
    """Gathers the samples of several COCO files of one source."""

    def __init__(self, root: Path, options: ReadOptions) -> None:
        self._root = root
        self._options = options
        self._classes: list[str] = []
        self._samples: list[Sample] = []
        self._problems: list[Problem] = []
        self._seen: dict[Path, str] = {}
        self._by_name: dict[str, list[Path]] | None = None

    def read(self, file: Path) -> None:
        """Adds the pictures of one COCO file."""
        values = _read(file)
        where = name_in(self._root, file)
        names = _category_names(values["categories"], where)
        self._classes += [name for name in names.values() if name not in self._classes]
        images: dict[Any, Mapping[str, Any]] = {}
        for row in values["images"]:
            if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("file_name"), str):
                raise DataError(f"{where}: an image has no id or no file_name", "give each image both")
            if row["id"] in images:
                raise DataError(f"{where}: image id {row['id']} is given twice", "give each image an id of its own")
            images[row["id"]] = row
        boxes: dict[Any, list[Box]] = {}
        lost: Counter[Any] = Counter()
        for index, row in enumerate(values["annotations"]):
            box = self._box(row, index, names, where)
            if row.get("image_id") not in images:
                text = f"a box of image {row.get('image_id')!r}, which is not listed"
                self._problems.append(Problem("box-without-picture", where, text, f"annotation {row.get('id', index)}"))
            elif box is not None:
                boxes.setdefault(row["image_id"], []).append(box)
            else:
                lost[row["image_id"]] += 1
        split = split_named((file.stem, file.parent.name))
        for number, row in images.items():
            sample = self._sample(row, tuple(boxes.get(number, ())), split, file)
            if sample is not None:
                self._samples.append(replace(sample, lost=lost[number]))

    def reading(self) -> Reading:
        """All that was read, with the pictures that no file lists named."""
        listed = {*self._seen, *(sample.golden for sample in self._samples), *(s.mask for s in self._samples)}
        stray = [path for path in pictures_below(self._root) if path not in listed and not _is_aside(path)]
        if stray and self._samples:
            text = (
                f"not listed in the annotations and left out, as {len(stray) - 1} more" if stray[1:] else "not listed"
            )
            self._problems.append(Problem("not-listed", name_in(self._root, stray[0]), text, is_error=False))
        return Reading("coco", self._root, tuple(self._classes), tuple(self._samples), tuple(self._problems))

    def _box(self, row: Any, index: int, names: Mapping[Any, str], where: str) -> Box | None:
        if not isinstance(row, dict):
            raise DataError(f"{where}: annotation {index} is no table", "correct the file")
        place = f"annotation {row.get('id', index)}"
        if row.get("category_id") not in names:
            text = f"category {row.get('category_id')!r} is not listed"
            self._problems.append(Problem("unknown-class", where, text, place))
            return None
        if row.get("iscrowd"):
            self._problems.append(Problem("crowd", where, "marks a crowd and is left out", place, is_error=False))
            return None
        try:
            x, y, width, height = (float(value) for value in row["bbox"])
        except (KeyError, TypeError, ValueError):
            self._problems.append(Problem("no-box", where, f"bbox {row.get('bbox')!r} is not x, y, w, h", place))
            return None
        return Box(x, y, x + width, y + height, names[row["category_id"]], place)

    def _sample(self, row: Mapping[str, Any], boxes: tuple[Box, ...], split: str, file: Path) -> Sample | None:
        label_file = name_in(self._root, file)
        image = self._find(row["file_name"], file, split)
        if image is None:
            text = f"names {row['file_name']}, which is not there"
            self._problems.append(Problem("picture-missing", label_file, text, f"image {row['id']}"))
            return None
        if image in self._seen:
            code = "listed-twice" if self._seen[image] == split else "two-splits"
            text = "is listed twice" if code == "listed-twice" else f"is in both {self._seen[image]} and {split}"
            self._problems.append(Problem(code, name_in(self._root, image), text))
            return None
        self._seen[image] = split
        return Sample(
            name=name_in(self._root, image),
            image=image,
            boxes=boxes,
            is_good=row["label"] == "ok" if row.get("label") in {"ok", "defective"} else None,
            defect=str(row.get("defect") or ""),
            split=split,
            group=str(row.get("part", row.get("group", ""))),
            golden=_beside(image, "_template", str(row.get("template") or "")),
            mask=_mask(image),
            size_px=_size(row),
            label_file=label_file,
        )

    def _find(self, file_name: str, file: Path, split: str) -> Path | None:
        stem = file.stem.lower().removeprefix("instances_")
        bases = [self._root / "images" / name for name in (stem, split) if name]
        bases += [self._root / name for name in (stem, split) if name]
        bases += [file.parent, self._root, self._root / "images"]
        inside = self._root.resolve()
        for base in bases:
            path = base / file_name
            if path.is_file():
                if not path.resolve().is_relative_to(inside) and not Path(file_name).is_absolute():
                    raise DataError(f"{file} names {file_name}, outside of {self._root}", "keep pictures in the set")
                return path
        if self._by_name is None:
            self._by_name = {}
            for path in pictures_below(self._root):
                self._by_name.setdefault(path.name, []).append(path)
        found = self._by_name.get(Path(file_name).name, [])
        return found[0] if len(found) == 1 else None


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        values = json.loads(read_bytes(file))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not valid JSON ({error})", "export the annotations again") from error
    found: dict[str, list[Any]] = values if isinstance(values, dict) else {}
    for key in _KEYS:
        if not isinstance(found.get(key), list):
            raise DataError(f"{file} is not COCO: it has no list {key!r}", "give images, annotations and categories")
    return found


def _is_coco(file: Path) -> bool:
    try:
        values = json.loads(read_bytes(file))
    except (DataError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and all(isinstance(values.get(key), list) for key in _KEYS)


def _category_names(rows: Sequence[Any], where: str) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for row in rows:
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("name"), str) or not row["name"]:
            raise DataError(f"{where}: a category has no id or no name", "give each category both")
        if row["id"] in names or row["name"] in names.values():
            raise DataError(
                f"{where}: category {row['name']!r} is given twice", "give each an id and a name of its own"
            )
        names[row["id"]] = row["name"]
    return names


def _size(row: Mapping[str, Any]) -> tuple[int, int] | None:
    try:
        width, height = float(row["width"]), float(row["height"])
    except (KeyError, TypeError, ValueError):
        return None
    return (int(width), int(height)) if math.isfinite(width) and math.isfinite(height) and width and height else None


def _beside(image: Path, ending: str, named: str = "") -> Path | None:
    """The file of the same stem in the sibling folder of our layout."""
    folder = image.parent.with_name(f"{image.parent.name}{ending}")
    if not folder.is_dir():
        return None
    candidates = [folder / named] if named else sorted(folder.glob(f"{_escaped(image.stem)}.*"))
    return next((path for path in candidates if path.is_file()), None)


def _mask(image: Path) -> Path | None:
    if image.parent.parent.name != "images":
        return None
    folder = image.parent.parent.parent / "masks" / image.parent.name
    return next(iter(sorted(folder.glob(f"{_escaped(image.stem)}.*"))), None) if folder.is_dir() else None


def _escaped(stem: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in stem)


def _is_aside(path: Path) -> bool:
    return path.parent.name.endswith("_template") or "masks" in path.parts
