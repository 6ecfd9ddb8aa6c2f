"""Files that commands write: whole or not at all, and never over what the command reads."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.errors import UsageError


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file through a draft beside it, so that nobody ever sees half of it.

    Raises:
        UsageError: It cannot be written; what was there before is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".draft", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(draft).chmod(0o666 & ~_umask())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another place, or make room") from error


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file whole; raises as `write_whole` does."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuses, before any work, what would overwrite an input or cannot be written.

    Args:
        outputs: Every file that the command will write.
        inputs: Every file that it reads.

    Raises:
        UsageError: An output is an input, is written twice, is a folder, or lies where nothing can be written.
    """
    read = {path.resolve() for path in inputs}
    written: set[Path] = set()
    for path in outputs:
        identity = path.resolve()
        if identity in read:
            raise UsageError(f"{path} would be overwritten, and the command reads it", "write somewhere else")
        if identity in written:
            raise UsageError(f"{path} would be written twice", "give each output a place of its own")
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "name a file to write")
        written.add(identity)
        _check_writable(path)


def _check_writable(path: Path) -> None:
    place = path.parent
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{path} cannot be written: {place} is no folder", "name another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"{path} cannot be written: no permission in {place}", "name another place")


def _umask() -> int:
    # There is no way to ask for the mask but to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
