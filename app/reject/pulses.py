"""When an output may be tried by hand, and when such a pulse ends: pure, like the tracker.

An output is tried only on a line that stands: stopped, without its permit, and with a belt that has not counted for
`STILL_NS`. Nothing else is worth a person's fingers at a gate. What comes up meanwhile ends the pulse at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from app.clock import NS_PER_MS, NS_PER_S
from app.config import Line, outputs_of
from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading

STILL_NS = NS_PER_S
LEAST_MS = 10
MOST_MS = 2000

LATE_MS = 10
"""So much below its own limit, or a quarter of it, a pulse gate's pulse must end: the step that ends it may come late,
and to reach the limit is a fault."""

PULSE_ROLES = ("technician", "admin")
NEVER = MappingProxyType(
    {
        "permit": "the permit lets the belt run",
        "line_stop": "line_stop says the same as the permit: a controller would let the belt run",
    }
)
"""Outputs that are never tried, and why."""


class Bar(str, Enum):
    """Why no output may be tried now."""

    RUNNING = "RUNNING"
    PERMITTED = "PERMITTED"
    ENCODER = "ENCODER"
    DRIVEN = "DRIVEN"
    MOVING = "MOVING"
    BUSY = "BUSY"
    UNRECORDED = "UNRECORDED"


_SAID = {
    Bar.RUNNING: ("the line is not stopped", "stop it, and wait until the belt stands"),
    Bar.PERMITTED: ("the permit is given", "stop the line"),
    Bar.ENCODER: ("the encoder cannot be trusted, so nobody knows whether the belt stands", "mend the encoder first"),
    Bar.DRIVEN: ("input running is active: the belt is driven", "switch its drive off"),
    Bar.MOVING: ("the belt has not stood still for a second", "wait until it has"),
    Bar.BUSY: ("another pulse runs", "wait until it has ended"),
    Bar.UNRECORDED: ("the ledger takes no events now, and a pulse must be recorded", "see what holds the recorder up"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How the line stands at one instant.

    Attributes:
        is_stopped: A stop is latched.
        is_permitted: The permit is given.
        is_driven: The input `running` is active.
        is_recorded: Events are taken.
        causes: How many causes are latched.
        faults: How many faults of outputs there have been since the start.
    """

    is_stopped: bool
    is_permitted: bool
    is_driven: bool
    is_recorded: bool
    causes: int
    faults: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """A pulse that runs.

    Attributes:
        output: The output, by its name in `outputs_of`.
        began_ns: When it began.
        ends_ns: When it ends.
        causes: Causes that were latched at its begin.
        faults: Faults of outputs before it.
    """

    output: str
    began_ns: int
    ends_ns: int
    causes: int
    faults: int


class Pulses:
    """The interlock.

    Args:
        line: The settings.

    Attributes:
        running: The pulse that runs, if one does.
    """

    def __init__(self, line: Line) -> None:
        self.running: Pulse | None = None
        self._outputs = tuple(outputs_of(line))
        self._bounds = {
            f"gate:{gate.destination}": (gate.min_on_ms, gate.max_on_ms) for gate in line.gates if gate.is_pulse
        }
        self._count: int | None = None
        self._missed = 0
        self._moved_ns = 0
        self._trouble = ""

    def observe(self, reading: BeltReading, now_ns: int) -> None:
        """Takes the belt position; call it at every step."""
        self._trouble = reading.trouble
        if reading.count != self._count or reading.missed != self._missed:
            self._count, self._missed, self._moved_ns = reading.count, reading.missed, now_ns

    def bar(self, line: Standing, now_ns: int) -> Bar | None:
        """Why no output may be tried now; `None` where one may."""
        bars = {
            Bar.RUNNING: not line.is_stopped,
            Bar.PERMITTED: line.is_permitted,
            Bar.ENCODER: bool(self._trouble),
            Bar.DRIVEN: line.is_driven,
            Bar.MOVING: self._count is None or now_ns - self._moved_ns < STILL_NS,
            Bar.BUSY: self.running is not None,
            Bar.UNRECORDED: not line.is_recorded,
        }
        return next((each for each, is_there in bars.items() if is_there), None)

    def check(self, output: str, pulse_ms: int, line: Standing, now_ns: int) -> None:
        """Says whether an output may be tried now.

        Raises:
            CommandRefusedError: There is no such output, it is never tried, the pulse is too short or too long for it,
                or the line does not stand.
        """
        if output in NEVER:
            raise CommandRefusedError(f"output {output} is never pulsed: {NEVER[output]}", "reset the line instead")
        if output not in self._outputs:
            known = ", ".join(each for each in self._outputs if each not in NEVER)
            raise CommandRefusedError(f"this line has no output {output!r}", f"name one of: {known or 'none'}")
        least, most = self.bounds_ms(output)
        if not least <= pulse_ms <= most:
            raise CommandRefusedError(
                f"output {output} is pulsed for {least:g} to {most:g} ms, not for {pulse_ms} ms", "choose such a time"
            )
        bar = self.bar(line, now_ns)
        if bar is not None:
            raise CommandRefusedError(*_SAID[bar])

    def bounds_ms(self, output: str) -> tuple[float, float]:
        """The shortest and the longest pulse of an output, in milliseconds; 0 and 0 for one that is never tried."""
        if output in NEVER:
            return 0, 0
        if output not in self._bounds:
            return LEAST_MS, MOST_MS
        least, most = self._bounds[output]
        return max(least, LEAST_MS), min(most - min(LATE_MS, most / 4), MOST_MS)

    def begin(self, output: str, pulse_ms: int, line: Standing, now_ns: int) -> None:
        """A pulse begins that `check` has allowed."""
        self.running = Pulse(output, now_ns, now_ns + pulse_ms * NS_PER_MS, line.causes, line.faults)

    def why_over(self, line: Standing, now_ns: int) -> str | None:
        """Whether the pulse that runs must end now.

        Returns:
            `None`: it goes on. Empty: its time is over. Else why it is cut short.
        """
        pulse = self.running
        if pulse is None:
            return None
        cuts = {
            "the line was reset": not line.is_stopped or line.is_permitted,
            "the belt moves": self._moved_ns >= pulse.began_ns or line.is_driven,
            "the encoder cannot be trusted": bool(self._trouble),
            "a fault came up": line.causes > pulse.causes or line.faults > pulse.faults,
        }
        why = next((each for each, is_so in cuts.items() if is_so), None)
        return "" if why is None and now_ns >= pulse.ends_ns else why

    def end(self) -> None:
        """No pulse runs any more."""
        self.running = None

    def due_ns(self) -> int | None:
        """When the pulse that runs ends."""
        return self.running.ends_ns if self.running else None
