"""The record as lines of CSV or JSON, streamed: memory stays flat however long it is."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from app.errors import RecordError
from app.record.readers import Records
from app.record.told import Entry, PartRecord

Format = Literal["csv", "jsonl"]
Tell = Callable[[int, int], None]
"""Told how many rows of how many were read."""

PART_COLUMNS = (
    "lane",
    "epoch",
    "part_id",
    "lot",
    "serial",
    "triggered",
    "settled",
    "verdict",
    "route",
    "reasons",
    "text",
    "is_flagged",
    "total_ms",
    "outcome",
    "confirmation",
    "destination",
)
EVENT_COLUMNS = ("lane", "row", "epoch", "sequence", "wall", "at_ns", "kind", "part_id", "count", "data")
_TOLD_EVERY = 1_000


def part_lines(records: Records, form: Format, lot: str | None, tell: Tell) -> Iterator[str]:
    """Every part, or those of a lot, as lines with their line ends.

    Args:
        records: The record.
        form: CSV with a heading, or one JSON object per line.
        lot: Only the parts of this lot.
        tell: Told how far it is.

    Raises:
        RecordError: The ledger cannot be read.
    """
    lots = [each for each in records.lots(most=10**9) if lot is None or each.lot == lot]
    total = sum(each.tally.triggers for each in lots)
    parts = chain.from_iterable(records.parts(lane, lot) for lane in records.lanes())
    yield from _lines(_counted((part_as_data(each) for each in parts), total, tell), PART_COLUMNS, form)


def event_lines(records: Records, form: Format, lot: str | None, tell: Tell) -> Iterator[str]:
    """Every event, or those of the parts of a lot, as lines with their line ends; arguments as `part_lines`."""
    lanes = records.lanes()
    total = sum(records.rows(lane) for lane in lanes)
    entries = chain.from_iterable(records.entries(lane, lot=lot) for lane in lanes)
    yield from _lines(_counted((entry_as_data(each) for each in entries), total, tell), EVENT_COLUMNS, form)


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Writes a file line by line, and gives it its name when it is whole.

    Returns:
        How many lines.

    Raises:
        RecordError: It cannot be written, or the ledger cannot be read; what was there before is unchanged.
    """
    count = 0
    draft = path.with_name(f".{path.name[:80]}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("w", encoding="utf-8", newline="") as file:
                for line in lines:
                    file.write(line)
                    count += 1
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except RecordError:
        raise
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}", "name another place, or make room") from error
    return count


def part_as_data(part: PartRecord) -> dict[str, Any]:
    """A part as plain values."""
    said = {name: getattr(part, name) for name in PART_COLUMNS}
    return said | {
        "triggered": _as_text(part.triggered),
        "settled": _as_text(part.settled),
        "reasons": " ".join(part.reasons),
    }


def entry_as_data(entry: Entry) -> dict[str, Any]:
    """An event as plain values."""
    event = entry.event
    return {
        "lane": event.lane,
        "row": entry.row,
        "epoch": event.epoch,
        "sequence": event.sequence,
        "wall": _as_text(entry.wall),
        "at_ns": event.at_ns,
        "kind": event.kind.value,
        "part_id": event.part_id,
        "count": event.count,
        "data": dict(event.data),
    }


def _as_text(wall: datetime | None) -> str | None:
    return wall.isoformat(timespec="milliseconds") if wall else None


def _counted(rows: Iterable[dict[str, Any]], total: int, tell: Tell) -> Iterator[dict[str, Any]]:
    for count, row in enumerate(rows, 1):
        yield row
        if count % _TOLD_EVERY == 0:
            tell(min(count, total), total)
    tell(total, total)


def _lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Format) -> Iterator[str]:
    if form == "jsonl":
        for row in rows:
            yield json.dumps(row, separators=(",", ":")) + "\n"
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for cells in chain([columns], ([_cell(row[name]) for name in columns] for row in rows)):
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _cell(value: Any) -> Any:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
