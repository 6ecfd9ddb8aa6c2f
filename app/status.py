"""How the station is, in one frozen value, and that value as bytes for the other processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from app.errors import BusError
from app.types import Tally


class State(str, Enum):
    """What the line is doing, as the operator reads it."""

    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    PURGING = "PURGING"
    STOPPED = "STOPPED"
    NO_CAMERA = "NO_CAMERA"


@dataclass(frozen=True, slots=True)
class StopReason:
    """One cause of a latched stop.

    Attributes:
        cause: Its code.
        text: The same in words.
        at_ns: When it came up.
        part_id: The part it concerns, if it concerns one.
    """

    cause: str
    text: str
    at_ns: int
    part_id: int | None = None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is.

    Attributes:
        name: Its name in the settings.
        text: What is wrong with it; empty when nothing is.
        frames: Frames that came from it since the station's start.
        last_frame_ns: When the last one came; 0 before the first.
        dropped: Frames for which no slot was free.
        refused: Frames that were torn, repeated, late, dark or of another format.
        reopened: How often it was closed and opened again.
        is_away: It gives no frames now, and has forgotten what it was asked for.
    """

    name: str
    text: str = ""
    frames: int = 0
    last_frame_ns: int = 0
    dropped: int = 0
    refused: int = 0
    reopened: int = 0
    is_away: bool = False


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
        lane: The lane.
        name: The line's name.
        epoch: Which start of the station this is.
        recipe: The recipe's name.
        package: The model package's name.
        runtime: What runs the model.
        budget_ms: Longest time from frame in memory to verdict.
        speed_mm_s: The belt's speed.
        position_mm: The belt's position since the start.
        count: The encoder's count, which tells a restarted station how far the parts had come.
        missed: Quadrature states that the encoder has skipped since the station's start.
        is_permitted: The line may run.
        latches: Why the line is stopped, the first-out cause first.
        cameras: The cameras.
        ring_share: How much of the event ring waits for the recorder, 0 .. 1.
        pictures_dropped: Pictures that could not be handed to the recorder.
        challenge_phase: What the challenge test waits for; `IDLE` where none runs.
        is_challenge_due: A challenge test should be run now.
        scheduling: What the kernel granted the station's threads, in words.
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
    lane: int = 1
    name: str = ""
    epoch: int = 1
    recipe: str = ""
    package: str = ""
    runtime: str = ""
    budget_ms: float = 0.0
    speed_mm_s: float = 0.0
    position_mm: float = 0.0
    count: int = 0
    missed: int = 0
    is_permitted: bool = False
    latches: tuple[StopReason, ...] = ()
    cameras: tuple[CameraStatus, ...] = ()
    ring_share: float = 0.0
    pictures_dropped: int = 0
    challenge_phase: str = "IDLE"
    is_challenge_due: bool = False
    scheduling: str = ""


def encode_status(status: Status) -> bytes:
    """The snapshot as JSON."""
    return json.dumps(asdict(status), separators=(",", ":"), allow_nan=False).encode()


def decode_status(data: bytes) -> Status:
    """The snapshot that `encode_status` wrote; keys that this version does not know are passed over.

    Raises:
        BusError: The bytes are none.
    """
    try:
        said: dict[str, Any] = json.loads(data)
        known = {field.name for field in fields(Status)}
        values = {key: value for key, value in said.items() if key in known}
        values["state"] = State(values["state"])
        values["tally"] = Tally(**values["tally"])
        values["latches"] = tuple(StopReason(**each) for each in values.get("latches", ()))
        values["cameras"] = tuple(CameraStatus(**each) for each in values.get("cameras", ()))
        return Status(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BusError(
            f"the station's status cannot be read: {error}", "let station and reader be of one version"
        ) from error
