"""GPIO on any Linux board: a gpiozero pin factory on the kernel's character devices, by libgpiod v2.

gpiozero finds it by the entry point `takt-gpiod` (`GPIOZERO_PIN_FACTORY=takt-gpiod`). `docs/gpio.md` tells how pins are
called, what the options behind a name mean and what to fit outside; ADR 0011 tells why it exists.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpiozero import exc
from gpiozero.pins import BoardInfo, Factory, HeaderInfo, PinInfo

from app.clock import NS_PER_S, Clock, SystemClock
from app.errors import LineError, MissingDriverError
from app.reject.gpiod_edges import EdgeFeed
from app.reject.gpiod_lines import GpioLines, LineAddress, chip_paths
from app.reject.gpiod_pin import GpiodPin, Ground
from app.reject.headers import PULLED_UP, Board, model_of

ENTRY_POINT = "takt-gpiod"
_COLUMNS = 2


def load_gpiod() -> Any:
    """The library.

    Raises:
        MissingDriverError: It is not installed.
    """
    try:
        library = importlib.import_module("gpiod")
    except ImportError as error:
        raise MissingDriverError(f"the pin factory {ENTRY_POINT}", "gpiod", "gpio") from error
    if not hasattr(library, "LineSettings"):
        # Version 1 of the library goes by the same name, and Debian installs it.
        raise MissingDriverError(f"the pin factory {ENTRY_POINT}", "gpiod 2", "gpio")
    return library


def is_usable(root: Path = Path("/")) -> bool:
    """This machine has GPIO chips and the library for them."""
    if not any(chip_paths(root)):
        return False
    try:
        load_gpiod()
    except MissingDriverError:
        return False
    return True


def factory_of_this_board(consumer: str, named: str = "", root: Path = Path("/")) -> GpiodFactory | None:
    """This factory, where it is the one to take, for a station that fetches its edges itself.

    Args:
        consumer: The name that others find at our lines.
        named: The factory that the user asks for (`GPIOZERO_PIN_FACTORY`); empty: ours, if it can be used.
        root: The root of the file system.

    Raises:
        LineError: It is asked for by name, and this machine has no GPIO chips.
        MissingDriverError: It is asked for by name, and its library is not installed.
    """
    is_ours = named == ENTRY_POINT if named else is_usable(root)
    return GpiodFactory(consumer=consumer, root=root, is_pumped=True) if is_ours else None


class GpiodBoard(BoardInfo):  # type: ignore[misc]  # gpiozero ships no types
    """The board as gpiozero wants to know it. Pins are looked up by all their names, whether on a header or not."""

    finder: GpiodFactory

    def find_pin(self, name: Any) -> Iterator[tuple[HeaderInfo, PinInfo]]:
        """The pin that `name` means, if it means one."""
        try:
            info = self.finder.info_of(name)
        except exc.PinInvalidPin:
            return
        yield next(iter(self.headers.values())), info


class GpiodFactory(Factory):  # type: ignore[misc]  # gpiozero ships no types
    """Makes pins of the lines of this machine's GPIO chips.

    Edges carry the kernel's own times. Who waits on `fileno` calls `pump` to have them handed over, in his own thread;
    where nobody does, as in any plain gpiozero program, a thread of the factory hands them over (see `EdgeFeed`).

    Ticks are whole nanoseconds of CLOCK_MONOTONIC.

    Args:
        consumer: The name that others find at our lines, 31 letters at most.
        clock: Where ticks come from; the system's clock, which the kernel stamps edges with, when none is given.
        root: The root of the file system.
        library: What stands for the module `gpiod`.
        is_pumped: Somebody will call `pump`: no thread is ever started.

    Attributes:
        clock: The clock.
        lines: The lines of this machine.

    Raises:
        MissingDriverError: The library is not installed.
        LineError: This machine has no GPIO chips.
    """

    def __init__(
        self,
        *,
        consumer: str = "takt",
        clock: Clock | None = None,
        root: Path = Path("/"),
        library: Any = None,
        is_pumped: bool = False,
    ) -> None:
        super().__init__()
        self.clock: Clock = clock or SystemClock()
        if not any(chip_paths(root)):
            raise LineError(
                "this machine has no GPIO chips (/dev/gpiochip*)",
                "run it on a board with pins, load the driver of its expander, or use the twin",
            )
        library = library or load_gpiod()
        self.lines = GpioLines(library, root)
        self._feed = EdgeFeed(is_pumped=is_pumped)
        self._ground = Ground(library, self._feed, consumer)
        self._infos: dict[LineAddress, PinInfo] = {}
        self._pins: dict[LineAddress, GpiodPin] = {}
        self._board: GpiodBoard | None = None

    @property
    def lost_edges(self) -> int:
        """Edges that the kernel had to drop because they were not fetched in time."""
        return self._feed.lost_edges

    def fileno(self) -> int:
        """A descriptor for all lines: readable when there are edges. The factory's own thread, if any, ends."""
        return self._feed.fileno()

    def pump(self) -> int:
        """Hands over the edges that there are, oldest first, in this thread. The factory's own thread, if any, ends.

        Returns:
            How many there were.

        Raises:
            LineError: The chip of an input is gone.
        """
        return self._feed.pump()

    def close(self) -> None:
        """Lets every line go. Idempotent."""
        for pin in self._pins.values():
            pin.close()
        self._pins.clear()
        self._reservations.clear()
        self._feed.close()

    def ticks(self) -> int:
        """The time, in nanoseconds."""
        return self.clock.now_ns()

    def ticks_diff(self, later: int, earlier: int) -> float:
        """Seconds between two ticks."""
        return (later - earlier) / NS_PER_S

    def pin(self, name: Any) -> GpiodPin:
        """The pin that `name` means; it claims nothing yet.

        Raises:
            gpiozero.PinInvalidPin: No line has this name, or several have.
        """
        address, options = self.lines.find(name)
        pin = self._pins.get(address)
        if pin is None:
            has_pulls = self.lines.has_pulls(address)
            pin = self._pins[address] = GpiodPin(self, self._info(address), address, self._ground, has_pulls=has_pulls)
        pin.equip(options)
        return pin

    def reserve_pins(self, requester: Any, *names: Any) -> None:
        """Claims pins for one device alone.

        Raises:
            gpiozero.GPIOPinInUse: Another device of this program holds one of them; both are named.
        """
        try:
            super().reserve_pins(requester, *names)
        except exc.GPIOPinInUse as error:
            raise exc.GPIOPinInUse(f"{error}; a second {type(requester).__name__} asks for it") from None

    def info_of(self, name: Any) -> PinInfo:
        """What gpiozero wants to know of the pin that `name` means.

        Raises:
            gpiozero.PinInvalidPin: No line has this name, or several have.
        """
        try:
            return self._info(self.lines.find(name)[0])
        except exc.PinInvalidPin:
            # A pin whose chip has gone must still be known: its device is yet to give its reservation back.
            for info in self._infos.values():
                if name in info.names:
                    return info
            raise

    def _info(self, address: LineAddress) -> PinInfo:
        info = self._infos.get(address)
        if info is None:
            info = self._infos[address] = _pin_info(self.lines, address)
        return info

    def _get_board_info(self) -> GpiodBoard:
        if self._board is None:
            board = self.lines.board
            self._board = _board_info(board, model_of(self.lines.root), self._header_pins(board))
            self._board.finder = self
        return self._board

    def _header_pins(self, board: Board | None) -> dict[int, PinInfo]:
        """The pins of the header whose lines are there."""
        found = {}
        for line in board.lines.values() if board else ():
            state = self.lines.header_line(line)
            if state:
                found[line.position] = self._info(state.address)
        return found


def _pin_info(lines: GpioLines, address: LineAddress) -> PinInfo:
    """A pin goes by the name that stays: the kernel's, if it is the only one, else the chip's with the number."""
    names: set[str | int] = {f"{address.chip}:{address.offset}", f"{address.label}:{address.offset}"}
    name = address.name if lines.is_only_name(address.name) else f"{address.chip}:{address.offset}"
    line, board = lines.position_of(address), lines.board
    number = row = column = 0
    pull = ""
    if line and board:
        number = line.position
        row, column = (each + 1 for each in divmod(number - 1, _COLUMNS))
        names |= {f"BOARD{number}", f"{board.header}:{number}"}
        if board.has_numbers:
            name = f"GPIO{address.offset}"
            names |= {address.offset, str(address.offset), name, f"BCM{address.offset}"}
            pull = "up" if number in PULLED_UP else ""
    return PinInfo(number, name, frozenset({name, *names}), pull, row, column, frozenset({"gpio"}))


def _board_info(board: Board | None, model: str, pins: dict[int, PinInfo]) -> GpiodBoard:
    header = board.header if board else "LINES"
    rows = 20 if board else 0
    return GpiodBoard(
        revision="",
        model=board.name if board else model or "unknown board",
        pcb_revision="",
        released="",
        soc="",
        manufacturer="",
        memory=0,
        storage="",
        usb=0,
        usb3=0,
        ethernet=0,
        eth_speed=0,
        wifi=False,
        bluetooth=False,
        csi=0,
        dsi=0,
        headers={header: HeaderInfo(header, rows, _COLUMNS if board else 0, pins)},
        board="",
    )
