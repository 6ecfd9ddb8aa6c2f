"""Tries an output by hand: checks the interlock, writes the ledger, moves the pin, and puts it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.config import Line, outputs_of
from app.errors import ActuationError, CommandRefusedError
from app.reject.hands import Hands
from app.reject.levels import InputLevels
from app.reject.lineio import BeltReading
from app.reject.pulses import PULSE_ROLES, Pulse, Pulses, Standing
from app.reject.tracking import Tracker
from app.status import OutputStatus, State
from app.types import EventKind, Scalar


@dataclass(frozen=True, slots=True)
class PulseWish:
    """A pulse that somebody asks for.

    Attributes:
        output: A gate, as `gate:reject`, or a handshake line, by its name in `outputs_of`.
        pulse_ms: How long, in milliseconds.
        by: Who.
        role: In what role.
        reason: Why.
    """

    output: str
    pulse_ms: int
    by: str
    role: str
    reason: str


class Pulsing:
    """Belongs to the thread of the line, under the station's lock.

    Args:
        line: The settings.
        tracker: Says how the line is, and writes the ledger.
        hands: Moves the outputs.
        inputs: How the inputs are.
        hand_over: Hands the record over, and says whether all of it was taken.
    """

    def __init__(
        self, line: Line, tracker: Tracker, hands: Hands, inputs: InputLevels, hand_over: Callable[[], bool]
    ) -> None:
        self._tracker = tracker
        self._hands = hands
        self._inputs = inputs
        self._hand_over = hand_over
        self._pulses = Pulses(line)
        self._bounds_ms = {name: self._pulses.bounds_ms(name) for name in outputs_of(line)}

    def observe(self, reading: BeltReading, now_ns: int) -> None:
        """Takes the belt position; call it at every step."""
        self._pulses.observe(reading, now_ns)

    def begin(self, wish: PulseWish, now_ns: int, *, is_recorded: bool) -> int:
        """Begins a pulse.

        Args:
            wish: The pulse.
            now_ns: The time.
            is_recorded: The recorder takes events.

        Returns:
            The sequence number of the event that tells of it, which is handed over before the pin moves.

        Raises:
            CommandRefusedError: Who or why is missing, the role may not, or the interlock holds.
            ActuationError: The output refused; the line is stopped for it.
        """
        if not wish.by.strip() or not wish.reason.strip():
            raise CommandRefusedError("a pulse needs a name and a reason", "give both")
        if wish.role not in PULSE_ROLES:
            may = ", ".join(PULSE_ROLES)
            raise CommandRefusedError(f"role {wish.role!r} may not pulse an output", f"ask one of: {may}")
        line = self._standing(is_recorded=is_recorded)
        self._pulses.check(wish.output, wish.pulse_ms, line, now_ns)
        said: dict[str, Scalar] = {"by": wish.by, "role": wish.role, "why": wish.reason}
        self._note(wish.output, "STARTED", pulse_ms=wish.pulse_ms, **said)
        sequence = self._tracker.sequence
        if not self._hand_over():
            self._note(wish.output, "CUT_SHORT", text="the ledger did not take its event")
            raise CommandRefusedError("the ledger takes no events now", "see what holds the recorder up")
        self._pulses.begin(wish.output, wish.pulse_ms, line, now_ns)
        self._hands.try_out(wish.output, now_ns)
        if self._hands.faults > line.faults:
            self.look(now_ns)
            raise ActuationError(
                f"output {wish.output} did not take its level, and the line is stopped for it",
                "look at the alarm for its cause",
            )
        return sequence

    def look(self, now_ns: int) -> None:
        """Ends the pulse that runs where its time is over, and cuts it short where the line no longer stands."""
        pulse = self._pulses.running
        if pulse is None:
            return
        why = self._pulses.why_over(self._standing(), now_ns)
        if not why and self._hands.tried != pulse.output:
            why = "the line itself moved the output"
        if why is not None:
            self._end(pulse, why, now_ns)

    def close(self) -> bool:
        """The station ends, and its outputs are safe already.

        Returns:
            Whether that cut a pulse short.
        """
        pulse = self._pulses.running
        if pulse is not None:
            self._pulses.end()
            self._note(pulse.output, "CUT_SHORT", text="the station ended")
        return pulse is not None

    def due_ns(self) -> int | None:
        """When the pulse that runs ends."""
        return self._pulses.due_ns()

    def bar(self, now_ns: int, *, is_recorded: bool) -> str:
        """Why no output may be tried now, as a code of `Bar`; empty: one may."""
        bar = self._pulses.bar(self._standing(is_recorded=is_recorded), now_ns)
        return bar.value if bar else ""

    def outputs(self) -> tuple[OutputStatus, ...]:
        """How every output was told to be, and for how long it may be tried."""
        return tuple(
            OutputStatus(name, self._hands.is_on(name), name == self._hands.tried, *bounds)
            for name, bounds in self._bounds_ms.items()
        )

    def _end(self, pulse: Pulse, why: str, now_ns: int) -> None:
        self._pulses.end()
        self._hands.restore(now_ns)
        if why:
            self._note(pulse.output, "CUT_SHORT", text=why)

    def _note(self, output: str, result: str, **said: Scalar) -> None:
        self._tracker.note(EventKind.PULSE, output=output, result=result, **said)

    def _standing(self, *, is_recorded: bool = True) -> Standing:
        return Standing(
            is_stopped=self._tracker.state is State.STOPPED,
            is_permitted=self._hands.is_permitted,
            is_driven=self._inputs.is_active("running"),
            is_recorded=is_recorded,
            causes=len(self._tracker.latches),
            faults=self._hands.faults,
        )
