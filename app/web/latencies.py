"""Latency of the last verdicts: a window of figures. Pure."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import Any

WINDOW = 1000
"""Verdicts that the figures are of."""

MOST_NAMED = 3
"""So many of the slowest parts are named."""


class Latencies:
    """Times from frame in memory to verdict of the last verdicts.

    Args:
        budget_ms: A longer one is a miss.
        window: Of how many.
    """

    def __init__(self, budget_ms: float, window: int = WINDOW) -> None:
        self.budget_ms = budget_ms
        self._times: deque[tuple[float, int | None]] = deque(maxlen=window)
        self._figures: dict[str, Any] | None = None

    def note(self, time_ms: float, part_id: int | None = None) -> None:
        """Takes one more, of the part that it is of."""
        self._times.append((time_ms, part_id))
        self._figures = None

    def clear(self) -> None:
        """Begins anew, as another station does."""
        self._times.clear()
        self._figures = None

    def figures(self) -> dict[str, Any]:
        """Count, percentiles, longest with its part, and misses; times in ms, `None` before the first."""
        if self._figures is None:
            ordered = sorted(self._times, key=lambda each: each[0])
            times = [time_ms for time_ms, _ in ordered]
            self._figures = {
                "count": len(times),
                "p50_ms": _at(times, 0.5),
                "p99_ms": _at(times, 0.99),
                "p999_ms": _at(times, 0.999),
                "max_ms": times[-1] if times else None,
                "slowest": [{"part": part_id, "ms": time_ms} for time_ms, part_id in ordered[: -MOST_NAMED - 1 : -1]],
                "misses": sum(each > self.budget_ms for each in times),
                "budget_ms": self.budget_ms,
            }
        return self._figures


def _at(times: list[float], share: float) -> float | None:
    """The smallest value that at least this share does not exceed."""
    return times[ceil(len(times) * share) - 1] if times else None
