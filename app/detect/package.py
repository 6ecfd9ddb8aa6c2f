"""Model packages: a folder with `manifest.toml`, the ONNX file, golden frames and a card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from app.config import Name, Settings
from app.detect.detector import InputSpec
from app.errors import ConfigError, PackageError
from app.toml import read_toml, validated
from app.types import Detection

MANIFEST = "manifest.toml"
CARD = "card.md"
MAX_ONNX_BYTES = 2_000_000_000
MAX_EXPECTED_BYTES = 10_000_000

RelativePath = Annotated[str, Field(min_length=1, max_length=200)]
Pixels = Annotated[float, Field(ge=-16_384, le=16_384)]


class _Input(Settings):
    width_px: int = Field(ge=8, le=16_384)
    height_px: int = Field(ge=8, le=16_384)
    channels: Literal[1, 3] = 1
    golden: bool = False


class _GoldenFrames(Settings):
    expected: RelativePath = "golden/expected.json"
    tolerance_px: float = Field(1.5, ge=0, le=20)
    tolerance_score: float = Field(0.03, ge=0, le=0.2)


class _Manifest(Settings):
    schema_version: Literal[1] = Field(1, alias="schema")
    name: Name
    version: Name
    kind: Literal["detection"]
    layout: Literal["takt-peaks"]
    onnx: RelativePath
    onnx_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    classes: tuple[Name, ...] = Field(min_length=1, max_length=1000)
    score_threshold: float = Field(ge=0, le=1)
    input: _Input
    golden_frames: _GoldenFrames = _GoldenFrames()


class _ExpectedDetection(Settings):
    label: str = Field(alias="class")
    score: float = Field(ge=0, le=1)
    box_px: tuple[Pixels, Pixels, Pixels, Pixels]


class _ExpectedFrame(Settings):
    image: RelativePath
    golden: RelativePath | None = None
    detections: tuple[_ExpectedDetection, ...]


class _Expected(Settings):
    frames: tuple[_ExpectedFrame, ...] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A picture and what the model must say of it.

    Attributes:
        image: The picture.
        golden: Its golden sample, where the model wants one.
        detections: What must be found at or above the package's threshold, boxes in pixels of the picture.
    """

    image: Path
    golden: Path | None
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A model package whose manifest, hash and golden frames were read and fit together.

    Attributes:
        folder: Where it lies.
        name: Its name.
        version: Its version.
        layout: How its outputs are to be read.
        onnx: The ONNX file.
        onnx_sha256: SHA-256 of that file, in hexadecimal.
        classes: Class names by index.
        score_threshold: The threshold its golden frames were recorded at; recipes have their own.
        spec: What it takes.
        frames: Its golden frames; empty only in a draft.
        tolerance_px: How far an edge of a golden detection may move on another runtime.
        tolerance_score: How far its score may.
    """

    folder: Path
    name: str
    version: str
    layout: str
    onnx: Path
    onnx_sha256: str
    classes: tuple[str, ...]
    score_threshold: float
    spec: InputSpec
    frames: tuple[GoldenFrame, ...]
    tolerance_px: float
    tolerance_score: float

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / CARD

    def read_onnx(self) -> bytes:
        """The bytes of the ONNX file, which are those that the manifest names.

        Raises:
            PackageError: The file is absent, too large, or another one.
        """
        try:
            if self.onnx.stat().st_size > MAX_ONNX_BYTES:
                raise PackageError(f"{self.onnx} is larger than {MAX_ONNX_BYTES} bytes", "export a smaller model")
            content = self.onnx.read_bytes()
        except OSError as error:
            raise PackageError(f"{self.onnx} cannot be read: {error.strerror}", "restore the whole package") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.onnx_sha256:
            raise PackageError(
                f"{self.onnx} is not the file that {MANIFEST} names (its SHA-256 begins {found[:12]}, not"
                f" {self.onnx_sha256[:12]})",
                "restore the whole package, or export it again",
            )
        return content


def load_package(folder: Path, *, is_draft: bool = False) -> Package:
    """Reads a package and checks everything that can be checked without running it.

    Args:
        folder: The package's folder.
        is_draft: Accept a package whose golden frames are still to be recorded; it cannot be proven.

    Raises:
        PackageError: A file is absent, unreadable or outside the folder, a key or value cannot be, the ONNX file has
            another hash, or there is no golden frame.
    """
    if not folder.is_dir():
        raise PackageError(f"{folder} is no folder with a model package", f"name a folder that holds {MANIFEST}")
    path = folder / MANIFEST
    try:
        manifest = validated(_Manifest, read_toml(path), str(path))
    except ConfigError as error:
        raise PackageError(error.what, error.mend) from error
    package = Package(
        folder=folder,
        name=manifest.name,
        version=manifest.version,
        layout=manifest.layout,
        onnx=_inside(folder, folder, manifest.onnx),
        onnx_sha256=manifest.onnx_sha256,
        classes=_distinct(manifest.classes, path),
        score_threshold=manifest.score_threshold,
        spec=InputSpec(
            manifest.input.width_px, manifest.input.height_px, manifest.input.channels, manifest.input.golden
        ),
        frames=_read_frames(folder, manifest, is_draft=is_draft),
        tolerance_px=manifest.golden_frames.tolerance_px,
        tolerance_score=manifest.golden_frames.tolerance_score,
    )
    package.read_onnx()
    return package


def _distinct(classes: tuple[str, ...], path: Path) -> tuple[str, ...]:
    twice = sorted({each for each in classes if classes.count(each) > 1})
    if twice:
        raise PackageError(f"{path} names the class {twice[0]!r} twice", "give every class a name of its own")
    return classes


def _inside(folder: Path, start: Path, relative: str) -> Path:
    """The file `relative` to `start`, which must lie in the package, links followed."""
    path = start / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise PackageError(f"{folder} names {relative!r}, which lies outside the package", "keep all files inside it")
    if not path.is_file():
        raise PackageError(f"{path} is missing", "restore the whole package")
    return path


def _read_frames(folder: Path, manifest: _Manifest, *, is_draft: bool) -> tuple[GoldenFrame, ...]:
    relative = manifest.golden_frames.expected
    if is_draft and not (folder / relative).exists():
        return ()
    path = _inside(folder, folder, relative)
    try:
        expected = validated(_Expected, _read_json(path), str(path))
    except ConfigError as error:
        raise PackageError(error.what, error.mend) from error
    if not expected.frames and not is_draft:
        raise PackageError(f"{path} holds no golden frame", "record at least one: nothing else proves a runtime right")
    return tuple(_golden_frame(folder, path, frame, manifest) for frame in expected.frames)


def _golden_frame(folder: Path, path: Path, frame: _ExpectedFrame, manifest: _Manifest) -> GoldenFrame:
    unknown = sorted({each.label for each in frame.detections} - set(manifest.classes))
    if unknown:
        raise PackageError(
            f"{path} expects the class {unknown[0]!r} on {frame.image}, which {MANIFEST} does not have",
            "record the golden frames again",
        )
    if manifest.input.golden and frame.golden is None:
        raise PackageError(f"{path} gives {frame.image} no golden sample", 'add "golden", as the model wants one')
    return GoldenFrame(
        image=_inside(folder, path.parent, frame.image),
        golden=_inside(folder, path.parent, frame.golden) if frame.golden else None,
        detections=tuple(Detection(each.label, each.score, each.box_px) for each in frame.detections),
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_EXPECTED_BYTES:
            raise PackageError(f"{path} is larger than {MAX_EXPECTED_BYTES} bytes", "keep fewer golden frames")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PackageError(f"{path} cannot be read: {error.strerror}", "restore the whole package") from error
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{path} is not valid JSON: {error}", "record the golden frames again") from error
    if not isinstance(content, dict):
        raise PackageError(f"{path} holds no JSON object", "record the golden frames again")
    return content
