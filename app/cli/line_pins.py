"""`takt line pins`: the board's pins, who holds them, and what a line wants of them."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import out, print_json
from app.cli.options import Json

if TYPE_CHECKING:
    from app.reject.gpiod_lines import GpioLines
    from app.reject.pin_survey import PinRow, Survey

TWIN = "This line's machine is the twin: its pins are made of software and cannot clash with those of this board."


def pins(
    line: Annotated[
        Path | None, typer.Option("--line", metavar="FILE", help="The line.toml whose pins are looked for.")
    ] = None,
    *,
    is_all: Annotated[bool, typer.Option("--all", help="Show lines too that have no name and no holder.")] = False,
    as_json: Json = False,
) -> None:
    """Show the board's pins: where they come out, who holds them, and what a line.toml wants of them.

    Says what stands against it and how to mend it, and prints the device-tree overlay that a Jetson needs for the
    pins. Claims no pin. Exit code 0 when nothing stands against the line, 1 otherwise, 9 when this machine has no GPIO
    chips.
    """
    from app.config import load_line
    from app.reject.pin_survey import survey, wants_of
    from app.setup import is_twin

    settings = load_line(line) if line else None
    if settings and is_twin(settings):
        if as_json:
            print_json({"twin": True, "pins": [dataclasses.asdict(each) for each in wants_of(settings)]})
        else:
            out().print(TWIN, soft_wrap=True)
        return
    wants = wants_of(settings) if settings else []
    found = survey(lines_of_this_machine(), wants, f"takt-lane{settings.line.lane}" if settings else "")
    if as_json:
        print_json({"twin": False, "is_in_order": found.is_in_order, **dataclasses.asdict(found)})
    else:
        _show(found, is_all=is_all)
    if not found.is_in_order:
        raise typer.Exit(1)


def lines_of_this_machine() -> GpioLines:
    """The GPIO lines of this machine.

    Raises:
        LineError: It has none.
        MissingDriverError: The library for them is not installed.
    """
    from app.errors import LineError
    from app.reject.gpiod_factory import load_gpiod
    from app.reject.gpiod_lines import GpioLines, chip_paths

    if not any(chip_paths()):
        raise LineError(
            "this machine has no GPIO chips (/dev/gpiochip*), so it has no pins to show",
            "run it on a board with pins, or load the driver of its expander",
        )
    return GpioLines(load_gpiod())


def _show(found: Survey, *, is_all: bool) -> None:
    console = out()
    console.print(f"[bold]{escape(found.board or 'A board that is not known: its chips and lines')}[/]")
    shown = [row for row in found.rows if is_all or row.position or row.line or row.holder or row.wanted]
    if found.board and not is_all:
        shown = [row for row in shown if row.position or row.wanted]
    console.print(_table(found, shown))
    hidden = len(found.rows) - len(shown)
    if hidden:
        console.print(f"[dim]{hidden} more lines: takt line pins --all[/]")
    _show_problems(found)
    if found.overlay:
        _show_overlay(found.overlay)


def _table(found: Survey, rows: list[PinRow]) -> Table:
    table = Table(title="Pins", title_justify="left")
    if found.board:
        table.add_column(found.header, justify="right", style="bold")
    for heading in ("line", "chip", "is", "held by", "wanted as", "mind"):
        table.add_column(heading)
    for row in rows:
        cells = [
            row.line or "-",
            f"{row.chip}:{row.offset}",
            row.direction,
            row.holder or "-",
            ", ".join(row.wanted) or "-",
        ]
        mind = "[yellow]![/]" if row.problems else escape(row.note)
        position = [str(row.position or "-")] if found.board else []
        table.add_row(*position, *map(escape, cells), mind)
    return table


def _show_problems(found: Survey) -> None:
    console = out()
    problems = [*found.problems]
    problems += [f"{row.line or f'{row.chip}:{row.offset}'}: {each}" for row in found.rows for each in row.problems]
    if problems:
        console.print("\n[bold]To mend[/]")
        for each in problems:
            console.print(f"  [yellow]![/] {escape(each)}", soft_wrap=True)
    elif any(row.wanted for row in found.rows):
        console.print("\n[green]✓[/] Nothing stands against this line's pins.")


def _show_overlay(text: str) -> None:
    from app.reject.pinmux import steps

    console = out()
    console.print("\n[bold]Pinmux[/]")
    console.print(
        "  Since JetPack 6 a pin of a Jetson is GPIO only if the boot configuration says so; without this no call"
        " fails, and the pin does nothing. If it has not been done yet:",
        soft_wrap=True,
    )
    for number, step in enumerate(steps(), 1):
        console.print(f"  {number}. {escape(step)}", soft_wrap=True)
    console.print()
    console.print(escape(text), soft_wrap=True)
