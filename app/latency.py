"""The ledger of latencies: how long every stage took for every part, kept without allocating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS

PERCENTILES = (50.0, 95.0, 99.0, 99.9)
KEPT = 65_536
MOST_SLOW = 5
"""So many of the slowest parts are named."""

_FRONT = 2
"""Before a stage's times stand its count and the longest since the start."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """What a stage took, in ms. All zero where nothing was measured.

    Attributes:
        count: Parts measured since the start; the percentiles are over the last `LatencyLedger.kept` of them.
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


@dataclass(frozen=True, slots=True)
class Slow:
    """One of the parts that took longest.

    Attributes:
        part_id: Its number in this start of the station.
        took_ms: What the stage took for it.
    """

    part_id: int
    took_ms: float


class LatencyLedger:
    """Times of each stage of each part. One thread may write each stage; anybody may read.

    Of one stage the parts are known too, so that the slowest can be looked up in the record.

    Args:
        stages: Their names, in the order in which a part meets them.
        kept: How many parts the percentiles are taken over.
        table: Where they are kept: int64 (stages + 1, 2 + kept), zeroed; other processes may have it mapped. By default
            memory of its own. The last row holds the numbers of the parts.
        named: The stage of which the parts are known.
    """

    def __init__(
        self,
        stages: Sequence[str],
        kept: int = KEPT,
        table: NDArray[np.int64] | None = None,
        named: str = "frame_to_verdict",
    ) -> None:
        self.stages = tuple(stages)
        self._row = {stage: row for row, stage in enumerate(self.stages)}
        self._table = np.zeros((len(self.stages) + 1, _FRONT + kept), np.int64) if table is None else table
        self._parts = self._table[-1]
        self._named = named
        self._kept = self._table.shape[1] - _FRONT

    def note(self, stage: str, took_ns: int, part_id: int = 0) -> None:
        """Adds one measurement.

        Args:
            stage: The stage.
            took_ns: What it took.
            part_id: The part, where it is known.

        Raises:
            KeyError: No such stage.
        """
        row = self._table[self._row[stage]]
        count = int(row[0])
        place = _FRONT + count % self._kept
        if part_id:
            self._parts[place] = part_id
        row[place] = took_ns
        row[0] = count + 1
        row[1] = max(row[1], took_ns)

    def of(self, stage: str) -> Latencies:
        """The figures of one stage."""
        taken_ns = self.taken_ns(stage)
        if not len(taken_ns):
            return Latencies(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        p50, p95, p99, p999 = (float(each) for each in np.percentile(taken_ns / NS_PER_MS, PERCENTILES))
        count, longest_ns = (int(each) for each in self._table[self._row[stage], :_FRONT])
        return Latencies(count, p50, p95, p99, p999, longest_ns / NS_PER_MS)

    def taken_ns(self, stage: str) -> NDArray[np.int64]:
        """The kept times of one stage: int64 (n,), in no order."""
        row = self._table[self._row[stage]]
        times: NDArray[np.int64] = row[_FRONT : _FRONT + min(int(row[0]), self._kept)]
        return times

    def parts(self) -> NDArray[np.int64]:
        """The parts of the kept times of the named stage: int64 (n,), in the order of `taken_ns`; 0: not known."""
        count = int(self._table[self._row[self._named], 0])
        parts: NDArray[np.int64] = self._parts[_FRONT : _FRONT + min(count, self._kept)]
        return parts

    @property
    def named(self) -> str:
        """The stage of which the parts are known."""
        return self._named


def slowest(took_ms: NDArray[np.float64], parts: NDArray[np.int64], most: int = MOST_SLOW) -> tuple[Slow, ...]:
    """The parts that took longest, the longest first.

    Args:
        took_ms: float64 (n,), what each took.
        parts: int64 (n,), their numbers; 0: not known.
        most: So many of them.
    """
    order = np.argsort(took_ms)[::-1][:most]
    return tuple(Slow(int(parts[each]), round(float(took_ms[each]), 4)) for each in order)


def mapped_ledger(path: Path, stages: Sequence[str], *, is_writing: bool, kept: int = KEPT) -> LatencyLedger:
    """A ledger in a file that several processes have mapped.

    Args:
        path: The file, in memory.
        stages: The stages.
        is_writing: Make it anew; otherwise look at what another process writes.
        kept: How many parts the percentiles are taken over.

    Raises:
        OSError: It cannot be made or mapped.
        ValueError: What lies there has another shape.
    """
    shape = (len(stages) + 1, _FRONT + kept)
    if is_writing:
        path.unlink(missing_ok=True)  # whoever still looks at the old one keeps it
    table = np.memmap(path, np.int64, "w+" if is_writing else "r", shape=shape)
    return LatencyLedger(stages, table=table.view(np.ndarray))
