"""The parts that a dead station leaves on the belt, and what becomes of them (REJECT_TRACKING, rule 7)."""

from __future__ import annotations

from app.reject.book import Book
from app.reject.stops import StopCause
from app.types import Confirmation, EventKind, Opening, Orphan, Outcome, Reason


class Estate:
    """Orphans until each has its outcome.

    A part that cannot have reached the gate when the belt came to rest is still before it: the purge rejects it, or a
    person takes it away. One that may have passed the gate unheeded is lost from sight: where it was judged good it may
    lie in the good bin, where it was not the line stands until a person has looked.

    Args:
        book: The running record.
        opening: What the station takes over.
    """

    def __init__(self, book: Book, opening: Opening) -> None:
        self._book = book
        self._waiting = list(opening.orphans)
        self._gate_counts = book.counts(min(gate.position_mm for gate in book.line.gates))

    def open(self) -> None:
        """Settles what nothing can be done about, and stops the line where a bad part may have slipped by."""
        gone = [each for each in self._waiting if each.is_good and not self._is_before_gate(each)]
        for each in gone:
            self._settle(each, Outcome.LOST, Confirmation.MISSING)
        self._waiting = [each for each in self._waiting if each not in gone]
        doubtful = [each for each in self._waiting if not self._is_before_gate(each)]
        if doubtful:
            names = ", ".join(str(each.part_id) for each in doubtful)
            self._book.latch(
                StopCause.NOT_CLEARED,
                f"the station died with part {names} of epoch {doubtful[0].epoch} near the gate: nobody saw where it"
                " went; look for it as far as the exit",
            )

    def purge(self) -> None:
        """The stretch before the gate has gone by with the gate open: what was on it was rejected."""
        before = [each for each in self._waiting if self._is_before_gate(each)]
        for each in before:
            self._settle(each, Outcome.REJECTED, Confirmation.UNCONFIRMED)
        self._waiting = [each for each in self._waiting if each not in before]

    def clear(self) -> None:
        """A person has taken them off the belt."""
        for each in self._waiting:
            self._settle(each, Outcome.REJECTED, Confirmation.BY_HAND)
        self._waiting = []

    def _is_before_gate(self, orphan: Orphan) -> bool:
        return orphan.farthest_counts is not None and orphan.farthest_counts < self._gate_counts

    def _settle(self, orphan: Orphan, outcome: Outcome, confirmation: Confirmation) -> None:
        self._book.account.outcome(orphan.lot, outcome)
        is_lost = outcome is Outcome.LOST
        self._book.write(
            EventKind.OUTCOME,
            orphan.part_id,
            of_epoch=orphan.epoch,
            outcome=outcome.value,
            confirmation=confirmation.value,
            destination="pass" if is_lost else self._book.line.default_gate.destination,
            reason=Reason.PURGED.value,
        )
