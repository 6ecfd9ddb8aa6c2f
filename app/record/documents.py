"""The settings, recipes and model manifests that verdicts were reached under, kept by what they say.

A document is a file named by the SHA-256 of its content, so the same text is kept once, and the hash that a `STARTED`
event carries finds the very text.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from app.durable import replace_text
from app.errors import RecordError

_HASH = re.compile(r"^[0-9a-f]{64}$")


def hash_of(text: str) -> str:
    """The SHA-256 of a text as UTF-8, in hexadecimal: the name under which it is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def keep(folder: Path, text: str) -> str:
    """Keeps a text; one that is kept already stays as it is.

    Args:
        folder: The folder of documents; made where it is missing.
        text: The text.

    Returns:
        Its hash.

    Raises:
        RecordError: It cannot be written.
    """
    name = hash_of(text)
    path = folder / name[:2] / name
    if find(folder, name) is not None:
        return name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text)
    except OSError as error:
        if find(folder, name) is None:  # else another process has kept it at the same time
            mend = "make room, or check the folder"
            raise RecordError(f"{path} cannot be written: {error.strerror}", mend) from error
    return name


def find(folder: Path, sha256: str) -> str | None:
    """The text with this hash.

    Args:
        folder: The folder of documents.
        sha256: The hash in hexadecimal.

    Returns:
        The text; `None` where it is not kept, or is not what it was any more.

    Raises:
        RecordError: It is there and cannot be read.
    """
    if not _HASH.match(sha256):
        return None
    path = folder / sha256[:2] / sha256
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}", "check its owner") from error
    return content.decode() if hashlib.sha256(content).hexdigest() == sha256 else None
