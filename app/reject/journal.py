"""The ledger events of one station run, numbered without gaps."""

from __future__ import annotations

from app.types import EventKind, LedgerEvent, Scalar


class Journal:
    """Collects events until somebody takes them.

    Args:
        lane: The lane that they belong to.
        epoch: Which start of the station this is.
    """

    def __init__(self, lane: int, epoch: int) -> None:
        self.lane = lane
        self.epoch = epoch
        self._sequence = 0
        self._events: list[LedgerEvent] = []

    @property
    def last(self) -> int:
        """The sequence number of the newest event; -1 before the first."""
        return self._sequence - 1

    def write(self, kind: EventKind, at_ns: int, count: float, part_id: int | None = None, **data: Scalar) -> None:
        """Adds one event."""
        self._events.append(LedgerEvent(self.lane, self.epoch, self._sequence, at_ns, kind, part_id, int(count), data))
        self._sequence += 1

    def take(self) -> list[LedgerEvent]:
        """The events since the last call, in order."""
        events, self._events = self._events, []
        return events
