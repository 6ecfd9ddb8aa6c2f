"""`takt line`: the settings of a line, and the commands to one that runs."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.cli import line_commands, line_pins
from app.cli.console import out, print_json
from app.cli.options import Json, state_folder

if TYPE_CHECKING:
    from app.cli.explain import Explanation
    from app.setup import Setup

group = typer.Typer(help="Look at the settings of a line before it runs, and command one that runs.")


@group.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The line.toml to check; by default the twin's own.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Say in words what a line.toml will do, and refuse what cannot work.

    Checks the line, the recipe beside it and the model that it names; opens no camera and moves no pin. Exit code 3
    with one sentence when the line or its recipe cannot work, 5 when its model package is broken.
    """
    from app.setup import load_setup, twin_line

    path = file or twin_line()
    setup = load_setup(path)
    explanation = _explained(setup)
    if as_json:
        print_json({"file": str(path), **dataclasses.asdict(explanation)})
    else:
        _show(str(path), setup, explanation)


group.command("pins")(line_pins.pins)
group.command("stop")(line_commands.stop)
group.command("purge")(line_commands.purge)
group.command("reset")(line_commands.reset)
group.command("unpark")(line_commands.unpark)
group.command("pulse")(line_commands.pulse)


def _explained(setup: Setup) -> Explanation:
    """Checks what `load_setup` cannot, as it knows nothing of the model."""
    from app.cli.explain import explain
    from app.detect.zoo import chosen_package, find_package, zoo_folder
    from app.fitting import check_golden, check_region
    from app.main import goldens_of
    from app.recipe import check_package, check_recipe

    where = str(setup.folder / setup.line.recipe)
    package = find_package(chosen_package(setup.line.model.package, state_folder(None)), zoo_folder())
    check_package(setup.recipe, package.name, where)
    check_recipe(setup.recipe, package.classes, where)
    check_region(setup.recipe, setup.line, where)
    check_golden(setup.recipe, package.spec, setup.line, where)
    goldens_of(setup)
    return explain(setup.line, setup.with_threshold(package.score_threshold).recipe, package.classes)


def _show(path: str, setup: Setup, explanation: Explanation) -> None:
    console = out()
    belt = setup.line.belt
    console.print(f"[bold]{escape(explanation.name)}[/]  [dim]{escape(path)}[/]", soft_wrap=True)
    console.print(_journey_table(explanation, belt.v_max_mm_s, belt.v_min_mm_s))
    console.print(_slack_table(explanation))
    console.print(_pin_table(explanation))
    _bullets("At start", explanation.start)
    console.print(_stop_table(explanation))
    _bullets(f"Recipe {setup.recipe.name}", explanation.recipe)
    if explanation.warnings:
        _bullets("Mind", explanation.warnings, mark="[yellow]![/]")
    else:
        console.print("\n[green]✓[/] Nothing to mind.")


def _journey_table(explanation: Explanation, fast_mm_s: float, slow_mm_s: float) -> Table:
    table = Table(title="One part's journey, from its leading edge at the part sensor", title_justify="left")
    table.add_column("moment", style="bold")
    for speed in (fast_mm_s, slow_mm_s):
        table.add_column(f"mm at\n{speed:g} mm/s", justify="right")
        table.add_column("ms", justify="right")
    table.add_column("what happens")
    for each in explanation.journey:
        figures = (each.fast_mm, each.fast_ms, each.slow_mm, each.slow_ms)
        table.add_row(escape(each.name), *(f"{value:.1f}" for value in figures), escape(each.text))
    return table


def _slack_table(explanation: Explanation) -> Table:
    table = Table(title="Time to spare at full speed", title_justify="left")
    table.add_column("gate", style="bold")
    table.add_column("after camera")
    for heading in ("needed mm", "spare mm", "spare ms"):
        table.add_column(heading, justify="right")
    for each in explanation.slack:
        figures = (each.needed_mm, each.slack_mm, each.slack_ms)
        table.add_row(escape(each.gate), escape(each.camera), *(f"{value:.1f}" for value in figures))
    return table


def _pin_table(explanation: Explanation) -> Table:
    table = Table(title="Pins", title_justify="left")
    table.add_column("pin", justify="right", style="bold")
    table.add_column("claimed by")
    table.add_column("as")
    for each in explanation.pins:
        table.add_row(escape(each.pin), escape(each.claimant), escape(each.text))
    return table


def _stop_table(explanation: Explanation) -> Table:
    table = Table(title="What stops the line until a person resets it", title_justify="left")
    table.add_column("cause", style="bold", no_wrap=True)
    table.add_column("when")
    for each in explanation.stops:
        table.add_row(each.cause.value, escape(each.text))
    return table


def _bullets(title: str, sentences: Sequence[str], mark: str = "-") -> None:
    console = out()
    console.print(f"\n[bold]{escape(title)}[/]")
    table = Table.grid(padding=(0, 1))
    for sentence in sentences:
        table.add_row(f"  {mark}", escape(sentence))
    console.print(table)
