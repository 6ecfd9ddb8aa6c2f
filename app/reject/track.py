"""What the tracker knows of one part."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from app.types import Outcome, Part, Reason, Verdict


class Fate(str, Enum):
    """What has been decided of a part."""

    PENDING = "PENDING"
    GOOD = "GOOD"
    BAD = "BAD"


@dataclass(slots=True)
class Track:
    """One part on its way. The only mutable record of the tracker; it never leaves it.

    Attributes:
        part: The part.
        fate: PENDING until the first verdict.
        verdict: The first verdict.
        route: The destination whose gate must take it; `None` stays on the belt.
        reason: Why it is routed off, where the picture did not say so.
        hidden_mm: Length beyond one part under the sensor: something follows it without a gap.
        exposed: How many exposures are done with: triggered, or missed.
        missing: Indices of exposures whose frames are still to come.
        fire: Fire point in counts, frozen when it was reached.
        gates_passed: How many gates, in belt order, its centre has passed.
        taken_by: The destination whose gate took it.
        is_spent: Its dwell is over, or was cut short; the gate does not act on it again.
        is_suppressed: The gate is held back on purpose (challenge test).
        is_challenge: A known-bad part of a challenge test.
        outcome: Its one final state.
    """

    part: Part
    fate: Fate = Fate.PENDING
    verdict: Verdict | None = None
    route: str | None = None
    reason: Reason | None = None
    hidden_mm: float = 0.0
    exposed: int = 0
    missing: set[int] = field(default_factory=set)
    fire: float | None = None
    gates_passed: int = 0
    taken_by: str | None = None
    is_spent: bool = False
    is_suppressed: bool = False
    is_challenge: bool = False
    outcome: Outcome | None = None

    @property
    def part_id(self) -> int:
        """The part's number."""
        return self.part.part_id

    @property
    def is_defective(self) -> bool:
        """The picture showed a defect that rejects."""
        found = self.verdict.findings if self.verdict else ()
        return self.fate is Fate.BAD and any(each.reason is Reason.DEFECT for each in found)
