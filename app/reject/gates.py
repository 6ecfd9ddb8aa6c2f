"""When a gate is on (REJECT_TRACKING, rules 3, 4 and 6): fire points, cut-offs and dwells in belt counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from app.clock import NS_PER_MS
from app.config import GateSettings, PartSettings
from app.reject.track import Track

INTERVALS_KEPT = 8


@dataclass(slots=True)
class Interval:
    """A stretch of belt during which the gate took what passed it, in counts; still open while `end` is `None`."""

    start: float
    end: float | None = None

    def covers(self, position: float) -> bool:
        """Whether a part whose centre passed the gate at `position` was taken."""
        return self.start <= position and (self.end is None or position < self.end)


class Gate:
    """One gate: where it acts on a part, and whether it is on.

    Args:
        settings: Its position, dwell, lag and limits.
        part: The parts' length.
        counts_per_mm: Quadrature counts per millimetre.
    """

    def __init__(self, settings: GateSettings, part: PartSettings, counts_per_mm: float) -> None:
        self.settings = settings
        self.destination = settings.destination
        self._counts_per_mm = counts_per_mm
        self._half_part_mm = part.length_mm / 2
        self._on_ns: int | None = None
        self._intervals: deque[Interval] = deque(maxlen=INTERVALS_KEPT)

    @property
    def is_on(self) -> bool:
        """The gate is rejecting now."""
        return self._on_ns is not None

    def fire(self, track: Track, speed: float) -> float:
        """The belt position at which the gate must be told to act on a part.

        Args:
            track: The part.
            speed: Belt speed in counts per second.
        """
        if track.fire is not None:
            return track.fire
        where_mm = self.settings.position_mm + self.settings.offset_mm
        return track.part.trigger_count + self._counts_per_mm * where_mm - self._lag(speed)

    def cut_off(self, track: Track, speed: float) -> float:
        """The belt position after which a verdict comes too late."""
        return self.fire(track, speed) - max(0.0, speed) * self.settings.margin_ms / 1000

    def off(self, track: Track, speed: float) -> float:
        """The belt position at which the dwell for a part ends."""
        where_mm = self.settings.position_mm + self.settings.offset_mm + self.settings.dwell_mm + track.hidden_mm
        return track.part.trigger_count + self._counts_per_mm * where_mm - self._lag(speed)

    def centre(self, track: Track) -> float:
        """The belt position at which the centre of a part passes the gate: there it is taken or not."""
        return track.part.trigger_count + self._counts_per_mm * (self.settings.position_mm + self._half_part_mm)

    def takes(self, track: Track) -> bool:
        """Whether the gate was on, its lag allowed for, when the centre of the part passed."""
        centre = self.centre(track)
        return any(interval.covers(centre) for interval in self._intervals)

    def turn_on(self, reach: float, speed: float, now_ns: int) -> None:
        """Notes that the gate was told to reject."""
        self._on_ns = now_ns
        self._intervals.append(Interval(reach + self._lag(speed)))

    def turn_off(self, reach: float, speed: float) -> None:
        """Notes that the gate was told to let pass."""
        self._on_ns = None
        self._intervals[-1].end = reach + self._lag(speed)

    def may_drop(self, now_ns: int) -> bool:
        """A pulse lasts its minimum on-time."""
        return self._on_ns is not None and now_ns >= self._on_ns + round(self.settings.min_on_ms * NS_PER_MS)

    def limit_ns(self) -> int | None:
        """When the pulse reaches the maximum on-time of the coil; `None` for a diverter, or while it is off."""
        if self._on_ns is None or not self.settings.is_pulse:
            return None
        return self._on_ns + round(self.settings.max_on_ms * NS_PER_MS)

    def earliest_off_ns(self) -> int | None:
        """When the minimum on-time ends; `None` while the gate is off."""
        return None if self._on_ns is None else self._on_ns + round(self.settings.min_on_ms * NS_PER_MS)

    def _lag(self, speed: float) -> float:
        return max(0.0, speed) * self.settings.lag_ms / 1000
