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


class Trouble(str, Enum):
    """Why a camera gives no frames that may be judged; `why.camera.CODE` is the key of its words on the pages."""

    OPENING = "OPENING"
    ABSENT = "ABSENT"
    BUSY = "BUSY"
    UNFIT = "UNFIT"
    SILENT = "SILENT"
    GONE = "GONE"
    LOOKED = "LOOKED"
    BLIND = "BLIND"
    FORMAT = "FORMAT"
    REPEATED = "REPEATED"
    UNTIMELY = "UNTIMELY"
    TORN = "TORN"
    BACKWARDS = "BACKWARDS"
    DARK = "DARK"
    STARTING = "STARTING"
    HUNG = "HUNG"
    CRASHED = "CRASHED"
    RETURNED = "RETURNED"
    OTHER = "OTHER"


class Degraded(str, Enum):
    """Why the standby judges; `why.degraded.CODE` is the key of its words on the pages."""

    STARTING = "STARTING"
    NOT_STARTED = "NOT_STARTED"
    GONE = "GONE"
    BUSY = "BUSY"
    LATE = "LATE"
    SLOW = "SLOW"
    WRONG = "WRONG"
    FAILED = "FAILED"
    NO_TIME = "NO_TIME"
    PARKED = "PARKED"
    ASKED_FOR = "ASKED_FOR"


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
        code: A code of `Trouble` for `text`; empty when nothing is wrong.
    """

    name: str
    text: str = ""
    frames: int = 0
    last_frame_ns: int = 0
    dropped: int = 0
    refused: int = 0
    reopened: int = 0
    is_away: bool = False
    code: str = ""


@dataclass(frozen=True, slots=True)
class InputStatus:
    """How an input is.

    Attributes:
        name: Its name, as `app.config.inputs_of` gives it.
        is_active: It is active, polarity undone and debounced.
        edges: Debounced edges since the station's start.
        changed_ns: When the last one was; 0 before the first.
    """

    name: str
    is_active: bool = False
    edges: int = 0
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """How an output was told to be.

    Attributes:
        name: Its name, as `app.config.outputs_of` gives it.
        is_on: It is energised; the permit: it is given.
        is_pulsed: Somebody tries it now.
        least_ms: The shortest time for which it may be tried.
        most_ms: The longest; 0: it may never be tried.
    """

    name: str
    is_on: bool = False
    is_pulsed: bool = False
    least_ms: float = 0.0
    most_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class AcceleratorStatus:
    """How the accelerator stands with a station, and what the station does without it.

    Attributes:
        phase: `away`, `proving`, `trusted` or `parked`.
        why: Why it does not judge, in words; empty while it does.
        since_ns: Since when it stands there.
        runtime: What it runs on; empty before it was there for the first time.
        standby: What the standby runs on.
        failures: How often it has failed since the station's start.
        promotions: How often it came to be trusted.
        slice_ms: How long it may take for a part.
        standby_ms: What the standby needs for a picture at its slowest.
        standby_mm_s: The speed that the standby holds alone, up to the line's fastest.
        asks_mm_s: The line is asked to run no faster than this now; `None`: as fast as it does.
        code: A code of `Degraded` for `why`; empty while it judges.
    """

    phase: str
    why: str
    since_ns: int
    runtime: str = ""
    standby: str = ""
    failures: int = 0
    promotions: int = 0
    slice_ms: float = 0.0
    standby_ms: float = 0.0
    standby_mm_s: float = 0.0
    asks_mm_s: float | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of the station.

    Attributes:
        state: The state.
        why: The cause, in words; empty while RUNNING.
        code: The cause as a code: that of the first stop, of the camera (`Trouble`), or why the standby judges
            (`Degraded`).
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
        recipe_sha256: The hash of its text.
        package: The model package's name.
        classes: The classes that the model knows; empty where they are more than a status carries.
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
        lamps: The lamps of the stack light that are lit, or would be: `lamp_red`, `lamp_amber`, `lamp_green`; and
            `buzzer`.
        has_buzzer: There is a buzzer.
        scheduling: What the kernel granted the station's threads, in words.
        accelerator: How the accelerator stands; `None` on a line without one.
        inputs: Every wired input.
        outputs: Every wired output.
        pulse_bar: Why no output may be tried now, as a code of `app.reject.pulses.Bar`; empty: one may.
        unused: Builds, engines and models that could judge and do not, each with its reason, as sentences.
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
    recipe_sha256: str = ""
    package: str = ""
    classes: tuple[str, ...] = ()
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
    lamps: tuple[str, ...] = ()
    has_buzzer: bool = False
    scheduling: str = ""
    accelerator: AcceleratorStatus | None = None
    inputs: tuple[InputStatus, ...] = ()
    outputs: tuple[OutputStatus, ...] = ()
    pulse_bar: str = "RUNNING"
    unused: tuple[str, ...] = ()
    code: str = ""


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
        values["lamps"] = tuple(values.get("lamps", ()))
        values["unused"] = tuple(values.get("unused", ()))
        values["classes"] = tuple(values.get("classes", ()))
        values["cameras"] = tuple(CameraStatus(**each) for each in values.get("cameras", ()))
        values["inputs"] = tuple(InputStatus(**each) for each in values.get("inputs", ()))
        values["outputs"] = tuple(OutputStatus(**each) for each in values.get("outputs", ()))
        if values.get("accelerator") is not None:
            values["accelerator"] = AcceleratorStatus(**values["accelerator"])
        return Status(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BusError(
            f"the station's status cannot be read: {error}", "let station and reader be of one version"
        ) from error
