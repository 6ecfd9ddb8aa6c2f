"""What a data set holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.datasets.gather import Entry
from models.datasets.records import SPLITS
from models.datasets.splits import strata_of

_IMBALANCE = 10
_FEW = 20


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, fifth percentile, median, 95th percentile and largest of some numbers."""

    low: float
    p5: float
    median: float
    p95: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class.

    Attributes:
        name: Its name.
        pictures: Pictures with it, by split.
        boxes: Its boxes, by split.
        width_px: Widths of its boxes; None without boxes.
        height_px: Heights of its boxes.
        area_share: Its boxes' areas as shares of their pictures.
    """

    name: str
    pictures: dict[str, int]
    boxes: dict[str, int]
    width_px: Spread | None
    height_px: Spread | None
    area_share: Spread | None


@dataclass(frozen=True, slots=True)
class SetFigures:
    """A data set.

    Attributes:
        pictures: Pictures by split; the key is empty for pictures that are in none.
        boxes: Boxes by split.
        without_boxes: Pictures without a box, by split.
        good: Pictures of good parts, by split.
        classes: Each class, in the set's order.
        picture_sizes: Pictures of each size, as "640x480", most frequent first.
        colour: Pictures in colour.
        stored_channels: Pictures by channels as stored.
        brightness: Mean grey levels of the pictures.
        boxes_per_picture: Boxes in pictures that have any.
        cautions: What stands out, in words.
    """

    pictures: dict[str, int]
    boxes: dict[str, int]
    without_boxes: dict[str, int]
    good: dict[str, int]
    classes: tuple[ClassFigures, ...]
    picture_sizes: dict[str, int]
    colour: int
    stored_channels: dict[str, int]
    brightness: Spread | None
    boxes_per_picture: Spread | None
    cautions: tuple[str, ...]


def measure(entries: Sequence[Entry], classes: Sequence[str]) -> SetFigures:
    """Counts and measures a data set.

    Args:
        entries: Its pictures.
        classes: Its class names.
    """
    splits = _splits(entries)
    figures = tuple(_class_figures(name, entries, splits) for name in classes)
    sizes = Counter(f"{entry.facts.width_px}x{entry.facts.height_px}" for entry in entries)
    boxes = [len(entry.sample.boxes) for entry in entries if entry.sample.boxes]
    return SetFigures(
        pictures={split: sum(_in(entry, split) for entry in entries) for split in splits},
        boxes={split: sum(len(entry.sample.boxes) for entry in entries if _in(entry, split)) for split in splits},
        without_boxes={split: sum(not each.sample.boxes for each in entries if _in(each, split)) for split in splits},
        good={split: sum(_is_good(entry) for entry in entries if _in(entry, split)) for split in splits},
        classes=figures,
        picture_sizes=dict(sizes.most_common()),
        colour=sum(entry.facts.is_colour for entry in entries),
        stored_channels=dict(sorted(Counter(str(entry.facts.channels) for entry in entries).items())),
        brightness=_spread([entry.facts.brightness for entry in entries]),
        boxes_per_picture=_spread(boxes),
        cautions=_cautions(figures, splits),
    )


def _splits(entries: Sequence[Entry]) -> tuple[str, ...]:
    present = {entry.sample.split for entry in entries}
    return tuple(split for split in (*SPLITS, "") if split in present)


def _in(entry: Entry, split: str) -> bool:
    return entry.sample.split == split


def _is_good(entry: Entry) -> bool:
    return not entry.sample.boxes and entry.sample.is_good is not False


def _class_figures(name: str, entries: Sequence[Entry], splits: Sequence[str]) -> ClassFigures:
    boxes = [(entry, box) for entry in entries for box in entry.sample.boxes if box.label == name]
    pictures = [entry for entry in entries if name in strata_of(entry.sample)]
    sizes = [(box.x2 - box.x1, box.y2 - box.y1, entry.facts.width_px * entry.facts.height_px) for entry, box in boxes]
    return ClassFigures(
        name=name,
        pictures={split: sum(_in(entry, split) for entry in pictures) for split in splits},
        boxes={split: sum(_in(entry, split) for entry, _ in boxes) for split in splits},
        width_px=_spread([width for width, _, _ in sizes]),
        height_px=_spread([height for _, height, _ in sizes]),
        area_share=_spread([width * height / whole for width, height, whole in sizes]),
    )


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    low, p5, median, p95, high = (round(float(each), 4) for each in np.percentile(values, (0, 5, 50, 95, 100)))
    return Spread(low, p5, median, p95, high)


def _cautions(classes: Sequence[ClassFigures], splits: Sequence[str]) -> tuple[str, ...]:
    found = []
    for split in splits:
        found += [
            f"class {each.name} has no picture in {split}" for each in classes if split and not each.pictures[split]
        ]
    counts = {each.name: sum(each.pictures.values()) for each in classes if any(each.pictures.values())}
    if counts:
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        if counts[most] >= _IMBALANCE * counts[least]:
            found.append(f"class {most} has {counts[most]} pictures, {least} only {counts[least]}")
        found += [f"class {name} has only {count} pictures" for name, count in counts.items() if count < _FEW]
    return tuple(found)
