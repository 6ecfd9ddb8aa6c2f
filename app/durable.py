"""Files that survive a power cut: on the disk before anything names them, and replaced as a whole.

A rename is on the disk only when the folder is, and it may get there before the content of the file that it names.
"""

from __future__ import annotations

import os
from pathlib import Path

READABLE = 0o644
"""Whoever writes may have another mask than the stations that read, and be another user."""


def sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk.

    Raises:
        OSError: It cannot be opened or written.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Renames within one disk; a folder must not stand in the way, a file is replaced.

    Raises:
        OSError: It cannot be done.
    """
    source.replace(target)
    sync(target.parent)
    if source.parent != target.parent:
        sync(source.parent)


def replace_text(path: Path, text: str) -> None:
    """Replaces a file by a text, as `replace_bytes` does."""
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Replaces a file that everybody may read: a power cut leaves the old one or the new one, never half of one.

    The caller sees to it that nobody else replaces it at the same time.

    Raises:
        OSError: It cannot be written; the old one is unchanged.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), READABLE)
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)
