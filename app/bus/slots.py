"""Frames in memory that several processes see: capture fills a slot, the station judges it, the recorder keeps it.

A slot has one byte per role that may hold it. Capture publishes a frame by giving it to the station; the station may
hand it over to another role before it releases it; a slot that nobody holds is free. Whoever gives a slot has it
himself, and whoever has it is the only one to let it go. So no lock is needed, and the death of a process costs what it
held until it starts again, no more.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.bus.bell import Bell
from app.bus.segment import Segment, open_to_read, open_to_write, other_geometry
from app.bus.slot_table import (
    AT_DROPPED,
    AT_PUBLISHED,
    FREE,
    GIVEN,
    LAYOUT,
    MOST_SLOTS,
    ROLES,
    TAKEN,
    Role,
    SlotTable,
)
from app.errors import BusError
from app.types import Frame, Image

_STATION = ROLES.index("station")
_COLOUR = 3


class SlotWriter:
    """The one writer of a camera's slots. Belongs to one thread.

    Attaches to the slots that are there: frames that others hold stay as they are.

    Args:
        path: The slots.
        count: How many, 1 .. 256.
        height_px: Rows of a frame.
        width_px: Columns of a frame.
        channels: 1 for mono, 3 for BGR.
        bell: Rung for every frame published.
        is_given: Frames are given to the station; else nobody holds them, and whoever likes looks at the newest
            (`app.bus.peek`).

    Attributes:
        replaced: What lay there and could not be used, with the reason; empty where nothing did.

    Raises:
        BusError: Another process writes them, they cannot be made, or no frame is of that shape.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        height_px: int,
        width_px: int,
        channels: int,
        bell: Bell | None = None,
        *,
        is_given: bool = True,
    ) -> None:
        geometry = (count, height_px, width_px, channels)
        if not 0 < count <= MOST_SLOTS or height_px < 1 or width_px < 1 or channels not in (1, _COLOUR):
            raise BusError(
                f"{path} cannot hold {count} frames of {height_px} x {width_px} x {channels}",
                f"ask for 1 to {MOST_SLOTS} frames with 1 or {_COLOUR} channels",
            )
        self._segment = open_to_write(path, LAYOUT, geometry, lambda there: other_geometry(there, geometry))
        self._words = self._segment.words
        self._table = SlotTable(self._segment, is_writing=True)
        self._table.begin()
        self._bell = bell
        self._is_given = is_given
        self._filling = self._last = -1
        self.replaced = self._segment.replaced

    @property
    def dropped(self) -> int:
        """Frames for which no slot was free, since these slots were made."""
        return self._words[AT_DROPPED]

    @property
    def published(self) -> int:
        """Frames published since these slots were made."""
        return self._words[AT_PUBLISHED]

    def free(self) -> Image | None:
        """The pixels of a free slot, to be filled and published; the same ones until then.

        Returns:
            uint8, (height, width) or (height, width, 3); `None` where every slot is held, which `dropped` counts.
        """
        if self._filling < 0:
            self._filling = self._table.free_slot(self._last)
        if self._filling < 0:
            self._words[AT_DROPPED] += 1
            return None
        self._table.begin_filling(self._filling)
        return self._table.images[self._filling]

    def publish(self, frame: Frame) -> int:
        """Gives the filled slot to the station, or shows it.

        Args:
            frame: What there is to know of the frame. Its `image`, `slot`, `generation` and `release` do not count: the
                pixels are those that `free` handed out.

        Returns:
            The generation of the slot.

        Raises:
            BusError: No slot is being filled, or the frame's names or numbers are too long. The slot stays free.
        """
        if self._filling < 0:
            raise BusError(f"no slot of {self._segment.path} is being filled", "call free() first")
        slot, self._filling = self._filling, -1
        number = self._words[AT_PUBLISHED] + 1
        generation = self._table.stamp(slot, frame, number)
        self._table.end_filling()
        self._words[AT_PUBLISHED] = number
        if self._is_given:
            self._table.set_hold(slot, _STATION, GIVEN)
        self._last = slot
        if self._bell:
            self._bell.ring()
        return generation

    def put(self, frame: Frame) -> bool:
        """Copies a frame into a free slot and publishes it, for cameras that bring their own memory.

        Returns:
            `False` where every slot is held, which `dropped` counts.

        Raises:
            BusError: The frame is of another shape, or its names or numbers are too long.
        """
        shape = self._table.images[0].shape
        if frame.image.shape != shape or frame.image.dtype != np.uint8:
            raise BusError(
                f"camera {frame.camera} sends {frame.image.dtype} {frame.image.shape}, and {self._segment.path} holds "
                f"uint8 {shape}",
                "set the camera to one format and restart its capture",
            )
        image = self.free()
        if image is None:
            return False
        np.copyto(image, frame.image)
        self.publish(frame)
        return True

    def close(self) -> None:
        """Lets go of the slots; what is published stays. Idempotent; pixels still looked at stay valid."""
        self._segment.close()


class SlotReader:
    """One who holds frames of a camera: the station, or one to whom the station hands them over.

    Follows by itself when a writer puts other slots in the place of these. There is one process per role, which sees to
    that with a lock of its own.

    Args:
        path: The slots.
        role: Who.
        fresh: Releases what this role held when it died.

    Attributes:
        role: Who.
        refused: Frames that `hand_over` did not hand over, because their taker had enough.

    Raises:
        BusError: There are no slots, or they cannot be used.
    """

    def __init__(self, path: Path, role: Role, *, fresh: bool = False) -> None:
        if role not in ROLES:
            raise BusError(f"{role!r} is no role at {path}", f"take one of {', '.join(ROLES)}")
        self.role = role
        self.refused = 0
        self._path = path
        self._index = ROLES.index(role)
        self._segment = open_to_read(path, LAYOUT, is_writing=True)
        self._table = SlotTable(self._segment, is_writing=False)
        if fresh:
            self.let_go()

    @property
    def dropped(self) -> int:
        """Frames for which no slot was free, since these slots were made."""
        return self._segment.words[AT_DROPPED]

    @property
    def published(self) -> int:
        """Frames published since these slots were made."""
        return self._segment.words[AT_PUBLISHED]

    @property
    def session(self) -> int:
        """Counts the starts of the capture process on these slots."""
        return self._segment.session

    @property
    def held(self) -> int:
        """Slots that this role holds or that wait for it."""
        return self._held_by(self._index)

    def take(self) -> Frame | None:
        """The oldest frame given to this role and not yet taken; `None` where none waits."""
        table = self._current()
        holds = table.holds_of(self._index)
        waiting = [slot for slot, hold in enumerate(holds) if hold == GIVEN]
        if not waiting:
            return None
        self._segment.fence()
        return self._taken(waiting[0] if len(waiting) == 1 else min(waiting, key=table.number_of))

    def borrow(self, slot: int, generation: int) -> Frame | None:
        """The frame that was handed over to this role in this slot.

        Returns:
            The frame; `None` where it was not handed over, or was let go since.
        """
        table = self._current()
        return self._taken(slot) if table.has(slot, self._index, GIVEN, generation) else None

    def hand_over(self, slot: int, generation: int, to_role: Role, limit: int) -> bool:
        """Gives a frame that this role holds to another one, too. Never waits.

        Args:
            slot: `Frame.slot`.
            generation: `Frame.generation`.
            to_role: Who gets it.
            limit: The most slots that he may hold or have waiting for him.

        Returns:
            `False` where he has that many, which `refused` counts, or where this role does not hold the frame.
        """
        if not self._table.has(slot, self._index, TAKEN, generation):
            return False
        taker = ROLES.index(to_role)
        if self._table.hold(slot, taker) != FREE:
            return True
        if self._held_by(taker) >= limit:
            self.refused += 1
            return False
        self._table.set_hold(slot, taker, GIVEN)
        return True

    def let_go(self, before_ns: int | None = None) -> int:
        """Releases what this role holds, or what waits for it in vain because its giver died before he could say so.

        Args:
            before_ns: Only frames that were not borrowed and were in memory before this time; without it, all.

        Returns:
            How many slots were released.
        """
        released = 0
        for slot, hold in enumerate(self._table.holds_of(self._index)):
            is_forgotten = before_ns is None or (hold == GIVEN and self._table.in_memory_ns(slot) < before_ns)
            if hold != FREE and is_forgotten:
                self._table.set_hold(slot, self._index, FREE)
                released += 1
        return released

    def close(self) -> None:
        """Lets go of the file, but of no slot that is held. Idempotent; pixels still looked at stay valid."""
        self._segment.close()

    def _current(self) -> SlotTable:
        if self._segment.is_retired:
            self._follow()
        return self._table

    def _follow(self) -> None:
        try:
            segment: Segment = open_to_read(self._path, LAYOUT, is_writing=True)
        except BusError:  # its writer died just now; the next one makes it
            return
        # The old ones are not closed: frames of them may still be looked at, and keep them as long as they need.
        self._segment = segment
        self._table = SlotTable(segment, is_writing=False)

    def _held_by(self, role: int) -> int:
        holds = self._table.holds_of(role)
        return len(holds) - holds.count(FREE)

    def _taken(self, slot: int) -> Frame:
        self._table.set_hold(slot, self._index, TAKEN)
        return self._table.frame(slot, self._index)
