"""Where the belt is: quadrature from two pins, or a count made of running time and a constant speed."""

from __future__ import annotations

from fractions import Fraction
from threading import Lock
from typing import Any, NamedTuple

from app.clock import NS_PER_S, Clock
from app.config import PinName
from app.reject.lineio import BeltReading
from app.reject.pins import Claims, EdgePin

A = 0b10
B = 0b01

# By previous * 4 + present, each state A * 2 + B. Forward is A before B: 00 -> 10 -> 11 -> 01 -> 00.
_STEPS: tuple[int | None, ...] = (
    0, -1, +1, None,
    +1, 0, None, -1,
    -1, None, 0, +1,
    None, +1, -1, 0,
)  # fmt: skip


def quadrature_step(previous: int, present: int) -> int | None:
    """The counts between two quadrature states.

    Args:
        previous: State before, `A * 2 + B`, 0 to 3.
        present: State after.

    Returns:
        +1 forward (A leads B), -1 backward, 0 without a change, `None` where both phases changed at once: a state was
        skipped, and the direction of these two counts is unknown.
    """
    return _STEPS[previous << 2 | present]


class GpioEncoder:
    """A quadrature encoder on two GPIO pins, decoded four counts to the cycle.

    gpiozero's own `RotaryEncoder` is made for knobs: it counts whole cycles only, a quarter of the resolution, forgives
    skipped states without a word and tells no times. Here each edge of either phase is one count, with its time.

    Both phases are pulled up, as the open-collector outputs of industrial encoders need; push-pull outputs do not mind.
    An encoder that counts the wrong way, because A and B are exchanged or it sits on the other side of the belt, shows
    as a negative count while the belt runs forward: swap its wires, or set `encoder.reverse`.

    A skipped state adds no count and one to `missed`. A second edge of the same phase to the level that it already has
    means that the edge between was lost: it is counted as skipped too.

    Args:
        a: Pin of phase A.
        b: Pin of phase B.
        clock: The clock that times are given in.
        pin_factory: The gpiozero factory.
        claims: Every claim of the line, so that a conflict can name both sides.
        is_reversed: Count the other way.

    Raises:
        ConfigError: A pin does not exist or is claimed twice.
        LineError: A pin cannot be had.
    """

    def __init__(
        self,
        a: PinName,
        b: PinName,
        *,
        clock: Clock,
        pin_factory: Any,
        claims: Claims = (),
        is_reversed: bool = False,
    ) -> None:
        self._sign = -1 if is_reversed else 1
        # One tuple, replaced as a whole, so that a reader in another thread never sees half of a change.
        self._reading = (0, clock.now_ns(), 0)
        self._state = 0
        self._a = EdgePin(
            "encoder a",
            a,
            is_pulled_up=True,
            on_edge=self._a_changed,
            clock=clock,
            pin_factory=pin_factory,
            claims=claims,
        )
        try:
            self._b = EdgePin(
                "encoder b",
                b,
                is_pulled_up=True,
                on_edge=self._b_changed,
                clock=clock,
                pin_factory=pin_factory,
                claims=claims,
            )
        except BaseException:
            self._a.close()
            raise
        self._state = self._a.is_active() * A + self._b.is_active() * B
        self._reading = (0, clock.now_ns(), 0)

    def read(self, now_ns: int) -> BeltReading:  # noqa: ARG002 - a virtual encoder needs the time, this one does not
        """The belt position now."""
        return BeltReading(*self._reading)

    def close(self) -> None:
        """Lets the pins go. Idempotent; the last count stays readable."""
        self._a.close()
        self._b.close()

    def _a_changed(self, is_active: bool, at_ns: int) -> None:
        self._step((self._state & B) | (A if is_active else 0), at_ns)

    def _b_changed(self, is_active: bool, at_ns: int) -> None:
        self._step((self._state & A) | (B if is_active else 0), at_ns)

    def _step(self, present: int, at_ns: int) -> None:
        step = _STEPS[self._state << 2 | present]
        self._state = present
        count, changed_ns, missed = self._reading
        self._reading = (count + self._sign * step, at_ns, missed) if step else (count, changed_ns, missed + 1)


class _Motion(NamedTuple):
    """The belt's motion since its last start or stop."""

    is_running: bool
    since_ns: int
    run_ns: int
    changed_ns: int


class VirtualEncoder:
    """A count for a belt without an encoder: running time at a constant speed.

    The running time is summed in whole nanoseconds and the count is made of it by integer arithmetic, so that no number
    of starts and stops lets it drift from `counts_per_mm * speed_mm_s * running time`. It never falls: a stop that is
    reported after its time holds the count until the belt has caught up with it.

    Slip, run-up and coasting are invisible to it; `offset_mm` and `margin_ms` of the gates have to cover them.

    Args:
        counts_per_mm: Counts per millimetre of belt.
        speed_mm_s: Speed of the belt while it runs.
    """

    def __init__(self, counts_per_mm: float, speed_mm_s: float) -> None:
        # By their decimal digits, as they stand in the file: 0.1 means a tenth.
        per_ns = Fraction(str(counts_per_mm)) * Fraction(str(speed_mm_s)) / NS_PER_S
        self._numerator, self._denominator = per_ns.numerator, per_ns.denominator
        self._motion = _Motion(is_running=False, since_ns=0, run_ns=0, changed_ns=0)
        self._highest = BeltReading(count=0, at_ns=0)
        self._lock = Lock()  # the thread that reports edges reads it too

    def on_running(self, is_running: bool, at_ns: int) -> None:
        """The belt started or stopped at `at_ns`. A repeated state changes nothing."""
        motion = self._motion
        if is_running is not motion.is_running:
            run_ns = self._run_ns(motion, at_ns)
            self._motion = _Motion(is_running, max(at_ns, motion.since_ns), run_ns, self._changed_ns(motion, run_ns))

    def read(self, now_ns: int) -> BeltReading:
        """The belt position at `now_ns`."""
        with self._lock:
            motion = self._motion
            run_ns = self._run_ns(motion, now_ns)
            count = run_ns * self._numerator // self._denominator
            if count > self._highest.count:
                self._highest = BeltReading(count=count, at_ns=self._changed_ns(motion, run_ns))
            return self._highest

    def close(self) -> None:
        """Does nothing: there are no pins of its own."""

    @staticmethod
    def _run_ns(motion: _Motion, now_ns: int) -> int:
        return motion.run_ns + (max(0, now_ns - motion.since_ns) if motion.is_running else 0)

    def _changed_ns(self, motion: _Motion, run_ns: int) -> int:
        """When the count that belongs to `run_ns` was reached."""
        count = run_ns * self._numerator // self._denominator
        reached_ns = -(-count * self._denominator // self._numerator)
        if reached_ns <= motion.run_ns:
            return motion.changed_ns
        return motion.since_ns + reached_ns - motion.run_ns
