"""The challenge test (REJECT_TRACKING, rule 13): known-bad parts prove that the reject chain works.

Three series of known-bad parts, spaced, consecutive and at normal pitch, must each be judged defective by the picture
and be seen in the chute. Then one eject is suppressed on purpose: the missing part must stop the line.
"""

from __future__ import annotations

from enum import Enum

from app.clock import NS_PER_S
from app.config import ChallengeSettings, PartSettings

NS_PER_HOUR = 3600 * NS_PER_S


class Phase(str, Enum):
    """What the test waits for."""

    IDLE = "IDLE"
    SPACED = "SPACED"
    CONSECUTIVE = "CONSECUTIVE"
    NORMAL = "NORMAL"
    SUPPRESSED = "SUPPRESSED"
    PROVING = "PROVING"


SERIES = (Phase.SPACED, Phase.CONSECUTIVE, Phase.NORMAL)


class Challenge:
    """The course of the test. The tracker tells it what happened to its parts.

    Args:
        settings: How many parts a series has and when a test is due.
        part: The least pitch, which "spaced" and "consecutive" are measured by.
    """

    def __init__(self, settings: ChallengeSettings, part: PartSettings) -> None:
        self._settings = settings
        self._near_mm = 2 * part.min_pitch_mm
        self._done = 0
        self._waiting: set[int] = set()
        self._suppressed: int | None = None
        self._passed_ns: int | None = None
        self._passed_part = 0
        self._is_lot_due = False
        self.phase = Phase.IDLE

    @property
    def is_running(self) -> bool:
        """Parts on the belt belong to the test."""
        return self.phase is not Phase.IDLE

    @property
    def last_good_part(self) -> int:
        """The last part triggered before the last good test ended; what passed since is quarantined by a failure."""
        return self._passed_part

    def lot_started(self) -> None:
        """A lot was opened, or a station begins within one: where so configured, a test is due."""
        self._is_lot_due = self._settings.at_lot_start

    def is_due(self, now_ns: int) -> bool:
        """A test should be run now."""
        if self.is_running:
            return False
        interval_ns = self._settings.interval_h * NS_PER_HOUR
        is_time = bool(interval_ns) and (self._passed_ns is None or now_ns - self._passed_ns >= interval_ns)
        return is_time or self._is_lot_due

    def start(self) -> None:
        """Begins with the spaced series."""
        self.phase = Phase.SPACED
        self._done = 0
        self._waiting.clear()
        self._suppressed = None

    def trigger(self, part_id: int, pitch_mm: float) -> bool:
        """Takes a part into the test; one at the wrong pitch for its series is checked, but does not count.

        Returns:
            Whether the eject of this part is to be suppressed.
        """
        if self.phase is Phase.SUPPRESSED:
            self._suppressed = part_id
            self.phase = Phase.PROVING
            return True
        self._waiting.add(part_id)
        is_first = self._done == 0
        if self.phase is Phase.SPACED and not is_first and pitch_mm < self._near_mm:
            return False
        if self.phase is Phase.CONSECUTIVE and not is_first and pitch_mm > self._near_mm:
            return False
        self._done += 1
        if self.phase in SERIES and self._done >= self._settings.parts:
            self._done = 0
            index = SERIES.index(self.phase) + 1
            self.phase = SERIES[index] if index < len(SERIES) else Phase.SUPPRESSED
        return False

    def finish_part(self, part_id: int, is_found: bool, is_seen: bool, *, is_by_hand: bool = False) -> str | None:
        """Takes the outcome of a part.

        Args:
            part_id: The part.
            is_found: The picture showed the defect.
            is_seen: The chute sensor confirmed the reject.
            is_by_hand: A person took it off the belt while the line stood.

        Returns:
            Why the test has failed, if it has.
        """
        if part_id not in self._waiting and part_id != self._suppressed:
            return None
        if is_by_hand:
            return f"the test was cut off: somebody cleared known-bad part {part_id} off the belt by hand"
        if part_id == self._suppressed:
            return f"part {part_id} left without an eject and the line did not stop"
        self._waiting.discard(part_id)
        if not is_found:
            return f"the defect of known-bad part {part_id} was not found"
        return None if is_seen else f"known-bad part {part_id} was not seen in the chute"

    def missed(self, part_id: int | None) -> bool:
        """Takes a missed reject.

        Returns:
            Whether it was the suppressed one: the stop is proven.
        """
        return self.phase is Phase.PROVING and part_id is not None and part_id == self._suppressed

    def pass_(self, now_ns: int, last_part: int) -> None:
        """Ends the test as passed."""
        self._passed_ns = now_ns
        self._passed_part = last_part
        self._is_lot_due = False
        self.phase = Phase.IDLE

    def fail(self) -> None:
        """Ends the test as failed."""
        self.phase = Phase.IDLE
