"""Writes a data set in our own layout, beside its place first and then by one rename."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app import __version__
from app.errors import DataError
from models.datasets.gather import Entry
from models.datasets.manifest import ListedFile, Manifest, file_hash, set_hash, write_manifest
from models.datasets.records import SPLITS
from models.drafts import draft_of

_BAD_LETTERS = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data set comes from, for its manifest.

    Attributes:
        format: The source's format.
        name: The source's name.
        terms: Under which terms its pictures may be used; empty where nobody said.
        split: The shares asked for, or "keep".
        seed: Of the split.
    """

    format: str
    name: str
    terms: str
    split: str
    seed: int


@dataclass(slots=True)
class _Split:
    """One split's annotations as they grow."""

    images: list[dict[str, Any]] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)


def write_set(
    out: Path,
    entries: Sequence[Entry],
    splits: Sequence[str],
    groups: Sequence[int],
    classes: Sequence[str],
    origin: Origin,
    *,
    is_linked: bool = False,
) -> Manifest:
    """Writes pictures, annotations and manifest.

    Args:
        out: The data set's folder; it must not exist, or be empty.
        entries: The pictures.
        splits: The split of each.
        groups: The group of each.
        classes: Class names; category ids count from 1 in this order.
        origin: For the manifest.
        is_linked: Link the pictures (hard links) and do not copy them.

    Raises:
        DataError: `out` is taken, or a file cannot be written: nothing is left behind then.
    """
    check_free(out)
    try:
        with draft_of(out) as folder:
            manifest = _fill(folder, entries, splits, groups, classes, origin, is_linked=is_linked)
            if out.is_dir():
                out.rmdir()
            folder.rename(out)
    except OSError as error:
        place = error.filename2 or error.filename or out
        mend = "copy (leave out --link)" if is_linked else "free some space, or check the permissions"
        raise DataError(f"{place} cannot be written ({error.strerror})", mend) from error
    return manifest


def check_free(out: Path) -> None:
    """Makes sure that a data set can be written there.

    Raises:
        DataError: There is something already.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise DataError(f"{out} is not empty", "give another folder by --out, or remove it first")


def _fill(
    folder: Path,
    entries: Sequence[Entry],
    splits: Sequence[str],
    groups: Sequence[int],
    classes: Sequence[str],
    origin: Origin,
    *,
    is_linked: bool,
) -> Manifest:
    tables = {split: _Split() for split in SPLITS}
    files: list[ListedFile] = []
    for number, (entry, stem, split, group) in enumerate(zip(entries, _stems(entries), splits, groups, strict=True), 1):
        sample, facts = entry.sample, entry.facts
        name = f"{stem}{sample.image.suffix.lower()}"
        path = _placed(sample.image, folder / "images" / split / name, is_linked=is_linked)
        listed = (path.relative_to(folder).as_posix(), facts.sha256, facts.size, split, group, len(sample.boxes))
        files.append(ListedFile(*listed, source=sample.name))
        row = {"id": number, "file_name": name, "width": facts.width_px, "height": facts.height_px, "group": group}
        row |= {"label": "defective" if sample.boxes or sample.is_good is False else "ok"}
        row |= {"defect": sample.defect} if sample.defect else {}
        row |= dict(sample.notes)
        if sample.golden is not None:
            golden = folder / "images" / f"{split}_template" / f"{stem}{sample.golden.suffix.lower()}"
            files.append(_listed(folder, _placed(sample.golden, golden, is_linked=is_linked), split))
            row["template"] = golden.name
        if sample.mask is not None:
            mask = folder / "masks" / split / f"{stem}{sample.mask.suffix.lower()}"
            files.append(_listed(folder, _placed(sample.mask, mask, is_linked=is_linked), split))
        tables[split].images.append(row)
        tables[split].boxes += _boxes(
            entry, number, classes, first=sum(len(each.boxes) for each in tables.values()) + 1
        )
    used = [split for split in SPLITS if tables[split].images]
    files += [_annotations(folder, split, tables[split], classes, origin) for split in used]
    files.sort(key=lambda file: file.path)
    manifest = Manifest(
        tool=f"takt-inspect {__version__}",
        format=origin.format,
        source=origin.name,
        terms=origin.terms,
        split=origin.split,
        seed=origin.seed,
        classes=tuple(classes),
        files=tuple(files),
        set_sha256=set_hash(files),
    )
    write_manifest(folder, manifest)
    return manifest


def _boxes(entry: Entry, image_id: int, classes: Sequence[str], first: int) -> list[dict[str, Any]]:
    rows = []
    for number, box in enumerate(entry.sample.boxes, first):
        corner = [round(box.x1, 3), round(box.y1, 3)]
        size = [round(box.x2 - box.x1, 3), round(box.y2 - box.y1, 3)]
        row = {"id": number, "image_id": image_id, "category_id": classes.index(box.label) + 1, "bbox": corner + size}
        rows.append(row | {"area": round(size[0] * size[1], 3), "iscrowd": 0})
    return rows


def _annotations(folder: Path, split: str, table: _Split, classes: Sequence[str], origin: Origin) -> ListedFile:
    values = {
        "info": {"description": origin.name, "terms": origin.terms},
        "images": table.images,
        "annotations": table.boxes,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
    }
    path = folder / "annotations" / f"{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    return _listed(folder, path, split)


def _placed(source: Path, target: Path, *, is_linked: bool) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_linked:
        os.link(source.resolve(), target)
    else:
        shutil.copyfile(source, target)
    return target


def _listed(folder: Path, path: Path, split: str) -> ListedFile:
    return ListedFile(path.relative_to(folder).as_posix(), file_hash(path), path.stat().st_size, split)


def _stems(entries: Sequence[Entry]) -> list[str]:
    """A name for each picture without its suffix: its own where no other has it, else with its folders before it."""
    own = [_BAD_LETTERS.sub("_", entry.sample.image.stem) for entry in entries]
    counts = Counter(stem.lower() for stem in own)
    taken: set[str] = set()
    stems = []
    for entry, stem in zip(entries, own, strict=True):
        wanted = stem
        if counts[stem.lower()] > 1:
            wanted = _BAD_LETTERS.sub("_", Path(entry.sample.name).with_suffix("").as_posix().replace("/", "_"))
        name, number = wanted, 2
        while name.lower() in taken:
            name, number = f"{wanted}-{number}", number + 1
        taken.add(name.lower())
        stems.append(name)
    return stems
