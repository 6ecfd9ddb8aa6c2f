"""The ledger of latencies: how long every stage took for every part, kept without allocating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.clock import NS_PER_MS

PERCENTILES = (50.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Latencies:
    """What a stage took, in ms. All zero where nothing was measured.

    Attributes:
        count: Parts measured since the start; the percentiles are over the last `Stopwatch.kept` of them.
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        p999: 99.9th percentile.
        max: The longest since the start.
    """

    count: int
    p50: float
    p95: float
    p99: float
    p999: float
    max: float


class LatencyLedger:
    """Times of each stage of each part.

    Args:
        stages: Their names, in the order in which a part meets them.
        kept: How many parts the percentiles are taken over.
    """

    def __init__(self, stages: Sequence[str], kept: int = 65_536) -> None:
        self.stages = tuple(stages)
        self._row = {stage: row for row, stage in enumerate(self.stages)}
        self._times_ns = np.zeros((len(self.stages), kept), dtype=np.int64)
        self._counts = [0] * len(self.stages)
        self._longest_ns = [0] * len(self.stages)

    def note(self, stage: str, took_ns: int) -> None:
        """Adds one measurement.

        Raises:
            KeyError: No such stage.
        """
        row = self._row[stage]
        self._times_ns[row, self._counts[row] % self._times_ns.shape[1]] = took_ns
        self._counts[row] += 1
        self._longest_ns[row] = max(self._longest_ns[row], took_ns)

    def of(self, stage: str) -> Latencies:
        """The figures of one stage."""
        row = self._row[stage]
        count = self._counts[row]
        if not count:
            return Latencies(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        kept_ms = self._times_ns[row, : min(count, self._times_ns.shape[1])] / NS_PER_MS
        p50, p95, p99, p999 = (float(each) for each in np.percentile(kept_ms, PERCENTILES))
        return Latencies(count, p50, p95, p99, p999, self._longest_ns[row] / NS_PER_MS)
