"""Holds a ledger of many epochs against what really happened at the machine, part by part."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from app.record.verify import verify
from app.types import EventKind
from tests.live.box import Box

GOOD_BIN, ON_BELT, BY_HAND = "good bin", "on belt", "by hand"
MOST_RECENT = 500
NEAR_COUNTS = 80
"""A part and its record lie no farther apart than this; parts lie at least 180 counts apart."""


@dataclass
class Account:
    """What the ledger has of one part."""

    epoch: int
    part_id: int
    count: int
    lot: str
    verdict: str = ""
    is_judged: bool = False
    outcomes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.epoch}/{self.part_id}"


class Witness:
    """Sees what became of the parts, and how each start of the station counts the belt.

    Args:
        box: The box.
        lane: The lane.
    """

    def __init__(self, box: Box, lane: int = 1) -> None:
        self.parts: dict[int, dict] = {}
        self.late_ms = 0.0
        self.first_epoch = 1
        self._box = box
        self._lane = lane
        self._offsets: dict[int, list[float]] = defaultdict(list)

    def look(self) -> dict:
        """Notes how things are now. To be called before 500 more parts have come."""
        truth = self._box.truth(MOST_RECENT, self._lane)
        status = self._box.status(self._lane)
        self.late_ms = truth["late_ms"]
        self.parts.update((part["index"], part) for part in truth["recent"])
        if status is not None and status.is_permitted:
            age_s = (truth["at_ns"] - status.at_ns) / 1e9
            if 0 <= age_s < 0.2:
                self._offsets[status.epoch].append(truth["count"] - status.count - 2 * status.speed_mm_s * age_s)
        return truth

    def forget(self) -> None:
        """The machine was started anew: what became of the parts of the epochs before nobody can tell."""
        self.parts.clear()
        self.first_epoch = max(self._offsets, default=0) + 1

    def offset(self, epoch: int) -> float:
        """What the machine has counted when the station of an epoch has counted nothing."""
        seen = sorted(self._offsets[epoch])
        assert seen, f"nobody looked while epoch {epoch} ran"
        return seen[len(seen) // 2]


def accounts(box: Box, lane: int = 1) -> dict[tuple[int, int], Account]:
    """Every part of the ledger by epoch and number."""
    found: dict[tuple[int, int], Account] = {}
    for entry in box.entries(lane=lane):
        event = entry.event
        if event.part_id is None:
            continue
        key = (int(event.data.get("of_epoch", event.epoch)), event.part_id)
        if event.kind is EventKind.TRIGGER:
            assert key not in found, f"part {key} was triggered twice"
            found[key] = Account(*key, int(event.data["trigger_count"]), str(event.data["lot"]))
        elif event.kind is EventKind.VERDICT:
            found[key].verdict = found[key].verdict or str(event.data["destination"])
        elif event.kind is EventKind.JUDGED:
            found[key].is_judged = True
        elif event.kind is EventKind.OUTCOME:
            found[key].outcomes.append((str(event.data["outcome"]), str(event.data["confirmation"])))
    return found


def audit(box: Box, witness: Witness, lane: int = 1) -> Counter[str]:
    """Checks everything that must be true of a ledger, whatever died.

    Returns:
        How many parts ended how.

    Raises:
        AssertionError: Something is unaccounted for, in words.
    """
    report = next(each for each in verify(box.state_folder / "ledger").lanes if each.lane == lane)
    assert report.problems == ()
    assert all(tally.is_balanced for tally in report.tallies.values()), report.tallies
    records = accounts(box, lane)
    flying = {(each.epoch, each.part_id) for each in records.values() if not each.outcomes}
    assert sum(tally.in_flight for tally in report.tallies.values()) == len(flying)
    newest = max((epoch for epoch, _ in records), default=0)
    problems = [f"part {epoch}/{part_id} has no outcome" for epoch, part_id in flying if epoch != newest]
    problems += [
        f"part {each.name} has outcomes {each.outcomes}" for each in records.values() if len(each.outcomes) > 1
    ]
    problems += _contradictions(list(records.values()), witness)
    assert not problems, problems
    return Counter(f"{outcome} {how}" for each in records.values() for outcome, how in each.outcomes)


def _contradictions(records: list[Account], witness: Witness) -> list[str]:
    """Where ledger and machine disagree."""
    problems = []
    seen = [each for each in records if each.epoch >= witness.first_epoch]
    by_count = sorted(seen, key=lambda each: each.count + witness.offset(each.epoch))
    counts = [each.count + witness.offset(each.epoch) for each in by_count]
    for part in witness.parts.values():
        if part["count"] is None:
            continue
        at = bisect_left(counts, part["count"] - NEAR_COUNTS)
        record = by_count[at] if at < len(counts) and counts[at] <= part["count"] + NEAR_COUNTS else None
        what = _disagreement(part, record)
        if what:
            problems.append(f"part {part['index']} of the machine at count {part['count']}: {what}")
    return problems


def _disagreement(part: dict, record: Account | None) -> str:
    place = part["place"]
    if record is None:
        return "nobody saw it, and it is in the good bin" if place == GOOD_BIN else ""
    outcome, how = record.outcomes[0] if record.outcomes else ("", "")
    is_stopped_for = how == "BY_HAND" or outcome == "LOST"
    if outcome == "PASSED" and not record.is_judged:
        return f"{record.name} passed and was never judged"
    if place == GOOD_BIN and record.verdict not in ("pass", "") and not is_stopped_for:
        return f"{record.name} was judged {record.verdict} and is in the good bin: {record.outcomes}"
    if outcome == "REJECTED" and place == GOOD_BIN and not is_stopped_for:
        return f"{record.name} is recorded as rejected ({how}) and is in the good bin"
    if outcome == "PASSED" and place not in (GOOD_BIN, BY_HAND, ON_BELT):
        return f"{record.name} is recorded as passed and is in bin {place}"
    return ""
