"""A block of bytes of which only the newest version counts: the status of a station.

There are two places. The writer fills the one that nobody reads and then publishes it by one store of 8 bytes, so a
writer that is killed leaves the version before. Readers take no lock and the writer does not notice them; who is
overtaken while copying sees it by the CRC, and copies again.
"""

from __future__ import annotations

import struct
import time
import zlib
from contextlib import closing
from pathlib import Path

from app.bus.segment import FIRST_WORD, HEADER_BYTES, Kind, open_to_read, open_to_write, other_geometry
from app.errors import BusError

_HEAD = struct.Struct("=QII")
_SEED = struct.Struct("=QI")
_AT_VERSION = FIRST_WORD
_ATTEMPTS = 200
_PATIENT_FROM = 20
_PAUSE_S = 0.0001


def _space_of(size: int) -> int:
    return (_HEAD.size + size + 63) & ~63


LAYOUT = Kind("block", 1, lambda geometry: HEADER_BYTES + 2 * _space_of(geometry[0]))


def _check_of(value: bytes, version: int) -> int:
    return zlib.crc32(value, zlib.crc32(_SEED.pack(version, len(value))))


class BlockWriter:
    """The one writer of a block. Belongs to one thread.

    Args:
        path: The block.
        size: The most bytes of a value.

    Attributes:
        replaced: What lay there and could not be used, with the reason; empty where nothing did.

    Raises:
        BusError: Another process writes it, or it cannot be made.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._segment = open_to_write(path, LAYOUT, (size,), lambda there: other_geometry(there, (size,)))
        self._size = size
        self._version = self._segment.words[_AT_VERSION]
        self.replaced = self._segment.replaced

    def write(self, value: bytes) -> None:
        """Publishes a new version.

        Raises:
            BusError: It is larger than the block; the version before stays.
        """
        if len(value) > self._size:
            raise BusError(f"{len(value)} bytes do not fit into {self._segment.path}", f"write at most {self._size}")
        version = self._version + 1
        start = HEADER_BYTES + (version & 1) * _space_of(self._size)
        memory = self._segment.memory
        _HEAD.pack_into(memory, start, version, len(value), _check_of(value, version))
        memory[start + _HEAD.size : start + _HEAD.size + len(value)] = value
        self._segment.fence()
        self._segment.words[_AT_VERSION] = self._version = version

    def close(self) -> None:
        """Lets go of the block; its value stays. Idempotent."""
        self._segment.close()


class BlockReader:
    """A reader of a block, one of any number. Follows by itself when a writer puts another block in its place.

    Args:
        path: The block.

    Raises:
        BusError: There is no block, or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segment = open_to_read(path, LAYOUT)

    def read(self) -> bytes | None:
        """The newest value; `None` where none was written yet, or none can be had whole."""
        if self._segment.is_retired:
            self._follow()
        for attempt in range(_ATTEMPTS):
            version = self._segment.words[_AT_VERSION]
            if version == 0:
                return None
            self._segment.fence()
            value = self._copy(version)
            if value is not None:
                return value
            if attempt >= _PATIENT_FROM:
                time.sleep(_PAUSE_S)
        return None

    def close(self) -> None:
        """Lets go of the block. Idempotent."""
        self._segment.close()

    def _follow(self) -> None:
        try:
            segment = open_to_read(self._path, LAYOUT)
        except BusError:  # its writer died just now; the next one makes it
            return
        self._segment.close()
        self._segment = segment

    def _copy(self, version: int) -> bytes | None:
        memory, size = self._segment.memory, self._segment.geometry[0]
        start = HEADER_BYTES + (version & 1) * _space_of(size)
        found, length, check = _HEAD.unpack_from(memory, start)
        if found != version or length > size:
            return None
        value = memory[start + _HEAD.size : start + _HEAD.size + length]
        return value if _check_of(value, version) == check else None


def read_block(path: Path) -> bytes | None:
    """The newest value of a block that is read this once; `None` as in `BlockReader.read`.

    Args:
        path: The block's file.

    Raises:
        BusError: There is no such block, or it cannot be read.
    """
    with closing(BlockReader(path)) as block:
        return block.read()
