"""The purge: belt that nobody watched goes by with the gate open, or is cleared by hand (REJECT_TRACKING, rule 7)."""

from __future__ import annotations

from app.config import GateSettings
from app.errors import CommandRefusedError
from app.reject.arriving import Arriving
from app.reject.book import Book
from app.reject.estate import Estate
from app.reject.gating import Gating
from app.reject.judging import Judging
from app.reject.track import Fate
from app.types import Confirmation, EventKind, Outcome, Reason, Scalar


class Purging:
    """What becomes of the parts on the belt after a stop, a start, or a lost belt position.

    Args:
        book: The running record.
        gating: The gates; a diverter stays open for a purge, and a gate that pulses cannot purge.
        judging: Rejects the parts that are on the belt.
        arriving: Knows how far the belt is not watched all the way.
        estate: What a station before this one has left on the belt.

    Attributes:
        watched_mm: From the part sensor to the last gate and the coasting distance beyond: what a purge rejects.
    """

    def __init__(self, book: Book, gating: Gating, judging: Judging, arriving: Arriving, estate: Estate) -> None:
        self.watched_mm = gating.gates[-1].settings.position_mm + book.line.belt.stop_mm
        self._book = book
        self._gating = gating
        self._judging = judging
        self._arriving = arriving
        self._estate = estate

    @property
    def gate(self) -> GateSettings:
        """The gate that purges."""
        return self._gating.default.settings

    @property
    def end(self) -> float | None:
        """Where on the belt the purge ends; `None` while there is none."""
        return self._arriving.purge_end

    def check_gate(self, mend: str) -> None:
        """Refuses a purge by a gate that acts on single parts only.

        Args:
            mend: What to do about the belt in its place.

        Raises:
            CommandRefusedError: It is one.
        """
        if self.gate.is_pulse:
            what = f"a {self.gate.kind} cannot purge parts that nobody saw"
            raise CommandRefusedError(what, mend, code="CANNOT_PURGE")

    def begin(self, by: str = "", *, is_told: bool = True) -> None:
        """Rejects everything up to the last gate and the coasting distance beyond; a diverter stays open for it.

        Args:
            by: Who asked for it; empty: nobody did.
            is_told: It is written down: an encoder that fails at every count must not fill the ledger.
        """
        book = self._book
        for track in book.tracks:
            if track.outcome is None and not self._gating.is_past(track):
                self._judging.force(track, Reason.PURGED, "on belt that was not watched all the way")
        if self.gate.is_pulse:
            return
        self._arriving.purge_end = book.reach + book.counts(self.watched_mm)
        self._gating.is_purging = True
        asked: dict[str, Scalar] = {"by": by} if by else {}
        if is_told:
            book.write(EventKind.PURGE_STARTED, None, mm=self.watched_mm, **asked)

    def follow(self) -> None:
        """Ends the purge where the belt has come far enough."""
        if self.end is None or self._book.reach < self.end:
            return
        self._arriving.purge_end = None
        self._gating.is_purging = False
        self._book.write(EventKind.PURGE_ENDED)
        self._estate.purge()
        self._gating.drive()

    def clear_by_hand(self) -> None:
        """A person has taken off the belt what was on it up to the last gate and the coasting distance beyond."""
        book = self._book
        span = book.counts(self.watched_mm)
        for track in book.tracks:
            is_within = book.reach - track.part.trigger_count <= span
            if track.outcome is None and (is_within or track.is_suppressed):
                if track.fate is Fate.PENDING:
                    self._judging.force(track, Reason.PURGED, "taken off the belt by hand")
                track.reason = track.reason or Reason.PURGED
                book.settle(track, Outcome.REJECTED, Confirmation.BY_HAND)
        book.tracks = [track for track in book.tracks if book.reach - track.part.trigger_count > span]
        self._estate.clear()
        self._arriving.forget()
