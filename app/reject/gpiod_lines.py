"""The GPIO lines of this machine, and what the name of a pin means: see `docs/gpio.md` for the grammar."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpiozero.exc import PinInvalidPin

from app.reject.headers import Board, HeaderLine, compatible_of, find_board

OPEN_DRAIN = "open-drain"
OPEN_SOURCE = "open-source"
EXTERNAL_PULL = "external-pull"
OPTIONS = (OPEN_DRAIN, OPEN_SOURCE, EXTERNAL_PULL)

_NUMBER = re.compile(r"(?:GPIO|BCM)?(\d{1,3})")
# The kernel takes a bias that the driver cannot set, and says nothing. These cannot (their `set_config`, Linux 6.1):
_PULLLESS_DRIVERS = ("tegra186-gpio", "pcf857x")
_PULLLESS_LABELS = ("tegra",)


@dataclass(frozen=True, slots=True)
class LineAddress:
    """A line of a chip.

    Attributes:
        path: The chip's device.
        chip: The chip's name, such as `gpiochip0`; it may change from start to start.
        label: The chip's label, such as `tegra234-gpio`; it does not.
        offset: The line's number on the chip.
        name: The line's name in the kernel; empty where it has none.
    """

    path: str
    chip: str
    label: str
    offset: int
    name: str = ""

    def __str__(self) -> str:
        where = f"line {self.offset} of {self.chip} ({self.label})"
        return f"{self.name}, {where}" if self.name else where


@dataclass(frozen=True, slots=True)
class LineState:
    """What the kernel says of a line.

    Attributes:
        address: The line.
        is_output: It is an output.
        is_used: Somebody holds it.
        consumer: Who, as he has told the kernel.
    """

    address: LineAddress
    is_output: bool
    is_used: bool
    consumer: str


@dataclass(frozen=True, slots=True)
class GpioChip:
    """A chip.

    Attributes:
        path: Its device.
        name: Its name.
        label: Its label.
        lines: Its lines, by offset.
        has_pulls: The kernel can set the pulls of its lines, as far as is known.
    """

    path: str
    name: str
    label: str
    lines: tuple[LineState, ...]
    has_pulls: bool


class GpioLines:
    """All GPIO lines of this machine.

    The chips are looked at when a name is first asked for, and again when a name is not known: an expander may have
    been plugged in.

    Args:
        library: The module `gpiod`, or what stands for it.
        root: The root of the file system.

    Attributes:
        root: The root of the file system.
    """

    def __init__(self, library: Any, root: Path = Path("/")) -> None:
        self.root = root
        self._library = library
        self._chips: tuple[GpioChip, ...] | None = None
        self._board: Board | None = None

    @property
    def chips(self) -> tuple[GpioChip, ...]:
        """The chips, by name.

        Raises:
            PermissionError: This user may not look at any chip.
        """
        if self._chips is None:
            self.look()
        assert self._chips is not None, "look has found them"
        return self._chips

    @property
    def board(self) -> Board | None:
        """The board, if it is known."""
        return self._board if self.chips else None

    def look(self) -> None:
        """Looks at the chips afresh.

        Raises:
            PermissionError: This user may not look at any chip.
        """
        found, refusals = [], []
        for path in chip_paths(self.root):
            try:
                found.append(self._chip(str(path)))
            except PermissionError as error:
                refusals.append(error)
            except OSError:
                continue  # it went away while we looked
        if refusals and not found:
            raise refusals[0]
        self._chips = tuple(found)
        self._board = find_board(compatible_of(self.root), tuple(chip.label for chip in found))

    def find(self, name: str | int) -> tuple[LineAddress, frozenset[str]]:
        """The line that a pin's name means, and the options after it.

        Raises:
            PinInvalidPin: It means none, or more than one.
            PermissionError: This user may not look at any chip.
        """
        text, *options = str(name).split(",")
        for option in options:
            if option not in OPTIONS:
                raise PinInvalidPin(f"{name!r} has an unknown option {option!r}; there are: {', '.join(OPTIONS)}")
        try:
            return self._find(text), frozenset(options)
        except PinInvalidPin:
            self.look()
            return self._find(text), frozenset(options)

    def has_pulls(self, address: LineAddress) -> bool:
        """The kernel can set the pull of a line, as far as is known."""
        return all(chip.has_pulls for chip in self.chips if chip.path == address.path)

    def header_line(self, line: HeaderLine) -> LineState | None:
        """A line of the board's header, if its chip is there."""
        for chip in self.chips:
            if chip.label != line.chip:
                continue
            for state in chip.lines:
                if line.line in (state.address.offset, state.address.name):
                    return state
        return None

    def position_of(self, address: LineAddress) -> HeaderLine | None:
        """Where a line comes out, if the board is known and it does."""
        for line in self.board.lines.values() if self.board else ():
            if line.chip == address.label and line.line in (address.offset, address.name):
                return line
        return None

    def is_only_name(self, name: str) -> bool:
        """One line of this machine has this name, and no more."""
        return len(self._named(name)) == 1

    def _find(self, text: str) -> LineAddress:
        for way in (self._at_position, self._by_number, self._by_name, self._on_chip):
            address = way(text)
            if address:
                return address
        raise PinInvalidPin(f"no line of this machine is called {text!r}{self._nearest(text)}")

    def _at_position(self, text: str) -> LineAddress | None:
        board = self.board
        found = re.fullmatch(rf"(?:BOARD|{re.escape(board.header)}:)(\d{{1,2}})", text) if board else None
        if board is None or found is None:
            if re.fullmatch(r"BOARD\d+", text):
                raise PinInvalidPin(f"{text!r} is a position, but this board is not known: name the chip and its line")
            return None
        line = board.lines.get(int(found[1]))
        state = self.header_line(line) if line else None
        if state is None:
            why = f"its chip {line.chip} is not there" if line else "it carries no GPIO line"
            raise PinInvalidPin(f"{text!r} is no pin, {why}: see takt line pins")
        return state.address

    def _by_number(self, text: str) -> LineAddress | None:
        found = _NUMBER.fullmatch(text)
        is_plain = text.isdigit()
        if found is None or not (is_plain or (self.board and self.board.has_numbers)):
            return None
        if self.board and self.board.has_numbers:
            label = next(iter(self.board.lines.values())).chip
            chips = [chip for chip in self.chips if chip.label == label]
        else:
            chips = [] if self.board else list(self.chips)
        if len(chips) != 1:
            raise PinInvalidPin(self._which_chip(int(found[1])))
        return _at_offset(chips[0], int(found[1]))

    def _by_name(self, text: str) -> LineAddress | None:
        named = self._named(text)
        if len(named) > 1:
            ways = ", ".join(f"'{each.chip}:{each.offset}'" for each in named)
            raise PinInvalidPin(f"{len(named)} lines are called {text!r}: write one of {ways}")
        return named[0] if named else None

    def _on_chip(self, text: str) -> LineAddress | None:
        chip_name, colon, line = text.rpartition(":")
        chips = [chip for chip in self.chips if chip_name in (chip.name, chip.label, chip.path)] if colon else []
        if not chips:
            return None
        if len(chips) > 1:
            raise PinInvalidPin(f"{len(chips)} chips are called {chip_name!r}: write {_either(chips)} instead")
        named = [each.address for each in chips[0].lines if line and each.address.name == line]
        if len(named) > 1:
            raise PinInvalidPin(f"{len(named)} lines of {chip_name!r} are called {line!r}: write the number instead")
        if named:
            return named[0]
        if not line.isdigit():
            raise PinInvalidPin(f"chip {chip_name!r} has no line {line!r}{self._nearest(line, chips)}")
        return _at_offset(chips[0], int(line))

    def _named(self, name: str) -> list[LineAddress]:
        return [each.address for chip in self.chips for each in chip.lines if name and each.address.name == name]

    def _which_chip(self, number: int) -> str:
        board, chips = self.board, self.chips
        if not chips:
            return f"{number} is no pin: this machine has no GPIO chips (/dev/gpiochip*)"
        means = [f"'{chip.label}:{number}'" for chip in chips if number < len(chip.lines)]
        if board:
            means = [f"'BOARD{number}' (a position on the header)", *means]
        return f"{number} may mean {' or '.join(means) or 'no line of any chip'}: write which"

    def _nearest(self, text: str, chips: Sequence[GpioChip] | None = None) -> str:
        names = [each.address.name for chip in chips or self.chips for each in chip.lines if each.address.name]
        near = difflib.get_close_matches(text, names, n=3)
        return f"; there is {', '.join(near)}" if near else "; takt line pins lists them"

    def _chip(self, path: str) -> GpioChip:
        with self._library.Chip(path) as chip:
            info = chip.get_info()
            output = self._library.line.Direction.OUTPUT
            states = []
            for offset in range(info.num_lines):
                line = chip.get_line_info(offset)
                address = LineAddress(path, info.name, info.label, offset, line.name or "")
                states.append(LineState(address, line.direction == output, line.used, line.consumer or ""))
        return GpioChip(path, info.name, info.label, tuple(states), self._has_pulls(info.name, info.label))

    def _has_pulls(self, name: str, label: str) -> bool:
        device = (self.root / "sys/bus/gpio/devices" / name).resolve().parent
        driver = (device / "driver").resolve().name
        if driver == "pca953x":
            kind = device / "name"
            return kind.is_file() and kind.read_text(encoding="ascii", errors="replace").startswith("pcal")
        return driver not in _PULLLESS_DRIVERS and not label.startswith(_PULLLESS_LABELS)


def chip_paths(root: Path = Path("/")) -> Iterator[Path]:
    """The devices of GPIO chips, by number."""
    paths = root.glob("dev/gpiochip*")
    yield from sorted(paths, key=lambda path: (len(path.name), path.name))


def states_of(chips: Sequence[GpioChip]) -> Mapping[LineAddress, LineState]:
    """What the kernel says of each line."""
    return {state.address: state for chip in chips for state in chip.lines}


def _at_offset(chip: GpioChip, offset: int) -> LineAddress:
    if offset >= len(chip.lines):
        last = len(chip.lines) - 1
        raise PinInvalidPin(f"{chip.name} ({chip.label}) has no line {offset}: its last is {last}")
    return chip.lines[offset].address


def _either(chips: Sequence[GpioChip]) -> str:
    return " or ".join(repr(chip.name) for chip in chips)
