"""The parts of an export, one by one: their pictures, and what is on them by people or by the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.record.keys import PartKey
from app.record.readers import Records
from app.record.told import PictureRecord, Story
from app.types import EventKind
from app.web.findings import boxes_of, findings_of
from app.web.review.filters import QueueFilter, cursor_of
from app.web.review.label import LabelKind, PartLabel
from app.web.review.labels import Labels
from app.web.review.queue import Queue

AT_ONCE = 100
GONE = "the file is not there"
GOOD = frozenset({LabelKind.GOOD, LabelKind.FALSE_REJECT})
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Mark:
    """One defect on a picture.

    Attributes:
        label: Its class.
        box: x, y, width, height in pixels of the picture.
        score: By the model; `None` where a person drew it.
    """

    label: str
    box: tuple[float, float, float, float]
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a part.

    Attributes:
        name: Its name in the export; holds no blanks and no path.
        path: Its file; `None` where it is gone.
        gone: Why it is gone; empty where it is there.
        width: In pixels; 0 where the record does not say.
        height: In pixels.
        marks: What is on it.
    """

    name: str
    path: Path | None
    gone: str
    width: int
    height: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One part of an export.

    Attributes:
        story: The part.
        label: What people say; `None` where nobody has.
        shots: Its pictures.
    """

    story: Story
    label: PartLabel | None
    shots: tuple[Shot, ...]


def chosen_keys(queue: Queue, chosen: QueueFilter) -> Iterator[PartKey]:
    """Every part of the queue that a filter chooses, newest first; memory stays flat.

    Raises:
        RecordError: Ledger or labels cannot be read; so do the functions below.
    """
    after = None
    while True:
        rows, next_page = queue.page(chosen, after, AT_ONCE)
        yield from ((each.lane, each.epoch, each.part) for each in rows)
        if next_page is None:
            return
        after = cursor_of(next_page)


def items_of(records: Records, labels: Labels, pictures: Path, keys: Iterable[PartKey]) -> Iterator[Item]:
    """The parts with everything that an export says of them; parts that are not in the ledger are passed over.

    Args:
        records: The ledger.
        labels: What people say.
        pictures: The folder of pictures.
        keys: The parts.
    """
    batch: list[PartKey] = []
    for key in keys:
        batch.append(key)
        if len(batch) == AT_ONCE:
            yield from _items(records, labels, pictures, batch)
            batch = []
    yield from _items(records, labels, pictures, batch)


def name_of(key: PartKey, picture: PictureRecord) -> str:
    """The name of a picture in an export: letters, figures, dots, dashes; no two pictures share one."""
    lane, epoch, part_id = key
    camera = _UNSAFE.sub("_", picture.camera)[:40]
    suffix = Path(picture.file).suffix.lower()
    suffix = suffix if suffix in (".jpg", ".jpeg", ".png", ".webp", ".bmp") else ".bin"
    return f"lane{lane}-{epoch}-{part_id}-{camera}-{picture.exposure}-{picture.sha256[:8]}{suffix}"


def _items(records: Records, labels: Labels, pictures: Path, keys: list[PartKey]) -> Iterator[Item]:
    known = labels.of(keys)
    for key in keys:
        lane, epoch, part_id = key
        part = records.part(part_id, epoch, lane)
        if part is not None:
            story = records.story(part)
            label = known.get(key)
            yield Item(story, label, tuple(_shots(key, story, label, pictures)))


def _shots(key: PartKey, story: Story, label: PartLabel | None, folder: Path) -> Iterator[Shot]:
    root = folder.resolve()
    for picture in story.pictures:
        size, marks = _found(story, picture)
        if label is not None and label.kind in GOOD:
            marks = ()
        elif label is not None and label.boxes is not None:
            marks = tuple(
                Mark(each.class_name, (each.x, each.y, each.width, each.height))
                for each in label.boxes
                if (each.camera, each.exposure) == (picture.camera, picture.exposure)
            )
        path = (root / picture.file).resolve()
        gone = picture.gone_why if picture.gone else ""
        if not gone and not (path.is_relative_to(root) and path.is_file()):
            gone = GONE
        yield Shot(name_of(key, picture), None if gone else path, gone, *size, marks)


def _found(story: Story, picture: PictureRecord) -> tuple[tuple[int, int], tuple[Mark, ...]]:
    """The size of the frame, and the findings that its verdict rests on."""
    findings = [each for each in findings_of(story.part.text, " ".join(story.part.reasons)) if each.kind == "DEFECT"]
    for entry in story.entries:
        said = entry.event.data
        if entry.event.kind is not EventKind.JUDGED:
            continue
        if (said.get("camera"), said.get("exposure")) != (picture.camera, picture.exposure):
            continue
        boxes = [each for each in boxes_of(said.get("detections")) if any(each.is_meant_by(one) for one in findings)]
        size = int(said.get("width") or 0), int(said.get("height") or 0)
        return size, tuple(Mark(each.label, each.box_px, each.score) for each in boxes)
    return (0, 0), ()


def as_json(marks: Iterable[Mark]) -> str:
    """Marks for a cell of a table."""
    rows = [[each.label, *each.box, each.score] for each in marks]
    return json.dumps(rows, separators=(",", ":"))
