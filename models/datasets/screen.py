"""What the commands of data sets show: a bar while they work, then words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from models.datasets.build import Built, Checked, Groups
from models.datasets.figures import ClassFigures, SetFigures, Spread
from models.datasets.records import Problem

_MOST_LINES = 10
_MOST_GROUPS = 10


def members_of(found: Groups) -> list[list[str]]:
    """The pictures of each group of several, the largest first."""
    together: dict[int, list[str]] = {}
    for name, number in zip(found.names, found.grouping.groups, strict=True):
        together.setdefault(number, []).append(name)
    return sorted((names for names in together.values() if len(names) > 1), key=len, reverse=True)


def show_built(built: Built, out: Path) -> None:
    """Says what was imported."""
    for name, count in built.pictures.items():
        typer.echo(f"{name}: {count} pictures, {built.boxes[name]} boxes")
    typer.echo(f"{built.groups[0]} groups of pictures that stay together, the largest of {built.groups[1]}")
    if built.leaks is not None:
        at_random, here = built.leaks
        typer.echo(f"held out beside a near-duplicate in train: {here.share:.0%}; at random: {at_random.share:.0%}")
    typer.echo(f"{out}: a data set from {built.format}, hash {built.manifest.set_sha256[:16]}")
    if not built.manifest.terms:
        typer.echo("nobody said under which terms the pictures may be used: --terms FILE keeps that with them")


def show_checked(found: Checked, source: Path, *, list_all: bool) -> None:
    """Says what a check found."""
    shown = found.differences if list_all else found.differences[:_MOST_LINES]
    for each in shown:
        typer.echo(f"{each.kind}: {each.path}")
    show_problems(found.problems, list_all=list_all)
    words = "every file is as it was imported" if not found.differences else f"{len(found.differences)} files differ"
    proof = words if found.has_manifest else "no manifest.json, so that changes cannot be told"
    typer.echo(f"{source} ({found.format}): {found.pictures} pictures, {found.boxes} boxes; {proof}")


def show_problems(problems: Sequence[Problem], *, list_all: bool) -> None:
    """Lists the first problems, or all."""
    shown = problems if list_all else problems[:_MOST_LINES]
    for problem in shown:
        typer.echo(f"{'wrong' if problem.is_error else 'note'}: {problem} [{problem.code}]")
    if len(shown) < len(problems):
        typer.echo(f"and {len(problems) - len(shown)} more: see them by --list")


def show_figures(found: SetFigures, source: Path) -> None:
    """Shows a data set in numbers."""
    console = Console()
    splits = tuple(found.pictures)
    table = Table(title=f"{source.resolve().name}: pictures / boxes", title_justify="left")
    for heading in ("class", *(name or "all" for name in splits), "usual box", "of picture"):
        table.add_column(heading, justify="left" if heading == "class" else "right", no_wrap=True)
    for each in found.classes:
        counts = (f"{each.pictures[name]}/{each.boxes[name]}" for name in splits)
        table.add_row(each.name, *counts, *_usual(each))
    table.add_row("good", *(f"{found.good[name]}/0" for name in splits), "", "")
    table.add_row("all", *(f"{found.pictures[name]}/{found.boxes[name]}" for name in splits), "", "", style="bold")
    console.print(table)
    _print_pictures(found, console)


def _print_pictures(found: SetFigures, console: Console) -> None:
    sizes = list(found.picture_sizes.items())
    words = ", ".join(f"{count} of {size}" for size, count in sizes[:3])
    more = f" and {len(sizes) - 3} sizes more" if sizes[3:] else ""
    console.print(f"picture sizes: {words}{more}; {found.colour} in colour", highlight=False)
    if found.brightness is not None:
        boxes = "" if found.boxes_per_picture is None else f", boxes where any {_spread(found.boxes_per_picture)}"
        words = f"median (5th to 95th percentile): mean grey level {_spread(found.brightness)}{boxes}"
        console.print(words, highlight=False, soft_wrap=True)
    for caution in found.cautions:
        console.print(f"note: {caution}", highlight=False)


def _usual(each: ClassFigures) -> tuple[str, str]:
    """The median width and height of a class's boxes, and of their share of the picture."""
    if each.width_px is None or each.height_px is None or each.area_share is None:
        return "", ""
    return f"{each.width_px.median:.0f}x{each.height_px.median:.0f} px", f"{each.area_share.median:.2%}"


def _spread(values: Spread) -> str:
    return f"{values.median:.3g} ({values.p5:.3g} to {values.p95:.3g})"


def show_groups(found: Groups, members: list[list[str]]) -> None:
    """Says which pictures belong together and what a split leaks."""
    sizes = found.grouping.sizes
    inside = sum(len(names) for names in members)
    typer.echo(f"{len(found.names)} pictures, {len(found.grouping.pairs)} pairs of near-duplicates")
    typer.echo(f"{len(sizes)} groups: {inside} pictures are in {len(members)} groups of several")
    for names in members[:_MOST_GROUPS]:
        typer.echo(f"  {len(names):4} together: {', '.join(names[:4])}{', ...' if names[4:] else ''}")
    if members[_MOST_GROUPS:]:
        typer.echo(f"  and {len(members) - _MOST_GROUPS} groups more: --json names them all")
    typer.echo("pictures held out that have a near-duplicate in train:")
    for name, leak in found.leaks.items():
        typer.echo(f"  {name} as it is: {leak.count:.0f} of {leak.of:.0f} ({leak.share:.1%})")
    typer.echo(
        f"  20 % at random: {found.at_random.count:.0f} of {found.at_random.of:.0f} ({found.at_random.share:.1%})"
    )
    if found.dealt is not None:
        leak = found.dealt
        typer.echo(f"  20 % by groups: {leak.count:.0f} of {leak.of:.0f} ({leak.share:.1%})")
