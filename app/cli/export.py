"""`takt export`: parts with their pictures and what people say of them, as COCO, YOLO or CSV in a ZIP file."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from app.cli.console import out, print_json, printable, progress
from app.cli.files import check_outputs
from app.cli.options import Json, StateDir, state_folder
from app.errors import DataError, RecordError, UsageError
from app.record import LEDGER, PICTURES

_GB, _MB = 1e9, 1e6
_AT_ONCE = 500


def export(  # noqa: PLR0913 - every option is an argument
    *,
    target: Annotated[Path, typer.Option("--out", metavar="FILE", help="The ZIP file to write.")],
    form: Annotated[
        Literal["coco", "yolo", "csv"], typer.Option("--format", help="How boxes and labels are written.")
    ] = "coco",
    why: Annotated[
        Literal["reject", "flagged", "sample"] | None,
        typer.Option("--why", help="Only rejects, flagged parts, or samples of passed ones."),
    ] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Only parts of this lot.")] = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Only parts with this label; any, none, disputed, true_defect ...")
    ] = None,
    class_name: Annotated[str | None, typer.Option("--class", help="Only parts on which this class was found.")] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="Triggered at or after this time.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Triggered before this time.")] = None,
    lane: Annotated[int | None, typer.Option("--lane", min=0, max=999, help="Only parts of this lane.")] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Write parts with their pictures and labels to a ZIP file, whole or not at all, while the line runs.

    Refused when the file would be larger than the room on its disk. Pictures that are gone are listed in gone.csv.
    """
    from app.web.review.filters import QueueFilter

    check_outputs([target], [])
    chosen = {"why": why, "lot": lot, "label": label, "class": class_name, "from": since, "to": until, "lane": lane}
    try:
        wanted = QueueFilter.model_validate({name: each for name, each in chosen.items() if each is not None})
    except ValueError as error:
        raise UsageError(f"the filter makes no sense: {_first(error)}", "see takt export --help") from error
    folder = state_folder(state)
    with ExitStack() as opened:
        parts, size = _write(folder, target, form, wanted, opened)
    if as_json:
        print_json({"out": str(target), "format": form, "parts": parts, "bytes": size})
    else:
        out().print(f"[green]✓[/] {parts:,} parts, {_room(size)}, in {escape(printable(target))}", soft_wrap=True)


def _write(folder: Path, target: Path, form: Any, wanted: Any, opened: ExitStack) -> tuple[int, int]:
    from app.clock import SystemClock
    from app.record.database import FILE
    from app.record.figures import Figures
    from app.record.readers import Records
    from app.web.access.audit import Audit
    from app.web.reports.bundle import estimate, zipped
    from app.web.reports.items import chosen_keys, items_of
    from app.web.review.labels import Labels
    from app.web.review.queue import Queue
    from app.web.store.database import FOLDER, Store

    ledger = folder / LEDGER
    if not (ledger / FILE).exists():
        raise RecordError(f"{ledger} holds no ledger", "name the state folder of a station that has run: --state DIR")
    records, figures, store = Records(ledger), Figures(ledger), Store(folder / FOLDER)
    queue = Queue(ledger, store)
    for each in (records, figures, queue, store):
        opened.callback(each.close)
    labels = Labels(store, Audit(store, SystemClock()), SystemClock())
    count = taken = 0
    keys = chosen_keys(queue, wanted)
    while batch := list(islice(keys, _AT_ONCE)):
        count += len(batch)
        taken += figures.picture_bytes(batch)
    _check_room(target, estimate(taken, count))
    with progress("exporting", count) as step:
        items = items_of(records, labels, folder / PICTURES, chosen_keys(queue, wanted))
        size = _written(target, zipped(items, form, lambda done: step(str(done))))
    return count, size


def _check_room(target: Path, size: int) -> None:
    place = target.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if size > free:
        raise DataError(
            f"the export takes up to {_room(size)}, and {place} has {_room(free)} free",
            "make room, write it to another disk, or choose fewer parts",
        )


def _written(target: Path, pieces: Iterable[bytes]) -> int:
    """Writes a file through a draft beside it.

    Raises:
        DataError: It cannot be written, or a picture cannot be read; what was there before is unchanged.
    """
    draft = target.with_name(f".{target.name[:80]}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with draft.open("wb") as file:
            for piece in pieces:
                size += file.write(piece)
        draft.replace(target)
    except RecordError:
        raise
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}", "name another place, or make room") from error
    finally:
        draft.unlink(missing_ok=True)
    return size


def _room(size: int) -> str:
    return f"{size / _GB:.2f} GB" if size >= _GB else f"{size / _MB:.2f} MB"


def _first(error: ValueError) -> str:
    found: Any = getattr(error, "errors", list)()
    return f"{found[0]['loc'][0]}: {found[0]['msg']}" if found else str(error)
