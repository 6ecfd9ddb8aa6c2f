"""A sign of life: a number in a file of the bus that a process counts up as its loop goes round."""

from __future__ import annotations

import os
from pathlib import Path

from app.bus.notify import Notifier
from app.bus.place import FILE_MODE, trouble_at

_BYTES = 8


def beat_path(root: Path, name: str) -> Path:
    """Where a process of the table shows that it lives.

    Args:
        root: The bus folder.
        name: The row's name.
    """
    return root / f"{name}.alive"


class Beat:
    """What a loop calls each time that it has gone round; one write of eight bytes to memory.

    To be called by the loop itself: a thread of its own would go on while the loop hangs.

    Args:
        path: The file, from `beat_path`.
        notifier: Shows the same to systemd.

    Raises:
        BusError: It cannot be written.
    """

    def __init__(self, path: Path, notifier: Notifier | None = None) -> None:
        self._count = 0
        self._notifier = notifier
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        except OSError as error:
            raise trouble_at(path, error) from error
        # Goes on from where its predecessor was, so that the first beat is a change too.
        self._count = int.from_bytes(os.pread(self._file, _BYTES, 0), "little")

    def beat(self) -> None:
        """Counts one up."""
        self._count = (self._count + 1) % (1 << 63)
        os.pwrite(self._file, self._count.to_bytes(_BYTES, "little"), 0)
        if self._notifier is not None:
            self._notifier.alive()

    def close(self) -> None:
        """Lets the file go; it stays. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
