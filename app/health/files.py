"""The kernel's files under a root folder: read with care, as any of them may be absent, empty, garbled or refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from app.health.collected import Collected

LONGEST_BYTES = 1 << 16
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV)


class Files:
    """Files below a root.

    Args:
        root: Where `sys`, `proc`, `etc` are; a folder of its own in a test.
        found: Takes the remarks.
    """

    def __init__(self, root: Path, found: Collected) -> None:
        self.root = root
        self._found = found

    def text(self, path: str | Path) -> str | None:
        """What a file says, without blanks and NULs around it; `None` where there is no such file or nothing in it.

        Args:
            path: Below the root.
        """
        whole = self.root / path
        try:
            descriptor = os.open(whole, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                data = os.read(descriptor, LONGEST_BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _ABSENT:
                self._found.remark(f"{self.named(path)} cannot be read: {error.strerror}")
            return None
        return data.decode("utf-8", "replace").strip("\0 \t\r\n") or None

    def number(self, path: str | Path) -> int | None:
        """The whole number that a file holds."""
        return self._found.parsed(self.text(path), int, of=self.named(path))

    def matching(self, pattern: str) -> Iterator[Path]:
        """Paths below the root that match, in order: hwmon10 comes after hwmon2."""
        paths = (path.relative_to(self.root) for path in self.root.glob(pattern))
        yield from sorted(paths, key=lambda path: (len(str(path)), str(path)))

    def named(self, path: str | Path) -> str:
        """A file as a person would look for it."""
        return f"/{path}"
