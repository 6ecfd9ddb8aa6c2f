"""Holds the station's account against what the machine knows of the parts that it sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.bus.events import decode_event
from app.bus.place import Place
from app.bus.ring import RingReader
from app.twin.control import MOST_RECENT, tell_twin
from app.twin.truth import PartTruth, Record, Truth
from app.types import EventKind, LedgerEvent, Outcome

_WANTED = (b'"TRIGGER"', b'"VERDICT"', b'"OUTCOME"')
_TIMEOUT_S = 5.0
_MOST_READ = 20_000
TOLERANCE_MM = 4.0
"""A trigger may lie so far from where the machine says that the part's edge was."""


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the parts, as the station says and as the machine knows.

    Attributes:
        sent: Parts that reached the part sensor, up to the last trigger that the station recorded.
        triggers: Triggers that it recorded.
        missed: Parts without a trigger.
        escapes: Bad parts in the good bin.
        overkill: Good parts in a reject bin.
        unaccounted: Parts without a record, records without a part, and records that contradict where a part is.
        outcomes: How many parts have which outcome.
        reasons: How many verdicts gave which reason.
        details: A sentence for each escape and each unaccounted part, the first of them.
        events_missed: Events that this witness was too slow to read; the account is then not whole.
        late_ms: How late the machine itself was at most.
    """

    sent: int
    triggers: int
    missed: int
    escapes: int
    overkill: int
    unaccounted: int
    outcomes: Mapping[str, int]
    reasons: Mapping[str, int]
    details: tuple[str, ...]
    events_missed: int
    late_ms: float


class Listener(Protocol):
    """Who else wants to know of events."""

    def hear(self, event: LedgerEvent) -> None:
        """Takes an event down."""


class Witness:
    """Listens to the station's events and asks the machine, now and then.

    Args:
        place: Where both are.
        lane: The lane.
        counts_per_mm: Of the encoder.
        listeners: Told of every event.

    Attributes:
        reasons: How many verdicts gave which reason.

    Raises:
        BusError: There is no station.
    """

    def __init__(self, place: Place, lane: int, counts_per_mm: float, listeners: Sequence[Listener] = ()) -> None:
        self._place = place
        self._lane = lane
        self._tolerance = max(2.0, TOLERANCE_MM * counts_per_mm)
        self._ring = RingReader(place.ring(lane), keeper=False, name="bench", from_oldest=True)
        self._counts: dict[int, int] = {}
        self._destinations: dict[int, str] = {}
        self._outcomes: dict[int, Outcome] = {}
        self.reasons: Counter[str] = Counter()
        self._parts: dict[int, PartTruth] = {}
        self._late_ms = 0.0
        self._listeners = tuple(listeners)

    def look(self) -> None:
        """Reads what the station has written, then asks the machine: so it knows of every part that was read of."""
        self.read()
        said = tell_twin(self._place, self._lane, "truth", timeout_s=_TIMEOUT_S, recent=MOST_RECENT)
        self._late_ms = said["late_ms"]
        for each in said["recent"]:
            self._parts[each["index"]] = _part(each)

    def read(self) -> None:
        """Reads what the station has written."""
        for payload in self._ring.read(_MOST_READ):
            if self._listeners or any(word in payload for word in _WANTED):
                self._take(decode_event(payload))

    def account(self) -> Account:
        """The account so far."""
        last = max(self._counts.values(), default=0) + self._tolerance
        parts = [part for part in self._parts.values() if part.trigger_count is None or part.trigger_count <= last]
        records = [
            Record(count, self._outcomes.get(part_id), self._destinations.get(part_id))
            for part_id, count in self._counts.items()
        ]
        found = Truth((), parts).compare(records, self._tolerance)
        outcomes = [outcome.value for outcome in self._outcomes.values()]
        return Account(
            sent=len(parts),
            triggers=len(records),
            missed=max(0, len(parts) - len(records)),
            escapes=found.escapes,
            overkill=found.overkill,
            unaccounted=found.unaccounted,
            outcomes={name: outcomes.count(name) for name in sorted(set(outcomes))},
            reasons=dict(self.reasons.most_common()),
            details=found.details[:20],
            events_missed=self._ring.missed,
            late_ms=self._late_ms,
        )

    def close(self) -> None:
        """Ends listening. Idempotent."""
        self._ring.close()

    def _take(self, event: LedgerEvent) -> None:
        for each in self._listeners:
            each.hear(event)
        if event.part_id is None:
            return
        if event.kind is EventKind.TRIGGER:
            # Not the event's own count: the belt has moved on before the edge was looked at.
            self._counts[event.part_id] = int(event.data["trigger_count"] or 0)
        elif event.kind is EventKind.VERDICT:
            self._destinations[event.part_id] = str(event.data.get("route", ""))
            self.reasons.update(str(event.data.get("reasons", "")).split())
        elif event.kind is EventKind.OUTCOME:
            self._outcomes[event.part_id] = Outcome(str(event.data["outcome"]))


def _part(said: Mapping[str, Any]) -> PartTruth:
    return PartTruth(said["index"], said["name"], said["is_bad"], said["count"], said["place"], said["is_dropped"])
