"""What every output was told, and who tells it: what fails there latches a stop, and never passes unseen.

One output at a time may be tried: it shows the other level for a while. What the line itself wants of it meanwhile is
kept, and comes first: a gate that is commanded and a line whose news turns bad are no longer tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.config import Line
from app.errors import ActuationError
from app.reject.lineio import LineIO

GATE = "gate:"
PERMIT = "permit"


class Hands:
    """Moves gates, handshake lines and the permit.

    Args:
        line: The settings.
        io: The outputs.
        latch: Stops the line for a fault, in words.

    Attributes:
        is_permitted: The permit is given.
        faults: How many faults there have been.
        tried: The output that shows the other level; empty: none does.
    """

    def __init__(self, line: Line, io: LineIO, latch: Callable[[str], None]) -> None:
        self.is_permitted = False
        self.faults = 0
        self.tried = ""
        self._io = io
        self._latch = latch
        self._rejecting = {gate.destination: False for gate in line.gates}
        self._levels = dict.fromkeys(line.handshake.outputs, False)
        self._pulse_gates = frozenset(gate.destination for gate in line.gates if gate.is_pulse)
        self._held_gates = tuple(gate.destination for gate in line.gates if not gate.is_pulse)
        self._tried_level = False

    def fault(self, text: str) -> None:
        """Something at an output is wrong: the line stops."""
        self.faults += 1
        self._latch(text)

    def move(self, destination: str, now_ns: int, *, is_rejecting: bool) -> None:
        """Moves a gate as a part demands."""
        self._rejecting[destination] = is_rejecting
        if self.tried == GATE + destination:
            self.tried = ""
        self._set_gate(destination, now_ns, is_rejecting=is_rejecting)

    def let_go(self, name: str, now_ns: int) -> None:
        """Lets go of a handshake line whose news has turned bad."""
        self._levels[name] = False
        if self.tried == name:
            self.tried = ""
        self._set_line(name, now_ns, is_on=False)

    def refresh(self, levels: Iterable[tuple[str, bool]], now_ns: int) -> None:
        """Holds what is held for another while: gates, and the handshake lines with their levels."""
        for destination in self._held_gates:
            is_tried = self.tried == GATE + destination
            is_rejecting = self._tried_level if is_tried else self._rejecting[destination]
            self._set_gate(destination, now_ns, is_rejecting=is_rejecting)
        for name, is_on in levels:
            self._levels[name] = is_on
            self._set_line(name, now_ns, is_on=self._tried_level if self.tried == name else is_on)

    def permit(self, *, is_given: bool) -> None:
        """Gives the permit, edge by edge from the next `toggle_permit` on, or takes it back at once."""
        self.is_permitted = is_given
        if is_given:
            return
        try:
            self._io.drop_permit()
        except ActuationError as error:
            # The toggles end here all the same, so the relay drops by itself within its hold time.
            self.fault(str(error))

    def toggle_permit(self, now_ns: int) -> None:
        """Gives the permit one more edge, while it is given."""
        if self.is_permitted:
            try:
                self._io.toggle_permit(now_ns)
            except ActuationError as error:
                self.fault(str(error))

    def try_out(self, output: str, now_ns: int) -> None:
        """Has an output show the other level: a gate acts, or lets go of what it holds; a line changes.

        Args:
            output: A gate or handshake line, by its name in `outputs_of`.
            now_ns: The time.
        """
        self.tried = output
        if output.startswith(GATE):
            destination = output.removeprefix(GATE)
            self._tried_level = not self._rejecting[destination]
            self._set_gate(destination, now_ns, is_rejecting=self._tried_level)
        else:
            self._tried_level = not self._levels[output]
            self._set_line(output, now_ns, is_on=self._tried_level)

    def restore(self, now_ns: int) -> None:
        """Puts back what was tried; a handshake line is energised again only together with the heartbeat."""
        output, self.tried = self.tried, ""
        if output.startswith(GATE):
            destination = output.removeprefix(GATE)
            self._set_gate(destination, now_ns, is_rejecting=self._rejecting[destination])
        elif output and not self._levels[output]:
            self._set_line(output, now_ns, is_on=False)

    def is_on(self, name: str) -> bool:
        """Whether an output was told to be energised, by its name in `outputs_of`; the permit: whether it is given."""
        if name == PERMIT:
            return self.is_permitted
        if name.startswith(GATE):
            destination = name.removeprefix(GATE)
            is_rejecting = self._tried_level if name == self.tried else self._rejecting[destination]
            return is_rejecting is (destination in self._pulse_gates)
        return self._tried_level if name == self.tried else self._levels[name]

    def _set_gate(self, destination: str, now_ns: int, *, is_rejecting: bool) -> None:
        try:
            self._io.set_gate(destination, is_rejecting, now_ns)
        except ActuationError as error:
            self.fault(str(error))

    def _set_line(self, name: str, now_ns: int, *, is_on: bool) -> None:
        try:
            self._io.set_line(name, is_on, now_ns)
        except ActuationError as error:
            self.fault(str(error))
