"""The software trigger; that of the part sensor is the sensor's own edge, which the tracker takes as it is."""

from __future__ import annotations

import math

from app.errors import LineError

MOST_AT_ONCE = 64


class SoftwareTrigger:
    """Triggers by belt position, and by command.

    Positions are counted from the first reading, each rounded up to a whole count by itself, so that a distance that
    is no whole number of counts does not drift.

    Args:
        every_counts: Belt between two triggers; `None` triggers by command only.

    Raises:
        ValueError: `every_counts` is below one count.
    """

    def __init__(self, every_counts: float | None = None) -> None:
        if every_counts is not None and not every_counts >= 1:
            raise ValueError(f"every_counts must be at least 1, it is {every_counts}")
        self._every_counts = every_counts
        self._origin: int | None = None
        self._next = 1
        self._is_fired = False

    def fire(self) -> None:
        """Triggers by command, at the next reading; commands that come before it are one."""
        self._is_fired = True

    def due(self, count: int) -> tuple[int, ...]:
        """Takes a belt position. The first one is the origin, and only a command triggers there.

        A belt that reverses triggers nothing until it is past its farthest position again.

        Args:
            count: Belt position.

        Returns:
            The belt positions of the triggers since the last call, ascending.

        Raises:
            LineError: The belt passed more than `MOST_AT_ONCE` positions between two readings.
        """
        if self._origin is None:
            self._origin = count
        positions = [] if self._every_counts is None else self._reached(count, self._origin, self._every_counts)
        if self._is_fired:
            self._is_fired = False
            positions += [] if count in positions else [count]
        return tuple(positions)

    def _reached(self, count: int, origin: int, every_counts: float) -> list[int]:
        positions: list[int] = []
        while (position := origin + math.ceil(self._next * every_counts)) <= count:
            if len(positions) == MOST_AT_ONCE:
                raise LineError(
                    f"the belt position jumped to {count}, past {MOST_AT_ONCE} triggers at once",
                    "check the encoder and its wiring",
                )
            positions.append(position)
            self._next += 1
        return positions
