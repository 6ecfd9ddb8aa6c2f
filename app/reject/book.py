"""What all rules of the tracker share: the parts on the belt, where the belt is, and the record of what happens."""

from __future__ import annotations

from app.config import Line
from app.reject.account import Account
from app.reject.belt import Belt
from app.reject.challenge import Challenge
from app.reject.journal import Journal
from app.reject.signals import Command, Permit
from app.reject.stops import Alarm, Latch, StopCause, Stops
from app.reject.track import Track
from app.types import Confirmation, EventKind, Opening, Outcome, Scalar, Tally

ALL_LEFT = "its last part has left the belt"
"""Why a lot was closed that nobody closed."""


class Book:
    """The running record.

    Args:
        line: The settings.
        opening: Which start of the station this is, and what it takes over.
    """

    def __init__(self, line: Line, opening: Opening) -> None:
        self.line = line
        self.belt = Belt(line.encoder.counts_per_mm)
        self.journal = Journal(line.line.lane, opening.epoch)
        self.stops = Stops(line.stops)
        self.account = Account(opening.lot, opening.tallies)
        self.challenge = Challenge(line.challenge, line.part)
        if opening.lot:  # whether its test was passed before this start, nobody here knows
            self.challenge.lot_started()
        self.tracks: list[Track] = []
        self.commands: list[Command] = []
        self.triggers = 0
        self.now_ns = 0
        self.reach = 0.0
        self.speed = 0.0

    def at(self, now_ns: int) -> None:
        """Moves to a moment: what `reach` and `speed` say from here on."""
        self.now_ns = now_ns
        self.reach = self.belt.reach(now_ns)
        self.speed = self.belt.speed_counts_s()

    def counts(self, mm: float) -> float:
        """Millimetres of belt in counts."""
        return mm * self.belt.counts_per_mm

    def find(self, part_id: int) -> Track | None:
        """The part with this number, while it is on the belt."""
        return next((track for track in self.tracks if track.part_id == part_id), None)

    def write(self, kind: EventKind, part_id: int | None = None, **data: Scalar) -> None:
        """Adds an event at the present moment and belt position."""
        self.journal.write(kind, self.now_ns, self.belt.count, part_id, **data)

    def latch(self, cause: StopCause, text: str, part_id: int | None = None) -> None:
        """Stops the line until somebody resets it."""
        was_latched = self.stops.is_latched
        if not self.stops.latch(Latch(cause, text, self.now_ns, part_id)):
            return
        self.write(EventKind.LATCHED, part_id, cause=cause.value, text=text)
        if not was_latched:
            self.commands.append(Permit(is_given=False))

    def alarm(self, kind: Alarm, text: str, part_id: int | None = None) -> None:
        """Reports what stops the line only when it repeats."""
        self.write(EventKind.ALARM, part_id, alarm=kind.value, text=text)
        if self.stops.count_alarm(self.triggers):
            self.latch(
                StopCause.REPEATED_ALARMS, f"{self.line.stops.repeated_alarms} alarms, the last: {text}", part_id
            )

    def settle(self, track: Track, outcome: Outcome, confirmation: Confirmation) -> None:
        """Gives a part its one final state."""
        track.outcome = outcome
        self.account.outcome(track.part.lot, outcome)
        self.write(
            EventKind.OUTCOME,
            track.part_id,
            outcome=outcome.value,
            confirmation=confirmation.value,
            destination=track.taken_by or track.route or "pass",
            reason=track.reason.value if track.reason else "",
        )
        if track.is_challenge and self.challenge.is_running:
            is_seen = outcome is Outcome.REJECTED and confirmation is Confirmation.SEEN
            is_by_hand = confirmation is Confirmation.BY_HAND
            failure = self.challenge.finish_part(track.part_id, track.is_defective, is_seen, is_by_hand=is_by_hand)
            if failure:
                self.fail_challenge(failure)

    def close_lot(self, lot: str, by: str, why: str) -> Tally:
        """Makes the account of a lot final; see `Account.close`, whose errors it raises."""
        tally = self.account.close(lot, by, why)
        self.write(EventKind.LOT_CLOSED, lot=lot, by=by, why=why, triggers=tally.triggers, lost=tally.lost)
        return tally

    def close_ended_lots(self) -> None:
        """Closes the lots that ended and whose last part has left the belt: lost parts wait for a person's reason."""
        for lot in self.account.ended():
            self.close_lot(lot, "", ALL_LEFT)

    def prove_stop(self) -> None:
        """The suppressed eject of a challenge test stopped the line: the test has passed."""
        self.challenge.pass_(self.now_ns, self.triggers)
        self.write(EventKind.CHALLENGE, result="PASSED", text="all known-bad parts rejected, the stop is proven")

    def fail_challenge(self, why: str) -> None:
        """A challenge test failed: everything passed since the last good one is quarantined."""
        since = self.challenge.last_good_part + 1
        self.challenge.fail()
        self.write(EventKind.CHALLENGE, result="FAILED", text=why, quarantine_from=since, quarantine_to=self.triggers)
        self.latch(StopCause.CHALLENGE_FAILED, why)
