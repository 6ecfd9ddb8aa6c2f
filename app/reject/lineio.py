"""The seams `LineIO` and `Encoder`: the line's inputs, outputs and belt position, whatever they are wired to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Edge:
    """A debounced change of an input.

    Attributes:
        input: The input's name as `app.config.inputs_of` gives it, such as `part` or `chute:reject`.
        is_active: Its new state, polarity already undone.
        at_ns: When it changed (the first edge, not the end of the debounce time).
        count: Belt position when it changed.
    """

    input: str
    is_active: bool
    at_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class BeltReading:
    """What an encoder says.

    Attributes:
        count: Signed quadrature count.
        at_ns: When the count last changed.
        missed: Quadrature states skipped since the start: each is a count that cannot be trusted.
        trouble: Why the count cannot be trusted, where it is not for skipped states; empty while it can. `missed` has
            grown when it came up.
    """

    count: int
    at_ns: int
    missed: int = 0
    trouble: str = ""


class Encoder(Protocol):
    """A source of belt position."""

    def read(self, now_ns: int) -> BeltReading:
        """The belt position at `now_ns`."""
        ...

    def close(self) -> None:
        """Lets the pins go. Idempotent."""
        ...


class LineIO(Protocol):
    """The line's discrete inputs and outputs. Names are those of `inputs_of` and `outputs_of`.

    Outputs start safe and go safe on `close`: gates as without current, permit dropped, handshake lines off. A pulse
    output that stays on beyond its maximum and a held output that is not refreshed in time are dropped by `tick`.
    """

    def edges(self) -> Sequence[Edge]:
        """The edges since the last call, oldest first. Call it before the encoder is read: it fetches its edges too."""
        ...

    def fileno(self) -> int:
        """A descriptor to wait on: it becomes readable when there may be edges, and stays so until `edges`."""
        ...

    def is_active(self, name: str) -> bool:
        """The present state of an input; `False` for one that is not wired."""
        ...

    def set_gate(self, destination: str, is_rejecting: bool, now_ns: int) -> None:
        """Moves a gate. Called again with the same state it refreshes a held output.

        Raises:
            ActuationError: The output refused, or reads back otherwise.
        """
        ...

    def set_line(self, name: str, is_on: bool, now_ns: int) -> None:
        """Switches a handshake line, as `ready`. Called again with the same state it refreshes it: it is held.

        Does nothing for a line that is not wired.

        Raises:
            ActuationError: The output refused, or reads back otherwise.
        """
        ...

    def toggle_permit(self, now_ns: int) -> None:
        """Gives the permit relay one more edge; without these it drops by itself.

        Raises:
            ActuationError: The output refused.
        """
        ...

    def drop_permit(self) -> None:
        """Sets the permit output to its safe level. Does nothing where there is none."""
        ...

    def tick(self, now_ns: int) -> Sequence[str]:
        """Enforces maximum on-time, refresh and read-back.

        Returns:
            One sentence per fault found since the last call; each is a latched stop.
        """
        ...

    def next_due_ns(self) -> int | None:
        """When `tick` must be called next, or `None`."""
        ...

    def close(self) -> None:
        """Makes every output safe and lets the pins go. Idempotent."""
        ...
