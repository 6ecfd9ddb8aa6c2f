"""Looking at a camera without taking part: the newest frame is copied, and nobody notices.

Whoever looks takes no slot and no lock. A copy during which the writer came along is seen by the frame's number, and by
the slot that the writer says it is filling, and is thrown away.

Someone who looks also leaves a wish beside the slots: while it holds, the capture process shows pictures in a file of
their own, which the station never sees (`app.capture.looking`).
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from app.bus.block import BlockReader, BlockWriter
from app.bus.segment import Segment, open_to_read
from app.bus.slot_table import LAYOUT, SlotTable
from app.clock import NS_PER_S
from app.errors import BusError
from app.types import Frame

LONGEST_WISH_NS = 2 * NS_PER_S
"""A wish holds so long at most: who has gone does not say so."""

_ATTEMPTS = 8
_UNTIL = struct.Struct("=q")


def wish_beside(frames: Path) -> Path:
    """Where those who look say so.

    Args:
        frames: The camera's slots, `Place.frames`.
    """
    return frames.with_suffix(".look")


def looked_beside(frames: Path) -> Path:
    """Where the pictures are that were taken for those who look.

    Args:
        frames: The camera's slots, `Place.frames`.
    """
    return frames.with_suffix(".looked")


def _keep() -> None:
    """Releases nothing: the frame is a copy."""


class Peek:
    """Looks at the newest frame of some slots, which may not be there yet and may be replaced. Belongs to one thread.

    Args:
        path: The slots.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segment: Segment | None = None
        self._table: SlotTable | None = None
        self._inode = 0

    def newest(self, known: int = 0) -> Frame | None:
        """Copies the newest frame.

        Args:
            known: The `generation` of a copy that is known already.

        Returns:
            A frame of its own memory. Its `generation` names the picture, and no other one of this camera. `None` where
            there is none, where it is the known one, or where the writer was faster each time.
        """
        table = self._current()
        if table is None:
            return None
        for _ in range(_ATTEMPTS):
            slot = table.newest()
            name = table.name_of(slot) if slot >= 0 else known
            if name == known or slot < 0:
                return None
            table.segment.fence()
            frame = table.frame(slot, 0)
            copied = replace(frame, image=frame.image.copy(), slot=-1, generation=name, release=_keep)
            table.segment.fence()
            if table.filling == slot:
                continue
            table.segment.fence()
            if table.name_of(slot) == name:
                return copied
        return None

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        if self._segment is not None:
            self._segment.close()
        self._segment = self._table = None

    def _current(self) -> SlotTable | None:
        try:
            inode = self._path.stat().st_ino
        except OSError:
            self.close()
            return None
        if self._segment is None or self._segment.is_retired or inode != self._inode:
            self.close()
            try:
                self._segment = open_to_read(self._path, LAYOUT)
            except BusError:
                return None
            self._inode = inode
            self._table = SlotTable(self._segment, is_writing=False)
        return self._table


class Wish:
    """Says that somebody looks at a camera. One process writes it.

    Args:
        path: `wish_beside` the camera's slots.

    Raises:
        BusError: Another process writes it, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._block = BlockWriter(path, _UNTIL.size)

    def renew(self, now_ns: int) -> None:
        """Somebody looks now, and for `LONGEST_WISH_NS`."""
        self._block.write(_UNTIL.pack(now_ns + LONGEST_WISH_NS))

    def close(self) -> None:
        """Lets go of the file; the wish runs out by itself. Idempotent."""
        self._block.close()


class WishReader:
    """Knows whether somebody looks at a camera.

    Args:
        path: `wish_beside` the camera's slots.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._block: BlockReader | None = None

    def is_fresh(self, now_ns: int) -> bool:
        """Somebody looks. A wish that reaches too far ahead is none: it would never end."""
        if self._block is None and not self._path.exists():
            return False
        try:
            self._block = self._block or BlockReader(self._path)
            said = self._block.read() or b""
        except BusError:
            self.close()
            return False
        return len(said) == _UNTIL.size and 0 < _UNTIL.unpack(said)[0] - now_ns <= LONGEST_WISH_NS

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        if self._block is not None:
            self._block.close()
        self._block = None
