"""What the events make of the figures: counts per stretch of time, lot and terms, from which charts are drawn. Pure.

A part counts where it was triggered: in that stretch of five minutes, its lot, and the terms that held then. So every
stretch has an account of its own: triggers = passed + rejected + lost + in flight.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.record.summary import as_text, epoch_of
from app.types import PASS, EventKind, LedgerEvent, Outcome, Reason

STRETCH_US = 300_000_000
"""Five minutes: hours, shifts and days of every time zone are whole numbers of these."""

UNEXPECTED = "UNEXPECTED_REJECT"
"""The cause of a part that nobody sent to the bin in which it was seen."""

BINS_PER_DOUBLING = 8
_FIRST_BIN_US = 10.0
_LABEL = re.compile(r"(?P<label>.+?) \d\.\d\d at ", re.DOTALL)
_COUNTERS = {Outcome.PASSED.value: "passed", Outcome.REJECTED.value: "rejected", Outcome.LOST.value: "lost"}

Place = tuple[int, int, str]
"""Where a part counts: start of the stretch in microseconds, row of the terms (0: unknown), lot."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A part that has no outcome yet, as far as it matters here.

    Attributes:
        place: Where it counts.
        label: The class of the finding that decides its verdict; empty where none does.
        total_us: Frame in memory to verdict of its slowest picture; `None` before the first.
        is_flagged: It was counted as one that a person should look at.
    """

    place: Place
    label: str = ""
    total_us: int | None = None
    is_flagged: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What is to be added to the tables.

    Attributes:
        tallies: By place, how many of what.
        causes: Rejected parts by place and cause.
        latencies: Parts by place and bin of latency.
    """

    tallies: dict[Place, Counter[str]]
    causes: Counter[tuple[Place, str]]
    latencies: Counter[tuple[Place, int]]


def stretch_of(wall_us: int) -> int:
    """The start of the stretch that a moment lies in, in microseconds since 1970 UTC."""
    return wall_us // STRETCH_US * STRETCH_US


def bin_of(total_us: float) -> int:
    """The bin of a latency: each is 2^(1/8), some 9 %, wider than the one before, from 10 us on."""
    if total_us <= _FIRST_BIN_US:
        return 0
    return math.ceil(BINS_PER_DOUBLING * math.log2(total_us / _FIRST_BIN_US))


def upper_us(number: int) -> float:
    """The longest latency of a bin, in microseconds."""
    return float(_FIRST_BIN_US * 2.0 ** (number / BINS_PER_DOUBLING))


def label_of(reasons: str, text: str) -> str:
    """The class that decides a verdict, by its codes and sentences; empty where no finding does."""
    if reasons.partition(" ")[0] != Reason.DEFECT.value:
        return ""
    match = _LABEL.match(text)
    return match["label"] if match else ""


def cause_of(reason: str, label: str) -> str:
    """What a rejected part counts under.

    Args:
        reason: The code in its outcome.
        label: The class of the deciding finding.
    """
    if label and reason in ("", Reason.DEFECT.value):
        return label
    return reason or UNEXPECTED


class Tallying:
    """The figures of one lane, and what the events since the last `take_changes` add to them.

    Args:
        parts: Parts without an outcome, by epoch and number.
    """

    def __init__(self, parts: dict[tuple[int, int], Counted] | None = None) -> None:
        self.parts = parts or {}
        self._tallies: dict[Place, Counter[str]] = {}
        self._causes: Counter[tuple[Place, str]] = Counter()
        self._latencies: Counter[tuple[Place, int]] = Counter()
        self._kinds: dict[EventKind, Callable[[LedgerEvent, tuple[int, int]], None]] = {
            EventKind.JUDGED: self._judged,
            EventKind.VERDICT: self._verdict,
            EventKind.OUTCOME: self._outcome,
        }

    def fold(self, event: LedgerEvent, wall_us: int, terms: int | None) -> None:
        """Takes the next event.

        Args:
            event: The event.
            wall_us: When it happened, by the wall clock, in microseconds.
            terms: The row of the terms under which parts are judged now.
        """
        if event.part_id is None:
            return
        key = (epoch_of(event.epoch, event.data), event.part_id)
        if event.kind is EventKind.TRIGGER:
            place = (stretch_of(wall_us), terms or 0, as_text(event.data.get("lot")) or "")
            self.parts[key] = Counted(place)
            self._count(place, "triggers")
            return
        take = self._kinds.get(event.kind)
        if take is not None and key in self.parts:
            take(event, key)

    def take_changes(self) -> Counts:
        """What is to be added to the tables since the last call."""
        counts = Counts(self._tallies, self._causes, self._latencies)
        self._tallies = {}
        self._causes, self._latencies = Counter(), Counter()
        return counts

    def _judged(self, event: LedgerEvent, key: tuple[int, int]) -> None:
        took = event.data.get("total_us")
        if isinstance(took, (int, float)):
            part = self.parts[key]
            self.parts[key] = replace(part, total_us=max(round(took), part.total_us or 0))
        self._flag(event, key)

    def _verdict(self, event: LedgerEvent, key: tuple[int, int]) -> None:
        said = event.data
        if as_text(said.get("destination")) != PASS:
            label = label_of(as_text(said.get("reasons")) or "", as_text(said.get("text")) or "")
            self.parts[key] = replace(self.parts[key], label=label)
        self._flag(event, key)

    def _flag(self, event: LedgerEvent, key: tuple[int, int]) -> None:
        part = self.parts[key]
        if event.data.get("is_flagged") and not part.is_flagged:
            self.parts[key] = replace(part, is_flagged=True)
            self._count(part.place, "flagged")

    def _outcome(self, event: LedgerEvent, key: tuple[int, int]) -> None:
        part = self.parts.pop(key)
        outcome = str(as_text(event.data.get("outcome")))
        if outcome in _COUNTERS:
            self._count(part.place, _COUNTERS[outcome])
        if outcome == Outcome.REJECTED.value:
            self._causes[part.place, cause_of(as_text(event.data.get("reason")) or "", part.label)] += 1
        if part.total_us is not None:
            self._latencies[part.place, bin_of(part.total_us)] += 1

    def _count(self, place: Place, what: str) -> None:
        self._tallies.setdefault(place, Counter())[what] += 1
