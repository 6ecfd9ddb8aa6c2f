"""A ring of records from one writer to one keeper, and to anybody who only listens.

The keeper is the recorder: what he has not committed is never overwritten, and a full ring refuses records rather than
lose one. Listeners may be slow; what they miss is counted, and the writer does not notice them.

A record is a head of 16 bytes (CRC-32, length, number), its payload, and padding up to a multiple of 16. Positions
count bytes since the ring was made and never wrap. A record exists from the one store of 8 bytes that moves the
writer's position past it; so a writer that is killed leaves whole records only. The CRC covers the position too: what
lay there a round ago is not taken for the record of now.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from app.bus.segment import FIRST_WORD, HEADER_BYTES, Kind, Segment, open_to_read, open_to_write
from app.errors import BusError, RingFullError

LAYOUT = Kind("ring", 1, lambda geometry: HEADER_BYTES + geometry[0])
RETRIES = 20
RETRY_S = 0.001
"""A record that is not whole is looked at again: on processors that reorder it may still be on its way."""

_HEAD = struct.Struct("=IIQ")
_SEED = struct.Struct("=QQI")
_HEAD_BYTES = _HEAD.size
_PAGE = 4096

# The keeper's position has a cache line of its own. The last two pairs say how many records lie before a position.
_AT_KEEPER = FIRST_WORD
_AT_WRITER = FIRST_WORD + 8
_AT_CLAIMED = FIRST_WORD + 9
_AT_COUNTED = (FIRST_WORD + 10, FIRST_WORD + 12)


def _space_of(length: int) -> int:
    return (_HEAD_BYTES + length + 15) & ~15


def _check_of(payload: bytes, position: int, number: int) -> int:
    return zlib.crc32(payload, zlib.crc32(_SEED.pack(position, number, len(payload))))


class RingWriter:
    """The one writer of a ring. Belongs to one thread.

    Attaches to the ring that is there and goes on behind its records. Where that ring has another capacity it is
    replaced if the keeper has committed all of it, and used as it is if not.

    Args:
        path: The ring.
        capacity_bytes: Room for records, rounded up to whole pages.

    Attributes:
        capacity_bytes: The room that this ring really has.
        replaced: What lay there and could not be used, with the reason; empty where nothing did.

    Raises:
        BusError: Another process writes it, or it cannot be made.
    """

    def __init__(self, path: Path, capacity_bytes: int) -> None:
        geometry = (max(-(-capacity_bytes // _PAGE), 1) * _PAGE,)
        self._segment = open_to_write(path, LAYOUT, geometry, lambda there: _why_not(there, geometry[0]))
        self._words = self._segment.words
        self._memory = self._segment.memory
        self.capacity_bytes = self._segment.geometry[0]
        self.replaced = self._segment.replaced
        self._position = self._words[_AT_WRITER]
        self._claimed = self._words[_AT_CLAIMED]
        self._counted, self._spare = _AT_COUNTED
        if self._words[self._counted] != self._position:
            self._counted, self._spare = self._spare, self._counted
        self._number = self._words[self._counted + 1]

    @property
    def backlog_bytes(self) -> int:
        """What the keeper has not committed."""
        return self._position - self._words[_AT_KEEPER]

    @property
    def room_share(self) -> float:
        """The free part of the ring, 0 .. 1."""
        return 1.0 - self.backlog_bytes / self.capacity_bytes

    def write(self, payload: bytes) -> int:
        """Writes a record.

        Returns:
            Its number: 1 for the ring's first record.

        Raises:
            RingFullError: There is no room before what the keeper has not committed; nothing was written.
            BusError: It is larger than the ring.
        """
        return self.write_many((payload,))

    def write_many(self, payloads: Sequence[bytes]) -> int:
        """Writes records that readers see all at once or, where the writer dies, not at all.

        Returns:
            The number of the last one.

        Raises:
            RingFullError: There is no room for all of them; none was written.
            BusError: They are larger than the ring.
        """
        position, number = self._position, self._number
        end = position
        for payload in payloads:
            end += (_HEAD_BYTES + len(payload) + 15) & ~15
        if end - self._words[_AT_KEEPER] > self.capacity_bytes:
            self._refuse(end - position)
        if end > self._claimed:  # what a writer claimed who died since may be overwritten in part
            self._words[_AT_CLAIMED] = self._claimed = end
            self._segment.fence()
        for payload in payloads:
            number += 1
            position = self._put(payload, position, number)
        self._publish(position, number)
        return number

    def close(self) -> None:
        """Lets go of the ring; its records stay. Idempotent."""
        self._segment.close()

    def _put(self, payload: bytes, position: int, number: int) -> int:
        length = len(payload)
        start = position % self.capacity_bytes + HEADER_BYTES
        _HEAD.pack_into(self._memory, start, _check_of(payload, position, number), length, number)
        start += _HEAD_BYTES
        room = HEADER_BYTES + self.capacity_bytes - start
        if length <= room:
            self._memory[start : start + length] = payload
        else:
            self._memory[start : start + room] = payload[:room]
            self._memory[HEADER_BYTES : HEADER_BYTES + length - room] = payload[room:]
        return position + _space_of(length)

    def _publish(self, position: int, number: int) -> None:
        # The count that belongs to the published position is never being written.
        self._words[self._spare + 1] = number
        self._words[self._spare] = position
        self._counted, self._spare = self._spare, self._counted
        self._segment.fence()
        self._words[_AT_WRITER] = position
        self._position, self._number = position, number

    def _refuse(self, space: int) -> None:
        path = self._segment.path
        if space > self.capacity_bytes:
            raise BusError(f"{space} bytes do not fit into {path}", f"make it larger than {self.capacity_bytes} bytes")
        raise RingFullError(
            f"{path} is full: {self.backlog_bytes} bytes of events are not in the ledger yet",
            "see why the recorder does not keep up (disk, or not running); the line runs again when it has caught up",
        )


def _why_not(there: Segment, capacity_bytes: int) -> str:
    if not _is_consistent(there):
        return "is damaged: its positions contradict each other"
    capacity_there = there.geometry[0]
    is_read = there.words[_AT_WRITER] == there.words[_AT_KEEPER]
    if capacity_there != capacity_bytes and is_read:
        return f"had room for {capacity_there} bytes, not {capacity_bytes}, and was read to its end"
    return ""


def _is_consistent(segment: Segment) -> bool:
    words, capacity = segment.words, segment.geometry[0]
    keeper = words[_AT_KEEPER]  # first: the keeper never passes the writer
    writer = words[_AT_WRITER]
    claimed = words[_AT_CLAIMED]
    counted = [words[at] for at in _AT_COUNTED]
    return keeper <= writer <= claimed <= keeper + capacity and (keeper | writer) % 16 == 0 and writer in counted


class RingReader:
    """A reader of a ring: its keeper, or one who listens. Belongs to one thread.

    Follows by itself when a writer puts another ring in the place of this one.

    Args:
        path: The ring.
        keeper: Reads from what was committed last, and holds the writer back. There is one, and a lock of its own
            sees to that.
        name: Who reads, for messages.
        from_oldest: A listener begins at the oldest record that the keeper has not committed, not at the next one.

    Attributes:
        missed: Records that a listener was too slow for; for a keeper, records that were damaged.
        damages: Places that held no whole record and were passed over.

    Raises:
        BusError: There is no ring, or it cannot be used.
    """

    def __init__(self, path: Path, keeper: bool, name: str, *, from_oldest: bool = False) -> None:
        self.name = name
        self.missed = 0
        self.damages = 0
        self._path = path
        self._is_keeper = keeper
        self._segment = self._open()
        self._begin(_AT_KEEPER if keeper or from_oldest else _AT_WRITER)

    @property
    def backlog_bytes(self) -> int:
        """What was written and not yet read by this reader."""
        return self._segment.words[_AT_WRITER] - self._position

    def read(self, limit: int = 1000) -> list[bytes]:
        """Reads the next records.

        Args:
            limit: The most of them.

        Returns:
            The records, oldest first; none if there are none now.
        """
        records: list[bytes] = []
        end = self._segment.words[_AT_WRITER]
        if end == self._position and self._segment.is_retired:
            end = self._follow()
        self._segment.fence()
        while len(records) < limit and self._position < end:
            payload = self._next(end)
            if payload is not None:
                records.append(payload)
        return records

    def commit(self) -> None:
        """Gives what was read back to the writer. For the keeper, when it is safe on disk.

        Raises:
            BusError: This reader is not the keeper.
        """
        if not self._is_keeper:
            raise BusError(f"{self.name} is not the keeper of {self._path}", "open the ring with keeper=True")
        self._segment.fence()
        self._segment.words[_AT_KEEPER] = self._position

    def close(self) -> None:
        """Lets go of the ring. Idempotent; what a keeper has not committed he reads again next time."""
        self._segment.close()

    def _open(self) -> Segment:
        segment = open_to_read(self._path, LAYOUT, is_writing=self._is_keeper)
        # Both may run while this looks, so what seems wrong is looked at again.
        if not any(_is_consistent(segment) for _ in range(RETRIES)):
            segment.close()
            raise BusError(f"{self._path} is damaged: its positions contradict each other", "restart the station")
        return segment

    def _follow(self) -> int:
        """Goes over to the ring that has taken this one's place, if it is there already."""
        try:
            segment = self._open()
        except BusError:  # its writer died just now; the next one makes it
            return self._position
        self._segment.close()
        self._segment = segment
        self._begin(_AT_KEEPER)
        return segment.words[_AT_WRITER]

    def _begin(self, at: int) -> None:
        words = self._segment.words
        self._position = words[at]
        counts = [words[pair + 1] for pair in _AT_COUNTED if words[pair] == self._position]
        self._expected = counts[0] + 1 if counts else None

    def _next(self, end: int) -> bytes | None:
        """The record at the reader's position; `None` where that was moved on instead."""
        for _ in range(RETRIES):
            found = self._record_at(self._position, end)
            self._segment.fence()
            if not self._is_keeper and self._is_overrun():
                self._position = self._segment.words[_AT_KEEPER]
                return None
            if found is not None:
                return self._taken(*found)
            time.sleep(RETRY_S)
        self._pass_damage(end)
        return None

    def _taken(self, payload: bytes, number: int) -> bytes:
        if self._expected is not None:
            self.missed += max(number - self._expected, 0)
        self._expected = number + 1
        self._position += _space_of(len(payload))
        return payload

    def _is_overrun(self) -> bool:
        claimed, kept = self._segment.words[_AT_CLAIMED], self._segment.words[_AT_KEEPER]
        return claimed - self._segment.geometry[0] > self._position and kept > self._position

    def _pass_damage(self, end: int) -> None:
        self.damages += 1
        self._position += _HEAD_BYTES
        while self._position < end and self._record_at(self._position, end) is None:
            self._position += _HEAD_BYTES

    def _record_at(self, position: int, end: int) -> tuple[bytes, int] | None:
        memory, capacity = self._segment.memory, self._segment.geometry[0]
        start = position % capacity + HEADER_BYTES
        check, length, number = _HEAD.unpack_from(memory, start)
        if position + _space_of(length) > end:
            return None
        start += _HEAD_BYTES
        room = HEADER_BYTES + capacity - start
        payload = memory[start : start + min(length, room)]
        if length > room:
            payload += memory[HEADER_BYTES : HEADER_BYTES + length - room]
        return (payload, number) if _check_of(payload, position, number) == check else None
