"""The encoder on the belt: which edge its two phases show next, and at which belt position."""

from __future__ import annotations

import math

from app.clock import NS_PER_S
from app.twin.pins import Wire

# By count modulo 4. A leads B while the belt runs forwards.
_A = (False, True, True, False)
_B = (False, False, True, True)


class Quadrature:
    """A quadrature encoder whose wheel runs on the belt.

    Args:
        a: The wire of phase A.
        b: The wire of phase B.
        counts_per_mm: Counts (edges of either phase) per millimetre of belt.
        slip: Share of the way that the wheel does not see.

    Attributes:
        count: What a decoder that misses nothing has counted.
    """

    def __init__(self, a: Wire, b: Wire, counts_per_mm: float, slip: float = 0.0) -> None:
        self.count = 0
        self._a = a
        self._b = b
        self._counts_per_mm = counts_per_mm
        self._slip = slip
        self._is_dead = False
        self._is_reversed = False
        self._skips = 0
        self._rate = counts_per_mm * (1 - slip)
        self._anchor_mm = 0.0
        self._anchor_counts = 0.0
        a.drive(False)
        b.drive(False)

    def next_mm(self, direction: int) -> float:
        """The belt position of the next edge when the belt runs in `direction`; infinite when there is none."""
        rate = self._rate
        if not rate or not direction:
            return math.inf
        target = self.count + 1 if (rate > 0) == (direction > 0) else self.count
        return self._anchor_mm + (target - self._anchor_counts) / rate

    def step(self, direction: int) -> None:
        """Shows the next edge."""
        old = self.count
        is_up = (self._rate > 0) == (direction > 0)
        new = self.count = old + 1 if is_up else old - 1
        quarter = new & 3
        if (old if is_up else new) & 1:
            wire, level = self._b, _B[quarter]
        else:
            wire, level = self._a, _A[quarter]
        if self._skips:
            self._skips -= 1
            wire.drive_unseen(level)
        else:
            wire.drive(level)

    def skip(self) -> None:
        """The box will not hear of the next edge."""
        self._skips += 1

    def fail(
        self,
        at_mm: float,
        *,
        is_dead: bool | None = None,
        is_reversed: bool | None = None,
        slip: float | None = None,
    ) -> None:
        """From belt position `at_mm` on the encoder fails so, or works again; `None` changes nothing."""
        self._anchor_counts += (at_mm - self._anchor_mm) * self._rate
        self._anchor_mm = at_mm
        self._is_dead = self._is_dead if is_dead is None else is_dead
        self._is_reversed = self._is_reversed if is_reversed is None else is_reversed
        self._slip = self._slip if slip is None else slip
        sign = -1 if self._is_reversed else 1
        self._rate = 0.0 if self._is_dead else sign * self._counts_per_mm * (1 - self._slip)


class RunningCount:
    """What a box without an encoder makes of the input `running`: time at a constant speed.

    Args:
        counts_per_mm: Counts per millimetre.
        speed_mm_s: The speed that the box believes in.
    """

    def __init__(self, counts_per_mm: float, speed_mm_s: float) -> None:
        self._per_s = counts_per_mm * speed_mm_s
        self._ran_ns = 0
        self._since_ns: int | None = None

    def run(self, is_running: bool, now_ns: int) -> None:
        """The belt starts or stops."""
        if self._since_ns is not None:
            self._ran_ns += now_ns - self._since_ns
        self._since_ns = now_ns if is_running else None

    def count(self, now_ns: int) -> int:
        """The count at `now_ns`."""
        ran_ns = self._ran_ns + (now_ns - self._since_ns if self._since_ns is not None else 0)
        return math.floor(ran_ns * self._per_s / NS_PER_S)
