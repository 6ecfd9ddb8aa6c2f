"""From a checkpoint to a package: ONNX files, `manifest.toml`, golden frames."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from app.detect.manifest import MANIFEST, Kind, Precision, Role
from app.detect.package import Package, load_package
from app.detect.runtimes import open_detector
from app.durable import replace_bytes
from app.errors import DataError
from app.types import Detection, Image
from models.data import read_picture
from models.extras import require
from models.packaging.manifest import ManifestEntries, ModelEntry, manifest_entries, manifest_text

GOLDEN_DIR = "golden"
REFERENCE_RUNTIME = "onnx"  # what other runtimes are compared with
_WHITE, _MONO = 255, 2

GoldenPictures = Sequence[tuple[str, Image, "Image | None"]]
"""Name, picture and golden sample (or None) of each golden frame, uint8 (H, W) or (H, W, 3)."""


def export_package(
    checkpoint: Path,
    package_dir: Path,
    score_threshold: float,
    *,
    role: Role = "accelerator",
    precision: Precision = "fp32",
) -> Path:
    """Writes a checkpoint's averaged net into a package, beside the models that are there already.

    A model of the same role and precision is replaced. Golden frames already in the package are kept, and what the
    new model finds in them is recorded.

    Args:
        checkpoint: A `best.pt` or `last.pt` of `models.training.train`.
        package_dir: The package's folder; made if it does not exist.
        score_threshold: The model's default, chosen on `val`.
        role: What the model is for.
        precision: `fp32`, or `fp16` for a GPU. For `int8` see `models.smaller.quantize`.

    Returns:
        The ONNX file.

    Raises:
        DataError: The checkpoint cannot be used, its classes are not the package's, or the threshold is not between 0
            and 1.
        PackageError: The folder holds a package that is broken.
        MissingDriverError: torch or onnx is not installed.
    """
    for library in ("torch", "onnx"):
        require(library, "export")
    from models.nets.net import count_macs  # noqa: PLC0415
    from models.packaging.graph import build_graph  # noqa: PLC0415  (loads torch and onnx)
    from models.packaging.half import build_half_graph  # noqa: PLC0415
    from models.training.boards import input_spec  # noqa: PLC0415
    from models.training.checkpoint import load_net  # noqa: PLC0415

    if precision == "int8":
        raise DataError("a checkpoint is not exported in 8 bits at once", "export it, then run takt models quantize")
    net, recipe, _step = load_net(checkpoint)
    model = build_graph(net, recipe)
    shape = recipe.input
    macs = count_macs(net, recipe.planes, shape.height_px, shape.width_px)
    blob = (build_half_graph(model) if precision == "fp16" else model).SerializeToString()
    entry = ModelEntry(
        role=role,
        precision=precision,
        onnx=f"{role}-{precision}.onnx",
        onnx_sha256=hashlib.sha256(blob).hexdigest(),
        score_threshold=score_threshold,
        spec=input_spec(shape),
        gmac=round(macs / 1e9, 4),
    )
    entries = ManifestEntries(
        recipe.name,
        recipe.version,
        cast("Kind", recipe.kind),
        recipe.classes,
        (entry,),
        suppression=recipe.suppression,
        good_classes=recipe.good_classes,
    )
    return add_model(package_dir, entries, blob)


def add_model(package_dir: Path, entries: ManifestEntries, blob: bytes) -> Path:
    """Puts one model into a package, in the place of the one of its role and precision if there is one.

    The files are written beside those they replace and moved over them, the manifest last.

    Args:
        package_dir: The package's folder; made if it does not exist.
        entries: What the manifest is to say, with that one model; version and output hold for the whole package, the
            name for a new one.
        blob: The ONNX file's bytes.

    Returns:
        The ONNX file.

    Raises:
        DataError: The threshold is not between 0 and 1, the package is of other classes, or a file cannot be written.
        PackageError: The folder holds a package that is broken.
    """
    (entry,) = entries.models
    if not 0 < entry.score_threshold < 1:
        raise DataError(f"a score threshold of {entry.score_threshold} is not between 0 and 1", "give one such as 0.35")
    models, frames = [entry], []
    if (package_dir / MANIFEST).exists():
        before = manifest_entries(package_dir)
        _check_alike(before, entries, package_dir)
        # A standby's recipe has a name of its own; the package keeps its.
        entries = dataclasses.replace(entries, name=before.name)
        frames = read_golden_frames(package_dir)
        others = [each for each in before.models if each.variant != entry.variant]
        at = next((n for n, each in enumerate(before.models) if each.variant == entry.variant), len(others))
        models = [*others[:at], entry, *others[at:]]
    try:
        package_dir.mkdir(parents=True, exist_ok=True)
        replace_bytes(package_dir / entry.onnx, blob)
        (package_dir / entry.expected_file).unlink(missing_ok=True)  # it is of the model before
        text = manifest_text(dataclasses.replace(entries, models=tuple(models)))
        replace_bytes(package_dir / MANIFEST, text.encode())
    except OSError as error:
        raise DataError(
            f"{package_dir} cannot be written ({error.strerror})", "check the folder and the disk"
        ) from error
    if frames:
        write_golden_frames(package_dir, frames, variant=entry.variant)
    return package_dir / entry.onnx


def _check_alike(before: ManifestEntries, entries: ManifestEntries, folder: Path) -> None:
    if before.classes != entries.classes or before.kind != entries.kind:
        raise DataError(
            f"{folder} is a package for {before.kind} of {', '.join(before.classes)}, and the new model is for"
            f" {entries.kind} of {', '.join(entries.classes)}",
            "give --out another folder",
        )


def write_golden_frames(package_dir: Path, frames: GoldenPictures, *, variant: str = "") -> list[Path]:
    """Writes the pictures that prove a runtime, and what each model finds in them.

    The pictures travel with the package, so they must be free to travel: rendered ones, never a data set's.

    Args:
        package_dir: A package with models and manifest.
        frames: The pictures, of any size that the line's camera may have.
        variant: Record this model alone; by default all of the package.

    Returns:
        The written files, one per model: per frame the detections from the model's score threshold on, best first,
        and the picture's score where the model gives one.

    Raises:
        PackageError: The package's manifest or model cannot be used.
        DataError: There is no frame, or a file cannot be written.
        DetectorError: A golden sample is missing.
    """
    entries = manifest_entries(package_dir)
    if not frames:
        raise DataError("no golden frames were given", "render at least one picture")
    (package_dir / GOLDEN_DIR).mkdir(exist_ok=True)
    for name, image, golden in frames:
        _write_png(package_dir / GOLDEN_DIR / f"{name}.png", image)
        if golden is not None:
            _write_png(package_dir / GOLDEN_DIR / _golden_name(frames, golden), golden)
    chosen = [each for each in entries.models if variant in ("", each.variant)]
    return [_record(package_dir, each, frames) for each in chosen]


def _record(package_dir: Path, entry: ModelEntry, frames: GoldenPictures) -> Path:
    expected = package_dir / entry.expected_file
    expected.unlink(missing_ok=True)
    package = load_package(package_dir, variant=entry.variant, is_draft=True)
    detector = open_detector(package, REFERENCE_RUNTIME, threads=1)
    try:
        rows = []
        for name, image, golden in frames:
            row: dict[str, Any] = {"image": f"{name}.png"}
            if golden is not None:
                row["golden"] = _golden_name(frames, golden)
            result = detector.detect(image, golden)
            row["detections"] = _as_rows([d for d in result.detections if d.score >= package.score_threshold])
            if result.picture_score is not None:
                row["picture_score"] = round(result.picture_score, 4)
            rows.append(row)
    finally:
        detector.close()
    replace_bytes(expected, (json.dumps({"frames": rows}, indent=1) + "\n").encode())
    return expected


def _golden_name(frames: GoldenPictures, golden: Image) -> str:
    """One file for all frames of one golden sample: the name of the first that has it."""
    first = next(name for name, _, other in frames if other is not None and np.array_equal(other, golden))
    return f"{first}-good.png"


def read_golden_frames(package_dir: Path) -> list[tuple[str, Image, Image | None]]:
    """Reads the pictures of a package's golden frames, to write them again for another model.

    Returns:
        As `write_golden_frames` takes them; nothing where the package has none yet.

    Raises:
        PackageError: The package cannot be used.
        DataError: A picture cannot be read.
    """
    package = _first_with_frames(package_dir)
    channels = package.spec.channels
    return [
        (
            frame.image.stem,
            read_picture(frame.image, channels),
            None if frame.golden is None else read_picture(frame.golden, channels),
        )
        for frame in package.frames
    ]


def _first_with_frames(package_dir: Path) -> Package:
    """A model of the package whose golden frames are recorded, or else its first."""
    first = load_package(package_dir, is_draft=True)
    models = (load_package(package_dir, variant=each, is_draft=True) for each in first.variants)
    return next((each for each in models if each.frames), first)


def _as_rows(detections: Sequence[Detection]) -> list[dict[str, Any]]:
    return [
        {"class": d.label, "score": round(d.score, 4), "box_px": [round(side, 2) for side in d.box_px]}
        for d in detections
    ]


def _write_png(path: Path, picture: Image) -> None:
    has_two_levels = bool(((picture == 0) | (picture == _WHITE)).all())
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, int(has_two_levels and picture.ndim == _MONO)]
    if not cv2.imwrite(str(path), picture, options):
        raise DataError(f"picture {path} cannot be written", "check the folder and the disk")
