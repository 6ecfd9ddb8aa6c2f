"""A ZIP file that is written while it is read, with the hash of each of its members; memory stays flat."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo


@dataclass(frozen=True, slots=True)
class Packed:
    """A member of a ZIP file.

    Attributes:
        name: Its name.
        size: Its bytes, before they were packed.
        sha256: Its hash, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


class Sink(io.RawIOBase):
    """What an archive writes to: it cannot go back, and is emptied as it fills.

    Attributes:
        size: Bytes that wait in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.size = 0
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, content: Any) -> int:
        """Takes bytes; how many."""
        self._parts.append(bytes(content))
        self.size += len(content)
        return len(content)

    def take(self) -> bytes:
        """Empties it."""
        parts, self._parts, self.size = self._parts, [], 0
        return b"".join(parts)


class ZipStream:
    """Packs members one after another.

    Args:
        wall: The time that they carry.

    Attributes:
        members: Those that are in it.
    """

    def __init__(self, wall: datetime) -> None:
        self.members: list[Packed] = []
        self._date = (max(1980, wall.year), wall.month, wall.day, wall.hour, wall.minute, wall.second)
        self._sink = Sink()
        self._archive = ZipFile(self._sink, "w")

    def add(self, name: str, pieces: Iterable[bytes], *, is_packed: bool = False) -> Iterator[bytes]:
        """Adds a member. Where its pieces raise, it holds those before, and what they raise is passed on.

        Args:
            name: Its name; one that is there already gets a number.
            pieces: Its content.
            is_packed: Packing it again makes it no smaller, as with pictures.

        Yields:
            What of the file is done.
        """
        info = ZipInfo(self._free(name), self._date)
        info.compress_type = ZIP_STORED if is_packed else ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        digest, size = hashlib.sha256(), 0
        try:
            with self._archive.open(info, "w", force_zip64=True) as target:
                for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    target.write(piece)
                    if self._sink.size:
                        yield self._sink.take()
        finally:
            self.members.append(Packed(info.filename, size, digest.hexdigest()))

    def finish(self) -> bytes:
        """The end of the file."""
        self._archive.close()
        return self._sink.take()

    def _free(self, name: str) -> str:
        taken, number, found = {each.name for each in self.members}, 1, name
        while found in taken:
            number += 1
            found = f"{name}.{number}"
        return found
