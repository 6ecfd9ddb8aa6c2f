"""How the station is, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.types import Tally


class State(str, Enum):
    """What the line is doing, as the operator reads it."""

    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    PURGING = "PURGING"
    STOPPED = "STOPPED"
    NO_CAMERA = "NO_CAMERA"


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of the station.

    Attributes:
        state: The state.
        why: The cause, in words; empty while RUNNING.
        since_ns: When this state began.
        at_ns: When the snapshot was taken; older than 1 s means NO DATA.
        tally: The account of the running lot.
        lot: The lot.
        failovers: Frames that the standby judged because the first detector could not.
        stray_frames: Frames that belonged to no part.
        misses: Verdicts that took longer than the budget.
    """

    state: State
    why: str
    since_ns: int
    at_ns: int
    tally: Tally
    lot: str
    failovers: int = 0
    stray_frames: int = 0
    misses: int = 0
