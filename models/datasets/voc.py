"""Pascal VOC: an XML file per picture.

M. Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 88, 2010. Corners are pixels counted from 1,
and the lower right one belongs to the box; tools that count from 0 differ by one pixel at most.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from app.errors import DataError
from models.datasets.picture_files import read_bytes
from models.datasets.records import Box, Problem, Reading, ReadOptions, Sample, name_in, pictures_below, split_named

_MOST_BYTES = 5_000_000
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def find_voc(source: Path) -> tuple[Path, ...]:
    """The VOC files below a folder, in name order."""
    if not source.is_dir():
        return ()
    found = (path for path in sorted(source.rglob("*.xml")) if not path.name.startswith("."))
    return tuple(path for path in found if b"<annotation" in path.read_bytes()[:2000])


def read_voc(source: Path, options: ReadOptions) -> Reading:
    """Reads VOC annotations; splits are those of `ImageSets/Main`, or else of folders named train, val and test.

    Args:
        source: The folder with the XML files, beside the pictures or in `Annotations/`.
        options: What only a person knows: which classes are allowed, what a missing XML means.

    Raises:
        DataError: No XML file of this kind.
    """
    files = find_voc(source)
    if not files:
        raise DataError(f"{source} holds no VOC annotations", "give the folder with their XML files")
    pictures = pictures_below(source)
    by_stem: dict[str, list[Path]] = {}
    for path in pictures:
        by_stem.setdefault(path.stem, []).append(path)
    problems: list[Problem] = []
    samples: dict[Path, Sample] = {}
    splits = _splits(source)
    for file in files:
        name = name_in(source, file)
        image = _nearest(file, by_stem.get(file.stem, []))
        if image is None:
            problems.append(Problem("label-without-picture", name, "there is no picture of that name"))
            continue
        if image in samples:
            problems.append(Problem("listed-twice", name_in(source, image), f"also has labels in {name}"))
            continue
        split = splits.get(file.stem) or split_named(image.relative_to(source).parts[:-1])
        sample, wrong = _sample(file, image, source, by_stem, options)
        problems += wrong
        if sample is not None:
            samples[image] = replace(sample, split=split)
    samples |= _without(pictures, samples, source, options, problems)
    classes = options.classes or tuple(sorted({box.label for each in samples.values() for box in each.boxes}))
    return Reading("voc", source, classes, tuple(samples[path] for path in sorted(samples)), tuple(problems))


def _nearest(file: Path, candidates: list[Path]) -> Path | None:
    """The picture of an annotation: the only one of its stem, or the one whose folders agree best."""
    if len(candidates) < 2:  # noqa: PLR2004
        return candidates[0] if candidates else None
    return max(candidates, key=lambda path: (path.parent == file.parent, len(set(path.parts) & set(file.parts))))


def _sample(
    file: Path, image: Path, root: Path, by_stem: dict[str, list[Path]], options: ReadOptions
) -> tuple[Sample | None, list[Problem]]:
    name = name_in(root, file)
    tree = _parse(file)
    if isinstance(tree, str):
        return None, [Problem("label-unreadable", name, tree)]
    problems = []
    named = Path((tree.findtext("filename") or "").strip().replace("\\", "/")).name
    if named and Path(named).stem != image.stem:
        is_error = Path(named).stem in by_stem or named in by_stem
        text = f"says that it belongs to {named}"
        problems.append(Problem("other-picture", name, text, is_error=is_error))
        if is_error:
            return None, problems
    boxes = []
    for number, found in enumerate(tree.iter("object"), 1):
        box = _box(found, f"object {number}", options)
        if isinstance(box, Box):
            boxes.append(box)
        else:
            problems.append(Problem(box[0], name, box[1], f"object {number}"))
    size = _size(tree)
    lost = len(list(tree.iter("object"))) - len(boxes)
    return Sample(name_in(root, image), image, tuple(boxes), lost, size_px=size, label_file=name), problems


def _parse(file: Path) -> ET.Element | str:
    content = read_bytes(file)
    if len(content) > _MOST_BYTES:
        return f"is larger than {_MOST_BYTES // 1_000_000} MB"
    if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
        return "declares entities, which labels have no need of"
    try:
        return ET.fromstring(content)  # noqa: S314 - entities are refused above
    except (ET.ParseError, ValueError, LookupError) as error:
        return f"is not valid XML ({error})"


def _box(found: ET.Element, where: str, options: ReadOptions) -> Box | tuple[str, str]:
    label = (found.findtext("name") or "").strip()
    if not label:
        return "unknown-class", "has no name"
    if options.classes and label not in options.classes:
        return "unknown-class", f"class {label!r} is not among {', '.join(options.classes)}"
    corners = found.find("bndbox")
    try:
        x1, y1, x2, y2 = (float((corners.findtext(each) if corners is not None else "") or "") for each in _CORNERS)
    except ValueError:
        return "no-box", "has no bndbox of four numbers"
    # Counted from 1 and inclusive: the left edge of pixel 1 is 0, the right edge of pixel n is n.
    return Box(x1 - 1 if x1 >= 1 else x1, y1 - 1 if y1 >= 1 else y1, x2, y2, label, where)


def _size(tree: ET.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(tree.findtext(f"size/{side}") or "")) for side in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width and height else None


def _splits(source: Path) -> dict[str, str]:
    splits = {}
    for file in sorted((source / "ImageSets" / "Main").glob("*.txt")):
        split = split_named((file.stem,)) if file.stem in {"train", "val", "test"} else ""
        for line in read_bytes(file).decode("utf-8", "replace").split("\n") if split else ():
            if line.strip():
                splits[line.split()[0]] = split
    return splits


def _without(
    pictures: tuple[Path, ...],
    samples: dict[Path, Sample],
    root: Path,
    options: ReadOptions,
    problems: list[Problem],
) -> dict[Path, Sample]:
    """Pictures without an XML, as the options have it."""
    left = [path for path in pictures if path not in samples and "SegmentationClass" not in path.parts]
    left = [path for path in left if "SegmentationObject" not in path.parts]
    if options.unlabelled == "stop":
        text = "has no XML: nobody said that it is good (--unlabelled good, or leave-out)"
        problems += [Problem("no-labels", name_in(root, path), text) for path in left]
    if options.unlabelled != "good":
        return {}
    return {path: Sample(name_in(root, path), path, split=split_named(path.relative_to(root).parts)) for path in left}
