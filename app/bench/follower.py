"""Follows every part through the station's events: when its frame came, when its verdict, and how far from its gate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from app.bench.geometry import Geometry
from app.clock import NS_PER_MS
from app.config import Line
from app.types import EventKind, LedgerEvent, Outcome, Reason

KEPT = 100_000
NS_PER_US = 1_000
_STAGES = ("wake_us", "pre_us", "infer_us", "decode_us", "decide_us")
_NOT_JUDGED = frozenset(each.value for each in (Reason.DEADLINE, Reason.NO_FRAME, Reason.DETECTOR_FAILED))
_NONE_IN_TIME = frozenset(each.value for each in (Reason.DEADLINE, Reason.NO_FRAME))


@dataclass(frozen=True, slots=True)
class Struck:
    """The part whose picture met a fault; see `app.bench.faults.FaultAccount`."""

    part_id: int | None = None
    frame_to_verdict_ms: float | None = None
    spent_ms: float | None = None
    after_deadline_ms: float | None = None
    before_cut_off_ms: float | None = None
    is_judged: bool | None = None


@dataclass(frozen=True, slots=True)
class Spell:
    """How parts were judged over a while; see `app.bench.faults.FaultAccount`."""

    parts: int = 0
    infer_ms: float | None = None
    slowest_ms: float | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    part_id: int
    in_memory_ns: int
    total_ns: int
    spent_ns: int
    infer_ns: int


class Follower:
    """Takes the events down.

    Args:
        line: The line.
        geometry: How the parts come.

    Attributes:
        since_ns: Parts that were triggered before this do not count as lost or without a verdict.
        lost: Parts of which nobody knows where they went.
        without_verdict: Parts that were rejected because no verdict came in time, or that have none at all.
    """

    def __init__(self, line: Line, geometry: Geometry) -> None:
        self.since_ns = 0
        self.lost = self.without_verdict = 0
        self._counts_per_s = geometry.speed_mm_s * geometry.counts_per_mm
        self._reach = min(
            geometry.counts_per_mm * (each.position_mm + each.offset_mm)
            - self._counts_per_s * (each.lag_ms + each.margin_ms) / 1000
            for each in line.gates
        )
        self._triggered: dict[int, int] = {}
        self._verdicts: dict[int, LedgerEvent] = {}
        self._judged: deque[_Judged] = deque(maxlen=KEPT)

    def hear(self, event: LedgerEvent) -> None:
        """Takes an event down."""
        part_id = event.part_id
        if part_id is None:
            return
        if event.kind is EventKind.TRIGGER and event.at_ns >= self.since_ns:
            self._triggered[part_id] = int(event.data["trigger_count"] or 0)
        elif part_id not in self._triggered:
            return
        elif event.kind is EventKind.VERDICT:
            self._verdicts[part_id] = event
            self.without_verdict += not _NONE_IN_TIME.isdisjoint(str(event.data["reasons"]).split())
        elif event.kind is EventKind.OUTCOME:
            self.lost += event.data["outcome"] == Outcome.LOST.value
            self.without_verdict += part_id not in self._verdicts
        elif event.kind is EventKind.JUDGED:
            data = event.data
            total_us, *stages = (int(data[name] or 0) for name in ("total_us", *_STAGES))
            in_memory_ns = int(data["in_memory_ns"] or 0)
            spent_us = max(0, total_us - sum(stages))
            infer_ns = int(data["infer_us"] or 0) * NS_PER_US
            self._judged.append(_Judged(part_id, in_memory_ns, total_us * NS_PER_US, spent_us * NS_PER_US, infer_ns))

    def struck(self, at_ns: int, deadline_ns: int) -> Struck | None:
        """The part that was being judged at a time; `None` where none was.

        Args:
            at_ns: The time.
            deadline_ns: By when the accelerator's answer was due.
        """
        for each in reversed(self._judged):
            end_ns = each.in_memory_ns + each.total_ns
            if each.in_memory_ns <= at_ns <= end_ns:
                return Struck(
                    part_id=each.part_id,
                    frame_to_verdict_ms=_ms(each.total_ns),
                    spent_ms=_ms(each.spent_ns),
                    after_deadline_ms=_ms(end_ns - deadline_ns),
                    before_cut_off_ms=self._before_cut_off_ms(each.part_id),
                    is_judged=self._is_judged(each.part_id),
                )
        return None

    def spell(self, since_ns: int, until_ns: int, most: int = KEPT) -> Spell:
        """How the last parts were judged whose frames came in memory within a time.

        Args:
            since_ns: Its begin.
            until_ns: Its end.
            most: So many of them.
        """
        found = [each for each in self._judged if since_ns <= each.in_memory_ns < until_ns][-most:]
        if not found:
            return Spell()
        inferred = sorted(each.infer_ns for each in found)
        return Spell(len(found), _ms(inferred[len(found) // 2]), _ms(max(each.total_ns for each in found)))

    def _before_cut_off_ms(self, part_id: int) -> float | None:
        verdict = self._verdicts.get(part_id)
        if verdict is None or part_id not in self._triggered:
            return None
        left = self._triggered[part_id] + self._reach - verdict.count
        return round(1000 * left / self._counts_per_s, 1)

    def _is_judged(self, part_id: int) -> bool:
        verdict = self._verdicts.get(part_id)
        return verdict is not None and _NOT_JUDGED.isdisjoint(str(verdict.data["reasons"]).split())


def _ms(ns: int) -> float:
    return round(ns / NS_PER_MS, 3)
