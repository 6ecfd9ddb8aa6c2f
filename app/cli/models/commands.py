"""`takt models`: thin commands over `app.detect.registry`, and what is asked of models."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.console import complain, one_line, out, print_json, progress
from app.cli.models.build import build
from app.cli.models.compare import compare
from app.cli.models.opinion import opinion
from app.cli.models.show import show
from app.cli.options import Json, Runtime, StateDir, Threads, state_folder
from app.cli.person import By, person
from app.errors import UsageError

if TYPE_CHECKING:
    from app.detect.registry import Change, Errand, Prove

group = typer.Typer(help="Model packages: train and evaluate them, prove and activate them.")

LONGEST_BY = 200
LONGEST_REASON = 1000

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the change.")]
To = Annotated[
    str, typer.Option("--to", metavar="NAME@VERSION", help="This one of those that were active before, not the latest.")
]


@group.command("list")
def list_models(
    *,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Judge every model's golden frames here and now; takes a few seconds each."),
    ] = False,
    runtime: Runtime = "auto",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List the packages of the zoo and those installed on this station: models, input, classes, what is active.

    A package is proven where its golden frames gave on this box what they gave when it was made: `activate` sees to
    that, and `--prove` tries it now. Below them stand the last three that were active before. Exit code 5 when the
    active package is broken, changed or gone.
    """
    from app.cli.models import listing
    from app.detect.zoo import zoo_folder

    shelf = listing.look(state_folder(state), zoo_folder())
    count = sum(len(each.variants) for each in shelf.entries) if prove else 0
    with progress("proving", count) as step:
        shelf = listing.proven(shelf, prover(runtime, 2), step) if prove else shelf
    if as_json:
        print_json(listing.as_data(shelf))
    else:
        listing.show(shelf)
    if shelf.trouble:
        raise shelf.trouble


@group.command()
def activate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|DIR",
            help="A package of the zoo, or a folder with a separator in its path; NAME:MODEL for another model than"
            " its first.",
        ),
    ],
    *,
    runtime: Runtime = "auto",
    threads: Threads = 2,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Prove a package on this box and make it the active one.

    Its golden frames are judged first; where they do not give what they gave when the package was made, it is refused
    with exit code 5 and the active package stays what it was. A folder outside the zoo is copied to the station, which
    keeps the copies of the active package and of the last three before it. A station that runs takes the new package
    at its next start. Says so where it is still to be measured on this device: takt models build.
    """
    from app.detect.registry import activate as make_active
    from app.detect.zoo import zoo_folder

    folder = state_folder(state)
    with progress("proving", 1) as step:
        change = make_active(folder, zoo_folder(), name, prover(runtime, threads), _errand(by, reason))
        step(name)
    _tell(change, "is active", _why_due(change, folder), as_json=as_json)


@group.command()
def rollback(
    *,
    to: To = "",
    runtime: Runtime = "auto",
    threads: Threads = 2,
    by: By = "",
    reason: Reason = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Make the package before the active one active again; a second rollback undoes the first.

    Goes to the latest of the last three that is still what it was and whose golden frames reproduce; those that it
    passes over are named. Exit code 5 when there is none.
    """
    from app.detect.registry import rollback as go_back
    from app.detect.zoo import zoo_folder

    folder = state_folder(state)
    with progress("proving", 1) as step:
        change = go_back(folder, zoo_folder(), prover(runtime, threads), _errand(by, reason), to)
        step("")
    _tell(change, "is active again", _why_due(change, folder), as_json=as_json)


group.command("build")(build)
group.command("show")(show)
group.command("compare")(compare)
group.command("opinion")(opinion)


def prover(runtime: str, threads: int) -> Prove:
    """How golden frames are judged here.

    Args:
        runtime: On which runtime, or `auto`.
        threads: Threads of one inference.
    """
    from app.capture.pictures import read_picture
    from app.detect.package import Package
    from app.detect.proof import ProofReport, prove
    from app.detect.runtimes import open_detector

    def judged(package: Package) -> ProofReport:
        detector = open_detector(package, runtime, threads)
        try:
            return prove(package, detector, read_picture)
        finally:
            detector.close()

    return judged


def _errand(by: str, reason: str) -> Errand:
    from app.clock import SystemClock
    from app.detect.registry import Errand

    said = {"--by": (one_line(person(by)), LONGEST_BY), "--reason": (one_line(reason), LONGEST_REASON)}
    for option, (text, longest) in said.items():
        if len(text) > longest:
            raise UsageError(f"{option} is longer than {longest} letters", "say it in fewer")
    return Errand(SystemClock().wall(), said["--by"][0], said["--reason"][0])


def _why_due(change: Change, state: Path) -> str:
    """Why the package is to be built on this device; empty where what was measured still holds."""
    from app.detect.building_use import why_due

    return why_due(state, change.package)


def _tell(change: Change, what: str, due: str, *, as_json: bool) -> None:
    active, proof = change.active, change.proof
    for sentence in change.passed_over:
        complain(f"passed over {sentence}")
    for folder in change.left:
        complain(f"{folder} is no longer needed and cannot be removed; remove it, or leave it to the next activation")
    if as_json:
        print_json(
            {
                "active": active.name,
                "version": active.version,
                "variant": active.variant,
                "onnx_sha256": active.onnx_sha256,
                "folder": str(change.package.folder),
                "installed": active.is_installed,
                "runtime": proof.runtime,
                "golden_frames": proof.frames,
                "worst_px": round(proof.worst_px, 4),
                "worst_score": round(proof.worst_score, 4),
                "by": active.by,
                "reason": active.reason,
                "passed_over": list(change.passed_over),
                "build_due": due or None,
            }
        )
        return
    where = f", a copy in {change.package.folder}" if active.is_installed else ""
    how = f"boxes within {proof.worst_px:.2f} px, scores within {proof.worst_score:.3f}"
    out().print(
        f"[green]✓[/] [bold]{escape(active.name)}[/] {escape(active.version)} {what}, model {escape(active.variant)}"
        f"{escape(where)};"
        f" its {proof.frames} golden frames reproduce on {escape(proof.runtime)}: {how}.",
        soft_wrap=True,
    )
    if due:
        out().print(f"A build is due: {escape(due)}.", soft_wrap=True)
