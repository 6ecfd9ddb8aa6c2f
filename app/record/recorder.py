"""The recorder process: empties the rings into the ledger, keeps pictures, and tells how it is.

Events go first. A ring is only told that its events are safe after the ledger has them on the disk; where that fails
they stay in the ring, which fills until the station stops the line. So a crash at any moment loses nothing, and what is
delivered twice is recorded once.
"""

from __future__ import annotations

import select
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from app.bus.bell import Bell
from app.bus.block import BlockWriter
from app.bus.events import decode_event
from app.bus.place import Place
from app.bus.ring import RingReader
from app.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock
from app.config import StorageSettings
from app.errors import BusError, RecordError
from app.record import LEDGER, PICTURES
from app.record.darkroom import Darkroom, clear_previews
from app.record.health import BLOCK, BLOCK_BYTES, RecorderStatus, encode_health
from app.record.keeping import Keeping
from app.record.ledger import Ledger
from app.record.pictures import PictureKind
from app.record.selection import Selection
from app.record.walltime import micros
from app.types import LedgerEvent

LINGER_S = 0.025
"""Events that come within this time of the first are committed with it."""

IDLE_S = 0.25
BATCH = 1_000
"""Events of a lane in one transaction, at most."""

_BUSY_NS = 2 * NS_PER_S
_STATUS_NS = 200 * NS_PER_MS
_TIDY_NS = NS_PER_S
_FIRST_RETRY_NS = 100 * NS_PER_MS
_LAST_RETRY_NS = 5 * NS_PER_S
_LAST_WORDS_STEPS = 20
_MOST_INT = 1 << 63


class Stop(Protocol):
    """What tells a loop to end: `threading.Event`, or what a signal sets."""

    def is_set(self) -> bool:
        """The loop is to end."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for that, no longer than the time; says whether it is to end."""
        ...


class Recorder:
    """The work of the recorder process; nothing that the disk does stops it.

    Args:
        place: The bus.
        state: The station's state folder: `ledger` and `pictures` lie in it.
        lanes: The names of each lane's cameras.
        storage: What is kept, and for how long.
        clock: The time.
        free: Tells how many bytes are free on the disk of a folder; by default it is asked.

    Raises:
        BusError: The bus cannot be used, or another recorder uses it: two would take the same events.
    """

    def __init__(
        self,
        place: Place,
        state: Path,
        lanes: Mapping[int, Sequence[str]],
        storage: StorageSettings,
        clock: Clock | None = None,
        free: Callable[[Path], int] | None = None,
    ) -> None:
        self._lock = place.hold("recorder")
        self._place = place
        self._state = state
        self._storage = storage
        self._clock = clock or SystemClock()
        self._free = free
        self._rings: dict[int, RingReader | None] = dict.fromkeys(lanes)
        self._bell = Bell(place.bell("recorder"))
        self._block = BlockWriter(place.root / BLOCK, BLOCK_BYTES)
        previews = place.previews()
        clear_previews(previews)
        self._darkroom = Darkroom(state / PICTURES, previews)
        cameras = {lane: tuple(names) for lane, names in lanes.items()}
        self._selection = Selection(place, cameras, storage.pass_every, self._may_keep, self._darkroom.submit)
        self._ledger: Ledger | None = None
        self._keeping: Keeping | None = None
        self._pending: list[LedgerEvent] = []
        self._is_open = True
        self._read_bytes = 0
        self._rows = 0
        self._garbled = 0
        self._kept: Counter[PictureKind] = Counter()
        self._dropped: Counter[PictureKind] = Counter()
        self._errors: dict[str, str] = {}
        self._retry_ns = 0
        self._delay_ns = _FIRST_RETRY_NS
        self._active_ns = 0
        self._tidied_ns = self._told_ns = -_BUSY_NS

    def run(self, stop: Stop, beat: Callable[[], None] = lambda: None) -> None:
        """Works until it is told to stop; then commits what the rings still hold and closes.

        Args:
            stop: Ends the loop.
            beat: Called each time that the loop goes round.
        """
        try:
            while not stop.is_set():
                beat()
                self._wait(stop)
                self.step()
            for _ in range(_LAST_WORDS_STEPS):
                if not self.step():
                    break
        finally:
            self.close()

    def step(self) -> bool:
        """Does what is due, events first.

        Returns:
            Whether there were events.
        """
        now_ns = self._clock.now_ns()
        is_tidy_due = now_ns - self._tidied_ns >= _TIDY_NS
        if is_tidy_due:
            self._tidied_ns = now_ns
            self._open_bus()
        had_events = self._record(now_ns)
        self._collect()
        if is_tidy_due:
            self._keep()
            if not had_events and not self._pending:
                self._selection.let_go(now_ns)
        if had_events:
            self._active_ns = now_ns
        elif self._keeping is not None and self._keeping.is_behind:
            self._keep()
        if now_ns - self._told_ns >= _STATUS_NS:
            self._told_ns = now_ns
            self._tell(now_ns)
        return had_events

    def close(self) -> None:
        """Lets go of everything. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._darkroom.close(timeout_s=0.25)
        self._collect()
        self._tell(self._clock.now_ns())
        if self._keeping is not None:
            self._keeping.close()
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = self._keeping = None
        self._selection.close()
        for lane, ring in self._rings.items():
            if ring is not None:
                ring.close()
            self._rings[lane] = None
        self._block.close()
        self._bell.close()
        self._lock.close()

    # Waiting

    def _wait(self, stop: Stop) -> None:
        """Until a bell rings, at the latest after a while; then a little longer, so that events come in groups."""
        is_busy = self._clock.now_ns() - self._active_ns < _BUSY_NS
        is_behind = self._keeping is not None and self._keeping.is_behind
        if not is_busy and not is_behind:
            select.select((self._bell,), (), (), IDLE_S)
        stop.wait(LINGER_S)
        self._bell.silence()

    # Events

    def _record(self, now_ns: int) -> bool:
        if now_ns < self._retry_ns:
            return False
        try:
            ledger = self._ledger or self._open()
            if not self._pending:
                self._pending = [event for lane in self._rings for event in self._read(lane)]
            if not self._pending:
                self._commit()
                return False
            wall = self._clock.wall()
            appended = ledger.append(self._pending, wall, self._clock.now_ns())
        except RecordError as error:
            self._errors["ledger"] = f"{error}; events wait in memory, and the line stops when that is full"
            self._retry_ns = now_ns + self._delay_ns
            self._delay_ns = min(2 * self._delay_ns, _LAST_RETRY_NS)
            return False
        self._commit()
        self._errors.pop("ledger", None)
        self._delay_ns = _FIRST_RETRY_NS
        if appended.gaps:
            self._errors["gap"] = f"events are missing: {appended.gaps[0]}; takt ledger verify names the row"
        self._rows += len(appended.events)
        for event in appended.events:
            self._selection.take(event, micros(wall), now_ns)
        return True

    def _commit(self) -> None:
        """Gives the rings back what is in the ledger, or was no event."""
        if self._read_bytes:
            for ring in self._rings.values():
                if ring is not None:
                    ring.commit()
        self._pending = []
        self._read_bytes = 0

    def _read(self, lane: int) -> list[LedgerEvent]:
        ring = self._rings[lane]
        if ring is None:
            return []
        events = []
        for payload in ring.read(BATCH):
            self._read_bytes += len(payload)
            try:
                events.append(_checked(decode_event(payload), lane))
            except BusError as error:
                self._garbled += 1
                self._errors["garbled"] = str(error)
        if ring.damages or ring.missed:
            self._errors["ring"] = f"lane {lane}: {ring.damages} places of the event ring were damaged"
        return events

    def _open(self) -> Ledger:
        """Opens ledger and register; what is opened here is closed again where the rest fails."""
        ledger = Ledger.open(self._state / LEDGER, self._storage.segment_h)
        try:
            self._rows = ledger.rows()
            self._keeping = Keeping(ledger, self._state / PICTURES, self._storage, self._free)
        except BaseException:
            ledger.close()
            raise
        self._ledger = ledger
        return ledger

    # Pictures

    def _may_keep(self, kind: PictureKind) -> bool:
        return self._keeping is not None and self._keeping.may_keep(kind)

    def _collect(self) -> None:
        """Enters what was developed."""
        done = self._darkroom.take_done()
        if any(each.stored for each in done):
            self._errors.pop("pictures", None)
        for each in done:
            if each.problem:
                self._errors["pictures"] = each.problem
                if each.kind is not None:
                    self._dropped[each.kind] += 1
        stored = [each.stored for each in done if each.stored is not None]
        if not stored or self._keeping is None:
            return
        try:
            self._keeping.note(stored)
        except RecordError as error:
            # They lie on the disk; the next start adopts them.
            self._errors["pictures"] = str(error)
        self._kept.update(each.kind for each in stored)

    def _keep(self) -> None:
        if self._keeping is None:
            return
        try:
            self._keeping.step(self._clock.wall())
            self._errors.pop("keeping", None)
        except RecordError as error:
            self._errors["keeping"] = str(error)

    # Housekeeping

    def _open_bus(self) -> None:
        """Opens rings and slots that are there now; stations and cameras make them."""
        for lane, ring in self._rings.items():
            if ring is None:
                with suppress(BusError):
                    self._rings[lane] = RingReader(self._place.ring(lane), keeper=True, name="recorder")
        self._selection.open()

    def _tell(self, now_ns: int) -> None:
        keeping = self._keeping
        status = RecorderStatus(
            at_ns=now_ns,
            backlog_bytes=self._read_bytes + sum(ring.backlog_bytes for ring in self._rings.values() if ring),
            rows=self._rows,
            garbled=self._garbled,
            pictures_gb=keeping.used_gb if keeping else 0.0,
            disk_free_gb=keeping.free_gb if keeping else 0.0,
            kept=self._kept,
            dropped=self._dropped + self._selection.dropped,
            deleted=keeping.deleted if keeping else {},
            policy=keeping.policy() if keeping else "",
            told=keeping.told if keeping else "",
            error="; ".join(self._errors.values()),
        )
        self._block.write(encode_health(status))


def _checked(event: LedgerEvent, lane: int) -> LedgerEvent:
    """Refuses what a ledger cannot hold.

    Raises:
        BusError: A number is out of bounds, or the event is another lane's.
    """
    numbers = (event.epoch, event.sequence, event.at_ns, event.count, event.part_id or 0)
    if event.lane != lane or any(not -_MOST_INT <= each < _MOST_INT for each in numbers):
        raise BusError(f"event {event.sequence} in the ring of lane {lane} is none of it", "restart that station")
    return event
