"""Frozen values that cross rooms.

Belt positions are signed quadrature counts (`count`). Times are monotonic nanoseconds of the injected clock (`_ns`).
Boxes are `(x, y, width, height)` in pixels of the camera's full frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""uint8, (height, width) for mono or (height, width, 3) in BGR."""

Scalar = str | int | float | bool | None

PASS = "pass"  # noqa: S105 - a destination
"""The destination of a good part: it stays on the belt."""


def _keep() -> None:
    """Releases nothing: the frame owns its memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and when and where it was taken.

    Attributes:
        image: uint8, (height, width) mono or (height, width, 3) BGR; valid until `release()`.
        camera: The camera's name in the configuration.
        host_ns: When the exposure began, by the host's clock.
        uncertainty_ns: Half the width of the interval that `host_ns` is known to lie in.
        device_ns: The camera's own time stamp, where it has one.
        counter: The camera's trigger counter, where it has one; it tells which trigger this frame answers.
        first_count: Belt position at the first line (area cameras: at the exposure), where it is known.
        last_count: Belt position at the last line; equals `first_count` for an area camera.
        lead_um: The frame itself triggers a part, whose leading edge lies so many micrometres of belt beyond the
            camera's position; negative before it. `None` for a frame that answers a trigger.
        in_memory_ns: When the last byte was in memory, by the host's clock.
        name: File name of a picture that came from disk, else empty.
        slot: Where it lies among the frame slots of its camera; -1 for a frame that lies in none.
        generation: Which use of that slot this is: a slot is used again once it is released.
        release: Gives the slot back; called once by whoever consumed the frame.
    """

    image: Image
    camera: str
    host_ns: int
    uncertainty_ns: int = 0
    device_ns: int | None = None
    counter: int | None = None
    first_count: int | None = None
    last_count: int | None = None
    lead_um: int | None = None
    in_memory_ns: int = 0
    name: str = ""
    slot: int = -1
    generation: int = 0
    release: Callable[[], None] = _keep


@dataclass(frozen=True, slots=True)
class Exposure:
    """One picture that a part must have: which camera takes it, and where on the belt.

    Attributes:
        index: 0 .. n-1 within the part.
        camera: The camera's name.
        at_count: Belt position at which the camera is triggered.
    """

    index: int
    camera: str
    at_count: int


@dataclass(frozen=True, slots=True)
class Detection:
    """One finding of a detector.

    Attributes:
        label: The model's class name.
        score: 0 .. 1.
        box_px: x, y, width, height in pixels of the full frame.
    """

    label: str
    score: float
    box_px: tuple[float, float, float, float]


class Reason(str, Enum):
    """Why a part is rejected, or why a person should look at it: FLAGGED alone rejects nothing."""

    DEFECT = "DEFECT"
    FLAGGED = "FLAGGED"
    NO_FRAME = "NO_FRAME"
    AMBIGUOUS_FRAME = "AMBIGUOUS_FRAME"
    COUNTER_MISMATCH = "COUNTER_MISMATCH"
    DEADLINE = "DEADLINE"
    DETECTOR_FAILED = "DETECTOR_FAILED"
    TOUCHING = "TOUCHING"
    PURGED = "PURGED"
    GATE_SUSPECT = "GATE_SUSPECT"
    COLLATERAL = "REJECT_COLLATERAL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a verdict.

    Attributes:
        reason: The kind of reason.
        text: The reason in words, with class, score and place where there are any.
        detection: The detection it rests on, if it rests on one.
    """

    reason: Reason
    text: str
    detection: Detection | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a part is to go, and why.

    Attributes:
        part_id: The part.
        destination: `PASS` or the name of a reject destination.
        findings: Empty for a part that passes with nothing to say of it.
        is_flagged: A person should look at the picture, whatever the destination.
        decided_ns: When it was reached.
    """

    part_id: int
    destination: str
    findings: tuple[Finding, ...] = ()
    is_flagged: bool = False
    decided_ns: int = 0

    @property
    def is_pass(self) -> bool:
        """The part stays on the belt."""
        return self.destination == PASS


@dataclass(frozen=True, slots=True)
class Part:
    """A triggered part: it exists before any frame does.

    Attributes:
        part_id: Sequence number of the trigger within lane and epoch.
        lane: The lane it runs on.
        trigger_ns: Time of the debounced leading edge.
        trigger_count: Belt position of that edge.
        exposures: The pictures it must have, one or more.
        lot: The lot that was running at the trigger.
        serial: Its serial number; may arrive late, from a PLC or a barcode reader.
        trigger_uncertainty_ns: Half the width of the interval that `trigger_ns` is known to lie in.
    """

    part_id: int
    lane: int
    trigger_ns: int
    trigger_count: int
    exposures: tuple[Exposure, ...]
    lot: str = ""
    serial: str | None = None
    trigger_uncertainty_ns: int = 0


class Outcome(str, Enum):
    """The one final state of a part."""

    PASSED = "PASSED"
    REJECTED = "REJECTED"
    LOST = "LOST"


class Confirmation(str, Enum):
    """How an outcome is known."""

    SEEN = "SEEN"
    UNCONFIRMED = "UNCONFIRMED"
    BY_HAND = "BY_HAND"
    MISSING = "MISSING"


class EventKind(str, Enum):
    """What a ledger event tells; `docs/ledger-events.md` describes each."""

    STARTED = "STARTED"
    TRIGGER = "TRIGGER"
    TRIGGER_REPEAT = "TRIGGER_REPEAT"
    EXPOSED = "EXPOSED"
    FRAME = "FRAME"
    FRAME_STRAY = "FRAME_STRAY"
    CAMERA = "CAMERA"
    ACCELERATOR = "ACCELERATOR"
    JUDGED = "JUDGED"
    VERDICT = "VERDICT"
    VERDICT_LATE = "VERDICT_LATE"
    REROUTED = "REROUTED"
    GATE_ON = "GATE_ON"
    GATE_OFF = "GATE_OFF"
    CONFIRMED = "CONFIRMED"
    OUTCOME = "OUTCOME"
    ALARM = "ALARM"
    LATCHED = "LATCHED"
    RESET = "RESET"
    PURGE_STARTED = "PURGE_STARTED"
    PURGE_ENDED = "PURGE_ENDED"
    CHALLENGE = "CHALLENGE"
    PULSE = "PULSE"
    RECIPE = "RECIPE"
    SERIAL = "SERIAL"
    LOT_OPENED = "LOT_OPENED"
    LOT_CLOSED = "LOT_CLOSED"


_NOTHING: Mapping[str, Scalar] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One line of the ledger, unique by (lane, epoch, sequence).

    Attributes:
        lane: The lane.
        epoch: Counts the starts of the station.
        sequence: Counts the events of this epoch, without gaps.
        at_ns: When it happened.
        kind: What happened.
        part_id: The part it happened to, if to one.
        count: The belt position at which it happened.
        data: Details; keys per kind are listed in `docs/ledger-events.md`.
    """

    lane: int
    epoch: int
    sequence: int
    at_ns: int
    kind: EventKind
    part_id: int | None
    count: int
    data: Mapping[str, Scalar] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Tally:
    """The account of a lot at one instant. `is_balanced` is the invariant that everything else stands on."""

    triggers: int = 0
    passed: int = 0
    rejected: int = 0
    lost: int = 0
    in_flight: int = 0

    @property
    def is_balanced(self) -> bool:
        """Triggers = passed + rejected + lost + in flight."""
        return self.triggers == self.passed + self.rejected + self.lost + self.in_flight


@dataclass(frozen=True, slots=True)
class Orphan:
    """A part that was on the belt when its station died.

    Attributes:
        epoch: The epoch in which it was triggered.
        part_id: Its number in that epoch.
        lot: Its lot.
        farthest_counts: How far from the part sensor it may lie at most, in counts; `None` where nobody knows.
        is_good: It had been judged to pass.
    """

    epoch: int
    part_id: int
    lot: str
    farthest_counts: int | None
    is_good: bool


@dataclass(frozen=True, slots=True)
class Opening:
    """What a starting station takes over from the ones before it.

    Attributes:
        epoch: The number of this start.
        lot: The lot that runs.
        tallies: The account of every lot that is open, by name; their parts in flight are the orphans.
        orphans: The parts that were on the belt.
    """

    epoch: int = 1
    lot: str = ""
    tallies: Mapping[str, Tally] = field(default_factory=lambda: MappingProxyType({}))
    orphans: tuple[Orphan, ...] = ()
