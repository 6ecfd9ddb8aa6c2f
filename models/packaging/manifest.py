"""The text of a package's `manifest.toml` in schema 2, for whoever makes a package: export, quantization, import.

It is written in one order and one form, so the same package gives the same bytes. Nothing is checked here:
`app.detect.package.load_package` does that, and refuses what cannot be.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.detect.detector import InputSpec
from app.detect.manifest import SCHEMA, Kind, ModelTable, Precision, Role, read_manifest
from app.detect.suppress import Suppression

TOLERANCE_PX, TOLERANCE_SCORE = 1.5, 0.03
TOLERANCE_SCORE_8_BIT = 0.06
"""Sound runtimes round 8-bit models differently from CPU to CPU: 0.031 was seen. One that is not loses everything."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of a package.

    Attributes:
        role: What it is for.
        precision: What it computes in.
        onnx: Its file, relative to the package's folder.
        onnx_sha256: SHA-256 of that file, in hexadecimal.
        score_threshold: The package's own default threshold for this model.
        spec: What it takes.
        gmac: Multiplications of one picture, in 10^9, where they were counted.
        expected: What it must say of its golden frames, relative to the package's folder; by default a file of its own
            in `golden/`.
        tolerance_px: How far an edge of a golden detection may move on another runtime.
        tolerance_score: How far its score may.
    """

    role: Role
    precision: Precision
    onnx: str
    onnx_sha256: str
    score_threshold: float
    spec: InputSpec
    gmac: float | None = None
    expected: str = ""
    tolerance_px: float = TOLERANCE_PX
    tolerance_score: float = TOLERANCE_SCORE

    @property
    def variant(self) -> str:
        """What people call it, such as `standby-int8`."""
        return f"{self.role}-{self.precision}"

    @property
    def expected_file(self) -> str:
        """Where its golden frames are recorded."""
        return self.expected or f"golden/{self.variant}.json"


@dataclass(frozen=True, slots=True)
class ManifestEntries:
    """What a whole manifest says.

    Attributes:
        name: The package's name.
        version: Its version.
        kind: What its outputs mean.
        classes: Class names by index; exactly one for an anomaly model.
        models: Its models; the first is used where nobody says which.
        good_classes: Classes that mean nothing is wrong; only of a classifier.
        suppression: What is still to be done to the boxes of the graph; `None` where they are final.
    """

    name: str
    version: str
    kind: Kind
    classes: tuple[str, ...]
    models: tuple[ModelEntry, ...]
    good_classes: tuple[str, ...] = ()
    suppression: Suppression | None = None


def manifest_text(entries: ManifestEntries) -> str:
    """Writes a package's manifest in schema 2."""
    lines = [
        f"schema = {SCHEMA}",
        f"name = {_quoted(entries.name)}",
        f"version = {_quoted(entries.version)}",
        f"kind = {_quoted(entries.kind)}",
        f"classes = {_listed(entries.classes)}",
    ]
    if entries.good_classes:
        lines.append(f"good_classes = {_listed(entries.good_classes)}")
    if entries.suppression:
        lines += ["", *_output_lines(entries.suppression)]
    for model in entries.models:
        lines += ["", *_model_lines(model)]
    return "\n".join(lines) + "\n"


def manifest_entries(folder: Path) -> ManifestEntries:
    """What the manifest of a package says, of either schema, to be written again with another model.

    Raises:
        PackageError: There is none, or a key or value of it cannot be.
    """
    manifest = read_manifest(folder)
    return ManifestEntries(
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        classes=manifest.classes,
        models=tuple(_entry(model) for model in manifest.model),
        good_classes=manifest.good_classes,
        suppression=manifest.output.suppression(),
    )


def _entry(model: ModelTable) -> ModelEntry:
    frames = model.golden_frames
    return ModelEntry(
        role=model.role,
        precision=model.precision,
        onnx=model.onnx,
        onnx_sha256=model.onnx_sha256,
        score_threshold=model.score_threshold,
        spec=model.input.spec(),
        gmac=model.gmac,
        expected=frames.expected,
        tolerance_px=frames.tolerance_px,
        tolerance_score=frames.tolerance_score,
    )


def _output_lines(suppression: Suppression) -> list[str]:
    return [
        "[output]",
        f"suppress_iou = {_number(suppression.iou)}",
        f"suppress_across_classes = {_flag(suppression.is_across_classes)}",
        f"max_detections = {suppression.max_detections}",
        f"score_floor = {_number(suppression.score_floor)}",
    ]


def _model_lines(model: ModelEntry) -> list[str]:
    spec = model.spec
    lines = [
        "[[model]]",
        f"role = {_quoted(model.role)}",
        f"precision = {_quoted(model.precision)}",
        f"onnx = {_quoted(model.onnx)}",
        f"onnx_sha256 = {_quoted(model.onnx_sha256)}",
        f"score_threshold = {_number(model.score_threshold)}",
    ]
    if model.gmac is not None:
        lines.append(f"gmac = {_number(model.gmac)}")
    lines += [
        "",
        "[model.input]",
        f"width_px = {spec.width_px}",
        f"height_px = {spec.height_px}",
        f"channels = {spec.channels}",
        f"golden = {_flag(spec.is_golden)}",
        f"fit = {_quoted(spec.fit)}",
    ]
    if spec.fit in ("letterbox", "corner"):
        lines.append(f"pad_level = {spec.pad_level}")
    return [
        *lines,
        "",
        "[model.golden_frames]",
        f"expected = {_quoted(model.expected_file)}",
        f"tolerance_px = {_number(model.tolerance_px)}",
        f"tolerance_score = {_number(model.tolerance_score)}",
    ]


def _quoted(text: str) -> str:
    # TOML's basic strings take JSON's escapes but for surrogate pairs, so letters of any language stay as they are.
    return json.dumps(text, ensure_ascii=False)


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(each) for each in names)}]"


def _flag(is_on: bool) -> str:
    return str(is_on).lower()


def _number(value: float) -> str:
    return repr(float(value))
