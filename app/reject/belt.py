"""Where the belt is: position, speed and direction, from encoder readings alone.

Decisions rest on `reach`, the high-water mark of the position: a stopped belt holds everything, and a reversing belt
holds until the count is back where it was (REJECT_TRACKING, rule 1).
"""

from __future__ import annotations

from app.clock import NS_PER_S
from app.reject.lineio import BeltReading

WINDOW_NS = 15_000_000
"""Speed is the mean over at least so long: long against the jitter of one count, short against a belt's ramp."""

SAMPLES = 16

MOST_AHEAD = 0.999
"""So many counts the position may run ahead of the encoder: the next count must come before it does."""

SOON_NS = 20_000
"""Shortest sleep before a position is looked for again."""


class Belt:
    """Belt position by quadrature counts.

    Args:
        counts_per_mm: Quadrature counts per millimetre.
    """

    def __init__(self, counts_per_mm: float) -> None:
        self.counts_per_mm = counts_per_mm
        self.count = 0
        self.count_ns = 0
        self.high_water = 0
        self.origin = 0
        self.missed = 0
        self._turned_at: int | None = None
        self._lowest = 0
        self._speed = 0.0
        self._counts = [0] * SAMPLES
        self._times_ns = [0] * SAMPLES
        self._newest = 0
        self._held = 0

    def start(self, reading: BeltReading) -> None:
        """Begins at a reading: what lies before it was not seen."""
        self.count = self.high_water = self.origin = reading.count
        self._turned_at = None
        self.count_ns = reading.at_ns
        self.missed = reading.missed
        self._speed = 0.0
        self._held = 0
        self._keep(reading)

    def observe(self, reading: BeltReading, now_ns: int) -> int:
        """Takes a reading.

        Returns:
            How many quadrature states were skipped since the last one.
        """
        if reading.count != self.count:
            self.count, self.count_ns = reading.count, reading.at_ns
            if self.count < self.high_water:
                is_same_turn = self._turned_at == self.high_water
                self._lowest = min(self._lowest, self.count) if is_same_turn else self.count
                self._turned_at = self.high_water
            self.high_water = max(self.high_water, self.count)
            self._keep(reading)
        self._speed = self._measured(now_ns)
        skipped = reading.missed - self.missed
        self.missed = reading.missed
        return skipped

    def speed_counts_s(self) -> float:
        """Counts per second; negative while the belt reverses."""
        return self._speed

    def reach(self, now_ns: int) -> float:
        """The farthest belt position so far, in counts, carried on within one count by the speed."""
        if self.count < self.high_water or self._speed <= 0:
            return float(self.high_water)
        return self.count + min(MOST_AHEAD, self._speed * (now_ns - self.count_ns) / NS_PER_S)

    def has_gone_back_over(self, position: float) -> bool:
        """Whether the belt, in its last turn, was beyond `position` and came back to it or behind it."""
        return self._turned_at is not None and self._lowest <= position <= self._turned_at

    def eta_ns(self, position: float, now_ns: int) -> int | None:
        """Nanoseconds until `reach` gets to `position`; `None` while the belt does not get nearer."""
        if self._speed <= 0 or self.count < self.high_water:
            return None
        silence_ns = now_ns - self.count_ns
        if self._speed * silence_ns >= MOST_AHEAD * NS_PER_S:
            # The next count is overdue: the belt slows or stands. Look again soon, and less and less often.
            return max(SOON_NS, silence_ns // 8)
        return max(SOON_NS, round((position - self.reach(now_ns)) / self._speed * NS_PER_S))

    def _keep(self, reading: BeltReading) -> None:
        self._newest = (self._newest + 1) % SAMPLES
        self._counts[self._newest] = reading.count
        self._times_ns[self._newest] = reading.at_ns
        self._held = min(self._held + 1, SAMPLES)

    def _measured(self, now_ns: int) -> float:
        if self._held < 2:  # noqa: PLR2004 - a speed needs two readings
            return 0.0
        span_ns = moved = 0
        for age in range(1, self._held):
            oldest = (self._newest - age) % SAMPLES
            span_ns = self._times_ns[self._newest] - self._times_ns[oldest]
            moved = self._counts[self._newest] - self._counts[oldest]
            if span_ns >= WINDOW_NS:
                break
        if span_ns <= 0:
            return 0.0
        speed = moved / span_ns * NS_PER_S
        # No count for longer than one should take: the belt has slowed to at most one count in that time.
        silence_ns = now_ns - self.count_ns
        if silence_ns > 0 and abs(speed) * silence_ns > NS_PER_S:
            bound = NS_PER_S / silence_ns
            speed = bound if speed > 0 else -bound
        return speed
