"""Takes verdicts, and rejects the parts for which there is none or must be none (REJECT_TRACKING, rules 2 and 4)."""

from __future__ import annotations

from app.reject.book import Book
from app.reject.gating import Gating
from app.reject.stops import StopCause
from app.reject.track import Fate, Track
from app.types import PASS, EventKind, Finding, Reason, Verdict


class Judging:
    """What is decided of each part.

    Args:
        book: The running record.
        gating: The gates, which say how long a verdict may take.
    """

    def __init__(self, book: Book, gating: Gating) -> None:
        self._book = book
        self._gating = gating

    def take(self, verdict: Verdict) -> bool:
        """Takes a verdict. The first one counts; a later one is only logged.

        Returns:
            Whether it counted.
        """
        track = self._book.find(verdict.part_id)
        if track is None or track.fate is not Fate.PENDING:
            self._book.write(EventKind.VERDICT_LATE, verdict.part_id, destination=verdict.destination)
            return False
        self._decide(track, verdict)
        return True

    def force(self, track: Track, reason: Reason, text: str) -> None:
        """Rejects a part for a reason that is not in its picture, whatever was decided before."""
        destination = self._gating.default.destination
        if track.fate is Fate.PENDING:
            track.reason = reason
            finding = Finding(reason, text)
            self._decide(track, Verdict(track.part_id, destination, (finding,), decided_ns=self._book.now_ns))
        elif track.route is None and not self._gating.is_past(track):
            track.route, track.reason = destination, reason
            self._book.write(EventKind.REROUTED, track.part_id, to=destination, reason=reason.value)
        elif track.route is None and reason is Reason.TOUCHING:
            text = f"part {track.part_id} must not pass and is beyond the gate"
            self._book.latch(StopCause.BAD_NOT_REJECTED, text, track.part_id)

    def miss_deadlines(self) -> None:
        """Rejects every part that has no verdict at its cut-off."""
        for track in self._book.tracks:
            if self._gating.is_late(track):
                self.force(track, Reason.DEADLINE, "no verdict before the gate's cut-off")

    def _decide(self, track: Track, verdict: Verdict) -> None:
        track.verdict = verdict
        track.fate = Fate.GOOD if verdict.is_pass else Fate.BAD
        track.missing.clear()
        if not verdict.is_pass and track.route is None:
            track.route = self._gating.route(track, verdict.destination)
        self._book.write(
            EventKind.VERDICT,
            track.part_id,
            destination=verdict.destination,
            route=track.route or PASS,
            reasons=" ".join(sorted({finding.reason.value for finding in verdict.findings})),
            text="; ".join(finding.text for finding in verdict.findings),
            is_flagged=verdict.is_flagged,
        )
        if track.is_challenge or any(finding.reason is Reason.PURGED for finding in verdict.findings):
            return
        stop = self._book.stops.count_verdict(not verdict.is_pass)
        if stop is not None:
            self._book.latch(*stop, track.part_id)
