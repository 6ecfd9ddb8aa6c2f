"""What a support bundle tells of the record: events, counts, lots, terms, whether the chain holds, and pictures."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any

from app.errors import RecordError
from app.record import LEDGER, PICTURES
from app.record.chain import Segment, SegmentCheck
from app.record.database import FILE, complaints, connect_reader
from app.record.export import entry_as_data
from app.record.figures import Figures, Slice
from app.record.readers import Records
from app.record.tables import ROW_FIELDS
from app.record.verify import verify
from app.record.walltime import US_PER_DAY, micros, moment
from app.support.bundle_order import Collected, Member, Order, json_member, rows_member

EVENTS = 2_000
DAYS = 30
AUDIT_ROWS = 500
VERIFIED_ROWS = 100_000
"""A longer ledger would take minutes to check."""

_LOTS = 100
_TERMS = 100
_PIECE = 256 * 1024
_AT_ONCE = 5_000
_SEGMENT = tuple(each.name for each in fields(Segment))
_REJECTS = (
    "SELECT lane, epoch, part_id, file FROM pictures WHERE kind = 'reject' AND gone_us IS NULL"
    " ORDER BY taken_us DESC LIMIT ?"
)


def events(order: Order) -> Collected:
    """The newest events of each lane."""
    with _records(order) as records:
        for lane in records.lanes():
            after = max(0, records.rows(lane) - EVENTS)
            yield rows_member(f"ledger/lane{lane}-events.jsonl", map(entry_as_data, records.entries(lane, after)))


def counts(order: Order) -> Collected:
    """Parts by day, causes, lots, and under what was judged."""
    with _records(order) as records, closing(Figures(order.state / LEDGER)) as figures:
        since_us = micros(order.wall) - DAYS * US_PER_DAY
        lanes = {}
        for lane in records.lanes():
            which = Slice(lane=lane, since_us=since_us)
            days = figures.tallies(which, US_PER_DAY)
            by_day = {moment(start).date().isoformat(): asdict(each) for start, each in days.items()}
            lanes[lane] = {"by_day": by_day, "causes": figures.causes(which)}
        yield json_member("ledger/counts.json", {"days": DAYS, "lanes": lanes})
        yield rows_member("ledger/lots.jsonl", map(asdict, records.lots(most=_LOTS)))
        terms = sorted(figures.terms().values(), key=lambda each: -each.since_us)
        yield rows_member("ledger/terms.jsonl", map(asdict, islice(terms, _TERMS)))


def verified(order: Order) -> Collected:
    """Whether the ledger is as it was recorded: all of it where it is short, else the last segment of each lane."""
    with _records(order) as records:
        rows = {lane: records.rows(lane) for lane in records.lanes()}
    if sum(rows.values()) <= VERIFIED_ROWS:
        found = verify(order.state / LEDGER)
        lanes = [asdict(each) | {"problems": [str(problem) for problem in each.problems]} for each in found.lanes]
        yield json_member("ledger/verify.json", {"checked": "all", "is_sound": found.is_sound, "lanes": lanes})
        return
    path = order.state / LEDGER / FILE
    with complaints(path), closing(connect_reader(path)) as connection:
        said = [_last_segment(connection, lane) for lane in rows]
    is_sound = not any(each["problems"] for each in said)
    yield json_member("ledger/verify.json", {"checked": "last segments", "is_sound": is_sound, "lanes": said})


def audit(order: Order) -> Collected:
    """The newest rows of the audit trail."""
    yield rows_member("audit.jsonl", order.trail(AUDIT_ROWS))


def pictures(order: Order) -> Collected:
    """The pictures of the newest rejects, where they were asked for."""
    if not order.pictures:
        return
    _check_there(order)
    path = order.state / LEDGER / FILE
    with complaints(path), closing(connect_reader(path)) as connection:
        found = connection.execute(_REJECTS, (order.pictures,)).fetchall()
    folder = (order.state / PICTURES).resolve()
    for lane, epoch, part_id, file in found:
        place = (folder / str(file)).resolve()
        name = f"pictures/lane{lane}-{epoch}-{part_id}{place.suffix[:5]}"
        if not place.is_relative_to(folder):
            yield (name, f"{file} lies outside the pictures")
        elif not place.is_file():
            yield (name, f"{file} is gone")
        else:
            yield Member(name, _content(place), is_packed=True)


@contextmanager
def _records(order: Order) -> Iterator[Records]:
    _check_there(order)
    with closing(Records(order.state / LEDGER)) as records:
        yield records


def _check_there(order: Order) -> None:
    path = order.state / LEDGER / FILE
    try:
        path.stat()
    except FileNotFoundError:
        raise RecordError(f"{path.parent} holds no ledger", "name the state folder of a station that has run") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}", "run this as the user of the station") from error


def _last_segment(connection: sqlite3.Connection, lane: int) -> dict[str, Any]:
    """Checks the chain of a lane's last segment that has rows of its own."""
    connection.text_factory = bytes  # as they are stored: what is no text any more is what is to be found
    connection.execute("BEGIN")
    try:
        names = ", ".join(_SEGMENT)
        query = f"SELECT {names} FROM segments WHERE lane = ? ORDER BY number DESC LIMIT 1"  # noqa: S608 - our own names
        segment = Segment(**dict(zip(_SEGMENT, connection.execute(query, (lane,)).fetchone(), strict=True)))
        head = connection.execute("SELECT row, hash FROM heads WHERE lane = ?", (lane,)).fetchone()
        rows = min(VERIFIED_ROWS, head[0] - segment.first_row + 1)
        said = {"lane": lane, "segment": segment.number, "first_row": segment.first_row, "rows": rows}
        check, problems = SegmentCheck(segment), []
        columns = ", ".join(column.name for column in ROW_FIELDS)
        query = f"SELECT {columns} FROM events WHERE lane = ? AND row >= ? ORDER BY row LIMIT ?"  # noqa: S608 - the same
        reading = connection.execute(query, (lane, segment.first_row, rows))
        while chunk := reading.fetchmany(_AT_ONCE):
            problems += check.take(chunk)
        if rows == head[0] - segment.first_row + 1:
            problems += check.finish_seal() if segment.is_sealed else check.finish(head[0], head[1])
        return said | {"problems": [str(each) for each in problems[:20]]}
    finally:
        connection.execute("COMMIT")


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
