"""Folders that are filled beside their place and moved there whole, so that nobody meets half of one.

A process that is killed leaves its draft behind. Whoever makes a draft for the same place next takes such ones away: a
draft is locked as long as its maker lives (flock(2), which the kernel lifts from a dead process), so that the draft of
one that is still at work stays.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".takt-draft"

_READABLE = 0o755


@contextmanager
def draft_of(out: Path) -> Iterator[Path]:
    """A folder beside `out`, for its content; gone afterwards unless it was moved.

    Args:
        out: Where the finished folder shall be; the folders above it are made.

    Raises:
        OSError: The folder cannot be made.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    clear_orphans(out)
    draft, lock = _made(out)
    try:
        draft.chmod(_READABLE)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(lock)


def clear_orphans(out: Path) -> None:
    """Takes away drafts of this place whose makers are dead."""
    start = f".{out.name}."
    with suppress(OSError):
        for path in out.parent.iterdir():
            if path.name.startswith(start) and path.name.endswith(SUFFIX) and not path.is_symlink():
                _clear(path)


def _made(out: Path) -> tuple[Path, int]:
    """A new draft, and the descriptor whose lock says that its maker lives."""
    while True:
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=SUFFIX, dir=out.parent))
        with suppress(FileNotFoundError):  # another maker took it for an orphan before it was locked
            lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # without locks, as on some network disks, no orphan is ever taken away
                fcntl.flock(lock, fcntl.LOCK_EX)
            if draft.is_dir():
                return draft, lock
            os.close(lock)


def _clear(path: Path) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)
