"""Faults of the accelerator in a run: when each is injected, how the station takes it, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.bench.follower import Follower, Spell, Struck
from app.clock import NS_PER_MS, NS_PER_S
from app.detect.sickness import FAULTS, Sickness
from app.errors import UsageError
from app.status import State, Status

HARMLESS_NS = 10 * NS_PER_S
"""A fault that has kept nothing from its verdict for so long is one that the line lives with."""

BEFORE = 50
"""Parts before a fault with which it is compared."""

ONE_PART_NS = 5 * NS_PER_MS
"""No picture waits longer for its judge on a line that keeps its time."""

_PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Fail:
    """A fault that was asked for.

    Attributes:
        kind: A key of `FAULTS`.
        part: The part at which it is injected, 1 .. n of those that count.
    """

    kind: str
    part: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.part}"


def fails_of(words: Sequence[str]) -> tuple[Fail, ...]:
    """What was asked for as `KIND@N`, in the order of the parts.

    Raises:
        UsageError: There is no such kind, or no such number.
    """
    fails = []
    for word in words:
        kind, _, number = word.partition("@")
        if kind not in FAULTS:
            raise UsageError(f"there is no fault {kind!r}", f"use {', '.join(FAULTS)}")
        if not number.isascii() or not number.isdigit() or int(number) < 1:
            raise UsageError(f"--fail {word} names no part", f"say at which, such as {kind}@100")
        fails.append(Fail(kind, int(number)))
    return tuple(sorted(fails, key=lambda each: each.part))


@dataclass(frozen=True, slots=True)
class FaultAccount:
    """What became of one fault. Times are `None` where the thing did not happen.

    Attributes:
        kind: Which.
        what: The same in words.
        asked_at: The part at which it was wanted.
        at: The part before which it was injected, as the one before it had to be over first; 0: not at all.
        met: `part`, or `golden frame` where that was asked first; empty where nothing was.
        part_id: The part that met it.
        failovers: Pictures that waited for the accelerator in vain.
        frame_to_verdict_ms: Of that part, from its frame in memory.
        spent_ms: Of that, what neither judging nor deciding took: the accelerator's slice as far as it was used.
        after_deadline_ms: Its verdict, after the accelerator's deadline; negative: before.
        before_cut_off_ms: Its verdict, before the cut-off of its gate.
        is_judged: It has a verdict from its picture.
        degraded_ms: From the fault to the state DEGRADED, as the status tells it every 50 ms.
        trusted_ms: From the fault until the accelerator judges again.
        is_parked: It is parked, as it had failed too often.
        before_ms: What an inference took in the middle, of the last parts before the fault.
        meanwhile_ms: What one took in the middle from the fault to its end, whoever judged.
        slowest_ms: From the frame in memory to the verdict, of the slowest part meanwhile.
        parts: How many parts were judged meanwhile.
        causes: What the status said meanwhile.
    """

    kind: str
    what: str
    asked_at: int
    at: int = 0
    met: str = ""
    part_id: int | None = None
    failovers: int = 0
    frame_to_verdict_ms: float | None = None
    spent_ms: float | None = None
    after_deadline_ms: float | None = None
    before_cut_off_ms: float | None = None
    is_judged: bool | None = None
    degraded_ms: float | None = None
    trusted_ms: float | None = None
    is_parked: bool = False
    before_ms: float | None = None
    meanwhile_ms: float | None = None
    slowest_ms: float | None = None
    parts: int = 0
    causes: tuple[str, ...] = ()


class _Course:
    """One fault on its way."""

    def __init__(self, fail: Fail, at: int, failovers: int) -> None:
        self.fail = fail
        self.at = at
        self.failovers_before = self.failovers = failovers
        self.struck_ns = time.monotonic_ns()
        self.fired_ns = self.cut_off_ns = self.seen_ns = 0
        self.degraded_ns = self.trusted_ns = 0
        self.is_parked = False
        self.causes: list[str] = []

    def look(self, sickness: Sickness, status: Status) -> bool:
        """Takes down how it goes; says whether it is over."""
        self.fired_ns, self.cut_off_ns = sickness.fired_ns, sickness.cut_off_ns
        if not self.fired_ns or status.at_ns < self.fired_ns:
            return False
        self.failovers, self.seen_ns = status.failovers, status.at_ns
        if status.state is State.DEGRADED:
            self.degraded_ns = self.degraded_ns or status.since_ns
            if status.why not in self.causes:
                self.causes.append(status.why)
            self.is_parked = _PARKED in status.why
            return self.is_parked
        if self.degraded_ns and sickness.is_over:
            self.trusted_ns = status.since_ns
            return True
        return not self.degraded_ns and status.at_ns - self.fired_ns > HARMLESS_NS


class Injector:
    """Injects one fault after another, each when the one before is over.

    Args:
        fails: In the order of their parts.
        sickness: What the accelerator reads.
        follower: Knows what became of each part.

    Attributes:
        follower: The same.
    """

    def __init__(self, fails: Sequence[Fail], sickness: Sickness, follower: Follower) -> None:
        self.follower = follower
        self._waiting = list(fails)
        self._sickness = sickness
        self._now: _Course | None = None
        self._past: list[_Course] = []
        self._never: list[Fail] = []

    @property
    def left(self) -> int:
        """How many faults wait, or are on their way."""
        return len(self._waiting) + (self._now is not None)

    def look(self, seen: int, status: Status | None) -> None:
        """Injects what is due, and takes down how the station takes it.

        Args:
            seen: Parts so far that count.
            status: The station's last word.
        """
        if status is None:
            return
        if self._now is not None:
            if self._now.look(self._sickness, status):
                self._sickness.heal()
                self._past.append(self._now)
                self._now = None
            return
        if self._past and self._past[-1].is_parked:
            self._never += self._waiting
            self._waiting = []
        if self._waiting and seen >= self._waiting[0].part - 1 and status.state is State.RUNNING:
            fail = self._waiting.pop(0)
            self._now = _Course(fail, seen + 1, status.failovers)
            self._sickness.strike(fail.kind)

    def accounts(self) -> tuple[FaultAccount, ...]:
        """What became of each fault."""
        done = [*self._past, *([self._now] if self._now else [])]
        never = [*self._never, *self._waiting]
        return (
            *(self._account(each) for each in done),
            *(FaultAccount(each.kind, FAULTS[each.kind].words, each.part) for each in never),
        )

    def _account(self, course: _Course) -> FaultAccount:
        struck = self.follower.struck(course.fired_ns, course.cut_off_ns) if course.fired_ns else None
        hit = struck or Struck()
        # The part that met it came into memory before the fault itself.
        began_ns = course.fired_ns - ONE_PART_NS
        before = self.follower.spell(0, began_ns, BEFORE) if course.fired_ns else Spell()
        meanwhile = self.follower.spell(began_ns, course.seen_ns) if course.fired_ns else Spell()
        return FaultAccount(
            kind=course.fail.kind,
            what=FAULTS[course.fail.kind].words,
            asked_at=course.fail.part,
            at=course.at,
            met="part" if struck else "golden frame" if course.fired_ns else "",
            part_id=hit.part_id,
            failovers=course.failovers - course.failovers_before,
            frame_to_verdict_ms=hit.frame_to_verdict_ms,
            spent_ms=hit.spent_ms,
            after_deadline_ms=hit.after_deadline_ms,
            before_cut_off_ms=hit.before_cut_off_ms,
            is_judged=hit.is_judged,
            degraded_ms=_since(course.fired_ns, course.degraded_ns),
            trusted_ms=_since(course.fired_ns, course.trusted_ns),
            is_parked=course.is_parked,
            before_ms=before.infer_ms,
            meanwhile_ms=meanwhile.infer_ms,
            slowest_ms=meanwhile.slowest_ms,
            parts=meanwhile.parts,
            causes=tuple(course.causes),
        )


def _since(first_ns: int, then_ns: int) -> float | None:
    return round((then_ns - first_ns) / NS_PER_MS, 1) if first_ns and then_ns else None
