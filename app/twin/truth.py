"""What really happened to each part, and how far the ledger agrees."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.twin.flow import BY_HAND, GOOD_BIN, ON_BELT, Body
from app.types import PASS, Outcome

_NO_BIN = (GOOD_BIN, BY_HAND, ON_BELT)


@dataclass(frozen=True, slots=True)
class PartTruth:
    """One part.

    Attributes:
        index: Its number in the part source; parts dropped on the belt are numbered after the others.
        name: File name of its picture.
        is_bad: It has a defect.
        trigger_count: The encoder's count when its leading edge first came to the part sensor; `None` for a part that
            never did.
        place: Where it ended: "good bin", "by hand", "on belt", or the destination whose bin holds it.
        is_dropped: It was put on the belt behind the part sensor.
        source: The file that its picture was read from; empty without a file.
    """

    index: int
    name: str
    is_bad: bool
    trigger_count: int | None
    place: str
    is_dropped: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger says of one part.

    Attributes:
        trigger_count: Belt position of its trigger.
        outcome: Its outcome; `None` while it is in flight.
        destination: Where its verdict sent it; `None` without a verdict.
    """

    trigger_count: int
    outcome: Outcome | None
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far ledger and truth agree.

    Attributes:
        escapes: Bad parts in the good bin.
        overkill: Good parts in a reject bin.
        unaccounted: Parts without a record, records without a part, and records that contradict where the part is.
        removed_by_hand: Parts that a person took off the belt.
        details: One sentence for each escape and each unaccounted part.
    """

    escapes: int
    overkill: int
    unaccounted: int
    removed_by_hand: int
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """What has become of all parts that reached the part sensor or were dropped behind it.

    Attributes:
        parts: How many there were.
        bad: How many of them have a defect.
        escapes: Bad parts in the good bin.
        overkill: Good parts in a reject bin.
        places: How many parts are at each place, as `PartTruth.place` names it.
    """

    parts: int
    bad: int
    escapes: int
    overkill: int
    places: Mapping[str, int]


class Archive:
    """The parts that have left the belt: counts of all of them, and the truth about the last ones.

    Args:
        recent: How many of the last ones.

    Attributes:
        recent: The last ones.
    """

    def __init__(self, recent: int) -> None:
        self.recent: deque[PartTruth] = deque(maxlen=recent)
        self._ends: Counter[tuple[str, bool]] = Counter()

    @property
    def is_whole(self) -> bool:
        """No part has been forgotten yet."""
        return sum(self._ends.values()) == len(self.recent)

    def take(self, bodies: Iterable[Body]) -> None:
        """Enters parts that nothing can befall any more."""
        for part in told(bodies):
            self._ends[part.place, part.is_bad] += 1
            self.recent.append(part)

    def counts(self, present: Iterable[Body]) -> Counts:
        """The counts of all parts, with those that are about the belt now."""
        ends = self._ends.copy()
        ends.update((part.place, part.is_bad) for part in told(present))
        places: Counter[str] = Counter()
        for (place, _), number in ends.items():
            places[place] += number
        return Counts(
            parts=sum(ends.values()),
            bad=sum(number for (_, is_bad), number in ends.items() if is_bad),
            escapes=ends[GOOD_BIN, True],
            overkill=sum(number for (place, is_bad), number in ends.items() if not is_bad and place not in _NO_BIN),
            places=places,
        )


def told(bodies: Iterable[Body]) -> Iterator[PartTruth]:
    """The truth about parts, except those that never reached the part sensor."""
    for b in bodies:
        if b.trigger_count is not None or b.is_dropped:
            yield PartTruth(
                b.index, b.piece.name, b.piece.is_bad, b.trigger_count, b.place, b.is_dropped, b.piece.source
            )


class Truth:
    """The truth about the parts of a run, except those that never reached the part sensor.

    Args:
        bodies: The parts.
        before: The truth about parts that came before these.
        is_whole: Nothing came before all of them. Otherwise the ledger is compared from the first part on.
    """

    def __init__(self, bodies: Iterable[Body], before: Iterable[PartTruth] = (), *, is_whole: bool = True) -> None:
        self.parts = (*before, *told(bodies))
        triggers = [part.trigger_count for part in self.parts if part.trigger_count is not None]
        self._since_count = min(triggers, default=math.inf) if not is_whole else -math.inf

    def compare(self, records: Iterable[Record], tolerance_counts: float = 8) -> Comparison:
        """Holds the ledger against the truth.

        Args:
            records: One for each triggered part.
            tolerance_counts: Farthest that a record's count may lie from its part's; the nearest pairs are matched
                first.
        """
        since_count = self._since_count - tolerance_counts
        known = sorted(
            (record for record in records if record.trigger_count >= since_count),
            key=lambda record: record.trigger_count,
        )
        record_of = _matched(self.parts, known, tolerance_counts)
        matched = set(record_of.values())
        details = [f"bad part {part.index} ({part.name}) is in the good bin" for part in self.parts if _escaped(part)]
        faults = [
            fault for part in self.parts if (fault := _contradiction(part, _of(known, record_of.get(part.index))))
        ]
        faults += [
            f"the record at count {record.trigger_count} belongs to no part"
            for number, record in enumerate(known)
            if number not in matched
        ]
        return Comparison(
            escapes=len(details),
            overkill=sum(not part.is_bad and part.place not in _NO_BIN for part in self.parts),
            unaccounted=len(faults),
            removed_by_hand=sum(part.place == BY_HAND for part in self.parts),
            details=(*details, *faults),
        )


def _escaped(part: PartTruth) -> bool:
    return part.is_bad and part.place == GOOD_BIN


def _of(records: Sequence[Record], number: int | None) -> Record | None:
    return None if number is None else records[number]


def _matched(parts: Sequence[PartTruth], records: Sequence[Record], tolerance: float) -> dict[int, int]:
    """The number of the record that belongs to each part, by the part's index."""
    counts = [record.trigger_count for record in records]
    pairs = []
    for part in parts:
        if part.trigger_count is None:
            continue
        number = bisect_left(counts, part.trigger_count - tolerance)
        while number < len(counts) and counts[number] <= part.trigger_count + tolerance:
            pairs.append((abs(counts[number] - part.trigger_count), part.index, number))
            number += 1
    record_of: dict[int, int] = {}
    taken: set[int] = set()
    for _, index, number in sorted(pairs):
        if index not in record_of and number not in taken:
            record_of[index] = number
            taken.add(number)
    return record_of


def _contradiction(part: PartTruth, record: Record | None) -> str:
    """What is wrong between a part and its record; empty when they agree."""
    who = f"part {part.index} ({part.name})"
    if record is None:
        how = "was dropped behind the part sensor and" if part.is_dropped else f"at count {part.trigger_count}"
        return f"{who} {how} has no record"
    if record.outcome is Outcome.PASSED and part.place not in (GOOD_BIN, BY_HAND):
        sent = f", sent to {record.destination}" if record.destination not in (None, PASS) else ""
        return f"{who} is recorded as PASSED{sent} and is in or on: {part.place}"
    if record.outcome is Outcome.REJECTED and part.place in (GOOD_BIN, ON_BELT):
        return f"{who} is recorded as REJECTED and is in or on: {part.place}"
    return ""
