"""What a build found, shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from app.cli.console import out
from app.detect.building_record import Measured, RoleBuild
from app.detect.manifest import Role
from app.detect.package import Package

_HEADINGS = ("p50 ms", "p95 ms", "p99 ms", "longest ms", "pictures", "box moved px", "score moved", "opened in s")


def show(package: Package, found: Mapping[Role, RoleBuild], path: Path) -> None:
    """Prints what was found.

    Args:
        package: Any model of the package.
        found: By role.
        path: Where it is written down.
    """
    console = out()
    for role, each in found.items():
        if each.passed:
            console.print(_table(package, role, each))
        for line in refusal_lines(each):
            console.print(f"  [red]✗[/] {escape(line)}", soft_wrap=True)
        console.print(f"[bold]{escape(choice_words(role, each))}[/]", soft_wrap=True)
        if each.passed:
            console.print(escape(machine_words(each)), soft_wrap=True)
    console.print(f"Written to {escape(str(path))}; a station with runtime auto uses it.", soft_wrap=True)


def refusal_lines(found: RoleBuild) -> list[str]:
    """Who did not pass and why, models that were refused for the same reason together."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in found.refused:
        alike.setdefault((each.candidate.runtime, each.why), []).append(each.candidate.variant)
    return [f"{', '.join(variants)} on {runtime}: {why}" for (runtime, why), variants in alike.items()]


def choice_words(role: Role, found: RoleBuild) -> str:
    """What was chosen for a role, as a sentence."""
    best = found.chosen
    if best is None:
        reasons = f": {found.refused[0].why}" if len(found.refused) == 1 else ""
        tried = f"none of {len(found.refused)} candidates passed" if found.refused else "the package has no such model"
        return f"{role}: {tried}{reasons}"
    number = len(found.passed) + len(found.refused)
    times = best.times
    return (
        f"{role}: {best.candidate}, {times.p50_ms:.2f} ms, {times.p99_ms:.2f} at p99 ({len(found.passed)} of {number}"
        " candidates passed)"
    )


def machine_words(found: RoleBuild) -> str:
    """What the figures of a role are worth, as a sentence."""
    machine = found.machine
    where = f"{found.key.device}, {found.key.threads} threads" if found.key.threads else found.key.device
    said = (
        f"Measured on {where}; {machine.scheduling}, {machine.cores} cores to use, load {machine.load_before:g} before"
        f" and {machine.load_after:g} after."
    )
    if machine.is_busy:
        said += " The machine was busy before it began: the figures are too long, and the order may be another."
    return said


def _table(package: Package, role: Role, found: RoleBuild) -> Table:
    against = f", held against {found.reference}" if found.reference else ""
    table = Table(title=escape(f"{package.name} {package.version}, {role}{against}"), title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("model", style="bold", no_wrap=True)
    table.add_column("runtime", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for place, each in enumerate(found.passed):
        table.add_row("●" if place == 0 else "○", *(escape(cell) for cell in _row(each)))
    return table


def _row(each: Measured) -> tuple[str, ...]:
    times = each.times
    return (
        each.candidate.variant,
        each.candidate.runtime,
        f"{times.p50_ms:.2f}",
        f"{times.p95_ms:.2f}",
        f"{times.p99_ms:.2f}",
        f"{times.max_ms:.2f}",
        str(times.count),
        f"{each.worst_px:.2f}",
        f"{each.worst_score:.3f}",
        f"{each.open_s:.1f}",
    )
