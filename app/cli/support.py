"""`takt support-bundle`: what somebody far away needs to see what is wrong with this box, as one ZIP file."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from app.cli.console import err, one_line, out, print_json, printable, progress
from app.cli.files import check_outputs
from app.cli.options import Bus, Json, StateDir, state_folder
from app.errors import DataError, UsageError

if TYPE_CHECKING:
    from app.support.bundle import Bundle
    from app.support.bundle_order import Order

STDOUT = Path("-")
MOST_PICTURES = 1_000
_MB = 1e6
_TOLD = 5


def support_bundle(
    *,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The ZIP file to write, - for stdout; by default takt-support-TIME.zip here."
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="Logs of so many days.")] = 7,
    pictures: Annotated[
        int,
        typer.Option("--pictures", min=0, max=MOST_PICTURES, help="So many of the newest rejects with their pictures."),
    ] = 0,
    line: Annotated[
        list[Path] | None,
        typer.Option("--line", metavar="FILE", help="A line.toml, once per lane; by default those of what runs here."),
    ] = None,
    bus: Bus = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Collect what somebody far away needs to see what is wrong with this box, as one ZIP file.

    Versions, settings and recipes, what takt doctor finds, the status of each process, latencies, the newest events,
    counts, the audit trail, logs, the files of the state folder, packages and builds. No accounts, no secrets, and no
    pictures unless asked for. What cannot be collected is named in errors.txt, and the rest is written all the same.
    Runs while the line does, and where nothing runs. Exit code 4 when the file cannot be written.
    """
    from app.clock import SystemClock
    from app.support.bundle import SECTIONS, Bundle

    clock = SystemClock()
    wall = clock.wall()
    target = target or Path(f"takt-support-{wall:%Y%m%d-%H%M%S}.zip")
    if target == STDOUT and (as_json or sys.stdout.isatty()):
        raise UsageError("the bundle cannot go to stdout here", "name a file with --out, or lead stdout into one")
    if target != STDOUT:
        check_outputs([target], line or [])
    with progress("collecting", len(SECTIONS)) as step:
        made = Bundle(_order(bus, state, line, days, pictures))
        pieces = made.pieces(step)
        size = _to_stdout(pieces) if target == STDOUT else _written(target, pieces)
    _tell(target, size, made, as_json=as_json)


def trail_of(state: Path) -> Any:
    """Reads the newest rows of the audit trail of a state folder."""

    def newest(most: int) -> Iterator[Mapping[str, Any]]:
        from app.clock import SystemClock
        from app.web.access.audit import Audit, AuditFilter
        from app.web.access.audit_forms import plain
        from app.web.store.database import FOLDER, Store

        store = Store(state / FOLDER)
        if not store.path.exists():
            return
        try:
            yield from map(plain, Audit(store, SystemClock()).rows(AuditFilter(), most))
        finally:
            store.close()

    return newest


def _order(bus: Path | None, state: Path | None, line: list[Path] | None, days: int, pictures: int) -> Order:
    from app.bus.place import default_place
    from app.clock import SystemClock
    from app.station import STAGES
    from app.support.bundle_box import lines_at_work, processes_of
    from app.support.bundle_order import Order

    folder, clock = state_folder(state).absolute(), SystemClock()
    order = Order(
        state=folder,
        bus=default_place(bus.absolute() if bus else None, make=False).root,
        wall=clock.wall(),
        now_ns=clock.now_ns(),
        lines=tuple(path.absolute() for path in line or ()),
        stages=STAGES,
        days=days,
        pictures=pictures,
        trail=trail_of(folder),
    )
    return order if order.lines else order.with_lines(lines_at_work(processes_of(order)))


def _written(target: Path, pieces: Iterable[bytes]) -> int:
    """Writes a file through a draft beside it.

    Raises:
        DataError: It cannot be written; what was there before is unchanged.
    """
    size = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Readable by its owner alone: it tells much of the box.
        handle, draft = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".draft", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    size += file.write(piece)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}", "name another place, or make room") from error
    return size


def _to_stdout(pieces: Iterable[bytes]) -> int:
    size = 0
    for piece in pieces:
        size += sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return size


def _tell(target: Path, size: int, made: Bundle, *, as_json: bool) -> None:
    if target == STDOUT:
        return
    if as_json:
        missing = [{"what": name, "why": words} for name, words in made.missing]
        print_json({"out": str(target), "bytes": size, "members": made.members, "missing": missing})
        return
    for name, words in made.missing[:_TOLD]:
        err().print(f"[yellow]▲[/] without {escape(printable(name))}: {escape(one_line(words))}", soft_wrap=True)
    if len(made.missing) > _TOLD:
        err().print(f"[yellow]▲[/] and without {len(made.missing) - _TOLD} more: see errors.txt in it")
    words = f"{made.members} files, {size / _MB:.2f} MB, in {escape(printable(target))}"
    out().print(f"[green]✓[/] {words}", soft_wrap=True)
