"""Where the belt was a moment ago: a frame that shows a part was taken before it is looked at."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from app.clock import NS_PER_MS, NS_PER_S
from app.reject.lineio import BeltReading

GRAIN_NS = 2 * NS_PER_MS
"""Readings closer than this to the one before are not kept: between two the position is interpolated."""

SAMPLES = 1024
"""At least two seconds of belt."""

MOST_AHEAD_NS = 50 * NS_PER_MS
"""Longest time over which the speed carries a position on."""


class Trail:
    """Belt positions of the last seconds."""

    def __init__(self) -> None:
        self._times_ns = array("q", bytes(8 * 2 * SAMPLES))
        self._counts = array("q", bytes(8 * 2 * SAMPLES))
        self._held = 0

    def start(self, reading: BeltReading) -> None:
        """Begins at a reading."""
        self._held = 0
        self._append(reading)

    def keep(self, reading: BeltReading) -> None:
        """Notes a reading; its time is that of its last count."""
        if reading.at_ns - self._times_ns[self._held - 1] < GRAIN_NS:
            return
        if self._held == 2 * SAMPLES:
            # Half of it moves down at once, so that nothing is allocated and most calls move nothing.
            self._times_ns[:SAMPLES] = self._times_ns[SAMPLES:]
            self._counts[:SAMPLES] = self._counts[SAMPLES:]
            self._held = SAMPLES
        self._append(reading)

    def at(self, at_ns: int, newest: BeltReading, speed_counts_s: float) -> float:
        """The belt position at a time, in counts.

        Args:
            at_ns: The time; before the oldest reading kept, the belt is taken to have stood.
            newest: The present reading.
            speed_counts_s: The present speed, for a time that lies after it.
        """
        if at_ns >= newest.at_ns:
            return newest.count + speed_counts_s * min(at_ns - newest.at_ns, MOST_AHEAD_NS) / NS_PER_S
        after = bisect_right(self._times_ns, at_ns, 0, self._held)
        if after == 0:
            return float(self._counts[0])
        since_ns, count = self._times_ns[after - 1], self._counts[after - 1]
        is_last = after == self._held
        until_ns, next_count = (newest.at_ns, newest.count) if is_last else (self._times_ns[after], self._counts[after])
        if until_ns <= since_ns:
            return float(next_count)
        return count + (next_count - count) * (at_ns - since_ns) / (until_ns - since_ns)

    def _append(self, reading: BeltReading) -> None:
        self._times_ns[self._held] = reading.at_ns
        self._counts[self._held] = reading.count
        self._held += 1
