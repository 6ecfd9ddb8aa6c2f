"""What stops the line and keeps it stopped (REJECT_TRACKING, rules 8 and 12)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from app.config import StopSettings
from app.errors import CommandRefusedError

RESET_ROLES = ("lead", "technician", "admin")
"""Who may reset a latched stop."""


SWAP = "swap the wires A and B of the encoder, or change encoder.reverse"
"""What mends an encoder that counts the wrong way."""


class StopCause(str, Enum):
    """Why the line is stopped; `docs/operator.md` says what to do for each."""

    NOT_CLEARED = "NOT_CLEARED"
    OPERATOR = "OPERATOR"
    MISSED_REJECT = "MISSED_REJECT"
    BAD_AT_EXIT = "BAD_AT_EXIT"
    BAD_NOT_REJECTED = "BAD_NOT_REJECTED"
    EXTRA_PART = "EXTRA_PART"
    REPEATED_ALARMS = "REPEATED_ALARMS"
    CONSECUTIVE_REJECTS = "CONSECUTIVE_REJECTS"
    REJECT_RATE = "REJECT_RATE"
    BIN_FULL = "BIN_FULL"
    BIN_OPEN = "BIN_OPEN"
    AIR_LOW = "AIR_LOW"
    EXTERNAL_STOP = "EXTERNAL_STOP"
    SENSOR_BLOCKED = "SENSOR_BLOCKED"
    UNWATCHED = "UNWATCHED"
    STANDBY_SLOW = "STANDBY_SLOW"
    ENCODER_STILL = "ENCODER_STILL"
    ENCODER_FAULT = "ENCODER_FAULT"
    BELT_BACKWARDS = "BELT_BACKWARDS"
    GATE_TIMEOUT = "GATE_TIMEOUT"
    OUTPUT_FAULT = "OUTPUT_FAULT"
    QUEUE_OVERFLOW = "QUEUE_OVERFLOW"
    CHALLENGE_FAILED = "CHALLENGE_FAILED"
    LEDGER_FULL = "LEDGER_FULL"


class Alarm(str, Enum):
    """What is reported at once and stops the line only when it repeats."""

    UNEXPECTED_REJECT = "UNEXPECTED_REJECT"
    LOST_PART = "LOST_PART"
    UNSEEN_PART = "UNSEEN_PART"


@dataclass(frozen=True, slots=True)
class Latch:
    """One cause of the present stop.

    Attributes:
        cause: The kind.
        text: What happened, in words.
        at_ns: When.
        part_id: The part it happened to, if to one.
    """

    cause: StopCause
    text: str
    at_ns: int
    part_id: int | None = None


class Stops:
    """Latches, and the counts that lead to some of them.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: StopSettings) -> None:
        self._settings = settings
        self._latches: dict[StopCause, Latch] = {}
        self._present: dict[StopCause, set[str]] = {}
        self._in_a_row = 0
        self._verdicts: deque[bool] = deque(maxlen=settings.rate_window_parts)
        self._alarms: deque[int] = deque(maxlen=max(1, settings.repeated_alarms))

    @property
    def is_latched(self) -> bool:
        """The line must stand."""
        return bool(self._latches)

    @property
    def latches(self) -> tuple[Latch, ...]:
        """All causes of the present stop, the first-out cause first."""
        return tuple(self._latches.values())

    def latch(self, latch: Latch) -> bool:
        """Adds a cause.

        Returns:
            Whether it is new.
        """
        if latch.cause in self._latches:
            return False
        self._latches[latch.cause] = latch
        return True

    def set_present(self, cause: StopCause, where: str, is_present: bool) -> None:
        """Notes whether the condition behind a cause holds at one place, such as one bin."""
        places = self._present.setdefault(cause, set())
        if is_present:
            places.add(where)
        else:
            places.discard(where)

    def count_verdict(self, is_reject: bool) -> tuple[StopCause, str] | None:
        """Counts the verdict on one part.

        Returns:
            The cause and its words, if the line must stop for rejects in a row or for their rate.
        """
        self._in_a_row = self._in_a_row + 1 if is_reject else 0
        self._verdicts.append(is_reject)
        limit = self._settings.consecutive_rejects
        if limit and self._in_a_row >= limit:
            return StopCause.CONSECUTIVE_REJECTS, f"{self._in_a_row} parts rejected in a row"
        rate = self._settings.reject_rate
        if rate and len(self._verdicts) == self._verdicts.maxlen:
            rejects = sum(self._verdicts)
            if rejects > rate * len(self._verdicts):
                return StopCause.REJECT_RATE, f"{rejects} of the last {len(self._verdicts)} parts rejected"
        return None

    def count_alarm(self, part_number: int) -> bool:
        """Counts an alarm.

        Args:
            part_number: How many parts there have been, which is the clock of this window.

        Returns:
            Whether the alarms repeat too often.
        """
        if not self._settings.repeated_alarms:
            return False
        self._alarms.append(part_number)
        is_full = len(self._alarms) == self._settings.repeated_alarms
        return is_full and part_number - self._alarms[0] < self._settings.alarm_window_parts

    def check_reset(self, by: str, role: str, reason: str) -> None:
        """Says whether the stop may be reset.

        Raises:
            CommandRefusedError: Nothing is latched, who or why is missing, the role may not, or a cause is still there.
        """
        if not self._latches:
            raise CommandRefusedError("the line is not stopped", "nothing to reset", code="NOT_STOPPED")
        if not by.strip() or not reason.strip():
            raise CommandRefusedError("a reset needs a name and a reason", "give both")
        if role not in RESET_ROLES:
            raise CommandRefusedError(f"role {role!r} may not reset a stop", f"ask one of: {', '.join(RESET_ROLES)}")
        there = [f"{cause.value} ({', '.join(sorted(places))})" for cause, places in self._present.items() if places]
        if there:
            what, values = f"still present: {', '.join(there)}", {"causes": ", ".join(there)}
            raise CommandRefusedError(what, "clear the cause first", code="STILL_PRESENT", values=values)

    def clear(self) -> None:
        """Forgets the latches and the counts that led to them."""
        self._latches.clear()
        self._in_a_row = 0
        self._verdicts.clear()
        self._alarms.clear()
