"""What `manifest.toml` of a model package may say, in both of its schemas.

Schema 2 holds one or more models of one task, each with its own file, input and golden frames. Schema 1 held one model
at the top level; it is read as a package of schema 2 with that one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.config import Name, Settings
from app.detect.decode import SCORE_FLOOR
from app.detect.detector import PAD_LEVEL, Fit, InputSpec
from app.detect.suppress import Suppression
from app.errors import ConfigError, PackageError
from app.toml import read_toml, validated

MANIFEST = "manifest.toml"
SCHEMA = 2

Kind = Literal["detection", "classification", "anomaly"]
Role = Literal["accelerator", "standby"]
Precision = Literal["fp32", "fp16", "int8"]

# People write class names in any language, and data sets write whole phrases: only what cannot be shown is refused.
ClassName = Annotated[str, Field(max_length=100, pattern=r"^[^\s\p{C}](?:[^\p{C}]*[^\s\p{C}])?$")]
RelativePath = Annotated[str, Field(min_length=1, max_length=200)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class InputTable(Settings):
    """`[model.input]`: what one model takes."""

    width_px: int = Field(ge=8, le=16_384)
    height_px: int = Field(ge=8, le=16_384)
    channels: Literal[1, 3] = 1
    golden: bool = False
    fit: Fit = "stretch"
    pad_level: int = Field(PAD_LEVEL, ge=0, le=255)

    def spec(self) -> InputSpec:
        """The same as a value that crosses rooms."""
        return InputSpec(self.width_px, self.height_px, self.channels, self.golden, self.fit, self.pad_level)


class GoldenFramesTable(Settings):
    """`[model.golden_frames]`: what proves one model, and how far another runtime may differ."""

    expected: RelativePath = "golden/expected.json"
    tolerance_px: float = Field(1.5, ge=0, le=20)
    tolerance_score: float = Field(0.03, ge=0, le=0.2)


class OutputTable(Settings):
    """`[output]`: what is still to be done to the boxes that the graph gives."""

    suppress_iou: Share | None = None
    suppress_across_classes: bool = False
    max_detections: int = Field(300, ge=1, le=1000)
    score_floor: Share = SCORE_FLOOR

    @model_validator(mode="after")
    def _does_something(self) -> OutputTable:
        if self.suppress_iou is None and self.model_fields_set:
            named = ", ".join(sorted(self.model_fields_set))
            raise ValueError(f"{named} has no effect without suppress_iou: add that, or leave [output] out")
        return self

    def suppression(self) -> Suppression | None:
        """The same as a value that crosses rooms; `None` where the boxes of the graph are final."""
        if self.suppress_iou is None:
            return None
        return Suppression(
            iou=self.suppress_iou,
            is_across_classes=self.suppress_across_classes,
            max_detections=self.max_detections,
            score_floor=self.score_floor,
        )


class ModelTable(Settings):
    """`[[model]]`: one model of the package."""

    role: Role
    precision: Precision
    onnx: RelativePath
    onnx_sha256: Digest
    score_threshold: Share
    gmac: float | None = Field(None, gt=0, le=1_000_000)
    input: InputTable
    golden_frames: GoldenFramesTable = GoldenFramesTable()

    @property
    def variant(self) -> str:
        """What people call it, such as `standby-int8`."""
        return f"{self.role}-{self.precision}"


class Manifest(Settings):
    """A whole `manifest.toml` of schema 2."""

    schema_version: Literal[2] = Field(2, alias="schema")
    name: Name
    version: Name
    kind: Kind
    classes: tuple[ClassName, ...] = Field(min_length=1, max_length=1000)
    good_classes: tuple[ClassName, ...] = ()
    output: OutputTable = OutputTable()
    model: tuple[ModelTable, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _fits_together(self) -> Manifest:
        problems = [*_class_problems(self), *_kind_problems(self), *_model_problems(self)]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def variants(self) -> tuple[str, ...]:
        """Every model of the package, in order."""
        return tuple(each.variant for each in self.model)


class _FirstManifest(Settings):
    """Schema 1: one float model, pictures stretched, boxes final."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: Name
    version: Name
    kind: Literal["detection"]
    layout: Literal["takt-peaks"]
    onnx: RelativePath
    onnx_sha256: Digest
    classes: tuple[ClassName, ...] = Field(min_length=1, max_length=1000)
    score_threshold: Share
    input: InputTable
    golden_frames: GoldenFramesTable = GoldenFramesTable()


def read_manifest(folder: Path) -> Manifest:
    """Reads `manifest.toml` of a package.

    Raises:
        PackageError: There is none, it cannot be read, or a key or value of it cannot be.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise PackageError(f"{folder} is no folder with a model package", f"name a folder that holds {MANIFEST}")
    try:
        values = read_toml(path)
        return _first(values, path) if values.get("schema", 1) == 1 else _second(values, path)
    except ConfigError as error:
        raise PackageError(error.what, error.mend) from error


def _second(values: dict[str, Any], path: Path) -> Manifest:
    if values["schema"] != SCHEMA:
        raise PackageError(
            f"{path} has schema = {values['schema']!r}, which this version of Takt does not know",
            f"install a newer takt-inspect, or write the package in schema {SCHEMA}",
        )
    return validated(Manifest, values, str(path))


def _first(values: dict[str, Any], path: Path) -> Manifest:
    old = validated(_FirstManifest, values, str(path))
    model = ModelTable(
        role="accelerator",
        precision="fp32",
        onnx=old.onnx,
        onnx_sha256=old.onnx_sha256,
        score_threshold=old.score_threshold,
        input=old.input,
        golden_frames=old.golden_frames,
    )
    whole = {"name": old.name, "version": old.version, "kind": old.kind, "classes": old.classes, "model": (model,)}
    return validated(Manifest, whole, str(path))


def _class_problems(manifest: Manifest) -> list[str]:
    return [f"classes names {each!r} twice" for each in sorted(_twice(manifest.classes))]


def _kind_problems(manifest: Manifest) -> list[str]:
    problems = []
    if manifest.kind != "detection" and manifest.output.suppress_iou is not None:
        problems.append(f"[output] is for detection, and kind is {manifest.kind!r}")
    if manifest.kind == "anomaly" and len(manifest.classes) != 1:
        problems.append("an anomaly model has exactly one class, what its findings are called")
    if manifest.kind != "classification" and manifest.good_classes:
        problems.append(f"good_classes is for classification, and kind is {manifest.kind!r}")
    problems += [
        f"good_classes names {each!r}, which classes does not have"
        for each in sorted(set(manifest.good_classes) - set(manifest.classes))
    ]
    if set(manifest.classes) <= set(manifest.good_classes):
        problems.append("good_classes holds every class: nothing could ever be found")
    return problems


def _model_problems(manifest: Manifest) -> list[str]:
    twice = sorted(_twice(manifest.variants))
    return [f"two models are {each}: give each its own role and precision" for each in twice]


def _twice(names: tuple[str, ...]) -> set[str]:
    return {each for each in names if names.count(each) > 1}
