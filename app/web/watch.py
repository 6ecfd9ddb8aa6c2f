"""One lane as it is seen from outside: its status block, its events and the previews of its pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from app.bus.block import BlockReader
from app.bus.events import decode_event
from app.bus.place import Place
from app.bus.ring import RingReader
from app.clock import NS_PER_MS, NS_PER_S
from app.errors import BusError
from app.status import Status, decode_status
from app.types import EventKind
from app.web.lane import Lane
from app.web.latencies import Latencies
from app.web.parts import Parts, Shown
from app.web.views import status_view

RETRY_NS = NS_PER_S // 4
"""What is not there yet is looked for again after so long."""

CHECK_NS = NS_PER_S
"""So often it is seen whether the file that is read still is the one of that name: somebody may empty the folder."""

EVENTS_AT_ONCE = 1000
_US_PER_MS = 1000


class Identity:
    """Which file has a name, asked now and then.

    Args:
        path: The name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._next_ns = 0

    def note(self, now_ns: int) -> None:
        """The file is opened now."""
        self._number = self._asked()
        self._next_ns = now_ns + CHECK_NS

    def has_changed(self, now_ns: int) -> bool:
        """Another file has taken its name; no answer is `False`, as its writer may be about to make one."""
        if now_ns < self._next_ns:
            return False
        self._next_ns = now_ns + CHECK_NS
        return self._asked() not in (0, self._number)

    def _asked(self) -> int:
        try:
            return self._path.stat().st_ino
        except OSError:
            return 0


class Block:
    """A status block that may not be there yet, and may be replaced.

    Args:
        path: The block.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = Identity(path)
        self._reader: BlockReader | None = None
        self._next_ns = 0

    def read(self, now_ns: int) -> bytes | None:
        """The newest value; `None` where there is none that can be read."""
        if self._reader and self._identity.has_changed(now_ns):
            self.close()
        if self._reader is None:
            if now_ns < self._next_ns:
                return None
            self._next_ns = now_ns + RETRY_NS
        try:
            return self._opened(now_ns).read()
        except BusError:
            self.close()
            return None

    def close(self) -> None:
        """Lets go of it. Idempotent."""
        if self._reader:
            self._reader.close()
        self._reader = None

    def _opened(self, now_ns: int) -> BlockReader:
        if self._reader is None:
            self._identity.note(now_ns)
            self._reader = BlockReader(self._path)
        return self._reader


class Watch:
    """Follows one lane. `look` belongs to one thread; the views may be asked for by any.

    Args:
        lane: The lane.
        place: Where the processes meet.

    Attributes:
        missed: Events that were overwritten before they were read here, and events that could not be read.
    """

    def __init__(self, lane: Lane, place: Place) -> None:
        self.lane = lane
        self.missed = 0
        self._place = place
        self._previews = place.previews()
        self._block = Block(place.status(lane.number))
        self._ring: RingReader | None = None
        self._ring_identity = Identity(place.ring(lane.number))
        self._next_ring_ns = 0
        self._epoch = 0
        self._said: bytes | None = None
        self._status: Status | None = None
        self._order = threading.Lock()
        self._parts = Parts(lane.number)
        self._latencies = Latencies(lane.budget_ms)

    def look(self, now_ns: int) -> list[dict[str, Any]]:
        """Reads what is new.

        Returns:
            The parts that are new or changed, oldest first, as the page gets them.
        """
        with self._order:
            self._read_status(now_ns)
            self._read_events(now_ns)
            for part, picture in list(self._parts.awaited()):
                if (self._previews / picture.file).exists():
                    self._parts.ready(part, picture)
            return [self._part(part) for part in self._parts.take_changed()]

    @property
    def state(self) -> str:
        """The station's last word on its state; empty before the first."""
        return self._status.state.value if self._status else ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that its model knows, by the station's last word."""
        return self._status.classes if self._status else ()

    @property
    def gist(self) -> object:
        """What is worth telling at once when it changes."""
        status = self._status
        return status and (status.state, status.tally, status.lot, status.latches, status.is_permitted)

    def age_ms(self, now_ns: int) -> float | None:
        """How old the station's last word is; `None` where it has never said anything."""
        return max(0, now_ns - self._status.at_ns) / NS_PER_MS if self._status else None

    def view(self, now_ns: int) -> dict[str, Any]:
        """How the lane is."""
        with self._order:
            return {
                "lane": self.lane.number,
                "name": (self._status.name if self._status else "") or self.lane.name,
                "age_ms": self.age_ms(now_ns),
                "status": status_view(self._status, now_ns) if self._status else None,
                "latency": self._latencies.figures(),
                "missed": self.missed,
            }

    def parts(self) -> dict[str, Any]:
        """The last parts, newest first, and the last that was rejected."""
        with self._order:
            last = self._parts.last_reject
            return {
                "parts": [self._part(each) for each in self._parts.newest_first()],
                "last_reject": self._part(last) if last else None,
            }

    def close(self) -> None:
        """Lets go of what it reads. Idempotent."""
        self._block.close()
        self._close_ring()

    def _part(self, part: Shown) -> dict[str, Any]:
        return part.as_json(self._latencies.budget_ms)

    def _read_status(self, now_ns: int) -> None:
        said = self._block.read(now_ns)
        if said is None or said == self._said:
            return
        self._said = said
        try:
            self._status = decode_status(said)
        except BusError:
            return  # of another version: its age tells the page that there is nothing to show
        if self._status.budget_ms:
            self._latencies.budget_ms = self._status.budget_ms

    def _read_events(self, now_ns: int) -> None:
        try:
            payloads = self._opened_ring(now_ns)
        except BusError:
            self._close_ring()
            return
        for payload in payloads:
            try:
                event = decode_event(payload)
            except BusError:
                self.missed += 1
                continue
            if event.epoch != self._epoch:
                self._epoch = event.epoch
                self._latencies.clear()
            if event.kind is EventKind.JUDGED:
                total_us = event.data.get("total_us")
                if isinstance(total_us, (int, float)) and isfinite(total_us):
                    self._latencies.note(total_us / _US_PER_MS, event.part_id)
            self._parts.fold(event)

    def _opened_ring(self, now_ns: int) -> list[bytes]:
        if self._ring and self._ring_identity.has_changed(now_ns):
            self._close_ring()
        if self._ring is None:
            if now_ns < self._next_ring_ns:
                return []
            self._next_ring_ns = now_ns + RETRY_NS
            self._ring_identity.note(now_ns)
            path = self._place.ring(self.lane.number)
            self._ring = RingReader(path, keeper=False, name="web", from_oldest=True)
        missed = self._ring.missed
        payloads = self._ring.read(EVENTS_AT_ONCE)
        self.missed += self._ring.missed - missed
        return payloads

    def _close_ring(self) -> None:
        if self._ring:
            self._ring.close()
        self._ring = None


class BoxWatch:
    """What a process that serves the whole box reports on itself: the recorder, the accelerator's.

    Args:
        path: Its status block.
        view: Makes of its bytes what the page gets.
    """

    def __init__(self, path: Path, view: Callable[[bytes, int], dict[str, Any] | None]) -> None:
        self._block = Block(path)
        self._view = view
        self._said: bytes | None = None

    def look(self, now_ns: int) -> None:
        """Reads what is new."""
        self._said = self._block.read(now_ns) or self._said

    def view(self, now_ns: int) -> dict[str, Any] | None:
        """The report; `None` where there is none."""
        return self._view(self._said, now_ns) if self._said else None

    def close(self) -> None:
        """Lets go of what it reads. Idempotent."""
        self._block.close()
