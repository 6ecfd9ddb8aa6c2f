"""What the events make of parts and lots: the derived tables, computed. Pure.

Folding an event notes what changes; whoever holds the database writes the changes in the transaction of the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.record.finds import Finds
from app.types import PASS, EventKind, LedgerEvent, Opening, Orphan, Outcome, Scalar, Tally

Change = dict[str, Any]
"""Columns of a derived table and what they become; `None` leaves a column as it is."""

_NO_PART: Change = {
    "lot": None,
    "serial": None,
    "trigger_us": None,
    "trigger_count": None,
    "verdict": None,
    "route": None,
    "reasons": None,
    "text": None,
    "is_flagged": 0,
    "total_us": None,
    "outcome": None,
    "confirmation": None,
    "destination": None,
    "settled_us": None,
    "terms": None,
}
_NO_LOT: Change = {
    "opened_us": None,
    "opened_row": None,
    "closed_us": None,
    "is_opened": False,
    "triggers": 0,
    "passed": 0,
    "rejected": 0,
    "lost": 0,
}
_COUNTERS = {Outcome.PASSED.value: "passed", Outcome.REJECTED.value: "rejected", Outcome.LOST.value: "lost"}


@dataclass(frozen=True, slots=True)
class OpenPart:
    """A part without an outcome.

    Attributes:
        lot: Its lot.
        trigger_count: Belt position of its trigger.
        route: Where it is sent; empty before its verdict.
    """

    lot: str
    trigger_count: int
    route: str = ""


@dataclass(frozen=True, slots=True)
class OpenLot:
    """A lot that is not closed, as far as it is known.

    Attributes:
        tally: Its account; `in_flight` counts the parts without an outcome.
        opened_row: The row that opened it last: the lot with the highest runs.
    """

    tally: Tally
    opened_row: int


def as_text(value: Scalar) -> str | None:
    """A detail as text that can be stored: a file name may hold bytes that are none."""
    return None if value is None else str(value).encode(errors="backslashreplace").decode()


def epoch_of(event_epoch: int, said: Mapping[str, Scalar]) -> int:
    """The epoch of the part that an event is about: an outcome may come in a later one."""
    epoch = said.get("of_epoch")
    return epoch if isinstance(epoch, int) and epoch > 0 else event_epoch


class Summary:
    """The parts and lots of one lane, and what the events since the last `take_changes` change in them.

    Args:
        lane: The lane.
        epoch: The last epoch known; 0 before the first.
        sequence: The last sequence of that epoch.
        parts: Parts without an outcome, by epoch and number.
        counts: The last belt position known of each epoch that has such parts.
        finds: What is known of the lane's terms.

    Attributes:
        finds: What the events tell a reviewer.
    """

    def __init__(
        self,
        lane: int,
        epoch: int = 0,
        sequence: int = -1,
        parts: dict[tuple[int, int], OpenPart] | None = None,
        counts: dict[int, int] | None = None,
        finds: Finds | None = None,
    ) -> None:
        self.lane = lane
        self.finds = finds or Finds(lane)
        self.epoch = epoch
        self.sequence = sequence
        self.parts = parts or {}
        self.counts = counts or {}
        self._part_changes: dict[tuple[int, int], Change] = {}
        self._lot_changes: dict[str, Change] = {}
        self._kinds: dict[EventKind, Callable[[LedgerEvent, int, Change], None]] = {
            EventKind.TRIGGER: self._trigger,
            EventKind.JUDGED: self._judged,
            EventKind.VERDICT: self._verdict,
            EventKind.REROUTED: self._rerouted,
            EventKind.SERIAL: self._serial,
            EventKind.OUTCOME: self._outcome,
        }

    def is_known(self, event: LedgerEvent) -> bool:
        """The event is at or before the last one folded."""
        return (event.epoch, event.sequence) <= (self.epoch, self.sequence)

    def gap(self, event: LedgerEvent) -> str:
        """What is missing or out of order right before the event, in words; empty where nothing is."""
        if event.epoch == self.epoch:
            expected = self.sequence + 1
        elif event.epoch > self.epoch:
            expected = 0
        else:
            return f"epoch {event.epoch} after epoch {self.epoch}"
        if event.sequence == expected:
            return ""
        if event.sequence < expected:
            return f"epoch {event.epoch}: sequence {event.sequence} again, and it is another event"
        return f"epoch {event.epoch}: sequence {expected} to {event.sequence - 1} never came"

    def fold(self, event: LedgerEvent, row: int, wall_us: int) -> None:
        """Takes the next event.

        Args:
            event: The event.
            row: The row of the ledger that it becomes.
            wall_us: When it happened, by the wall clock, in microseconds.
        """
        self.epoch, self.sequence = max((self.epoch, self.sequence), (event.epoch, event.sequence))
        self.counts[event.epoch] = event.count
        if event.kind is EventKind.LOT_OPENED or event.kind is EventKind.LOT_CLOSED:
            self._lot(event, row, wall_us)
        key = None if event.part_id is None else (epoch_of(event.epoch, event.data), event.part_id)
        self.finds.fold(event, row, wall_us, key)
        if key is None:
            return
        change = self._part_changes.get(key)
        if change is None:
            change = self._part_changes[key] = {
                **_NO_PART,
                "lane": self.lane,
                "epoch": key[0],
                "part_id": key[1],
                "first_row": row,
            }
        change["last_row"] = row
        take = self._kinds.get(event.kind)
        if take is not None:
            take(event, wall_us, change)

    def take_changes(self) -> tuple[list[Change], list[Change]]:
        """The rows of `parts` and `lots` that changed since the last call."""
        parts, self._part_changes = list(self._part_changes.values()), {}
        lots, self._lot_changes = list(self._lot_changes.values()), {}
        return parts, lots

    def opening(self, lots: dict[str, OpenLot], farthest: Mapping[int, int]) -> Opening:
        """What a station takes over that starts now.

        Args:
            lots: The open lots before the changes that were folded.
            farthest: The farthest belt position that each epoch may have reached; of others nobody knows.
        """
        open_lots = self._lots_with_changes(lots)
        running = max(open_lots, key=lambda name: open_lots[name].opened_row, default="")
        return Opening(
            epoch=self.epoch + 1,
            lot=running,
            tallies={name: self._with_flight(name, each.tally) for name, each in open_lots.items()},
            orphans=tuple(self._orphan(key, part, farthest) for key, part in sorted(self.parts.items())),
        )

    # How

    def _lots_with_changes(self, lots: dict[str, OpenLot]) -> dict[str, OpenLot]:
        found = dict(lots)
        for name, change in self._lot_changes.items():
            before = found.get(name, OpenLot(Tally(), -1))
            tally = replace(
                before.tally,
                **{each: getattr(before.tally, each) + change[each] for each in ("triggers", *_COUNTERS.values())},
            )
            row = before.opened_row if change["opened_row"] is None else change["opened_row"]
            found[name] = OpenLot(tally, row)
            if change["closed_us"] is not None:
                del found[name]
        return found

    def _with_flight(self, lot: str, tally: Tally) -> Tally:
        return replace(tally, in_flight=sum(part.lot == lot for part in self.parts.values()))

    def _orphan(self, key: tuple[int, int], part: OpenPart, farthest: Mapping[int, int]) -> Orphan:
        epoch, part_id = key
        at_most = None
        if epoch in farthest:
            at_most = max(farthest[epoch], self.counts.get(epoch, part.trigger_count)) - part.trigger_count
        return Orphan(epoch, part_id, part.lot, at_most, part.route == PASS)

    def _of_lot(self, lot: str) -> Change:
        change = self._lot_changes.get(lot)
        if change is None:
            change = self._lot_changes[lot] = {**_NO_LOT, "lane": self.lane, "lot": lot}
        return change

    def _lot(self, event: LedgerEvent, row: int, wall_us: int) -> None:
        change = self._of_lot(as_text(event.data.get("lot")) or "")
        if event.kind is EventKind.LOT_OPENED:
            change.update(opened_us=wall_us, opened_row=row, closed_us=None, is_opened=True)
        else:
            change.update(closed_us=wall_us, is_opened=False)

    def _trigger(self, event: LedgerEvent, wall_us: int, change: Change) -> None:
        lot = as_text(event.data.get("lot")) or ""
        said = event.data.get("trigger_count")
        count = said if isinstance(said, int) else event.count
        change.update(lot=lot, trigger_us=wall_us, trigger_count=count, terms=self.finds.terms_row)
        self._serial(event, wall_us, change)
        self._of_lot(lot)["triggers"] += 1
        self.parts[change["epoch"], change["part_id"]] = OpenPart(lot, count)

    def _judged(self, event: LedgerEvent, _wall_us: int, change: Change) -> None:
        took = event.data.get("total_us")
        if isinstance(took, (int, float)):
            change["total_us"] = max(round(took), change["total_us"] or 0)
        self._flag(event, change)

    def _verdict(self, event: LedgerEvent, _wall_us: int, change: Change) -> None:
        said = event.data
        route = as_text(said.get("route")) or ""
        change.update(
            verdict=as_text(said.get("destination")),
            route=route,
            reasons=as_text(said.get("reasons")),
            text=as_text(said.get("text")),
        )
        self._flag(event, change)
        self._send(change, route)

    def _rerouted(self, event: LedgerEvent, _wall_us: int, change: Change) -> None:
        change["route"] = as_text(event.data.get("to")) or ""
        self._send(change, change["route"])

    def _serial(self, event: LedgerEvent, _wall_us: int, change: Change) -> None:
        change["serial"] = as_text(event.data.get("serial")) or change["serial"]

    def _outcome(self, event: LedgerEvent, wall_us: int, change: Change) -> None:
        part = self.parts.pop((change["epoch"], change["part_id"]), None)
        if part is None:
            # A second outcome changes nothing here; `takt ledger verify` names it.
            return
        said = event.data
        outcome = str(as_text(said.get("outcome")))
        change.update(
            outcome=outcome,
            confirmation=as_text(said.get("confirmation")),
            destination=as_text(said.get("destination")),
            settled_us=wall_us,
        )
        if outcome in _COUNTERS:
            self._of_lot(part.lot)[_COUNTERS[outcome]] += 1
        self._forget_counts()

    def _flag(self, event: LedgerEvent, change: Change) -> None:
        change["is_flagged"] = int(bool(change["is_flagged"]) or bool(event.data.get("is_flagged")))

    def _send(self, change: Change, route: str) -> None:
        key = (change["epoch"], change["part_id"])
        part = self.parts.get(key)
        if part is not None:
            self.parts[key] = replace(part, route=route)

    def _forget_counts(self) -> None:
        """Positions of epochs without open parts are of no use to anybody."""
        if len(self.counts) > 1:
            epochs = {epoch for epoch, _ in self.parts} | {self.epoch}
            self.counts = {epoch: count for epoch, count in self.counts.items() if epoch in epochs}


def replay(summary: Summary, events: Iterable[LedgerEvent]) -> Summary:
    """Folds events that are on their way to the ledger; those that it has are passed over."""
    row = 1 << 40
    for event in events:
        if event.lane == summary.lane and not summary.is_known(event):
            summary.fold(event, row, 0)
            row += 1
    return summary
