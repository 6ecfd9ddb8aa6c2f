"""Gives every part its outcome: from what the sensors saw, or from what they should have seen and did not (rule 8)."""

from __future__ import annotations

from collections.abc import Iterator

from app.reject.book import Book
from app.reject.confirmation import ChuteWatch, ExitWatch
from app.reject.footprints import Footprints
from app.reject.gating import Gating
from app.reject.stops import Alarm, StopCause
from app.reject.track import Track
from app.types import Confirmation, EventKind, Outcome, Reason

EXITED_KEPT = 32
"""Parts that may come back past the exit sensor before they are taken for new ones."""


class Settling:
    """Confirmation and outcome.

    Args:
        book: The running record.
        gating: The gates, which say what they took.
    """

    def __init__(self, book: Book, gating: Gating) -> None:
        self._book = book
        self._gating = gating
        per_mm = book.line.encoder.counts_per_mm
        self._chutes = {gate.destination: ChuteWatch(gate.chute, per_mm) for gate in book.line.gates if gate.chute}
        self._exit = ExitWatch(book.line.exit, per_mm) if book.line.exit else None
        self._exited = Footprints(book.belt, book.line.part, EXITED_KEPT)

    def can_prove_a_stop(self) -> bool:
        """A missing reject would be noticed: there is a sensor behind the default gate."""
        return self._exit is not None or self._gating.default.destination in self._chutes

    def see_chute(self, destination: str, count: int) -> None:
        """A part fell past a chute sensor."""
        gate = self._gating[destination]
        on_the_way = [t for t in self._book.tracks if t.outcome is None]
        expected = [(t, gate.fire(t, self._book.speed)) for t in on_the_way if t.taken_by == destination]
        track = self._chutes[destination].match(count, expected)
        if track is not None:
            self._book.write(EventKind.CONFIRMED, track.part_id, sensor=f"chute:{destination}")
            self._book.settle(track, Outcome.REJECTED, Confirmation.SEEN)
            return
        others = [(t, gate.fire(t, self._book.speed)) for t in on_the_way if t.gates_passed and t.taken_by is None]
        track = self._chutes[destination].match(count, others)
        if track is None:
            if not self._gating.is_purging:
                self._book.alarm(Alarm.UNEXPECTED_REJECT, f"chute {destination} saw a part that nobody sent there")
            return
        is_bad = track.route is not None
        track.taken_by = destination
        if not is_bad:
            text = f"part {track.part_id} was to pass and fell into {destination}"
            self._book.alarm(Alarm.UNEXPECTED_REJECT, text, track.part_id)
        self._book.settle(track, Outcome.REJECTED, Confirmation.SEEN)

    def see_exit(self, count: int) -> None:
        """A part passed the exit sensor."""
        if self._exit is None:
            return
        track = self._exit.match(count, self._book.tracks)
        is_known = self._exited.knows(count)
        self._exited.add(count)
        if track is None:
            if is_known:
                self._book.write(
                    EventKind.TRIGGER_REPEAT, text="the belt has reversed: the exit sensor knows this part"
                )
            elif self._exit.is_older(self._book.belt.high_water, self._book.belt.origin):
                self._book.alarm(Alarm.UNSEEN_PART, "a part from before the start left the belt")
            else:
                self._book.latch(StopCause.EXTRA_PART, "the exit sensor saw a part that no trigger announced")
            return
        self._book.write(EventKind.CONFIRMED, track.part_id, sensor="exit")
        if track.route is None or track.reason is Reason.COLLATERAL:
            if track.outcome is None:
                track.taken_by = None
                self._book.settle(track, Outcome.PASSED, Confirmation.SEEN)
            return
        self._miss(track, StopCause.BAD_AT_EXIT, f"part {track.part_id} was to be rejected and left by the exit")

    def overdue(self) -> None:
        """Gives an outcome to the parts whose time to be seen is over."""
        for track in self._book.tracks:
            if track.outcome is not None or not self._gating.is_past(track):
                continue
            if track.route is None:
                self._settle_good(track)
            else:
                self._settle_bad(track)

    def is_done(self, track: Track) -> bool:
        """Nothing more can be seen of the part."""
        return track.outcome is not None and (self._exit is None or self._book.reach > self._exit.end(track))

    def positions(self, track: Track) -> Iterator[float]:
        """Belt positions at which a part becomes overdue, or is done with."""
        if self._gating.is_past(track):
            chute = self._chutes.get(track.taken_by or track.route or self._gating.default.destination)
            if chute and track.outcome is None:
                yield self._chute_end(chute, track)
            if self._exit:
                yield self._exit.end(track)

    def _settle_good(self, track: Track) -> None:
        if self._exit is not None:
            if self._book.reach > self._exit.end(track):
                self._lose(track)
            return
        chute = self._chutes.get(self._gating.default.destination)
        if chute is None or self._book.reach > self._chute_end(chute, track):
            self._book.settle(track, Outcome.PASSED, Confirmation.UNCONFIRMED)

    def _settle_bad(self, track: Track) -> None:
        chute = self._chutes.get(track.taken_by or track.route or "")
        is_collateral = track.reason is Reason.COLLATERAL
        if chute is not None:
            if self._book.reach <= self._chute_end(chute, track):
                return
            if not is_collateral:
                text = f"the chute did not see part {track.part_id}"
                self._miss(track, StopCause.MISSED_REJECT, text)
                return
        if self._exit is not None:
            if self._book.reach <= self._exit.end(track):
                return
            if chute is not None and is_collateral:
                self._lose(track)
                return
        if track.is_suppressed or track.taken_by is None:
            # The gate did not act: nobody saw where the part went, and the line stands for it.
            self._miss(track, StopCause.MISSED_REJECT, f"nothing took part {track.part_id} off the belt")
        elif chute is not None and is_collateral:
            track.taken_by = None
            self._book.settle(track, Outcome.PASSED, Confirmation.UNCONFIRMED)
        else:
            self._book.settle(track, Outcome.REJECTED, Confirmation.UNCONFIRMED)

    def _miss(self, track: Track, cause: StopCause, text: str) -> None:
        if self._book.challenge.missed(track.part_id):
            self._book.prove_stop()
        track.taken_by = None
        self._book.latch(cause, text, track.part_id)
        if track.outcome is None and not track.is_suppressed:
            self._book.settle(track, Outcome.LOST, Confirmation.MISSING)

    def _lose(self, track: Track) -> None:
        track.taken_by = None
        self._book.settle(track, Outcome.LOST, Confirmation.MISSING)
        self._book.alarm(
            Alarm.LOST_PART, f"part {track.part_id} passed the gate and never reached the exit", track.part_id
        )

    def _chute_end(self, chute: ChuteWatch, track: Track) -> float:
        gate = self._gating[track.taken_by or track.route or self._gating.default.destination]
        return chute.end(gate.fire(track, self._book.speed))
