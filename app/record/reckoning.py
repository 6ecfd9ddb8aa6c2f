"""The account of a lane, reckoned again from its events alone (REJECT_TRACKING, rule 9). Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.record.chain import Problem, RowFields
from app.record.summary import as_text, epoch_of
from app.types import Outcome, Tally

_COUNTERS = {Outcome.PASSED.value: "passed", Outcome.REJECTED.value: "rejected", Outcome.LOST.value: "lost"}


@dataclass(frozen=True, slots=True)
class Settled:
    """A part whose story is complete, as the events tell it.

    Attributes:
        epoch: Its epoch.
        part_id: Its number.
        lot: Its lot.
        verdict: The destination that was judged; `None` where it had no verdict.
        outcome: Its outcome.
        confirmation: How that is known.
    """

    epoch: int
    part_id: int
    lot: str
    verdict: str | None
    outcome: str
    confirmation: str | None


class Reckoning:
    """Follows one lane's events: sequences without gaps, every part triggered once and settled once.

    Memory grows with the parts in flight and the number of lots, not with the events.

    Args:
        lane: The lane.
        on_settled: Told of each part that has its outcome.
    """

    def __init__(self, lane: int, on_settled: Callable[[Settled], None] = lambda _part: None) -> None:
        self.lane = lane
        self.parts = 0
        self.epoch = 0
        self._on_settled = on_settled
        self._sequence = -1
        self._segment = 0
        self._open: dict[tuple[int, int], tuple[str, str | None]] = {}
        self._tallies: dict[str, Counter[str]] = {}
        self._has_passed = False
        self._kinds = {b"TRIGGER": self._trigger, b"VERDICT": self._verdict, b"OUTCOME": self._outcome}

    def take(self, segment: int, fields: RowFields) -> list[Problem]:
        """Takes the next row, which the chain has found to be as it was recorded."""
        row, epoch, sequence, _at, _wall, part_id, _count, kind, data, _hash = fields
        self._segment = segment
        problems = self._follow(row, epoch, sequence)
        take = self._kinds.get(kind)
        if take is not None and part_id is not None:
            said = json.loads(data)
            what = take(epoch_of(epoch, said), part_id, said)
            if what:
                problems.append(Problem(self.lane, segment, row, what))
        return problems

    def tallies(self) -> dict[str, Tally]:
        """The account of every lot so far."""
        flying: dict[str, int] = {}
        for lot, _verdict in self._open.values():
            flying[lot] = flying.get(lot, 0) + 1
        return {lot: Tally(**counts, in_flight=flying.get(lot, 0)) for lot, counts in self._tallies.items()}

    def carried(self) -> list[tuple[int, int]]:
        """Parts of earlier epochs that are still in flight, by epoch and number."""
        return sorted(key for key in self._open if key[0] < self.epoch)

    def finish(self) -> list[Problem]:
        """What is wrong with the account as a whole.

        Parts that a dead station left on the belt are settled when the belt is purged or cleared. Once a part has
        passed again, none of them may be left.
        """
        left = self.carried()
        if not left or not self._has_passed:
            return []
        named = ", ".join(f"{epoch}/{part}" for epoch, part in left[:10])
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""  # noqa: PLR2004
        what = f"parts of earlier epochs have no outcome although the line runs again: {named}{more}"
        return [Problem(self.lane, self._segment, None, what)]

    def _follow(self, row: int, epoch: int, sequence: int) -> list[Problem]:
        if epoch == self.epoch and sequence == self._sequence + 1:
            self._sequence = sequence
            return []
        what = ""
        if epoch > self.epoch:
            self._has_passed = False
            what = "" if sequence == 0 else f"epoch {epoch} begins with sequence {sequence}: those before never came"
        elif epoch < self.epoch:
            what = f"epoch {epoch} comes after epoch {self.epoch}"
        elif sequence > self._sequence:
            what = f"sequence {self._sequence + 1} to {sequence - 1} of epoch {epoch} never came"
        else:
            what = f"sequence {sequence} of epoch {epoch} is there twice, as two different events"
        if epoch >= self.epoch:
            self.epoch, self._sequence = epoch, max(sequence, self._sequence if epoch == self.epoch else 0)
        return [Problem(self.lane, self._segment, row, what)] if what else []

    def _trigger(self, epoch: int, part_id: int, said: dict[str, Any]) -> str:
        key = (epoch, part_id)
        if key in self._open:
            return f"part {epoch}/{part_id} was triggered twice"
        lot = as_text(said.get("lot")) or ""
        self.parts += 1
        self._open[key] = (lot, None)
        self._count(lot, "triggers")
        return ""

    def _verdict(self, epoch: int, part_id: int, said: dict[str, Any]) -> str:
        key = (epoch, part_id)
        found = self._open.get(key)
        if found is not None and found[1] is None:
            self._open[key] = (found[0], as_text(said.get("destination")))
        return ""

    def _outcome(self, epoch: int, part_id: int, said: dict[str, Any]) -> str:
        found = self._open.pop((epoch, part_id), None)
        outcome = str(as_text(said.get("outcome")))
        if found is None:
            return f"part {epoch}/{part_id} gets the outcome {outcome} and was not in flight"
        if outcome not in _COUNTERS:
            return f"part {epoch}/{part_id} has the outcome {outcome!r}, which is none"
        lot, verdict = found
        self._count(lot, _COUNTERS[outcome])
        self._has_passed |= outcome == Outcome.PASSED.value and epoch == self.epoch
        self._on_settled(Settled(epoch, part_id, lot, verdict, outcome, as_text(said.get("confirmation"))))
        return ""

    def _count(self, lot: str, what: str) -> None:
        self._tallies.setdefault(lot, Counter())[what] += 1
