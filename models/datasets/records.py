"""What a source of labelled pictures says, whatever its format: samples, boxes, and what cannot be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import DataError

SPLITS = ("train", "val", "test")
PICTURE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"))


@dataclass(frozen=True, slots=True)
class Box:
    """One labelled defect.

    Attributes:
        x1: Left, in pixels of the picture, or as a fraction of its width where the sample says so.
        y1: Top.
        x2: Right.
        y2: Bottom.
        label: Its class.
        where: Its place in the label file, such as "line 3"; empty where there is none.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be in a data set.

    Attributes:
        code: Its kind in a word or two, such as "outside": stable, for programs.
        file: The picture or label file.
        why: What is wrong and, where it helps, what was made of it.
        where: Which box or line of the file; may be empty.
        is_error: The label or the picture cannot be right. Otherwise it is worth a look and is used as it is.
    """

    code: str
    file: str
    why: str
    where: str = ""
    is_error: bool = True

    def __str__(self) -> str:
        place = f"{self.file}, {self.where}" if self.where else self.file
        return f"{place}: {self.why}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture and what its source says of it.

    Attributes:
        name: Its path inside the source, with forward slashes; unique.
        image: Its file.
        boxes: Its defects.
        lost: Labels of it that the reader could not make boxes of.
        has_fractions: The boxes are fractions of the picture's width and height.
        is_good: What the source says of the part as a whole; None where only boxes tell.
        defect: The class of the part as a whole where it is not good; may be empty.
        split: The split in the source; empty where it has none.
        group: Pictures of one group belong together, such as those of one part; empty where the source knows none.
        golden: The golden sample's file.
        mask: The pixel mask's file.
        size_px: Width and height as the label file has them.
        label_file: The file that the labels come from, inside the source.
        notes: What else the source says, by name: reviewer, lot.
    """

    name: str
    image: Path
    boxes: tuple[Box, ...] = ()
    lost: int = 0
    has_fractions: bool = False
    is_good: bool | None = None
    defect: str = ""
    split: str = ""
    group: str = ""
    golden: Path | None = None
    mask: Path | None = None
    size_px: tuple[int, int] | None = None
    label_file: str = ""
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A source as its reader found it.

    Attributes:
        format: "coco", "yolo", "voc", "folders", "masks" or "review".
        root: The source's folder.
        classes: Class names in the source's order.
        samples: The pictures.
        problems: What the reader itself found wrong.
    """

    format: str
    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader cannot know by itself.

    Attributes:
        classes: Class names to use where the source has numbers only.
        good: Folder names that mean a good part, beside the usual ones.
        unlabelled: What becomes of a picture without a label file: "stop", "good" or "leave-out".
        smallest_px: Mask regions of fewer pixels are dust and make no box.
    """

    classes: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    unlabelled: str = "stop"
    smallest_px: int = 4


def name_in(root: Path, path: Path) -> str:
    """A file's name inside a source, or its whole path where it lies elsewhere."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def pictures_below(folder: Path) -> tuple[Path, ...]:
    """All pictures in a folder and its folders, in name order; hidden ones are passed over.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        found = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read ({error.strerror})", "check its permissions") from error
    return tuple(sorted(path for path in found if not _is_hidden(path.relative_to(folder))))


def split_named(words: Sequence[str]) -> str:
    """The split that one of the words means: "train2017", "valid" and "instances_test" are understood; else empty."""
    for word in words:
        bare = word.lower().removeprefix("instances_").rstrip("0123456789_-")
        for split, names in _SPLIT_NAMES.items():
            if bare in names:
                return split
    return ""


_SPLIT_NAMES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
