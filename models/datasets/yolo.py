"""YOLO label files: one text file per picture, a line per defect, fractions of the picture's width and height.

The format is described at docs.ultralytics.com, "Object Detection Datasets" and "Instance Segmentation Datasets".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from models.extras import require

_SETTINGS = ("data.yaml", "data.yml", "dataset.yaml")
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt")
_BOX = 5
_CORNERS = 8


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a data.yaml says: class names by number, pictures by split, and columns of keypoints after a box."""

    classes: Mapping[int, str]
    pictures: Mapping[Path, str]
    keypoints: int = 0
    problems: tuple[Problem, ...] = ()


def find_yolo(source: Path) -> Path | None:
    """The settings file of a YOLO source, or its folder of labels; None for another source."""
    if source.is_file():
        return source if source.suffix.lower() in {".yaml", ".yml"} else None
    settings = [path for path in sorted(source.glob("*.y*ml")) if b"names:" in read_bytes(path)]
    found = next(iter(sorted(settings, key=lambda path: path.name not in _SETTINGS)), None)
    if found is not None:
        return found
    folders = [source / "labels", *sorted(source.glob("*/labels"))]
    return next((folder for folder in folders if any(folder.rglob("*.txt"))), None)


def read_yolo(source: Path, options: ReadOptions) -> Reading:
    """Reads a YOLO data set: boxes, rotated boxes and polygons, the last two as the boxes around them.

    Args:
        source: Its folder, or its data.yaml.
        options: What only a person knows: class names where no file has them, and what a missing label file means.

    Raises:
        DataError: Settings that cannot be used, or no pictures.
    """
    found = find_yolo(source)
    if found is None:
        raise DataError(f"{source} holds no data.yaml and no labels", "give the folder of a YOLO data set")
    root = source if source.is_dir() else source.parent
    settings = _from_yaml(found, root) if found.is_file() else _from_folders(root, options)
    if options.classes:
        settings = replace(settings, classes=dict(enumerate(options.classes)))
    samples: list[Sample] = []
    problems = list(settings.problems)
    for image, split in settings.pictures.items():
        label_file = _label_file(image)
        where = name_in(root, label_file)
        sample = Sample(name_in(root, image), image, has_fractions=True, split=split, label_file=where)
        if label_file.is_file():
            boxes, wrong = _boxes(label_file, sample.label_file, settings)
            problems += wrong
            samples.append(replace(sample, boxes=boxes, lost=len(wrong)))
        elif options.unlabelled == "good":
            samples.append(replace(sample, label_file=""))
        elif options.unlabelled == "stop":
            text = "has no label file: nobody said that it is good (--unlabelled good, or leave-out)"
            problems.append(Problem("no-labels", sample.name, text))
    problems += _orphans(root, settings)
    names = tuple(settings.classes[number] for number in sorted(settings.classes))
    return Reading("yolo", root, names, tuple(samples), tuple(problems))


def _from_yaml(file: Path, root: Path) -> _Settings:
    yaml = require("yaml", "reading data.yaml")
    try:
        values = yaml.safe_load(read_bytes(file))
    except yaml.YAMLError as error:
        raise DataError(f"{file} is not valid YAML ({' '.join(str(error).split())})", "correct the file") from error
    if not isinstance(values, dict) or "names" not in values:
        raise DataError(f"{file} has no class names", "give it names: [first, second]")
    base = root / str(values.get("path") or "")
    base = base if base.is_dir() else root
    pictures: dict[Path, str] = {}
    problems = []
    for split, entries in _splits(values, file).items():
        for entry in entries:
            for image in _pictures(entry, base, file):
                if pictures.setdefault(image, split) != split:
                    text = f"is in both {pictures[image]} and {split}"
                    problems.append(Problem("two-splits", name_in(root, image), text))
    shape = values.get("kpt_shape")
    keypoints = math.prod(shape) if isinstance(shape, list) and all(isinstance(each, int) for each in shape) else 0
    return _Settings(_names(values["names"], file), pictures, keypoints, tuple(problems))


def _splits(values: Mapping[str, Any], file: Path) -> dict[str, list[str]]:
    """The places of each split. Where all name the same, nothing is divided: trainers want both keys all the same."""
    named = {split: _entries(values.get(split), file) for split in ("train", "val", "test")}
    given = [entries for entries in named.values() if entries]
    is_undivided = len(given) > 1 and all(entries == given[0] for entries in given)
    return {"": given[0]} if is_undivided else named


def _names(names: Any, file: Path) -> dict[int, str]:
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        found = {key: str(name) for key, name in names.items()}
    elif isinstance(names, list):
        found = {key: str(name) for key, name in enumerate(names)}
    else:
        raise DataError(f"{file}: names is neither a list nor numbered", "give names: [first, second]")
    if len(set(found.values())) < len(found):
        raise DataError(f"{file} gives one class name twice", "give each class a name of its own")
    return found


def _entries(value: Any, file: Path) -> list[str]:
    entries = value if isinstance(value, list) else [] if value in {None, ""} else [value]
    if not all(isinstance(entry, str) for entry in entries):
        raise DataError(f"{file}: a split is neither a path nor a list of them", "give paths of pictures")
    return entries


def _pictures(entry: str, base: Path, file: Path) -> tuple[Path, ...]:
    # Some exports write paths one folder too high: they mean their own folder.
    tries = (base / entry, file.parent / entry, file.parent / entry.lstrip("./"))
    place = next((path for path in tries if path.exists()), None)
    if place is None:
        raise DataError(f"{file} names {entry}, which does not exist", "correct the path, or remove the split")
    if place.is_dir():
        return pictures_below(place)
    lines = read_bytes(place).decode("utf-8", "replace").split("\n")
    return tuple(path for line in lines if line.strip() for path in [_listed(line.strip(), place, base)])


def _listed(line: str, listing: Path, base: Path) -> Path:
    path = next((each for each in (listing.parent / line, base / line) if each.is_file()), None)
    if path is None:
        raise DataError(f"{listing} names {line}, which does not exist", "correct the list")
    return path


def _from_folders(root: Path, options: ReadOptions) -> _Settings:
    file = next((root / name for name in _NAME_FILES if (root / name).is_file()), None)
    lines = read_bytes(file).decode("utf-8", "replace").split("\n") if file is not None else []
    names = [line.strip() for line in lines if line.strip()] or list(options.classes)
    if not names:
        raise DataError(f"{root} has no class names", "add a data.yaml or a classes.txt, or give --classes a,b")
    pictures = pictures_below(root)
    return _Settings(
        dict(enumerate(names)), {path: split_named(path.relative_to(root).parts[:-1]) for path in pictures}
    )


def _label_file(image: Path) -> Path:
    """The last folder named images becomes labels, as the format has it; else the file lies beside the picture."""
    parts = list(image.parent.parts)
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts) / f"{image.stem}.txt"


def _boxes(path: Path, name: str, settings: _Settings) -> tuple[tuple[Box, ...], list[Problem]]:
    boxes, problems = [], []
    content = path.read_bytes().decode("utf-8", "replace")
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        found = _box(line.split(), settings, f"line {number}")
        if isinstance(found, Box):
            boxes.append(found)
        else:
            problems.append(Problem(found[0], name, found[1], f"line {number}"))
    return tuple(boxes), problems


def _box(columns: list[str], settings: _Settings, where: str) -> Box | tuple[str, str]:
    try:
        label = int(float(columns[0]))
        numbers = [float(column) for column in columns[1:]]
    except (ValueError, OverflowError):
        return "not-a-number", f"{' '.join(columns)[:60]!r} is not a class number and fractions"
    if label not in settings.classes:
        return "unknown-class", f"class {label} has no name (the data set names {len(settings.classes)})"
    if settings.keypoints and len(numbers) == _BOX - 1 + settings.keypoints:
        numbers = numbers[: _BOX - 1]
    name = settings.classes[label]
    if len(numbers) in {_BOX - 1, _BOX}:
        x, y, width, height = numbers[:4]
        return Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, name, where)
    if len(numbers) >= _CORNERS - 2 and len(numbers) % 2 == 0:
        xs, ys = numbers[::2], numbers[1::2]
        return Box(min(xs), min(ys), max(xs), max(ys), name, where)
    return "no-box", f"{len(numbers)} numbers are neither a box nor a polygon"


def _orphans(root: Path, settings: _Settings) -> list[Problem]:
    """Label files of which there is no picture."""
    labels = {_label_file(image) for image in settings.pictures}
    folders = {path.parent for path in labels}
    found = sorted(path for folder in folders if folder.is_dir() for path in folder.glob("*.txt"))
    aside = {"classes.txt", "train.txt", "val.txt", "test.txt", "readme.txt", "obj.names"}
    return [
        Problem("label-without-picture", name_in(root, path), "there is no picture of that name")
        for path in found
        if path not in labels and path.name.lower() not in aside and not path.name.startswith("README")
    ]
