"""Folders of good parts and of defects, with masks where there are any.

The layout is the one of P. Bergmann et al., "MVTec AD", CVPR 2019: `train/good`, `test/good`, `test/<defect>` and
`ground_truth/<defect>/<stem>_mask.png`; the splits' folders and the masks may be absent.
"""

from __future__ import annotations

from pathlib import Path

from app.errors import DataError
from models.datasets.masks import MASK_FOLDERS, boxes_of
from models.datasets.records import Problem, Reading, ReadOptions, Sample, name_in, pictures_below, split_named

GOOD_NAMES = frozenset(("good", "ok", "pass", "passed", "normal", "free", "io", "gut", "defect-free", "defect_free"))
_NOT_CLASSES = frozenset(("images", "image", "img", "pictures", "annotations", "labels", "jpegimages"))


def find_folders(source: Path, good: tuple[str, ...] = ()) -> dict[Path, tuple[str, str]]:
    """Folders of pictures below a source, each with its class name and split; empty for another layout.

    Args:
        source: The folder.
        good: More names of good folders.
    """
    if not source.is_dir():
        return {}
    found = {}
    for folder in sorted({path.parent for path in pictures_below(source)} - {source}):
        parts = folder.relative_to(source).parts
        if not {part.lower() for part in parts} & (MASK_FOLDERS | _NOT_CLASSES):
            found[folder] = (parts[-1], split_named(parts[:-1]))
    return found if any(is_good_name(label, good) for label, _ in found.values()) else {}


def is_good_name(label: str, good: tuple[str, ...]) -> bool:
    """Whether a folder of this name holds good parts."""
    return label in good or label.lower() in GOOD_NAMES


def read_folders(source: Path, options: ReadOptions) -> Reading:
    """Reads folders whose names are classes; boxes come from masks where the source has any.

    Args:
        source: The folder that holds `good/` and the others, or `train/` and `test/` with those inside.
        options: What only a person knows: further names of good folders.

    Raises:
        DataError: No folder of good parts is known, or a mask cannot be used.
    """
    folders = find_folders(source, options.good)
    if not folders:
        raise DataError(f"{source} has no folder of good parts", "name it by --good NAME, or rename it to good/")
    masks = _masks(source)
    samples, problems = [], []
    for folder, (label, split) in folders.items():
        is_good = is_good_name(label, options.good)
        for image in sorted(path for path in pictures_below(folder) if path.parent == folder):
            mask = None if is_good else masks.pop((label, image.stem), None)
            boxes, size, _ = boxes_of(mask, options, label) if mask is not None else ((), None, ())
            name = name_in(source, image)
            if mask is not None and not boxes:
                text = f"its picture is in {label}/, but the mask is empty"
                problems.append(Problem("empty-mask", name_in(source, mask), text))
                continue
            samples.append(
                Sample(
                    name=name,
                    image=image,
                    boxes=boxes,
                    is_good=is_good,
                    defect="" if is_good else label,
                    split=split,
                    mask=mask,
                    size_px=size,
                    label_file="" if mask is None else name_in(source, mask),
                )
            )
    for mask in masks.values():
        text = "there is no defective picture of that name"
        problems.append(Problem("label-without-picture", name_in(source, mask), text))
    classes = tuple(sorted({sample.defect for sample in samples if sample.defect}))
    return Reading("folders", source, classes, tuple(samples), tuple(problems))


def _masks(source: Path) -> dict[tuple[str, str], Path]:
    """Masks by defect folder and stem of the picture."""
    found = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and path.name.lower() in MASK_FOLDERS):
        for mask in pictures_below(folder):
            stem = mask.stem.removesuffix("_mask")
            found[(mask.parent.name, stem)] = mask
    return found
