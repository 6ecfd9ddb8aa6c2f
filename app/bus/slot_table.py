"""How frame slots lie in memory: who holds which, a stamp for each frame, and its pixels.

A slot has 8 bytes of holds, one per role, which are also one word: a slot whose word is 0 is free. The stamp is a fixed
part, then the camera's name and the file's. Pixels begin on a page of their own.
"""

from __future__ import annotations

import functools
import secrets
import struct
from typing import Literal

import numpy as np

from app.bus.segment import FIRST_WORD, HEADER_BYTES, Kind, Segment
from app.errors import BusError
from app.types import Frame, Image

Role = Literal["station", "recorder", "web"]
ROLES: tuple[Role, ...] = ("station", "recorder", "web")
MOST_SLOTS = 256
FREE, GIVEN, TAKEN = range(3)
"""A hold: none; given by another and not looked at yet; taken by its holder."""

AT_PUBLISHED, AT_DROPPED = FIRST_WORD, FIRST_WORD + 1
_AT_BASE = FIRST_WORD + 2
_AT_FILLING = FIRST_WORD + 3
"""The slot whose pixels are being written, and 1 more; 0: none. Who only peeks has no other way to know."""

_BASE_BITS = 48
_PAGE = 4096
_HOLDS = HEADER_BYTES // 2
_STRIDE = 8

# Uses of the slot, number of the frame, host, uncertainty, in memory; device, counter, first and last count and lead,
# and which of these five are absent; lengths of the two names.
_STAMP = struct.Struct("=QQqqqqqqqqBHH")
_STAMP_BYTES = 1024
_NUMBER, _AT_NUMBER = struct.Struct("=Q"), 8
_MOST_TEXT = _STAMP_BYTES - _STAMP.size


def _space_of(geometry: tuple[int, ...]) -> int:
    _, height_px, width_px, channels = geometry[:4]
    return -(-height_px * width_px * channels // _PAGE) * _PAGE


def _size_of(geometry: tuple[int, ...]) -> int:
    count = geometry[0]
    stamps = -(-count * _STAMP_BYTES // _PAGE) * _PAGE
    return HEADER_BYTES + stamps + count * _space_of(geometry)


LAYOUT = Kind("slots", 2, _size_of)


class SlotTable:
    """The slots of one file, as one process sees them. Frames keep it alive, also when the reader has moved on.

    Args:
        segment: The file.
        is_writing: The pixels may be written.

    Attributes:
        segment: The file.
        count: How many slots.
        images: The pixels of each.
        holds: The bytes of who holds what.
    """

    def __init__(self, segment: Segment, *, is_writing: bool) -> None:
        self.segment = segment
        self.count, height_px, width_px, channels = segment.geometry[:4]
        self.holds = memoryview(segment.memory)[_HOLDS : _HOLDS + self.count * _STRIDE]
        self._words = self.holds.cast("Q")
        shape = (height_px, width_px) if channels == 1 else (height_px, width_px, channels)
        space = _space_of(segment.geometry)
        first = _size_of(segment.geometry) - self.count * space
        self.images: list[Image] = []
        for slot in range(self.count):
            image = np.ndarray(shape, np.uint8, segment.memory, first + slot * space)
            image.flags.writeable = is_writing
            self.images.append(image)

    def begin(self) -> None:
        """Sets out the generations of a new file. They begin anywhere: those of a file before do not come again."""
        if not self.segment.words[_AT_BASE]:
            self.segment.words[_AT_BASE] = secrets.randbits(_BASE_BITS) | 1

    def begin_filling(self, slot: int) -> None:
        """Says that the pixels of a free slot change from now on.

        One that was begun and never published, perhaps as its writer died, is no frame any more.
        """
        words = self.segment.words
        left = words[_AT_FILLING] - 1
        if left not in (-1, slot):
            _NUMBER.pack_into(self.segment.memory, self._at(left) + _AT_NUMBER, 0)
            self.segment.fence()
        words[_AT_FILLING] = slot + 1
        self.segment.fence()

    def end_filling(self) -> None:
        """Says that the stamp and the pixels of the slot belong together again."""
        self.segment.fence()
        self.segment.words[_AT_FILLING] = 0

    @property
    def filling(self) -> int:
        """The slot whose pixels are being written; -1 for none."""
        return self.segment.words[_AT_FILLING] - 1

    def newest(self) -> int:
        """The slot with the newest whole frame, whoever holds it; -1 before the first."""
        filling = self.filling
        numbers = [0 if slot == filling else self.number_of(slot) for slot in range(self.count)]
        newest = max(range(self.count), key=numbers.__getitem__)
        return newest if numbers[newest] else -1

    def free_slot(self, after: int) -> int:
        """The next slot behind `after` that nobody holds; -1 where there is none."""
        words = self._words.tolist()
        for slot in range(after + 1, after + 1 + self.count):
            if not words[slot % self.count]:
                return slot % self.count
        return -1

    def holds_of(self, role: int) -> bytes:
        """The holds of a role, by slot."""
        return bytes(self.holds[role::_STRIDE])

    def hold(self, slot: int, role: int) -> int:
        """The hold of a role on a slot."""
        return self.holds[slot * _STRIDE + role]

    def set_hold(self, slot: int, role: int, hold: int) -> None:
        """Sets the hold of a role on a slot, after everything that was stored before."""
        self.segment.fence()
        self.holds[slot * _STRIDE + role] = hold

    def has(self, slot: int, role: int, hold: int, generation: int) -> bool:
        """A role has this hold on this use of a slot."""
        return 0 <= slot < self.count and self.hold(slot, role) == hold and self.generation_of(slot) == generation

    def generation_of(self, slot: int) -> int:
        """The generation of a slot."""
        return self._field(slot, 0) + self.segment.words[_AT_BASE]

    def number_of(self, slot: int) -> int:
        """The number of the frame in a slot."""
        return self._field(slot, 1)

    def name_of(self, slot: int) -> int:
        """A number that no other frame has, in these slots or in those before or after them."""
        return self.number_of(slot) + self.segment.words[_AT_BASE]

    def in_memory_ns(self, slot: int) -> int:
        """When the frame in a slot was in memory."""
        return self._field(slot, 4)

    def stamp(self, slot: int, frame: Frame, number: int) -> int:
        """Notes what there is to know of the frame in a slot.

        Returns:
            The generation.

        Raises:
            BusError: The names are too long, or a number has more than 64 bits.
        """
        camera = frame.camera.encode("utf-8", "surrogateescape")
        texts = camera + frame.name.encode("utf-8", "surrogateescape")
        optional = (frame.device_ns, frame.counter, frame.first_count, frame.last_count, frame.lead_um)
        absent = sum(1 << bit for bit, value in enumerate(optional) if value is None)
        times = (frame.host_ns, frame.uncertainty_ns, frame.in_memory_ns, *(value or 0 for value in optional))
        at = self._at(slot)
        uses = self._field(slot, 0) + 1
        if len(texts) > _MOST_TEXT:
            raise BusError(
                f"{frame.camera[:40]!r}, {frame.name[:40]!r}: the names of camera and file have {len(texts)} bytes",
                f"use at most {_MOST_TEXT}",
            )
        lengths = (len(camera), len(texts) - len(camera))
        try:
            _STAMP.pack_into(self.segment.memory, at, uses, number, *times, absent, *lengths)
        except struct.error as error:
            raise BusError(
                f"camera {frame.camera!r} sends a time or a count that is none: {error}", "see its driver"
            ) from error
        at += _STAMP.size
        self.segment.memory[at : at + len(texts)] = texts
        return uses + self.segment.words[_AT_BASE]

    def frame(self, slot: int, role: int) -> Frame:
        """The frame in a slot; its `release` clears the hold of a role."""
        at = self._at(slot)
        memory = self.segment.memory
        uses, _, host_ns, uncertainty_ns, in_memory_ns, *optional, absent, camera_bytes, name_bytes = (
            _STAMP.unpack_from(memory, at)
        )
        device_ns, counter, first_count, last_count, lead_um = (
            None if absent >> bit & 1 else value for bit, value in enumerate(optional)
        )
        at += _STAMP.size
        texts = memory[at : at + min(camera_bytes + name_bytes, _MOST_TEXT)]
        generation = uses + self.segment.words[_AT_BASE]
        return Frame(
            image=self.images[slot],
            camera=texts[:camera_bytes].decode("utf-8", "surrogateescape"),
            host_ns=host_ns,
            uncertainty_ns=uncertainty_ns,
            device_ns=device_ns,
            counter=counter,
            first_count=first_count,
            last_count=last_count,
            lead_um=lead_um,
            in_memory_ns=in_memory_ns,
            name=texts[camera_bytes:].decode("utf-8", "surrogateescape"),
            slot=slot,
            generation=generation,
            release=functools.partial(self.release, slot, role, generation),
        )

    def release(self, slot: int, role: int, generation: int) -> None:
        """Clears the hold of a role on a frame it took; does nothing where the slot has another use by now."""
        if self.has(slot, role, TAKEN, generation):
            self.set_hold(slot, role, FREE)

    def _at(self, slot: int) -> int:
        return HEADER_BYTES + slot * _STAMP_BYTES

    def _field(self, slot: int, index: int) -> int:
        return int(_STAMP.unpack_from(self.segment.memory, self._at(slot))[index])
