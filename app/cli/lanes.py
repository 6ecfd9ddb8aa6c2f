"""The lanes as somebody sees them who only looks at the bus."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from app.bus.place import Place
from app.clock import NS_PER_S
from app.errors import BusError
from app.signs import Block
from app.status import State, Status, decode_status

FRESH_NS = NS_PER_S
"""An older status means NO DATA."""

NO_DATA = "NO DATA"
_MARKS = {
    State.RUNNING.value: ("●", "green"),
    State.DEGRADED.value: ("▲", "yellow"),
    State.PURGING.value: ("▲", "yellow"),
    State.STOPPED.value: ("◆", "bold red"),
    State.NO_CAMERA.value: ("◆", "bold red"),
    NO_DATA: ("◇", "dim"),
}


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane at one moment.

    Attributes:
        lane: Its number.
        status: What its station says; `None` while nothing fresh is there.
    """

    lane: int
    status: Status | None

    @property
    def state(self) -> str:
        """The state as a word; `NO DATA` without a fresh status."""
        return self.status.state.value if self.status else NO_DATA

    @property
    def why(self) -> str:
        """The cause of the state; empty where there is none."""
        return self.status.why if self.status else ""


class LaneReader:
    """Reads one lane's status from the bus, whether or not a station is there.

    Args:
        place: The bus.
        lane: The lane.
    """

    def __init__(self, place: Place, lane: int) -> None:
        self._block = Block(place.status(lane))
        self._lane = lane

    def read(self, now_ns: int) -> LaneView:
        """The lane as it is now."""
        data = self._block.look(now_ns)
        try:
            status = decode_status(data) if data else None
        except BusError:
            status = None
        is_fresh = status is not None and now_ns - status.at_ns <= FRESH_NS
        return LaneView(self._lane, status if is_fresh else None)

    def close(self) -> None:
        """Lets go of the bus. Idempotent."""
        self._block.close()


def as_change(view: LaneView) -> str:
    """A lane's state on a line of its own, for a file or a pipe."""
    return f"lane {view.lane}: {view.state}" + (f", {view.why}" if view.why else "")


def as_line(view: LaneView) -> Text:
    """A lane on one line of a terminal."""
    mark, style = _MARKS[view.state]
    text = Text.assemble((f"{mark} {view.state}", style), f"  lane {view.lane}", no_wrap=True, overflow="ellipsis")
    if view.status is None:
        return text
    tally = view.status.tally
    figures = (
        (tally.triggers, "parts"),
        (tally.passed, "passed"),
        (tally.rejected, "rejected"),
        (tally.lost, "lost"),
        (tally.in_flight, "in flight"),
    )
    text.append("".join(f"  {number:,} {what}" for number, what in figures))
    text.append(f"  {view.status.speed_mm_s:.0f} mm/s")
    if not tally.is_balanced:
        text.append("  the account does not balance", "bold red")
    if view.why:
        text.append(f"  {view.why}", style)
    return text
