"""Who has which pin: the board's lines beside what a line's settings want of them, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpiozero.exc import PinInvalidPin

from app.config import Input, Line, PinName, inputs_of, outputs_of
from app.reject.gpiod_lines import EXTERNAL_PULL, GpioLines, LineAddress, LineState
from app.reject.headers import Board, HeaderLine
from app.reject.pinmux import overlay


@dataclass(frozen=True, slots=True)
class Want:
    """A pin that the settings want.

    Attributes:
        claimant: What for, as in `pins_of`.
        pin: The pin, as the settings call it.
        is_output: It is an output.
        level: Of an input, where its pull holds it; of an output, its safe level: "high" or "low".
    """

    claimant: str
    pin: PinName
    is_output: bool
    level: str

    @property
    def text(self) -> str:
        """In words."""
        if self.is_output:
            return f"{self.claimant} (output, {self.level} when off)"
        return f"{self.claimant} (input, pulled {'up' if self.level == 'high' else 'down'})"


@dataclass(frozen=True, slots=True)
class PinRow:
    """A line of the board.

    Attributes:
        position: Where it comes out on the header; 0 where it does not, or nobody knows.
        line: Its name in the kernel; empty where it has none.
        chip: The label of its chip.
        offset: Its number on the chip.
        direction: "in" or "out", as it is now.
        holder: Who holds it; empty where nobody does.
        wanted: What the settings want of it.
        note: What the board's maker says of it.
        problems: What stands against what is wanted, each with its mend.
    """

    position: int
    line: str
    chip: str
    offset: int
    direction: str
    holder: str
    wanted: tuple[str, ...]
    note: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """The board and what is wanted of it.

    Attributes:
        board: Its name; empty for one that is not known.
        header: Its header's name.
        rows: Its lines: those of the header first, in its order, then the others by chip and number.
        problems: What stands against what is wanted and belongs to no line, each with its mend.
        overlay: The device-tree overlay that the wanted pins need; empty where they need none.
    """

    board: str
    header: str
    rows: tuple[PinRow, ...]
    problems: tuple[str, ...]
    overlay: str

    @property
    def is_in_order(self) -> bool:
        """Nothing stands against what is wanted."""
        return not self.problems and not any(row.problems for row in self.rows)


def wants_of(line: Line) -> list[Want]:
    """What a line's settings want, pin by pin, as `GpioLine` will claim it."""
    wants = [_input(name, each) for name, each in inputs_of(line).items()]
    for name, output in outputs_of(line).items():
        wants.append(Want(name, output.pin, is_output=True, level="high" if output.active_low else "low"))
        if output.read_back:
            wants.append(_input(f"{name} read-back", output.read_back))
    phases = (("a", line.encoder.a), ("b", line.encoder.b))
    wants += [Want(f"encoder {name}", pin, is_output=False, level="high") for name, pin in phases if pin is not None]
    return wants


def survey(lines: GpioLines, wants: Sequence[Want], consumer: str = "") -> Survey:
    """Looks at every line of the machine, and at what is wanted of it.

    Args:
        lines: The lines.
        wants: What is wanted.
        consumer: The name under which the station itself holds lines: no conflict.

    Raises:
        PermissionError: This user may not look at any chip.
    """
    lines.look()
    found: dict[LineAddress, list[tuple[Want, frozenset[str]]]] = {}
    problems = []
    for want in wants:
        try:
            address, options = lines.find(want.pin)
        except PinInvalidPin as error:
            problems.append(f"pin {want.pin!r} of {want.claimant} does not exist here; correct the pin: {error}")
        else:
            found.setdefault(address, []).append((want, options))
    rows = []
    for chip in lines.chips:
        for state in chip.lines:
            at = lines.position_of(state.address)
            asked = found.get(state.address, [])
            troubles = _troubles(state, asked, at, consumer, has_pulls=chip.has_pulls)
            rows.append(_row(state, [want for want, _ in asked], at, troubles))
    rows.sort(key=lambda row: row.position or 1000)
    board = lines.board
    return Survey(
        board=board.name if board else "",
        header=board.header if board else "",
        rows=tuple(rows),
        problems=tuple(problems),
        overlay=_overlay(lines, board, found) if board and board.needs_pinmux else "",
    )


def _input(name: str, settings: Input) -> Want:
    return Want(name, settings.pin, is_output=False, level="high" if settings.active_low else "low")


def _row(state: LineState, wants: list[Want], at: HeaderLine | None, troubles: list[str]) -> PinRow:
    return PinRow(
        position=at.position if at else 0,
        line=state.address.name,
        chip=state.address.label,
        offset=state.address.offset,
        direction="out" if state.is_output else "in",
        holder=(state.consumer or "the kernel") if state.is_used else "",
        wanted=tuple(want.text for want in wants),
        note=at.note if at else "",
        problems=tuple(troubles),
    )


def _troubles(
    state: LineState,
    asked: list[tuple[Want, frozenset[str]]],
    at: HeaderLine | None,
    consumer: str,
    *,
    has_pulls: bool,
) -> list[str]:
    troubles: list[str] = []
    if not asked:
        return troubles
    if len(asked) > 1:
        names = " and ".join(want.claimant for want, _ in asked)
        troubles.append(f"wanted by {names}; give one of them another pin")
    if state.is_used and state.consumer != consumer:
        holder = state.consumer or "the kernel"
        troubles.append(
            f"held by {holder!r}; end that program, or take the pin from that driver in the device tree, or choose"
            " another pin"
        )
    for want, options in asked:
        if want.is_output:
            continue
        if at and "output only" in at.note:
            troubles.append(f"{want.claimant} is an input, and {at.note}; choose another pin")
        if not has_pulls and EXTERNAL_PULL not in options:
            way = "up" if want.level == "high" else "down"
            troubles.append(
                f"the driver of {state.address.label} cannot pull it {way}; fit a resistor and write"
                f" '{want.pin},{EXTERNAL_PULL}'"
            )
    return troubles


def _overlay(lines: GpioLines, board: Board, found: dict[LineAddress, list[tuple[Want, frozenset[str]]]]) -> str:
    pins = []
    for address, asked in found.items():
        at = lines.position_of(address)
        want = asked[0][0]
        if at:
            pins.append((at, "" if want.is_output else {"high": "up", "low": "down"}[want.level]))
    return overlay(board, pins)
