"""The box's end of the pin board: a gpiozero factory whose machine is another process.

Every wire is mirrored in the box's process, so that claims, levels, pulls and edges are those of `app.twin.pins`; what
the machine does to a wire comes through the board. Nothing is delivered behind the caller's back: `pump` hands over
what has happened, in order, in the caller's thread.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from datetime import datetime

from app.bus.bell import Bell
from app.bus.place import Place
from app.clock import NS_PER_S, Clock, SystemClock
from app.errors import BusError, LineError
from app.twin.board import ACCEPTED, BOX, CLAIM, CLAIMANT, MACHINE, RELEASED, Inbox, Outbox, PinBoard
from app.twin.pins import TwinFactory, Wire

ANSWERS_WITHIN_S = 5.0
_POLL_S = 0.001

TRI = (None, False, True)
"""What two bits of a state mean: nothing, low, high."""

UNSEEN = 1 << 6
"""Of a change in the machine's half: the box's interrupt was lost."""


def bits(level: bool | None) -> int:
    """The two bits of a level."""
    return 0 if level is None else 1 + level


class MirrorWire(Wire):
    """The box's copy of a wire of the machine.

    Args:
        name: The pin's name.
        clock: Where the time of changes comes from.
        factory: Who tells the machine of what the box does.
    """

    __slots__ = ("_factory", "_number", "_sent")

    def __init__(self, name: str, clock: Clock, factory: LinkFactory) -> None:
        super().__init__(name, clock)
        self._factory = factory
        self._number: int | None = None
        self._sent = 0

    def set_box_side(self, *, latch: bool | None, pull: bool | None) -> None:
        """The box sets its output stage and its pull, here and at the machine."""
        super().set_box_side(latch=latch, pull=pull)
        state = bits(latch) | bits(pull) << 2
        if state != self._sent:
            if self._number is None:
                self._number = self._factory.number(self.name)
            self._sent = state
            self._factory.send(self._number, state)

    def mirror(self, state: int) -> None:
        """The machine's side of the wire is now like this."""
        driven, resistor = TRI[state & 3], TRI[state >> 2 & 3]
        if state & UNSEEN and driven is not None:
            self.drive_unseen(driven)
        elif driven is not None and self.latch is None and resistor is self._resistor:
            self.drive(driven)
        else:
            self._driven, self._resistor = driven, resistor
            self._settle()

    def take_over(self, state: int) -> None:
        """Begins as the machine says that the wire is, with what an earlier box left on it."""
        self._driven, self._resistor = TRI[state & 3], TRI[state >> 2 & 3]
        self.latch = TRI[state >> 4 & 3]
        self._sent = bits(self.latch)
        self._settle()


class _Stamped:
    """The clock of the mirrored wires: while a change is delivered it is the time of that change."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.at_ns: int | None = None

    def now_ns(self) -> int:
        return self.clock.now_ns() if self.at_ns is None else self.at_ns

    def wall(self) -> datetime:
        return self.clock.wall()


class LinkFactory(TwinFactory):
    """Makes pins whose other side is the machine of another process, one box at a time.

    The inputs stand still when the machine's process dies, as on a machine without power; its encoder and its sensors
    are then what tells. When the machine has been started anew, `pump` raises: the belt is no longer the one that the
    box knows, and the box must start anew too.

    Inputs change only by `pump`. All methods belong to one thread.

    Args:
        place: Where the machine and the box meet.
        lane: The lane.
        clock: The clock of both: the machine's times are its times.
        answers_within_s: Longest wait for the machine to take the box up.

    Attributes:
        lost_edges: Changes that found the queue to the box full. The wires then show their present levels again, but
            no position of the belt can be trusted.
        lost_writes: Changes that found the queue to the machine full; it knows the present levels all the same.

    Raises:
        LineError: Another box holds the pins, or no machine answers.
    """

    def __init__(
        self, place: Place, lane: int = 1, clock: Clock | None = None, *, answers_within_s: float = ANSWERS_WITHIN_S
    ) -> None:
        stamped = _Stamped(clock or SystemClock())
        super().__init__(stamped)
        self._stamped = stamped
        self._where = f"the pins of lane {lane} in {place.root}"
        self.lost_edges = 0
        self._is_open = False
        self._place, self._lane = place, lane
        gives_up_s = time.monotonic() + answers_within_s
        with ExitStack() as opened:
            try:
                opened.callback(place.hold(f"twin{lane}-box").close)
                self._shared = self._found_board(gives_up_s)
                opened.callback(self._let_go)
                self._bell = Bell(place.bell(f"twin{lane}-box"))
                opened.callback(self._bell.close)
                self._machine_bell = Bell(place.bell(f"twin{lane}-pins"))
                opened.callback(self._machine_bell.close)
            except BusError as error:
                raise LineError(f"{self._where} cannot be had: {error.what}", error.mend) from error
            self._attach(gives_up_s)
            self._is_open = True
            self._opened = opened.pop_all()

    def fileno(self) -> int:
        """Readable when an input has changed that is not one of the encoder."""
        return self._bell.fileno()

    def ticks(self) -> float:
        """The time in seconds; a float holds it to the nanosecond for the first 100 days."""
        return self._stamped.clock.now_ns() / NS_PER_S

    def pump(self) -> int:
        """Hands over what has happened to the inputs, each edge with the machine's time.

        Returns:
            How many changes there were.

        Raises:
            LineError: The machine was started anew.
        """
        self._bell.silence()
        if self._shared.is_retired:
            raise LineError(
                f"{self._where}: the machine was started anew", "start the station anew: it clears the belt"
            )
        changes = 0
        stamped, mirrors = self._stamped, self._mirrors
        try:
            for at_ns, number, state in self._inbox.take():
                changes += 1
                stamped.at_ns = at_ns
                if number >= len(mirrors):
                    self._find_mirrors()
                mirrors[number].mirror(state)
        finally:
            stamped.at_ns = None
        if self._inbox.has_lost:
            self.lost_edges += self._inbox.skip()
            for number, mirror in enumerate(mirrors):
                mirror.mirror(self._inbox.state(number) & ~UNSEEN)
        return changes

    def close(self) -> None:
        """Closes every pin and lets the machine go. Idempotent."""
        super().close()
        if not self._is_open:
            return
        self._is_open = False
        self._shared.words[RELEASED] = self._claim
        self._machine_bell.ring()
        self._opened.close()

    @property
    def lost_writes(self) -> int:
        """Changes that found the queue to the machine full."""
        return self._outbox.lost

    def number(self, name: str) -> int:
        """The number of one more pin that the box sets."""
        return self._outbox.name(name)

    def send(self, number: int, state: int) -> None:
        """Tells the machine what the box has done to a pin."""
        if self._is_open:
            self._outbox.put(number, state, self._stamped.clock.now_ns())
            self._machine_bell.ring()

    def _found_board(self, gives_up_s: float) -> PinBoard:
        """The machine's board; a box that is switched on together with its machine may be the quicker one.

        Raises:
            BusError: There is none by then.
        """
        while True:
            try:
                return PinBoard(self._place, self._lane, is_new=False)
            except BusError:
                if time.monotonic() >= gives_up_s:
                    raise
            time.sleep(_POLL_S)

    def _attach(self, gives_up_s: float) -> None:
        self._make_claim()
        while self._shared.words[ACCEPTED] != self._claim:
            if time.monotonic() > gives_up_s:
                raise LineError(f"{self._where}: no machine answers", "start the twin, or look why it hangs")
            time.sleep(_POLL_S)
            if self._shared.is_retired:
                # It was the board of a machine that has ended; the one that starts now has made its own.
                self._shared.close()
                self._shared = PinBoard(self._place, self._lane, is_new=False)
                self._make_claim()
        self._outbox, self._inbox = Outbox(self._shared, BOX), Inbox(self._shared, MACHINE)
        self._mirrors: list[MirrorWire] = []
        self._find_mirrors()
        for number, mirror in enumerate(self._mirrors):
            mirror.take_over(self._inbox.state(number))

    def _let_go(self) -> None:
        self._shared.close()

    def _make_claim(self) -> None:
        words = self._shared.words
        self._claim = words[CLAIM] + 1
        words[CLAIMANT] = os.getpid()
        words[CLAIM] = self._claim
        self._machine_bell.ring()

    def _find_mirrors(self) -> None:
        """Finds the wire of each pin that the machine has come to know."""
        for name in self._inbox.names()[len(self._mirrors) :]:
            wire = self.wire(name)
            assert isinstance(wire, MirrorWire), "all wires of this factory are"
            self._mirrors.append(wire)

    def _new_wire(self, name: str) -> Wire:
        return MirrorWire(name, self._stamped, self)
