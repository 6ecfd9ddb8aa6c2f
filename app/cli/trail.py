"""`takt users audit`: what was changed on the pages, by whom and why; as a table, as a file, and is it whole."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import complain, out, print_json, printable
from app.cli.files import check_outputs
from app.cli.options import Json, StateDir, state_folder
from app.errors import RecordError, UsageError

if TYPE_CHECKING:
    from app.web.access.audit import Audit, AuditFilter, AuditRow

_FORMS = (".csv", ".jsonl")


def audit(
    *,
    is_checked: Annotated[bool, typer.Option("--verify", help="Check every row against its hash instead.")] = False,
    who: Annotated[str, typer.Option("--who", metavar="NAME", help="Only what this one did.")] = "",
    what: Annotated[
        str, typer.Option("--what", metavar="KIND", help="Only this kind; a family of kinds with a dot: `people.`.")
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="How many of the newest rows to show.")] = 30,
    target: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write all chosen rows to this .csv or .jsonl instead.")
    ] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Show the audit trail: who changed what on the pages, when, from what to what, and why.

    Exit code 1 when --verify finds a row that is not as it was written, 12 when there is no trail.
    """
    from app.clock import SystemClock
    from app.web.access.audit import Audit, AuditFilter
    from app.web.store.database import FOLDER, Store

    store = Store(state_folder(state) / FOLDER)
    if not store.path.exists():
        raise RecordError(f"{store.folder} holds no audit trail", "name the state folder of this station: --state DIR")
    try:
        trail = Audit(store, SystemClock())
        chosen = AuditFilter(who=who, what=what)
        if is_checked:
            _verify(trail, as_json=as_json)
        elif target is not None:
            _write(trail, chosen, target, as_json=as_json)
        else:
            _show(trail.rows(chosen, most), as_json=as_json)
    finally:
        store.close()


def _verify(trail: Audit, *, as_json: bool) -> None:
    found = trail.verify()
    if as_json:
        print_json({"is_sound": found.is_sound, "rows": found.rows, "problems": list(found.problems)})
    elif found.is_sound:
        out().print(f"The audit trail is sound: {found.rows} rows, each as it was written.")
    if not found.is_sound:
        complain(f"the audit trail does not verify: {'; '.join(found.problems[:3])}; restore it from a copy")
        raise typer.Exit(1)


def _write(trail: Audit, chosen: AuditFilter, target: Path, *, as_json: bool) -> None:
    from app.record.export import write_lines
    from app.web.access.audit_forms import csv_lines, json_lines

    if target.suffix not in _FORMS:
        raise UsageError(f"{target.name} is neither a .csv nor a .jsonl", "give the file one of these endings")
    check_outputs([target], [])
    form = csv_lines if target.suffix == ".csv" else json_lines
    count = 0

    def counted() -> Iterator[AuditRow]:
        nonlocal count
        for row in trail.stream(chosen):
            count += 1
            yield row

    write_lines(target, form(counted()))
    if as_json:
        print_json({"file": str(target), "rows": count})
    else:
        out().print(escape(f"{count} rows in {target}"), soft_wrap=True)


def _show(rows: list[AuditRow], *, as_json: bool) -> None:
    from app.web.access.audit_forms import plain, shown

    if as_json:
        print_json({"rows": [plain(each) for each in rows]})
        return
    table = Table(title="Audit trail, the newest first", title_justify="left")
    for column in ("row", "time (UTC)", "who", "what", "about", "before", "after", "reason"):
        table.add_column(column)
    for each in map(shown, rows):
        words = (each.who, each.what, each.about, each.before, each.after, each.reason)
        table.add_row(str(each.row), each.time, *(escape(printable(word)) for word in words))
    out().print(table)
