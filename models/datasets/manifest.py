"""`manifest.json` of a data set: what it holds, file by file, and where that came from.

The hash of the whole set is SHA-256 over a line "<sha256>  <path>" per file in path order, as `sha256sum` writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.errors import DataError

MANIFEST = "manifest.json"
SCHEMA = 1
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a data set.

    Attributes:
        path: Inside the set, with forward slashes.
        sha256: Of its content.
        bytes: Its length.
        split: "train", "val" or "test".
        group: Number of the pictures that must stay together; None for a file that is no picture.
        boxes: Boxes in the picture; None for a file that is no picture.
        source: The picture's name in the source; empty for a file that is no picture.
    """

    path: str
    sha256: str
    bytes: int
    split: str
    group: int | None = None
    boxes: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a data set says of itself.

    Attributes:
        tool: What wrote it, with its version.
        format: The source's format.
        source: The source's name.
        terms: Under which terms its pictures may be used.
        split: The shares asked for, or "keep".
        seed: Of the split.
        classes: Class names.
        files: Every file but the manifest.
        set_sha256: Hash of the whole set.
    """

    tool: str
    format: str
    source: str
    terms: str
    split: str
    seed: int
    classes: tuple[str, ...]
    files: tuple[ListedFile, ...]
    set_sha256: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not as its manifest has it: how ("changed", "missing" or "extra"), and which."""

    kind: str
    path: str


def set_hash(files: Iterable[ListedFile]) -> str:
    """The hash of a whole set."""
    lines = (f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda each: each.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        DataError: It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check its permissions") from error
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.json`."""
    values = {"schema": SCHEMA, **asdict(manifest)}
    (folder / MANIFEST).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """Reads `manifest.json`; None where there is none.

    Raises:
        DataError: It cannot be read or is of another schema.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        if values.pop("schema") != SCHEMA:
            raise DataError(f"{path} is of another version", "read it with the version that wrote it")
        files = tuple(ListedFile(**row) for row in values.pop("files"))
        return Manifest(files=files, **{**values, "classes": tuple(values["classes"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a manifest ({error})", "import the data set again") from error


def differences(folder: Path, manifest: Manifest, among: Sequence[str]) -> tuple[Difference, ...]:
    """Compares a data set with its manifest.

    Args:
        folder: The data set.
        manifest: Its manifest.
        among: Folders in which a file that is not listed is too many.

    Raises:
        DataError: A file cannot be read.
    """
    found = []
    for file in manifest.files:
        path = folder / file.path
        if not path.is_file():
            found.append(Difference("missing", file.path))
        elif path.stat().st_size != file.bytes or file_hash(path) != file.sha256:
            found.append(Difference("changed", file.path))
    listed = {file.path for file in manifest.files}
    for name in among:
        paths = (path.relative_to(folder).as_posix() for path in (folder / name).rglob("*") if path.is_file())
        found += [Difference("extra", path) for path in sorted(paths) if path not in listed]
    if manifest.set_sha256 != set_hash(manifest.files):
        found.append(Difference("changed", MANIFEST))
    return tuple(found)
