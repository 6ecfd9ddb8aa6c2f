"""What a starting station takes over: the account, and the parts that the one before it left on the belt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.bus.block import read_block
from app.bus.events import decode_event
from app.bus.place import Place
from app.bus.ring import RingReader
from app.clock import NS_PER_MS
from app.config import Line
from app.errors import BusError
from app.loops import STATUS_NS
from app.record.readers import Records
from app.status import Status, decode_status
from app.types import LedgerEvent, Opening

FIRST_LOT = "L1"
_BRISK = 1.2
"""A belt may have sped up since its speed was last told."""


def take_over(line: Line, place: Place, ledger: Path) -> Opening:
    """Reads what the stations of this lane before left: from the ledger, the ring and the last status.

    The ring is read before the ledger, so that an event on its way from the one to the other is seen in one of them.

    Args:
        line: The lane.
        place: Where the processes meet.
        ledger: The ledger's folder.

    Raises:
        RecordError: The ledger cannot be read: nobody knows what is on the belt.
    """
    lane = line.line.lane
    pending = list(_pending(place.ring(lane)))
    last = _last_status(place.status(lane))
    farthest = {last.epoch: last.count + _unseen_counts(line, last)} if last else {}
    records = Records(ledger)
    try:
        opening = records.opening(lane, pending, farthest)
    finally:
        records.close()
    return replace(opening, lot=opening.lot or FIRST_LOT)


def _unseen_counts(line: Line, last: Status) -> int:
    """The farthest that a part moved after its station's last word: until the relay dropped, and coasting."""
    hold_ns = round(line.permit.hold_ms * NS_PER_MS) if line.permit else 0
    fastest_mm_s = max(last.speed_mm_s * _BRISK, line.belt.v_min_mm_s if last.is_permitted else 0.0)
    driven_mm = fastest_mm_s * (2 * STATUS_NS + hold_ns) / 1e9
    return round((driven_mm + (line.belt.stop_mm if fastest_mm_s else 0.0)) * line.encoder.counts_per_mm)


def _pending(ring: Path) -> Iterator[LedgerEvent]:
    """Events that the recorder has not taken yet."""
    with suppress(BusError):  # no ring: the box has just been switched on
        reader = RingReader(ring, keeper=False, name="station", from_oldest=True)
        try:
            while payloads := reader.read():
                yield from map(decode_event, payloads)
        finally:
            reader.close()


def _last_status(block: Path) -> Status | None:
    with suppress(BusError):
        said = read_block(block)
        return decode_status(said) if said else None
    return None
