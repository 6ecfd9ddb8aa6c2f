"""From a checkpoint to a package: `model.onnx`, `manifest.toml`, golden frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2

from app.detect.detector import InputSpec
from app.detect.package import load_package
from app.detect.runtimes import open_detector
from app.errors import DataError
from app.types import Detection, Image
from models.data import read_picture
from models.extras import require

MODEL_FILE, MANIFEST_FILE = "model.onnx", "manifest.toml"
GOLDEN_DIR, EXPECTED_FILE = "golden", "expected.json"
REFERENCE_RUNTIME = "onnx"  # what other runtimes are compared with
_WHITE, _MONO = 255, 2
_TOLERANCE_PX, _TOLERANCE_SCORE = 1.5, 0.03


def export_package(checkpoint: Path, package_dir: Path, score_threshold: float) -> Path:
    """Writes a package's model and manifest.

    Args:
        checkpoint: A `best.pt` or `last.pt` of `models.train`; its averaged weights are used.
        package_dir: The package's folder; made if it does not exist. Golden frames already in it are kept, and what
            the new model finds in them is recorded.
        score_threshold: The recipe's default, chosen on `val`.

    Returns:
        The ONNX file.

    Raises:
        DataError: The checkpoint cannot be used, or the threshold is not between 0 and 1.
        PackageError: The folder holds a package that is broken.
        MissingDriverError: torch or onnx is not installed.
    """
    if not 0 < score_threshold < 1:
        raise DataError(f"a score threshold of {score_threshold} is not between 0 and 1", "give one such as 0.35")
    for library in ("torch", "onnx"):
        require(library, "export")
    from models.graph import build_graph  # noqa: PLC0415  (loads torch and onnx)
    from models.train import load_average  # noqa: PLC0415

    net, recipe, _step = load_average(checkpoint)
    blob = build_graph(net, recipe).SerializeToString()
    frames = read_golden_frames(package_dir) if (package_dir / MANIFEST_FILE).exists() else []
    package_dir.mkdir(parents=True, exist_ok=True)
    (package_dir / MODEL_FILE).write_bytes(blob)
    shape = recipe.input
    manifest = manifest_text(
        recipe.name,
        recipe.version,
        recipe.classes,
        InputSpec(shape.width_px, shape.height_px, shape.channels, shape.golden),
        onnx_sha256=hashlib.sha256(blob).hexdigest(),
        score_threshold=score_threshold,
    )
    (package_dir / MANIFEST_FILE).write_text(manifest, encoding="utf-8")
    if frames:
        write_golden_frames(package_dir, frames)
    return package_dir / MODEL_FILE


def manifest_text(
    name: str, version: str, classes: Sequence[str], spec: InputSpec, *, onnx_sha256: str, score_threshold: float
) -> str:
    """Writes a package's manifest (schema 1, layout `takt-peaks`)."""
    names = ", ".join(json.dumps(each) for each in classes)
    return f"""schema = 1
name = {json.dumps(name)}
version = {json.dumps(version)}
kind = "detection"
layout = "takt-peaks"
onnx = "{MODEL_FILE}"
onnx_sha256 = "{onnx_sha256}"
classes = [{names}]
score_threshold = {score_threshold}

[input]
width_px = {spec.width_px}
height_px = {spec.height_px}
channels = {spec.channels}
golden = {str(spec.is_golden).lower()}

[golden_frames]
expected = "{GOLDEN_DIR}/{EXPECTED_FILE}"
tolerance_px = {_TOLERANCE_PX}
tolerance_score = {_TOLERANCE_SCORE}
"""


def write_golden_frames(package_dir: Path, frames: Iterable[tuple[str, Image, Image | None]]) -> Path:
    """Writes the pictures that prove a runtime, and what the model finds in them.

    The pictures travel with the package, so they must be free to travel: rendered ones, never a data set's.

    Args:
        package_dir: A package with model and manifest.
        frames: Name, picture and golden sample (or None), uint8 (H, W) or (H, W, 3) of the model's input size.

    Returns:
        The written `expected.json`: per frame the detections from the manifest's score threshold on, best first.

    Raises:
        PackageError: The package's manifest or model cannot be used.
        DataError: There is no frame, or one has another size than the model's input.
        DetectorError: A golden sample is missing.
    """
    expected = package_dir / GOLDEN_DIR / EXPECTED_FILE
    expected.unlink(missing_ok=True)  # it is of the model before, which the package no longer holds
    package = load_package(package_dir, is_draft=True)
    detector = open_detector(package, REFERENCE_RUNTIME, threads=1)
    expected.parent.mkdir(exist_ok=True)
    rows = []
    for name, image, golden in frames:
        if image.shape[:2] != (package.spec.height_px, package.spec.width_px):
            raise DataError(f"golden frame {name} is not of the model's size", "render it at that size")
        row: dict[str, Any] = {"image": f"{name}.png"}
        _write_png(expected.parent / row["image"], image)
        if golden is not None:
            row["golden"] = f"{name}-good.png"
            _write_png(expected.parent / row["golden"], golden)
        found = detector.detect(image, golden).detections
        row["detections"] = _as_rows([each for each in found if each.score >= package.score_threshold])
        rows.append(row)
    if not rows:
        raise DataError("no golden frames were given", "render at least one board")
    expected.write_text(json.dumps({"frames": rows}, indent=1) + "\n", encoding="utf-8")
    return expected


def read_golden_frames(package_dir: Path) -> list[tuple[str, Image, Image | None]]:
    """Reads the pictures of a package's golden frames, to write them again for another model.

    Returns:
        As `write_golden_frames` takes them; nothing where the package has none yet.

    Raises:
        PackageError: The package cannot be used.
        DataError: A picture cannot be read.
    """
    package = load_package(package_dir, is_draft=True)
    channels = package.spec.channels
    return [
        (
            frame.image.stem,
            read_picture(frame.image, channels),
            None if frame.golden is None else read_picture(frame.golden, channels),
        )
        for frame in package.frames
    ]


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
