"""`takt ledger verify | show | export`: is the record whole, what does it say, and a copy of it for others."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from app.cli.console import complain, out, print_json, printable, progress
from app.cli.files import check_outputs
from app.cli.options import Json, StateDir, state_folder
from app.errors import RecordError
from app.record import LEDGER

if TYPE_CHECKING:
    from app.record.readers import Records
    from app.record.told import LotRecord, PartRecord, Story
    from app.record.verify import LaneReport

group = typer.Typer(help="The ledger: verify it, tell a part's story, export it.")


_PART = re.compile(r"^(?:(?:(?P<lane>\d{1,9})/)?(?P<epoch>\d{1,18})/)?(?P<part>\d{1,18})$")


@group.command()
def verify(*, state: StateDir = None, as_json: Json = False) -> None:
    """Check that the ledger is as it was recorded: hash chain, seals, sequences and the account of every lot.

    Reads every row, archived ones too, while the line runs. Exit code 1 when anything is wrong; segment and row are
    named.
    """
    from app.record.verify import verify as check

    folder = state_folder(state) / LEDGER
    with _percent("verifying") as tell:
        found = check(folder, tell)
    if as_json:
        lanes = [_lane_as_data(lane) for lane in found.lanes]
        print_json({"ledger": str(folder), "is_sound": found.is_sound, "lanes": lanes})
    else:
        for lane in found.lanes:
            _tell_lane(lane)
        if not found.lanes:
            out().print("The ledger is empty.")
    if not found.is_sound:
        more = len(found.problems) - 1
        complain(f"the ledger does not verify: {found.problems[0]}{f' (and {more} more)' if more else ''}")
        raise typer.Exit(1)


@group.command()
def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PART|LOT",
            help="A part as number, epoch/number or lane/epoch/number (without epoch the newest of that number), its"
            " serial number, or a lot.",
        ),
    ],
    *,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Tell the story of a part, from its trigger to its outcome, or the account of a lot."""
    records = open_records(state)
    try:
        parts, lots = matches(records, what)
        stories = [records.story(part) for part in parts]
        if as_json:
            print_json({"parts": [_story_as_data(each) for each in stories], "lots": [_lot_as_data(x) for x in lots]})
            return
        for lot in lots:
            _tell_lot(lot, records)
        for story in stories:
            _tell_story(story)
    finally:
        records.close()


@group.command()
def export(
    *,
    target: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    form: Annotated[
        Literal["csv", "jsonl"], typer.Option("--format", help="csv, or one JSON object per line.")
    ] = "csv",
    table: Annotated[
        Literal["parts", "events"], typer.Option("--table", help="parts: one row each; events: the ledger's rows.")
    ] = "parts",
    lot: Annotated[str | None, typer.Option("--lot", help="Only the parts of this lot, or their events.")] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Write parts or events to a file, as a whole or not at all, while the line runs."""
    from app.record.export import event_lines, part_lines, write_lines

    check_outputs([target], [])
    records = open_records(state)
    try:
        if lot is not None and not any(each.lot == lot for each in records.lots(most=10**9)):
            raise RecordError(f"the ledger knows no lot {lot!r}", "name one that takt ledger show, or the page, shows")
        with _percent("exporting") as tell:
            write = part_lines if table == "parts" else event_lines
            count = write_lines(target, write(records, form, lot, tell))
    finally:
        records.close()
    rows = count - (form == "csv")
    if as_json:
        print_json({"out": str(target), "table": table, "format": form, "lot": lot, "rows": rows})
    else:
        out().print(f"[green]✓[/] {rows:,} {table} in {escape(printable(target))}", soft_wrap=True)


@contextmanager
def _percent(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that is counted in rows, in steps of a hundredth."""
    with progress(what, 100) as step:
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            while total and shown < 100 * done // total:
                shown += 1
                step(what)

        yield tell


def open_records(state: Path | None) -> Records:
    """The record of a station, for reading.

    Raises:
        RecordError: There is none.
    """
    from app.record.database import FILE
    from app.record.readers import Records

    folder = state_folder(state) / LEDGER
    if not (folder / FILE).exists():
        raise RecordError(f"{folder} holds no ledger", "name the state folder of a station that has run: --state DIR")
    return Records(folder)


def matches(records: Records, what: str) -> tuple[list[PartRecord], list[LotRecord]]:
    """What a word on the command line means: a part, else a lot, else a serial number.

    Raises:
        RecordError: The ledger knows nothing of that name.
    """
    match = _PART.match(what)
    if match:
        lane, epoch = (int(match[name]) if match[name] else None for name in ("lane", "epoch"))
        part = records.part(int(match["part"]), epoch, lane)
        if part is not None:
            return [part], []
    lots = [each for each in records.lots(most=10**9) if each.lot == what]
    parts = [] if lots else records.search(what)
    if not lots and not parts:
        raise RecordError(
            f"the ledger knows no part, lot or serial number {what!r}", "name a part as number or epoch/number"
        )
    return parts, lots


def _lane_as_data(lane: LaneReport) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "lane": lane.lane,
        "rows": lane.rows,
        "segments": lane.segments,
        "parts": lane.parts,
        "epoch": lane.epoch,
        "head": lane.head,
        "lots": {lot: asdict(tally) for lot, tally in lane.tallies.items()},
        "carried": [f"{epoch}/{part}" for epoch, part in lane.carried],
        "problems": [
            {"lane": each.lane, "segment": each.segment or None, "row": each.row, "what": each.what}
            for each in lane.problems
        ],
    }


def _tell_lane(lane: LaneReport) -> None:
    mark = "[red]✗[/]" if lane.problems else "[green]✓[/]"
    flying = sum(tally.in_flight for tally in lane.tallies.values())
    console = out()
    console.print(
        f"{mark} [bold]Lane {lane.lane}[/]: {lane.rows:,} rows in {lane.segments} segments, {lane.parts:,} parts,"
        f" {flying} of them in flight; the chain ends with {lane.head[:16]}",
        soft_wrap=True,
    )
    if lane.carried:
        console.print(f"  {len(lane.carried)} parts of earlier starts wait for their outcome until the belt is purged.")
    for problem in lane.problems:
        console.print(f"  [red]{escape(printable(problem))}[/]", soft_wrap=True)


def _story_as_data(story: Story) -> dict[str, Any]:
    from app.record.export import entry_as_data, part_as_data

    pictures = [
        {
            "camera": each.camera,
            "exposure": each.exposure,
            "kind": each.kind,
            "file": each.file,
            "sha256": each.sha256,
            "gone": each.gone_why,
        }
        for each in story.pictures
    ]
    return {
        "part": part_as_data(story.part),
        "events": [entry_as_data(each) for each in story.entries],
        "pictures": pictures,
        "started": dict(story.started),
    }


def _lot_as_data(lot: LotRecord) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "lane": lot.lane,
        "lot": lot.lot,
        "opened": lot.opened.isoformat() if lot.opened else None,
        "closed": lot.closed.isoformat() if lot.closed else None,
        **asdict(lot.tally),
    }


def _tell_lot(lot: LotRecord, records: Records) -> None:
    tally = lot.tally
    opened = f"{lot.opened:%Y-%m-%d %H:%M:%S}" if lot.opened else "unknown"
    closed = f"closed {lot.closed:%Y-%m-%d %H:%M:%S}" if lot.closed else "open"
    console = out()
    console.print(f"[bold]Lot {escape(printable(lot.lot))}[/], lane {lot.lane}: opened {opened} UTC, {closed}")
    console.print(
        f"{tally.triggers:,} triggers = {tally.passed:,} passed + {tally.rejected:,} rejected + {tally.lost:,} lost"
        f" + {tally.in_flight:,} in flight"
    )
    newest = records.parts_of_lot(lot.lot, 20, lot.lane)
    table = Table(title=f"Its newest {len(newest)} parts", title_justify="left")
    for heading in ("part", "triggered (UTC)", "verdict", "outcome", "reasons"):
        table.add_column(heading)
    for part in newest:
        when = f"{part.triggered:%H:%M:%S.%f}"[:-3] if part.triggered else ""
        row = (part.name, when, part.verdict or "none", part.outcome or "in flight", " ".join(part.reasons))
        table.add_row(*(escape(printable(each)) for each in row))
    console.print(table)


def _tell_story(story: Story) -> None:
    from app.record.words import sentence

    part, console = story.part, out()
    serial = f", serial number {part.serial}" if part.serial else ""
    lot = part.lot or "without a name"
    console.print(f"[bold]Part {part.name}[/], lot {escape(printable(f'{lot}{serial}'))}", soft_wrap=True)
    first = story.entries[0] if story.entries else None
    if first is not None:
        console.print(f"{first.wall:%Y-%m-%d %H:%M:%S.%f} UTC, then:")
    table = Table.grid(padding=(0, 2))
    for entry in story.entries:
        after_ms = (entry.event.at_ns - first.event.at_ns) / 1e6 if first else 0.0
        is_same_run = first is not None and entry.event.epoch == first.event.epoch
        when = f"{after_ms:+.2f} ms" if is_same_run else f"{entry.wall:%Y-%m-%d %H:%M:%S}"
        table.add_row(f"  {when}", escape(printable(sentence(entry.event))), f"[dim]row {entry.row}[/]")
    console.print(table)
    for picture in story.pictures:
        gone = f", deleted {picture.gone:%Y-%m-%d}: {picture.gone_why}" if picture.gone else ""
        console.print(f"  picture ({picture.kind}): {escape(printable(picture.file))}{escape(gone)}", soft_wrap=True)
    names = [f"{key} {story.started[key]}" for key in ("package", "recipe", "version") if story.started.get(key)]
    if names:
        console.print(f"  judged under {escape(printable(', '.join(names)))}", soft_wrap=True)
