"""Which format a source has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.errors import DataError, UsageError
from models.datasets.coco import find_coco, read_coco
from models.datasets.folders import find_folders, read_folders
from models.datasets.masks import find_masks, read_masks
from models.datasets.records import Reading, ReadOptions
from models.datasets.review import find_review, read_review
from models.datasets.voc import find_voc, read_voc
from models.datasets.yolo import find_yolo, read_yolo

AUTO = "auto"
_READERS: dict[str, Callable[[Path, ReadOptions], Reading]] = {
    "coco": read_coco,
    "yolo": read_yolo,
    "voc": read_voc,
    "folders": read_folders,
    "masks": read_masks,
    "review": read_review,
}
FORMATS = tuple(_READERS)


def read_source(source: Path, options: ReadOptions, format_name: str = AUTO) -> Reading:
    """Reads a source of labelled pictures.

    Args:
        source: Its folder or file.
        options: What only a person knows.
        format_name: One of `FORMATS`, or "auto".

    Raises:
        DataError: No such source, no or several formats fit, or its reader refuses it.
        UsageError: No such format.
    """
    if not source.exists():
        raise DataError(f"{source} does not exist", "give the folder or file of labelled pictures")
    if format_name != AUTO and format_name not in _READERS:
        raise UsageError(f"there is no format {format_name!r}", f"give auto, {', '.join(FORMATS)}")
    chosen = recognised(source, options) if format_name == AUTO else format_name
    return _READERS[chosen](source, options)


def recognised(source: Path, options: ReadOptions) -> str:
    """The format that a source has by its files.

    Raises:
        DataError: None fits, or more than one does.
    """
    found = _evidence(source, options)
    # Good and defective parts in folders may come with masks of their own: those belong to them.
    if "folders" in found:
        found.pop("masks", None)
    # Masks and folders are what is left where no label files are: our own layout has all of them.
    if {"coco", "yolo", "voc", "review"} & found.keys():
        found.pop("masks", None)
        found.pop("folders", None)
    if not found:
        raise DataError(
            f"{source} has no labels of a known format",
            f"give a folder with COCO, YOLO, VOC, masks/, good/ or a review export, or --format {'|'.join(FORMATS)}",
        )
    if len(found) > 1:
        seen = " and ".join(f"{name} ({what})" for name, what in found.items())
        raise DataError(f"{source} could be {seen}", f"choose by --format {' or --format '.join(found)}")
    return next(iter(found))


def _evidence(source: Path, options: ReadOptions) -> dict[str, str]:
    """The formats that fit, each with the file or folder that speaks for it."""
    coco, voc = find_coco(source), find_voc(source)
    folders = find_folders(source, options.good)
    single = {"yolo": find_yolo(source), "masks": find_masks(source), "review": find_review(source)}
    found = {name: path.name for name, path in single.items() if path is not None}
    found |= {"coco": coco[0].name} if coco else {}
    found |= {"voc": voc[0].name} if voc else {}
    found |= {"folders": ", ".join(sorted({label for label, _ in folders.values()})[:3])} if folders else {}
    return {name: found[name] for name in FORMATS if name in found}
