"""Parts that a sensor has seen, so that it knows them when the belt brings them back."""

from __future__ import annotations

from collections import deque

from app.config import PartSettings
from app.reject.belt import Belt

KNOWN_EDGE_MM = 8.0
"""An edge so near to that of a part seen before the belt reversed is that part."""


class Footprints:
    """The belt positions at which parts began and stopped to cover one sensor.

    Args:
        belt: The belt, which knows whether it has gone back.
        part: The parts' length.
        kept: How many parts to remember.
    """

    def __init__(self, belt: Belt, part: PartSettings, kept: int) -> None:
        self._belt = belt
        self._length = part.length_mm * belt.counts_per_mm
        self._slack = min(KNOWN_EDGE_MM, part.length_mm / 4) * belt.counts_per_mm
        self._marks: deque[tuple[int, float]] = deque(maxlen=kept)

    @property
    def last(self) -> int | None:
        """Where the newest part began."""
        return self._marks[-1][0] if self._marks else None

    def add(self, start: int) -> None:
        """Notes a new part."""
        self._marks.append((start, start + self._length))

    def extend(self, end: int) -> None:
        """Notes that the newest part covers the sensor up to `end`."""
        start, known_end = self._marks[-1]
        self._marks[-1] = (start, max(end, known_end))

    def knows(self, count: int, seen_at: float = 0.0) -> bool:
        """Whether an edge at `count` is a part seen before, seen again because the belt has gone back since.

        Forwards again the leading edge comes a second time; backwards it is the trailing edge that covers the sensor.

        Args:
            count: Where the edge passes the place of the part sensor.
            seen_at: How far from there it is seen, in counts.
        """
        return any(
            abs(count - edge) <= self._slack and self._belt.has_gone_back_over(edge + seen_at)
            for mark in self._marks
            for edge in mark
        )
