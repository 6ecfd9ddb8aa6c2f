"""Triggers: what makes a part record."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import LineError

MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Trigger:
    """A part begins.

    Attributes:
        at_ns: When.
        count: At which belt position.
    """

    at_ns: int
    count: int


class SensorTrigger:
    """Triggers by the part sensor: every leading edge is a part.

    A part that already covers the sensor at the start makes no trigger, as its leading edge was never seen; the purge
    after a start is for such parts.
    """

    def on_edge(self, *, is_active: bool, at_ns: int, count: int) -> Trigger | None:
        """Takes a debounced edge of the sensor.

        Args:
            is_active: The sensor is covered now.
            at_ns: When it changed.
            count: Belt position when it changed.
        """
        return Trigger(at_ns, count) if is_active else None


class SoftwareTrigger:
    """Triggers by belt position, and by command.

    Args:
        every_counts: Belt between two triggers; `None` triggers by command only.

    Raises:
        ValueError: `every_counts` is not positive.
    """

    def __init__(self, every_counts: int | None = None) -> None:
        if every_counts is not None and every_counts <= 0:
            raise ValueError(f"every_counts must be positive, it is {every_counts}")
        self._every_counts = every_counts
        self._next_count: int | None = None

    def on_belt(self, count: int, at_ns: int) -> tuple[Trigger, ...]:
        """Takes a belt position. The first one is the origin and triggers nothing.

        A belt that reverses triggers nothing until it is past the farthest position again.

        Args:
            count: Belt position.
            at_ns: When it was read.

        Returns:
            A trigger for each position that was reached since the last call, with exactly that position.

        Raises:
            LineError: The belt moved by more than `MOST_AT_ONCE` triggers between two readings.
        """
        if self._every_counts is None:
            return ()
        if self._next_count is None:
            self._next_count = count + self._every_counts
        due = max(0, (count - self._next_count) // self._every_counts + 1)
        if due > MOST_AT_ONCE:
            raise LineError(
                f"the belt position jumped to {count}, {due} triggers past the last reading",
                "check the encoder and its wiring",
            )
        triggers = tuple(Trigger(at_ns, self._next_count + index * self._every_counts) for index in range(due))
        self._next_count += due * self._every_counts
        return triggers

    def fire(self, count: int, at_ns: int) -> Trigger:
        """Triggers by command, whatever the belt does; the positions of `on_belt` stay as they are."""
        return Trigger(at_ns, count)
