"""`takt models list | activate | rollback`: the packages on this box and the one that judges."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import out, print_json, progress
from app.cli.options import Json, Runtime, StateDir, Threads, state_folder
from app.errors import PackageError

if TYPE_CHECKING:
    from app.detect.package import Package
    from app.detect.proof import ProofReport
    from app.detect.zoo import ZooEntry

group = typer.Typer(help="Model packages: train and evaluate them, prove and activate them.")


@dataclass(frozen=True, slots=True)
class Listed:
    """One package as the list shows it.

    Attributes:
        entry: The zoo's entry.
        is_active: It is the one that judges.
        proof: Whether its golden frames reproduce here; `None`: not tried now, and not active.
        problem: Why it cannot be used; empty for a package that can.
    """

    entry: ZooEntry
    is_active: bool
    proof: bool | None
    problem: str


@group.command("list")
def list_models(
    *,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Judge every package's golden frames here and now; takes a few seconds each."),
    ] = False,
    runtime: Runtime = "auto",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List the packages of the zoo: name, version, input, classes, which one is active and which are proven.

    A package is proven where its golden frames gave on this box what they gave when it was made: `activate` sees to
    that, and `--prove` tries it now. Exit code 5 when the active package is broken, changed or gone.
    """
    from app.detect.zoo import active_package, list_packages, zoo_folder

    zoo = zoo_folder()
    active = active_package(state_folder(state))
    entries = list_packages(zoo)
    with progress("proving", len(entries) if prove else 0) as step:
        listed = [_listed(each, active, runtime if prove else None, step) for each in entries]
    if as_json:
        print_json(
            {"zoo": str(zoo), "active": active[0] if active else None, "packages": [_as_data(x) for x in listed]}
        )
    else:
        _show(listed, zoo)
    _check_active(listed, active)


@group.command()
def activate(
    name: Annotated[
        str, typer.Argument(help="Name of a package in the zoo, or a folder with a separator in its path.")
    ],
    *,
    runtime: Runtime = "auto",
    threads: Threads = 2,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Prove a package on this box and make it the active one.

    Its golden frames are judged first; where they do not give what they gave when the package was made, it is refused
    with exit code 5 and the active package stays what it was.
    """
    from app.detect.zoo import activate as make_active
    from app.detect.zoo import find_package, zoo_folder

    zoo = zoo_folder()
    package = find_package(name, zoo)
    if find_package(package.name, zoo).onnx_sha256 != package.onnx_sha256:
        raise PackageError(
            f"{name} is not the package {package.name} of the zoo {zoo}", "copy it there, as stations look there for it"
        )
    report = _proven(package, runtime, threads)
    folder = state_folder(state)
    make_active(folder, package, report)
    if as_json:
        print_json(
            {
                "active": package.name,
                "version": package.version,
                "runtime": report.runtime,
                "golden_frames": report.frames,
                "worst_px": round(report.worst_px, 4),
                "worst_score": round(report.worst_score, 4),
                "state": str(folder),
            }
        )
        return
    how = f"boxes within {report.worst_px:.2f} px, scores within {report.worst_score:.3f}"
    out().print(
        f"[green]✓[/] [bold]{escape(package.name)}[/] {escape(package.version)} is active; its {report.frames} golden"
        f" frames reproduce on {report.runtime}: {how}.",
        soft_wrap=True,
    )


@group.command()
def rollback(*, state: StateDir = None, as_json: Json = False) -> None:
    """Make the package before the active one active again; a second rollback undoes the first.

    The package was proven when it was activated. Exit code 5 when there was none before.
    """
    from app.detect.zoo import rollback as go_back

    name = go_back(state_folder(state))
    if as_json:
        print_json({"active": name})
    else:
        out().print(f"[green]✓[/] [bold]{escape(name)}[/] is active again.", soft_wrap=True)


def _proven(package: Package, runtime: str, threads: int) -> ProofReport:
    from app.capture.pictures import read_picture
    from app.detect.proof import prove
    from app.detect.runtimes import open_detector

    detector = open_detector(package, runtime, threads)
    try:
        return prove(package, detector, read_picture)
    finally:
        detector.close()


def _listed(entry: ZooEntry, active: tuple[str, str] | None, runtime: str | None, step: Any) -> Listed:
    from app.errors import TaktError

    package, problem = entry.package, entry.problem
    is_active = package is not None and active == (package.name, package.onnx_sha256)
    proof: bool | None = True if is_active else None
    if runtime and package and not problem:
        try:
            _proven(package, runtime, 2)
            proof = True
        except TaktError as error:
            proof, problem = False, str(error)
    step(entry.folder.name)
    return Listed(entry, is_active, proof, problem)


def _as_data(each: Listed) -> dict[str, Any]:
    package = each.entry.package
    data: dict[str, Any] = {"folder": str(each.entry.folder), "active": each.is_active, "proven": each.proof}
    data["problem"] = each.problem or None
    if package:
        spec = package.spec
        data |= {
            "name": package.name,
            "version": package.version,
            "classes": list(package.classes),
            "input": {
                "width_px": spec.width_px,
                "height_px": spec.height_px,
                "channels": spec.channels,
                "golden": spec.is_golden,
            },
            "golden_frames": len(package.frames),
            "onnx_sha256": package.onnx_sha256,
        }
    return data


def _show(listed: list[Listed], zoo: Path) -> None:
    console = out()
    if not listed:
        console.print(f"The zoo {escape(str(zoo))} holds no packages.", soft_wrap=True)
        return
    table = Table(title=f"Model packages in {escape(str(zoo))}", title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("name", style="bold")
    for heading in ("version", "input", "classes", "state"):
        table.add_column(heading)
    for each in listed:
        package = each.entry.package
        mark = "[green]●[/]" if each.is_active else "[red]✗[/]" if each.problem else "○"
        if package is None:
            table.add_row(mark, escape(each.entry.folder.name), "", "", "", escape(each.problem))
            continue
        spec = package.spec
        golden = " + golden sample" if spec.is_golden else ""
        size = f"{spec.width_px} x {spec.height_px} x {spec.channels}{golden}"
        row = (package.name, package.version, size, ", ".join(package.classes), _state(each))
        table.add_row(mark, *(escape(cell) for cell in row))
    console.print(table)
    if not any(each.is_active for each in listed):
        console.print("None is active yet: [bold]takt models activate NAME[/] proves one and makes it so.")


def _state(each: Listed) -> str:
    if each.problem:
        return each.problem
    words = ["active"] if each.is_active else []
    words += ["proven"] if each.proof else ["not proven here yet"]
    return ", ".join(words)


def _check_active(listed: list[Listed], active: tuple[str, str] | None) -> None:
    """Refuses an active package that is not there as it was proven."""
    if active is None:
        return
    match = [each for each in listed if each.is_active]
    if not match:
        raise PackageError(
            f"the active package {active[0]!r} is gone from the zoo, or was changed since it was proven",
            f"run: takt models activate {active[0]}",
        )
    if match[0].problem:
        raise PackageError(match[0].problem, "activate another package")
