"""Golden frames: pictures that travel with a package, and what its model must say of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from app.config import Settings
from app.detect.manifest import MANIFEST, Manifest, ModelTable, RelativePath, Share
from app.errors import ConfigError, PackageError
from app.toml import validated
from app.types import Detection

MAX_EXPECTED_BYTES = 10_000_000

Pixels = Annotated[float, Field(ge=-16_384, le=16_384)]


class _ExpectedDetection(Settings):
    label: str = Field(alias="class")
    score: Share
    box_px: tuple[Pixels, Pixels, Pixels, Pixels]


class _ExpectedFrame(Settings):
    image: RelativePath
    golden: RelativePath | None = None
    detections: tuple[_ExpectedDetection, ...]
    picture_score: Share | None = None


class _Expected(Settings):
    frames: tuple[_ExpectedFrame, ...] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A picture and what the model must say of it.

    Attributes:
        image: The picture.
        golden: Its golden sample, where the model wants one.
        detections: What must be found at or above the package's threshold, boxes in pixels of the picture.
        picture_score: What it must say of the picture as a whole (`Result.picture_score`); `None` if that was not
            recorded.
    """

    image: Path
    golden: Path | None
    detections: tuple[Detection, ...]
    picture_score: float | None = None


def read_frames(folder: Path, manifest: Manifest, model: ModelTable, *, is_draft: bool) -> tuple[GoldenFrame, ...]:
    """Reads what one model of a package must say of its golden frames.

    Args:
        folder: The package's folder.
        manifest: Its manifest.
        model: The model of it.
        is_draft: The frames may still have to be recorded.

    Raises:
        PackageError: A file is absent, unreadable or outside the folder, a class is not the package's, or there is no
            frame.
    """
    relative = model.golden_frames.expected
    if is_draft and not (folder / relative).exists():
        return ()
    path = inside(folder, folder, relative)
    try:
        expected = validated(_Expected, _read_json(path), str(path))
    except ConfigError as error:
        raise PackageError(error.what, error.mend) from error
    if not expected.frames and not is_draft:
        raise PackageError(f"{path} holds no golden frame", "record at least one: nothing else proves a runtime right")
    return tuple(_golden_frame(folder, path, frame, manifest, model) for frame in expected.frames)


def inside(folder: Path, start: Path, relative: str) -> Path:
    """The file `relative` to `start`, which must lie in the package, links followed.

    Raises:
        PackageError: It lies outside, or there is no such file.
    """
    path = start / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise PackageError(f"{folder} names {relative!r}, which lies outside the package", "keep all files inside it")
    if not path.is_file():
        raise PackageError(f"{path} is missing", "restore the whole package")
    return path


def _golden_frame(
    folder: Path, path: Path, frame: _ExpectedFrame, manifest: Manifest, model: ModelTable
) -> GoldenFrame:
    unknown = sorted({each.label for each in frame.detections} - set(manifest.classes))
    if unknown:
        raise PackageError(
            f"{path} expects the class {unknown[0]!r} on {frame.image}, which {MANIFEST} does not have",
            "record the golden frames again",
        )
    if model.input.golden and frame.golden is None:
        raise PackageError(f"{path} gives {frame.image} no golden sample", 'add "golden", as the model wants one')
    return GoldenFrame(
        image=inside(folder, path.parent, frame.image),
        golden=inside(folder, path.parent, frame.golden) if frame.golden else None,
        detections=tuple(Detection(each.label, each.score, each.box_px) for each in frame.detections),
        picture_score=frame.picture_score,
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
