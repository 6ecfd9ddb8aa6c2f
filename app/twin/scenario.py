"""What happens to the line: how the belt runs, how the parts lie on it, and what breaks when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from app.config import Line
from app.twin.motion import Phase


class FaultKind(str, Enum):
    """What can go wrong. The comment tells what `amount` means for the kind."""

    BELT_STOP = "BELT_STOP"  # the drive stops the belt for the duration
    BELT_SLOW = "BELT_SLOW"  # amount: share of the speed that is left
    BELT_REVERSE = "BELT_REVERSE"  # the belt runs backwards for the duration; amount: share of the speed
    ENCODER_DEAD = "ENCODER_DEAD"
    ENCODER_SLIP = "ENCODER_SLIP"  # amount: share of the way that the wheel does not see
    ENCODER_SKIP = "ENCODER_SKIP"  # one edge that the box never hears of
    ENCODER_REVERSED = "ENCODER_REVERSED"
    PART_DEAD = "PART_DEAD"
    PART_BLOCKED = "PART_BLOCKED"
    PART_BOUNCING = "PART_BOUNCING"  # amount: ms for which each edge bounces
    PART_GLITCH = "PART_GLITCH"  # amount: ms of a signal without a part
    CHUTE_DEAD = "CHUTE_DEAD"
    CHUTE_STUCK = "CHUTE_STUCK"
    EXIT_DEAD = "EXIT_DEAD"
    EXIT_STUCK = "EXIT_STUCK"
    GATE_STUCK_OFF = "GATE_STUCK_OFF"
    GATE_STUCK_ON = "GATE_STUCK_ON"
    GATE_WEAK = "GATE_WEAK"  # the gate misses the one part `at_part`
    GATE_SLOW = "GATE_SLOW"  # amount: ms of lag more than measured
    READ_BACK_WRONG = "READ_BACK_WRONG"
    CAMERA_DEAD = "CAMERA_DEAD"  # amount: 0 no frame comes, 1 the camera raises
    FRAME_LATE = "FRAME_LATE"  # amount: ms
    FRAME_LOST = "FRAME_LOST"
    FRAME_DOUBLED = "FRAME_DOUBLED"
    FRAME_STALE = "FRAME_STALE"  # the frame before comes once more, in place of this one
    COUNTER_JUMP = "COUNTER_JUMP"  # amount: how far the camera's counter jumps
    AIR_LOW = "AIR_LOW"
    BIN_FULL = "BIN_FULL"
    BIN_OPEN = "BIN_OPEN"
    STOPPED = "STOPPED"  # the line is stopped from outside, as by its emergency stop; the belt stops by the permit
    TOUCHING = "TOUCHING"  # the part lies close behind the one before it; amount: gap in mm
    EXTRA_PART = "EXTRA_PART"  # somebody drops a part behind the sensor; amount: 1 for a bad one
    PART_TAKEN = "PART_TAKEN"  # somebody takes the part off; amount: how far behind the sensor, in mm
    PERMIT_IGNORED = "PERMIT_IGNORED"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How long a fault of a kind lasts and how large it is unless it says otherwise; and the bounds of its size."""

    duration_mm: float | None
    amount: float
    least: float = 0.0
    most: float = 0.0


_ONCE = _Kind(0.0, 0.0)
_LASTING = _Kind(None, 0.0)
_KINDS: dict[FaultKind, _Kind] = {
    FaultKind.BELT_SLOW: _Kind(400.0, 0.6, 0.2, 0.95),
    FaultKind.BELT_REVERSE: _Kind(None, 0.5, 0.1, 1.0),
    FaultKind.ENCODER_SLIP: _Kind(400.0, 0.1, 0.01, 0.9),
    FaultKind.ENCODER_SKIP: _ONCE,
    FaultKind.PART_BOUNCING: _Kind(None, 5.0, 0.5, 20.0),
    FaultKind.PART_GLITCH: _Kind(0.0, 0.5, 0.05, 30.0),
    FaultKind.GATE_WEAK: _ONCE,
    FaultKind.GATE_SLOW: _Kind(None, 60.0, 1.0, 300.0),
    FaultKind.CAMERA_DEAD: _Kind(None, 0.0, 0.0, 1.0),
    FaultKind.FRAME_LATE: _Kind(0.0, 200.0, 1.0, 1000.0),
    FaultKind.FRAME_LOST: _ONCE,
    FaultKind.FRAME_DOUBLED: _ONCE,
    FaultKind.FRAME_STALE: _ONCE,
    FaultKind.COUNTER_JUMP: _Kind(0.0, 1.0, 1.0, 5.0),
    FaultKind.TOUCHING: _Kind(0.0, 5.0, 0.5, 25.0),
    FaultKind.EXTRA_PART: _Kind(0.0, 1.0, 0.0, 1.0),
    FaultKind.PART_TAKEN: _Kind(0.0, 200.0, 1.0, 400.0),
}
_STOP_MS = 500.0
CAMERA_KINDS = frozenset(
    {
        FaultKind.CAMERA_DEAD,
        FaultKind.FRAME_LATE,
        FaultKind.FRAME_LOST,
        FaultKind.FRAME_DOUBLED,
        FaultKind.FRAME_STALE,
        FaultKind.COUNTER_JUMP,
    }
)
"""Faults of the picture of a part, wherever the part is when it is taken."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What.
        at_part: It begins when this part (0 is the first) reaches the part sensor; a camera's fault, at its picture.
        at_mm: Or: it begins at this belt position.
        duration_mm: It lasts for so much belt.
        duration_ms: Or: it lasts so long. With neither, as is usual for the kind: once, a stretch, or to the end.
        amount: How much; see `FaultKind`. `None` takes what is usual for the kind.
        gate: The destination whose gate, chute or bin it befalls; empty for the first.

    Raises:
        ValueError: Not exactly one of `at_part` and `at_mm`, or two durations.
    """

    kind: FaultKind
    at_part: int | None = None
    at_mm: float | None = None
    duration_mm: float | None = None
    duration_ms: float | None = None
    amount: float | None = None
    gate: str = ""

    def __post_init__(self) -> None:
        if (self.at_part is None) == (self.at_mm is None):
            raise ValueError(f"fault {self.kind.value} needs either at_part or at_mm")
        if self.duration_mm is not None and self.duration_ms is not None:
            raise ValueError(f"fault {self.kind.value} needs at most one of duration_mm and duration_ms")
        if self.kind in _NEEDS_PART and self.at_part is None:
            raise ValueError(f"fault {self.kind.value} befalls one part: it needs at_part")

    @property
    def size(self) -> float:
        """The amount, or what is usual for the kind."""
        return _kind(self.kind).amount if self.amount is None else self.amount

    @property
    def lasts_mm(self) -> float | None:
        """For how much belt it lasts; `None`: for `lasts_ms`."""
        if self.duration_mm is not None or self.duration_ms is not None or self.kind is FaultKind.BELT_STOP:
            return self.duration_mm
        return _kind(self.kind).duration_mm

    @property
    def lasts_ms(self) -> float | None:
        """How long it lasts; with `lasts_mm` also `None`: to the end."""
        if self.duration_ms is None and self.kind in (FaultKind.BELT_STOP, FaultKind.BELT_REVERSE):
            return _STOP_MS
        return self.duration_ms


_NEEDS_PART = frozenset({FaultKind.TOUCHING, FaultKind.PART_TAKEN, FaultKind.GATE_WEAK})
OF_A_PART = CAMERA_KINDS | _NEEDS_PART
"""Faults that begin with a part, not with a place on the belt."""


def _kind(kind: FaultKind) -> _Kind:
    return _KINDS.get(kind, _LASTING)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole run.

    Attributes:
        phases: How the drive runs the belt.
        pitch_mm: From leading edge to leading edge.
        pitch_jitter_mm: Largest deviation of a part from its place, at most half of what keeps parts apart.
        speed_jitter: Largest relative ripple of the speed.
        slip: Share of the way that the encoder never sees.
        bounce_ms: For how long a contact bounces; inputs configured without debounce are electronic and do not.
        gate_jitter_ms: Largest deviation of a gate's lag.
        chute_ms: From leaving the belt to the chute sensor; `None`: what suits the chute's window.
        lead_in_mm: Empty belt before the first part; `None`: so much that a start-up purge ends before it.
        lead_out_mm: How far the belt runs on when the last part has left.
        faults: What goes wrong.
    """

    phases: tuple[Phase, ...] = (Phase(500.0),)
    pitch_mm: float = 200.0
    pitch_jitter_mm: float = 5.0
    speed_jitter: float = 0.01
    slip: float = 0.0
    bounce_ms: float = 0.4
    gate_jitter_ms: float = 0.5
    chute_ms: float | None = None
    lead_in_mm: float | None = None
    lead_out_mm: float = 300.0
    faults: tuple[Fault, ...] = ()

    @property
    def speed_mm_s(self) -> float:
        """The highest speed of the profile."""
        return max(abs(phase.speed_mm_s) for phase in self.phases)

    def lead_in(self, line: Line) -> float:
        """Empty belt in mm before the first part."""
        if self.lead_in_mm is not None:
            return self.lead_in_mm
        last_mm = max(gate.position_mm + gate.offset_mm + gate.dwell_mm for gate in line.gates)
        return last_mm + line.belt.stop_mm + line.part.length_mm + 100.0

    @classmethod
    def drawn(
        cls,
        line: Line,
        parts: int,
        *,
        speed: float = 0.5,
        pitch: float = 0.3,
        jitter: float = 0.2,
        phases: Sequence[tuple[float, float]] = (),
        faults: Sequence[tuple[FaultKind, float, float, float]] = (),
    ) -> Scenario:
        """A scenario from numbers between 0 and 1, each of which is valid: what a generator of tests draws from.

        Args:
            line: The line, whose bounds the numbers are shares of.
            parts: How many parts there are.
            speed: 0: belt.v_min_mm_s .. 1: belt.v_max_mm_s.
            pitch: 0: part.min_pitch_mm .. 1: four times that.
            jitter: 0: none .. 1: the most that still keeps the smallest pitch.
            phases: (speed, duration) of a profile; durations from 0.1 s to 3 s.
            faults: (kind, part, duration, amount); durations up to 1 m of belt or 1 s.
        """
        slow, fast = line.belt.v_min_mm_s, line.belt.v_max_mm_s
        least = line.part.min_pitch_mm
        pitch_mm = least * (1.02 + 3 * pitch)
        profile = tuple(Phase(slow + share * (fast - slow), 100 + 2900 * long) for share, long in phases)
        return cls(
            phases=profile or (Phase(slow + speed * (fast - slow)),),
            pitch_mm=pitch_mm,
            pitch_jitter_mm=jitter * (pitch_mm - least) / 2,
            speed_jitter=0.02 * jitter,
            gate_jitter_ms=jitter,
            faults=tuple(_drawn_fault(parts, *numbers) for numbers in faults),
        )


def _drawn_fault(parts: int, kind: FaultKind, part: float, duration: float, amount: float) -> Fault:
    usual = _kind(kind)
    is_once = usual.duration_mm == 0.0
    is_timed = kind in (FaultKind.BELT_STOP, FaultKind.BELT_REVERSE, FaultKind.PERMIT_IGNORED)
    return Fault(
        kind,
        at_part=min(parts - 1, int(part * parts)),
        duration_mm=None if is_once or is_timed else 20 + 980 * duration,
        duration_ms=20 + 980 * duration if is_timed else None,
        amount=usual.least + amount * (usual.most - usual.least) if usual.most else None,
    )
