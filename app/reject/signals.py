"""What the tracker answers with: commands to the machine."""

from __future__ import annotations

from dataclasses import dataclass

from app.types import Exposure


@dataclass(frozen=True, slots=True)
class Expose:
    """Trigger the camera for one exposure of a part, now."""

    part_id: int
    exposure: Exposure


@dataclass(frozen=True, slots=True)
class MoveGate:
    """Set a gate to reject or to let pass, now.

    Attributes:
        destination: The gate.
        is_rejecting: To what.
        due_ns: When the belt was where this was due.
    """

    destination: str
    is_rejecting: bool
    due_ns: int


@dataclass(frozen=True, slots=True)
class Permit:
    """Allow the belt to run, or stop it."""

    is_given: bool


Command = Expose | MoveGate | Permit
