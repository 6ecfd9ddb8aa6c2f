"""What was measured, piece by piece, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.clock import NS_PER_MS
from app.latency import KEPT, PERCENTILES, Latencies, LatencyLedger, Slow, slowest

MOST_MEASURED = KEPT
"""Of each stage; the station's ledger of latencies goes round after so many."""

LEADING = "frame_to_verdict"
"""The stage that is measured once per part."""

Times = NDArray[np.float64]
_NO_PARTS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What was measured between two looks.

    Attributes:
        block: Number of the block; -1 for what does not count: warm-up, and the change from one block to the next.
        at_s: When it was found, in s since the first look.
        stage: The stage.
        took_ms: float64 (n,), in order.
        parts: int64 (n,), the part of each; empty where the stage does not tell.
    """

    block: int
    at_s: float
    stage: str
    took_ms: Times
    parts: NDArray[np.int64]


class Tape:
    """Takes down what a station's ledger of latencies gains, with the block that it belongs to.

    Args:
        ledger: The ledger.
    """

    def __init__(self, ledger: LatencyLedger) -> None:
        self._ledger = ledger
        self._known = {stage: len(ledger.taken_ns(stage)) for stage in ledger.stages}
        self._pieces: list[Piece] = []

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages, in the order in which a part meets them."""
        return self._ledger.stages

    def look(self, block: int, at_s: float) -> int:
        """Takes down what is new.

        Returns:
            How many parts that was.
        """
        parts = 0
        for stage in self.stages:
            taken_ns = self._ledger.taken_ns(stage)
            known = self._known[stage]
            new_ns = taken_ns[known:]
            self._known[stage] = len(taken_ns)
            if len(new_ns):
                parts_of = self._ledger.parts()[known : known + len(new_ns)] if stage == LEADING else _NO_PARTS
                self._pieces.append(Piece(block, at_s, stage, new_ns / NS_PER_MS, parts_of.copy()))
            if stage == LEADING:
                parts = len(new_ns)
        return parts

    def times_ms(self, stage: str, blocks: Sequence[int]) -> Times:
        """What a stage took in some blocks: float64 (n,), in order."""
        wanted = set(blocks)
        found = [each.took_ms for each in self._pieces if each.stage == stage and each.block in wanted]
        return np.concatenate(found) if found else np.zeros(0)

    def slowest(self, blocks: Sequence[int]) -> tuple[Slow, ...]:
        """The parts that took longest from frame to verdict in some blocks."""
        wanted = set(blocks)
        found = [each.parts for each in self._pieces if each.stage == LEADING and each.block in wanted]
        return slowest(self.times_ms(LEADING, blocks), np.concatenate(found)) if found else ()

    def timeline(self, stage: str, blocks: Sequence[int]) -> tuple[Times, Times]:
        """When a stage was measured, in s, and what it took, in ms; float64 (n,) each."""
        wanted = set(blocks)
        found = [each for each in self._pieces if each.stage == stage and each.block in wanted]
        if not found:
            return np.zeros(0), np.zeros(0)
        at_s = [np.full(len(each.took_ms), each.at_s) for each in found]
        return np.concatenate(at_s), np.concatenate([each.took_ms for each in found])


def figures_of(times_ms: Times) -> Latencies:
    """The figures of some measurements."""
    if not len(times_ms):
        return Latencies(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    p50, p95, p99, p999 = (float(each) for each in np.percentile(times_ms, PERCENTILES))
    return Latencies(len(times_ms), p50, p95, p99, p999, float(times_ms.max()))
