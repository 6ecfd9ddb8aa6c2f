"""Time, injected: monotonic nanoseconds for decisions, wall time for records only."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """A source of time. Everything that asks what time it is gets one of these, and nothing else."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds since an arbitrary origin."""
        ...

    def wall(self) -> datetime:
        """Wall-clock time with its zone, for records; it may jump."""
        ...


class SystemClock:
    """The machine's own clocks: CLOCK_MONOTONIC, as the kernel stamps GPIO edges, and UTC."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds since boot."""
        return time.monotonic_ns()

    def wall(self) -> datetime:
        """The present in UTC."""
        return datetime.now(timezone.utc)


class VirtualClock:
    """A clock that stands still until it is told to advance.

    Args:
        start_ns: What `now_ns` says at first.
        epoch: The wall time at `start_ns`.
    """

    def __init__(self, start_ns: int = 0, epoch: datetime | None = None) -> None:
        self._now_ns = start_ns
        self._start_ns = start_ns
        self._epoch = epoch or datetime(2026, 1, 1, tzinfo=timezone.utc)

    def now_ns(self) -> int:
        """Virtual monotonic nanoseconds."""
        return self._now_ns

    def wall(self) -> datetime:
        """The epoch plus the virtual time gone by."""
        return self._epoch + timedelta(microseconds=(self._now_ns - self._start_ns) / 1000)

    def advance_to(self, at_ns: int) -> None:
        """Moves on to `at_ns`.

        Raises:
            ValueError: `at_ns` lies in the past; a monotonic clock never goes back.
        """
        if at_ns < self._now_ns:
            raise ValueError(f"a clock cannot go back from {self._now_ns} ns to {at_ns} ns")
        self._now_ns = at_ns
