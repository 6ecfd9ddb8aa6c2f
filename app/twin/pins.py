"""Pins made of software: a gpiozero factory whose other side is the twin's machine.

Each pin ends on a `Wire`. The box sees it through gpiozero (`TwinPin`), the machine drives or watches the same wire.
Only the present level is kept, never a history, and every edge reaches its callback before the call that caused it
returns. The factory serves GPIO numbers 0 to 999 (17, "17", "GPIO17", "BCM17"), positions of the usual 40-pin header
("BOARD11", which is GPIO17) and line names as other boards have them ("PQ.05").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, Literal
from weakref import WeakMethod, ref

from gpiozero import exc
from gpiozero.pins import BoardInfo, Factory, HeaderInfo, Pin, PinInfo

from app.clock import NS_PER_S, Clock, SystemClock
from app.errors import LineError

Watcher = Callable[[bool, int], None]
"""Called with the new level (high) and the time in ns whenever the box changes a wire."""

Death = Literal["hold", "float", "low"]
Pull = Literal["up", "down", "floating"]

_PULL_LEVEL: dict[str, bool | None] = {"up": True, "down": False, "floating": None}
_PULL_NAME: dict[bool | None, Pull] = {True: "up", False: "down", None: "floating"}
_EDGES = {"both": (True, False), "rising": (True,), "falling": (False,), "none": ()}
_NUMBERED = re.compile(r"(?:GPIO|BCM)?(\d{1,3})")
_LINE_NAME = re.compile(r"(?!GPIO|BCM|BOARD|GND|[35]V)[A-Z][A-Z0-9_]*(?:[.:/-][A-Z0-9_]+)*")

# Where the GPIO lines lie on the 40-pin header that the Raspberry Pi and most boards after it carry.
_HEADER_GPIO = {
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25,
    23: 11, 24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}  # fmt: skip
_HEADER_POSITION = {gpio: position for position, gpio in _HEADER_GPIO.items()}


class Wire:
    """One conductor between the box and the machine.

    Its level is that of the strongest driver: the box's output stage, else the machine, else the resistor fitted to the
    wire, else the pull inside the box. With none of these it keeps what it had.

    Args:
        name: The pin's name, such as "GPIO17".
        clock: Where the time of changes comes from.

    Attributes:
        level: The present level, `True` for high.
        latch: What the box's output stage drives; `None` for high impedance.
    """

    __slots__ = ("_clock", "_driven", "_on_edge", "_pull", "_resistor", "_watchers", "latch", "level", "name")

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.level = False
        self._clock = clock
        self._driven: bool | None = None
        self.latch: bool | None = None
        self._pull: bool | None = None
        self._resistor: bool | None = None
        self._on_edge: Callable[[bool], None] | None = None
        self._watchers: tuple[Watcher, ...] = ()

    def drive(self, is_high: bool) -> None:
        """The machine puts a level on the wire; the box's edge callback has run when this returns.

        Raises:
            LineError: The box drives this wire itself.
        """
        if self.latch is not None:
            raise LineError(f"the machine drives pin {self.name}, which is an output of the box", "wire it elsewhere")
        self._driven = is_high
        if is_high != self.level:
            self.level = is_high
            if self._on_edge is not None:
                self._on_edge(is_high)

    def drive_unseen(self, is_high: bool) -> None:
        """The machine changes the level and the box never hears of it: an interrupt that was lost."""
        self._driven = self.level = is_high

    def let_go(self) -> None:
        """The machine stops driving: the wire goes where its resistor or pull takes it."""
        self._driven = None
        self._settle()

    def fit_resistor(self, pull: Pull) -> None:
        """Fits an external resistor, which holds the wire while nobody drives it."""
        self._resistor = _PULL_LEVEL[pull]
        self._settle()

    def watch(self, watcher: Watcher) -> None:
        """Has `watcher` called at every change that the box causes."""
        self._watchers = (*self._watchers, watcher)

    def set_box_side(self, *, latch: bool | None, pull: bool | None) -> None:
        """The box sets its output stage (`None`: high impedance) and its internal pull."""
        self.latch, self._pull = latch, pull
        self._settle()

    def orphan(self, how: Death) -> None:
        """The box dies without closing anything; its output stage does as it says, its pull and its ears are gone."""
        self._on_edge = None
        if how == "float" or self.latch is None:
            self.set_box_side(latch=None, pull=None)
        elif how == "low":
            self.set_box_side(latch=False, pull=None)

    def connect(self, on_edge: Callable[[bool], None] | None) -> None:
        """The box has its edge detection call `on_edge`, or nothing."""
        self._on_edge = on_edge

    def _settle(self) -> None:
        for level in (self.latch, self._driven, self._resistor, self._pull):
            if level is not None:
                break
        else:
            return
        if level == self.level:
            return
        self.level = level
        if self.latch is None and self._on_edge is not None:
            self._on_edge(level)
        at_ns = self._clock.now_ns()
        for watcher in self._watchers:
            watcher(level, at_ns)


class TwinPin(Pin):  # type: ignore[misc]  # gpiozero ships no types
    """The box's end of a wire, as gpiozero's devices use it."""

    def __init__(self, factory: TwinFactory, info: PinInfo, wire: Wire) -> None:
        super().__init__()
        self._factory = factory
        self._info = info
        self._wire = wire
        self._clock = factory.clock
        self._latch = wire.latch
        self._pull: bool | None = None
        self._edges = "both"
        self._wanted = _EDGES["both"]
        self._bounce_ns: int | None = None
        self._last_fired_ns: int | None = None
        self._handler: Callable[[], Callable[[float, bool], None] | None] | None = None

    def __repr__(self) -> str:
        return str(self._info.name)

    @property
    def factory(self) -> TwinFactory:
        """The factory that this pin belongs to."""
        return self._factory

    def close(self) -> None:
        """Gives up edge detection and lets the output go."""
        self._set_when_changed(None)
        self._bounce_ns = None
        self._latch = self._pull = None
        self._wire.set_box_side(latch=None, pull=None)

    def die(self, how: Death) -> None:
        """What the pin does when its process is gone; later calls of orphaned devices reach no wire."""
        self._wire.orphan(how)
        self._wire = Wire(self._wire.name, self._clock)

    def output_with_state(self, state: Any) -> None:
        """Becomes an output with this level from the first instant."""
        self._latch = bool(state)
        self._wire.set_box_side(latch=self._latch, pull=self._pull)

    def input_with_pull(self, pull: str) -> None:
        """Becomes an input with this pull."""
        self._latch = None
        self._set_pull(pull)

    def _get_info(self) -> PinInfo:
        return self._info

    def _get_function(self) -> str:
        return "input" if self._latch is None else "output"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise exc.PinInvalidFunction(f"pin {self!r} can be input or output, not {value!r}")
        if value != self._get_function():
            self._latch = self._wire.level if value == "output" else None
            self._wire.set_box_side(latch=self._latch, pull=self._pull)

    def _get_state(self) -> int:
        return int(self._wire.level)

    def _set_state(self, value: Any) -> None:
        if self._latch is None:
            raise exc.PinSetInput(f"cannot set the state of pin {self!r}: it is an input")
        if value not in (0, 1):
            raise exc.PinInvalidState(f"pin {self!r} can be 0 or 1, not {value!r}")
        self._latch = bool(value)
        self._wire.set_box_side(latch=self._latch, pull=self._pull)

    def _get_pull(self) -> str:
        return _PULL_NAME[self._pull]

    def _set_pull(self, value: str) -> None:
        if self._latch is not None:
            raise exc.PinFixedPull(f"cannot set the pull of pin {self!r}: it is an output")
        if value not in _PULL_LEVEL:
            raise exc.PinInvalidPull(f"the pull of pin {self!r} can be up, down or floating, not {value!r}")
        self._pull = _PULL_LEVEL[value]
        self._wire.set_box_side(latch=None, pull=self._pull)

    def _get_frequency(self) -> None:
        return None

    def _set_frequency(self, value: float | None) -> None:
        if value is not None:
            raise exc.PinPWMUnsupported(f"pin {self!r} of the twin has no PWM: use a digital output device")

    def _get_bounce(self) -> float | None:
        return None if self._bounce_ns is None else self._bounce_ns / NS_PER_S

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise exc.PinInvalidBounce(f"the bounce time of pin {self!r} must be None or 0 and more, not {value!r}")
        self._bounce_ns = None if value is None else round(value * NS_PER_S)

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise exc.PinInvalidEdges(f"the edges of pin {self!r} can be {', '.join(_EDGES)}, not {value!r}")
        self._edges, self._wanted = value, _EDGES[value]

    def _get_when_changed(self) -> Callable[[float, bool], None] | None:
        return None if self._handler is None else self._handler()

    def _set_when_changed(self, value: Callable[[float, bool], None] | None) -> None:
        # Weak, as in every gpiozero factory: a device that is dropped without close() must be able to die.
        if value is None:
            self._handler = None
        else:
            self._handler = WeakMethod(value) if isinstance(value, MethodType) else ref(value)
        self._wire.connect(None if value is None else self._edge)

    def _edge(self, is_high: bool) -> None:
        if is_high not in self._wanted or self._handler is None:
            return
        handler = self._handler()
        if handler is None:
            self._set_when_changed(None)
            return
        at_ns = self._clock.now_ns()
        if self._bounce_ns is not None:
            if self._last_fired_ns is not None and at_ns - self._last_fired_ns < self._bounce_ns:
                return
            self._last_fired_ns = at_ns
        handler(at_ns / NS_PER_S, is_high)


class TwinBoard(BoardInfo):  # type: ignore[misc]  # gpiozero ships no types
    """A board with a 40-pin header and as many more lines as a configuration may name."""

    __slots__ = ()

    def find_pin(self, name: Any) -> Iterator[tuple[HeaderInfo, PinInfo]]:
        """The pin that `name` means, if it means one."""
        info = _pin_info(str(name).upper())
        if info is not None:
            yield self.headers["J8" if info.number else "LINES"], info


class TwinFactory(Factory):  # type: ignore[misc]  # gpiozero ships no types
    """Makes pins whose other side the twin's machine drives and watches.

    Args:
        clock: Where ticks come from; the system's clock when none is given.

    Attributes:
        clock: The clock.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self.clock: Clock = clock or SystemClock()
        self._wires: dict[str, Wire] = {}
        self._pins: dict[str, TwinPin] = {}
        self._board = _board()

    def close(self) -> None:
        """Closes every pin. The wires and what the machine does to them stay."""
        for pin in self._pins.values():
            pin.close()
        self._pins.clear()
        self._reservations.clear()

    def ticks(self) -> float:
        """The clock's time in seconds; a float holds it to the nanosecond for the first 100 days."""
        return self.clock.now_ns() / NS_PER_S

    def ticks_diff(self, later: float, earlier: float) -> float:
        """Seconds between two ticks."""
        return later - earlier

    def pin(self, name: Any) -> TwinPin:
        """The box's end of the wire that `name` means.

        Raises:
            gpiozero.PinInvalidPin: No pin has this name.
        """
        info = self._info(name)
        pin = self._pins.get(info.name)
        if pin is None:
            pin = self._pins[info.name] = TwinPin(self, info, self.wire(name))
        return pin

    def reserve_pins(self, requester: Any, *names: Any) -> None:
        """Claims pins for one device alone.

        Raises:
            gpiozero.GPIOPinInUse: Another device holds one of them; both are named.
        """
        try:
            super().reserve_pins(requester, *names)
        except exc.GPIOPinInUse as error:
            raise exc.GPIOPinInUse(f"{error}; a second {type(requester).__name__} asks for it") from None

    def wire(self, pin: Any) -> Wire:
        """The wire at `pin`, for the machine's side. Keep it: a wire is never replaced.

        Raises:
            gpiozero.PinInvalidPin: No pin has this name.
        """
        name = self._info(pin).name
        wire = self._wires.get(name)
        if wire is None:
            wire = self._wires[name] = self._new_wire(name)
        return wire

    def drive(self, pin: Any, is_high: bool) -> None:
        """The machine puts a level on a pin (see `Wire.drive`)."""
        self.wire(pin).drive(is_high)

    def watch(self, pin: Any, watcher: Watcher) -> None:
        """Has `watcher(is_high, at_ns)` called at every change of an output."""
        self.wire(pin).watch(watcher)

    def level(self, pin: Any) -> bool:
        """The present level of a pin, `True` for high."""
        return self.wire(pin).level

    def die(self, how: Death) -> None:
        """The process that holds the pins dies, without closing anything.

        Args:
            how: What its outputs then do, which differs from board to board: "hold" their level, "float" to whatever
                resistor is fitted, or go "low".
        """
        for pin in self._pins.values():
            pin.die(how)
        self._pins.clear()
        self._reservations.clear()

    def _new_wire(self, name: str) -> Wire:
        return Wire(name, self.clock)

    def _get_board_info(self) -> TwinBoard:
        return self._board

    def _info(self, name: Any) -> PinInfo:
        for _, info in self._board.find_pin(name):
            return info
        raise exc.PinInvalidPin(f"{name!r} is no pin: use a number 0 to 999, BOARD and a position, or a line name")


def _pin_info(name: str) -> PinInfo | None:
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return _gpio_info(int(numbered[1]))
    if name.startswith("BOARD") and name[5:].isdigit():
        gpio = _HEADER_GPIO.get(int(name[5:]))
        return None if gpio is None else _gpio_info(gpio)
    if _LINE_NAME.fullmatch(name):
        return PinInfo(0, name, frozenset({name}), "", 0, 0, frozenset({"gpio"}))
    return None


def _gpio_info(gpio: int) -> PinInfo:
    names: set[str | int] = {gpio, str(gpio), f"GPIO{gpio}", f"BCM{gpio}"}
    position = _HEADER_POSITION.get(gpio, 0)
    if not position:
        return PinInfo(0, f"GPIO{gpio}", frozenset(names), "", 0, 0, frozenset({"gpio"}))
    row, column = divmod(position - 1, 2)
    names.add(f"BOARD{position}")
    return PinInfo(position, f"GPIO{gpio}", frozenset(names), "", row + 1, column + 1, frozenset({"gpio"}))


def _board() -> TwinBoard:
    pins = {position: _gpio_info(gpio) for position, gpio in _HEADER_GPIO.items()}
    headers = {"J8": HeaderInfo("J8", 20, 2, pins), "LINES": HeaderInfo("LINES", 0, 0, {})}
    return TwinBoard(
        revision="1",
        model="twin",
        pcb_revision="1",
        released="2026Q1",
        soc="none",
        manufacturer="Takt",
        memory=0,
        storage="none",
        usb=0,
        usb3=0,
        ethernet=0,
        eth_speed=0,
        wifi=False,
        bluetooth=False,
        csi=0,
        dsi=0,
        headers=headers,
        board="",
    )
