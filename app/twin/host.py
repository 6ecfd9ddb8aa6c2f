"""The machine's end of the pin board: the wires as the machine knows them, shared with the box that claims them."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterable

from app.bus.bell import Bell
from app.bus.place import Place
from app.clock import Clock
from app.twin.board import ACCEPTED, BOX, CLAIM, CLAIMANT, MACHINE, RELEASED, Inbox, Outbox, PinBoard
from app.twin.link import TRI, UNSEEN, bits
from app.twin.pins import Death, Pull, TwinFactory, Wire

Advance = Callable[[int], None]
"""Moves the machine on to a time in ns."""


class HostWire(Wire):
    """A wire whose state the box can see.

    Args:
        name: The pin's name.
        clock: Where the time of changes comes from.
        host: Who tells the box.
        number: Its number on the board.

    Attributes:
        number: The same.
    """

    __slots__ = ("_host", "number")

    def __init__(self, name: str, clock: Clock, host: PinHost, number: int) -> None:
        super().__init__(name, clock)
        self._host = host
        self.number = number

    def drive(self, is_high: bool) -> None:
        """The machine puts a level on the wire."""
        is_new = is_high is not self._driven
        super().drive(is_high)
        if is_new:
            self._host.tell(self.number, self._state(), self._clock.now_ns())

    def drive_unseen(self, is_high: bool) -> None:
        """The machine changes the level and the box never hears of it."""
        super().drive_unseen(is_high)
        self._host.tell(self.number, self._state() | UNSEEN, self._clock.now_ns())

    def let_go(self) -> None:
        """The machine stops driving."""
        super().let_go()
        self._host.tell(self.number, self._state(), self._clock.now_ns())

    def fit_resistor(self, pull: Pull) -> None:
        """Fits an external resistor."""
        super().fit_resistor(pull)
        self._host.tell(self.number, self._state(), self._clock.now_ns())

    def set_box_side(self, *, latch: bool | None, pull: bool | None) -> None:
        """The box has set its output stage and its pull."""
        super().set_box_side(latch=latch, pull=pull)
        self._host.note(self.number, self._state())

    def _state(self) -> int:
        return bits(self._driven) | bits(self._resistor) << 2 | bits(self.latch) << 4


class PinHost(TwinFactory):
    """The pins of a machine, for one box in another process.

    Args:
        place: Where the machine and the box meet.
        lane: The lane.
        clock: The machine's clock.
        quiet: Pins whose changes do not ring the box's bell: an encoder sits on lines that are polled.
        death: What the box's pins do when its process dies.

    Attributes:
        box: The process that holds the pins; 0 for none.
        deaths: How many boxes have died without letting go.

    Raises:
        BusError: Another machine runs here.
    """

    def __init__(
        self, place: Place, lane: int, clock: Clock, *, quiet: Iterable[object] = (), death: Death = "float"
    ) -> None:
        super().__init__(clock)
        self.box = 0
        self.deaths = 0
        self.death: Death = death
        self._shared = PinBoard(place, lane, is_new=True)
        self._bell = Bell(place.bell(f"twin{lane}-pins"))
        self._box_bell = Bell(place.bell(f"twin{lane}-box"))
        self._outbox, self._inbox = Outbox(self._shared, MACHINE), Inbox(self._shared, BOX)
        self._claim = 0
        self._life: int | None = None
        self._named: list[Wire] = []
        self._quiet: set[int] = set()
        self._has_news = False
        for pin in quiet:
            self._quiet.add(self._number_of(pin))

    def waits_for(self) -> list[int]:
        """The descriptors that `serve` must be called for when they are readable."""
        return [self._bell.fileno(), *([] if self._life is None else [self._life])]

    def serve(self, readable: Iterable[int], advance: Advance) -> None:
        """Does what the box has asked for, each write at its time, and notes that a box came, left or died.

        Args:
            readable: The descriptors of `waits_for` that are readable.
            advance: Moves the machine to the time of a write, before it takes effect.
        """
        is_dead = self._life is not None and self._life in readable
        if self._bell.fileno() in readable:
            self._bell.silence()
        self._obey(advance)
        if self.box and self._shared.words[RELEASED] == self._claim:
            self._forget()
        elif is_dead:
            self._bury()
        if self._shared.words[CLAIM] != self._claim:
            self._take_up()

    def gather(self) -> None:
        """From now on the box sees no change until `ring`.

        A machine that is late would otherwise show the first edge of a contact's bouncing, and the box take it for
        settled before the next edge is there.
        """
        self._outbox.gather()

    def ring(self) -> None:
        """Shows the box what was gathered, and wakes it if an input has changed since the last call."""
        self._outbox.deliver()
        if self._has_news:
            self._has_news = False
            self._box_bell.ring()

    def tell(self, number: int, state: int, at_ns: int) -> None:
        """Tells the box of a change that the machine has made."""
        if not self.box:
            self._outbox.show(number, state)
            return
        self._outbox.put(number, state, at_ns)
        if number not in self._quiet:
            self._has_news = True

    def note(self, number: int, state: int) -> None:
        """Shows what the box has done itself to those who come after it."""
        self._outbox.show(number, state)

    @property
    def lost(self) -> int:
        """Changes that found the queue to the box full, since this machine was started."""
        return self._outbox.lost

    def close(self) -> None:
        """Lets the board go: to the box it is as if the machine had lost its power."""
        super().close()
        self._forget()
        self._shared.close()
        self._bell.close()
        self._box_bell.close()

    def _obey(self, advance: Advance) -> None:
        for at_ns, number, state in self._inbox.take():
            advance(at_ns)
            self._set(number, state)
        if self._inbox.has_lost:
            self._inbox.skip()
            for number in range(len(self._inbox.names())):
                self._set(number, self._inbox.state(number))

    def _set(self, number: int, state: int) -> None:
        if number >= len(self._named):
            self._named += [self.wire(name) for name in self._inbox.names()[len(self._named) :]]
        self._named[number].set_box_side(latch=TRI[state & 3], pull=TRI[state >> 2 & 3])

    def _take_up(self) -> None:
        """Takes up the box that claims the pins."""
        words = self._shared.words
        if self.box:
            # Whoever claims pins holds their lock, so the box before is gone, whether or not the kernel has told yet.
            self._bury()
        self._claim, pid = words[CLAIM], words[CLAIMANT]
        try:
            self._life = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self._named.clear()
        self._inbox.skip()
        self.box = pid
        words[ACCEPTED] = self._claim

    def _bury(self) -> None:
        self.deaths += 1
        self._forget()
        for wire in self._wires.values():
            wire.orphan(self.death)

    def _forget(self) -> None:
        self.box = 0
        if self._life is not None:
            os.close(self._life)
            self._life = None

    def _new_wire(self, name: str) -> Wire:
        return HostWire(name, self.clock, self, self._outbox.name(name))

    def _number_of(self, pin: object) -> int:
        wire = self.wire(pin)
        assert isinstance(wire, HostWire), "all wires of this factory are"
        return wire.number


def readable_of(descriptors: Iterable[int], timeout_s: float = 0.0) -> list[int]:
    """Which descriptors are readable, at once or within the time."""
    return select.select(list(descriptors), [], [], timeout_s)[0]
