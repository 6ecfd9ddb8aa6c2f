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
        due_ns: When the belt was at the fire point; `None` where there was none.
    """

    destination: str
    is_rejecting: bool
    due_ns: int | None


@dataclass(frozen=True, slots=True)
class Permit:
    """Allow the belt to run, or stop it."""

    is_given: bool


Command = Expose | MoveGate | Permit
