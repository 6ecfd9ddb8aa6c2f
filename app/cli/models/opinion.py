"""`takt models opinion`: what another model would have said of the line's parts, by the pictures that are kept."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from app.cli.console import out, print_json, printable, progress
from app.cli.options import Json, Runtime, StateDir, state_folder
from app.errors import DataError, UsageError

if TYPE_CHECKING:
    from app.cli.models.second import Account, Plan
    from app.detect.package import Package
    from app.record.pictured import Wanted
    from app.web.review.opinions import Opinion

MOST_PARTS = 500
MOST_WHYS = 20
_NICE = 19

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|DIR", help="The model to ask: a package of the zoo, a folder, or active; each with :MODEL."
    ),
]
Lane = Annotated[int | None, typer.Option("--lane", min=0, help="Only parts of this lane.")]
Lot = Annotated[str | None, typer.Option("--lot", help="Only parts of this lot.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Only parts triggered at or after this time.")]
Until = Annotated[datetime | None, typer.Option("--until", help="Only parts triggered before this time.")]
Most = Annotated[int, typer.Option("--most", min=1, max=100_000, help="At most so many parts, the newest first.")]
LineFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--line",
        metavar="FILE",
        help="Whose folder holds the golden sample, and what stands in where the record's own documents are not kept;"
        " once for each lane; by default the twin's line.",
    ),
]
Lines = Annotated[
    bool,
    typer.Option("--lines", help="Print a line of JSON for each part as it is judged, and the account as the last."),
]


def opinion(  # noqa: PLR0913 - an argument per option
    name: Name,
    *,
    lane: Lane = None,
    lot: Lot = None,
    since: Since = None,
    until: Until = None,
    most: Most = MOST_PARTS,
    line: LineFile = None,
    runtime: Runtime = "auto",
    lines: Lines = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Ask another model what it would have said of the line's own parts, and keep that for the review queue.

    Judges the pictures that are kept, newest first, by the recipe of their time; where that names no threshold the
    model's own holds. Steps back behind everything else on the box, and may be ended at any moment: what was judged
    stays, and the next call goes on from there. Opinions on parts whose pictures are gone go too, and of the models
    those eight stay that were asked last. Exit code 4 when no part could be judged, 5 when the model's golden frames do
    not reproduce.
    """
    from concurrent.futures import ThreadPoolExecutor

    from app.cli.models.second import SecondOpinion, alone
    from app.clock import SystemClock
    from app.detect.zoo import chosen_package, find_package, zoo_folder
    from app.web.store.database import FOLDER, Store

    folder = state_folder(state)
    package = find_package(chosen_package(name, folder), zoo_folder())
    wanted = _wanted(lane, lot, since, until)
    _refuse_without_record(folder)
    store = Store(folder / FOLDER)
    try:
        with store.reading():
            pass  # makes the folder that is held next
        with alone(store.folder), ThreadPoolExecutor(1) as writer:
            writer.submit(int).result()  # its thread is there before this one steps back
            step_back()
            second = SecondOpinion(folder, store, package, _line_files(line), SystemClock(), writer)
            plan = second.plan(wanted, most, runtime)
            account = _asked(second, plan, runtime, is_lines=lines)
    finally:
        store.close()
    _tell(account, package, is_json=as_json, is_lines=lines)


def step_back() -> None:
    """Lets everything else on the box go first."""
    from app.realtime import OTHER, schedule

    schedule(OTHER, 0, nice=_NICE)


def _wanted(lane: int | None, lot: str | None, since: datetime | None, until: datetime | None) -> Wanted:
    from app.record.pictured import Wanted
    from app.record.walltime import micros

    since_us, until_us = (None if each is None else micros(each.astimezone()) for each in (since, until))
    if since_us is not None and until_us is not None and until_us <= since_us:
        raise UsageError("--until lies before --since", "exchange them")
    return Wanted(lane, lot, since_us, until_us)


def _refuse_without_record(state: Path) -> None:
    from app.record import LEDGER
    from app.record.database import FILE

    if not (state / LEDGER / FILE).is_file():
        raise DataError(f"{state} has no record of parts", "name the station's state folder: --state DIR")


def _line_files(files: list[Path] | None) -> dict[int, Path]:
    from app.setup import load_setup

    found: dict[int, Path] = {}
    for file in files or ():
        number = load_setup(file).line.line.lane
        if number in found:
            raise UsageError(f"{found[number]} and {file} are both of lane {number}", "name one file for each lane")
        found[number] = file
    return found


def _asked(second: Any, plan: Plan, runtime: str, *, is_lines: bool) -> Account:
    from app.ending import ending_on_signals

    ended: list[bool] = []
    if is_lines:
        _line({"parts": len(plan.parts)})
    with progress("asking", len(plan.parts)) as step, ending_on_signals(lambda: ended.append(True)):
        told = _teller(step, is_lines=is_lines)
        account: Account = second.judge(plan, runtime, told, lambda: not ended)
        return account


def _teller(step: Callable[[str], None], *, is_lines: bool) -> Callable[[str, Opinion | None], None]:
    def told(name: str, opinion: Opinion | None) -> None:
        step(name)
        if not is_lines:
            return
        if opinion is None:
            _line({"part": name, "judged": False})
            return
        found = {"class": opinion.label, "score": opinion.score, "took_ms": opinion.took_us / 1000}
        _line({"part": name, "judged": True, "said": opinion.said, "would": opinion.would, **found})

    return told


def _line(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


def _tell(account: Account, package: Package, *, is_json: bool, is_lines: bool) -> None:
    said = _as_data(account, package)
    if is_lines:
        _line(said)
    elif is_json:
        print_json(said)
    else:
        _show(account, package)
    if account.skipped and not (account.judged or account.known or account.is_stopped):
        whys = " / ".join(why for why, _ in account.skipped.most_common(3))
        raise DataError(
            f"none of the {sum(account.skipped.values())} parts could be judged: {whys}",
            "mend that, or ask about other parts",
        )


def _as_data(account: Account, package: Package) -> dict[str, Any]:
    counted = ("known", "own", "left", "judged", "different", "forgotten")
    return {
        "package": package.name,
        "version": package.version,
        "variant": package.variant,
        "onnx_sha256": package.onnx_sha256,
        **{name: getattr(account, name) for name in counted},
        "stopped": account.is_stopped,
        "skipped": [{"why": why, "parts": count} for why, count in account.skipped.most_common(MOST_WHYS)],
        "notes": account.notes,
    }


def _show(account: Account, package: Package) -> None:
    console = out()
    name = f"{package.name} {package.version}, model {package.variant}"
    mark = "[yellow]▲[/]" if account.different else "[green]✓[/]"
    console.print(
        f"{mark} [bold]{escape(name)}[/] has judged {account.judged:,} parts: {account.different:,} it would have sent"
        " elsewhere.",
        soft_wrap=True,
    )
    more = (
        (account.known, "it had judged before"),
        (account.own, "it has judged on the line itself"),
        (account.left, "are left: ask again to go on"),
        (account.forgotten, "were forgotten: their pictures are gone"),
    )
    for count, words in more:
        if count:
            console.print(f"  {count:,} {words}", soft_wrap=True)
    for why, count in account.skipped.most_common(MOST_WHYS):
        console.print(f"  {count:,} could not be judged: {escape(printable(why))}", soft_wrap=True)
    for note in account.notes:
        console.print(f"[yellow]note:[/] {escape(printable(note))}", soft_wrap=True)
    if account.is_stopped:
        console.print("Ended before all were judged; what was judged is kept.", soft_wrap=True)
