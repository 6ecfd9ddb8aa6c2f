"""How the belt moves: its position as an exact function of time, and the time at which a position is reached.

A profile of phases is cut into segments of constant acceleration that never change direction inside, so that both
questions have closed answers. Losing the drive (the permit) makes the belt coast; getting it back ramps it up to the
phase it was in, whose clock stood still meanwhile.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from random import Random

from app.clock import NS_PER_MS, NS_PER_S

NEVER_NS = 2**62
"""Later than anything that happens."""

_STILL_MM_S = 1e-3
"""Slower than this the belt stands: well above what braking does in the one nanosecond that times are rounded to."""
_RIPPLE_MS = (40.0, 120.0)


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of a profile.

    Attributes:
        speed_mm_s: The speed to reach and hold; negative runs backwards, 0 stops.
        duration_ms: How long the phase lasts, its ramp included; `None` for ever.
        accel_mm_s2: How fast the speed changes.
    """

    speed_mm_s: float
    duration_ms: float | None = None
    accel_mm_s2: float = 4000.0

    def __post_init__(self) -> None:
        if self.accel_mm_s2 <= 0 or (self.duration_ms is not None and self.duration_ms <= 0):
            raise ValueError("a phase needs an acceleration and a duration above 0")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time with constant acceleration and without a change of direction.

    Attributes:
        start_ns: When it begins.
        end_ns: When the next one begins; `NEVER_NS` if none is planned.
        start_mm: Belt position at the start.
        speed_mm_s: Speed at the start.
        accel_mm_s2: Acceleration.
    """

    start_ns: int
    end_ns: int
    start_mm: float
    speed_mm_s: float
    accel_mm_s2: float

    @property
    def direction(self) -> int:
        """1 forwards, -1 backwards, 0 at rest."""
        leading = self.speed_mm_s if abs(self.speed_mm_s) > _STILL_MM_S else self.accel_mm_s2
        return (leading > 0) - (leading < 0)

    def position_mm(self, at_ns: int) -> float:
        """Belt position at a time within the segment."""
        dt = (min(at_ns, self.end_ns) - self.start_ns) / NS_PER_S
        return self.start_mm + dt * (self.speed_mm_s + 0.5 * self.accel_mm_s2 * dt)

    def speed_at(self, at_ns: int) -> float:
        """Speed in mm/s at a time within the segment."""
        return self.speed_mm_s + self.accel_mm_s2 * (min(at_ns, self.end_ns) - self.start_ns) / NS_PER_S

    def reaches_ns(self, position_mm: float) -> int:
        """When the belt reaches a position that lies ahead; `NEVER_NS` if it does not within the segment.

        A position that is already behind gives the start: whatever waits there is due.
        """
        way = position_mm - self.start_mm
        if way == math.inf:
            return NEVER_NS
        if not self.accel_mm_s2:
            if not self.speed_mm_s:
                return NEVER_NS
            dt = way / self.speed_mm_s
        else:
            # The stable form of the quadratic formula: no cancellation when the way is short.
            square = self.speed_mm_s * self.speed_mm_s + 2 * self.accel_mm_s2 * way
            if square < 0:
                return NEVER_NS
            divisor = self.speed_mm_s + self.direction * math.sqrt(square)
            if not divisor:
                return self.start_ns
            dt = 2 * way / divisor
        if dt <= 0:
            return self.start_ns
        at_ns = self.start_ns + math.ceil(dt * NS_PER_S)
        return at_ns if at_ns <= self.end_ns else NEVER_NS


class Motion:
    """The belt's drive.

    Args:
        phases: What the drive does while it has power; after the last phase they begin again.
        stop_mm: How far the belt coasts from its profile's highest speed when the drive loses power.
        ripple: Largest relative deviation of the speed, changing every 40 to 120 ms; 0 for none.
        seed: Seed of the ripple.
        start_ns: When it all begins, at position 0 and at rest.
        is_powered: Whether the drive has power at the start.

    Attributes:
        segment: The segment in force at the last call of `advance`.
    """

    def __init__(
        self,
        phases: tuple[Phase, ...],
        *,
        stop_mm: float,
        ripple: float = 0.0,
        seed: int = 0,
        start_ns: int = 0,
        is_powered: bool = True,
    ) -> None:
        if not phases:
            raise ValueError("a profile needs at least one phase")
        self._profile = phases
        self._next_phase = 0
        self._pending: deque[tuple[Phase, int]] = deque()
        self._stop_mm = stop_mm
        self._top_mm_s = max(abs(phase.speed_mm_s) for phase in phases)
        self._ripple = ripple
        self._random = Random(f"ripple {seed}")  # noqa: S311 - a seeded world, not a secret
        self._is_powered = is_powered
        self._is_in_phase = False
        self.segment = Segment(start_ns, start_ns, 0.0, 0.0, 0.0)
        self._replan(start_ns)

    @property
    def is_powered(self) -> bool:
        """The drive has power."""
        return self._is_powered

    def advance(self, now_ns: int) -> bool:
        """Makes `segment` the one in force at `now_ns`; returns whether that is another one than before."""
        is_new = False
        while now_ns >= self.segment.end_ns:
            self._replan(self.segment.end_ns)
            is_new = True
        return is_new

    def position_mm(self, now_ns: int) -> float:
        """Belt position, within the segment in force."""
        return self.segment.position_mm(now_ns)

    def speed_mm_s(self, now_ns: int) -> float:
        """Speed, within the segment in force."""
        return self.segment.speed_at(now_ns)

    def power(self, is_powered: bool, now_ns: int) -> None:
        """Gives the drive power or takes it. Without power the belt coasts to rest."""
        self.advance(now_ns)
        if is_powered != self._is_powered:
            self._is_powered = is_powered
            self._replan(now_ns)

    def follow(self, phases: tuple[Phase, ...], now_ns: int) -> None:
        """Does `phases` from now on, in place of the profile so far."""
        self.advance(now_ns)
        self._profile, self._next_phase = phases, 0
        self._top_mm_s = max(abs(phase.speed_mm_s) for phase in phases)
        self._pending.clear()
        self._is_in_phase = False
        self._replan(now_ns)

    def insert(self, phases: tuple[Phase, ...], now_ns: int) -> None:
        """Does `phases` now and then goes on with what was interrupted."""
        self.advance(now_ns)
        self._spend(now_ns)
        self._is_in_phase = False
        for phase in reversed(phases):
            self._pending.appendleft((phase, _ns(phase.duration_ms)))
        self._replan(now_ns)

    def _spend(self, now_ns: int) -> None:
        """Takes the time since the segment's start off the phase in force."""
        if self._is_in_phase and self._pending:
            phase, left_ns = self._pending[0]
            if left_ns < NEVER_NS:
                left_ns -= now_ns - self.segment.start_ns
                self._pending.popleft()
                if left_ns > 0:
                    self._pending.appendleft((phase, left_ns))

    def _replan(self, now_ns: int) -> None:
        """Plans the segment that begins now, from the position and speed that the old one has reached."""
        old = self.segment
        at_mm, speed = old.position_mm(now_ns), old.speed_at(now_ns)
        self._spend(now_ns)
        self._is_in_phase = False
        if abs(speed) <= _STILL_MM_S:
            speed = 0.0
        if not self._is_powered:
            self.segment = self._coast(now_ns, at_mm, speed)
            return
        if not self._pending:
            phase = self._profile[self._next_phase % len(self._profile)]
            self._next_phase += 1
            self._pending.append((phase, _ns(phase.duration_ms)))
        self._is_in_phase = True
        phase, left_ns = self._pending[0]
        self.segment = self._drive(now_ns, at_mm, speed, phase, left_ns)

    def _coast(self, now_ns: int, at_mm: float, speed: float) -> Segment:
        if not speed or not self._stop_mm:
            return Segment(now_ns, NEVER_NS, at_mm, 0.0, 0.0)
        top = max(abs(speed), self._top_mm_s)
        brake = top * top / (2 * self._stop_mm)
        return Segment(now_ns, now_ns + _ceil_ns(abs(speed) / brake), at_mm, speed, -math.copysign(brake, speed))

    def _drive(self, now_ns: int, at_mm: float, speed: float, phase: Phase, left_ns: int) -> Segment:
        end_ns = min(now_ns + left_ns, NEVER_NS)
        goal = phase.speed_mm_s if abs(phase.speed_mm_s) > _STILL_MM_S else 0.0
        if abs(goal - speed) > abs(goal) * self._ripple + _STILL_MM_S:
            # A reversal passes through rest in a segment of its own: no segment changes direction.
            target = 0.0 if speed * goal < 0 else goal
            ramp_ns = _ceil_ns(abs(target - speed) / phase.accel_mm_s2)
            accel = (target - speed) * NS_PER_S / ramp_ns
            return Segment(now_ns, min(end_ns, now_ns + ramp_ns), at_mm, speed, accel)
        if not self._ripple or not goal:
            return Segment(now_ns, end_ns, at_mm, goal, 0.0)
        wave_ns = round(self._random.uniform(*_RIPPLE_MS) * NS_PER_MS)
        now_mm_s = goal * (1 + self._ripple * self._random.uniform(-1, 1))
        return Segment(now_ns, min(end_ns, now_ns + wave_ns), at_mm, now_mm_s, 0.0)


def _ns(duration_ms: float | None) -> int:
    return NEVER_NS if duration_ms is None else max(1, round(duration_ms * NS_PER_MS))


def _ceil_ns(seconds: float) -> int:
    return max(1, math.ceil(seconds * NS_PER_S))
