"""Single rows of the ledger, wherever they lie: the hash at a place of the chain, and events of a few kinds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.record.database import ARCHIVE, FILE, complaints, connect_reader
from app.record.walltime import micros, moment
from app.types import EventKind


@dataclass(frozen=True, slots=True)
class Told:
    """One event.

    Attributes:
        row: Its row.
        at: When it happened.
        kind: What happened.
        data: Its details.
    """

    row: int
    at: datetime
    kind: EventKind
    data: dict[str, Any]


def hash_at(folder: Path, lane: int, row: int) -> bytes | None:
    """The hash of one row of a lane's chain.

    Args:
        folder: The ledger's folder.
        lane: The lane.
        row: The row.

    Returns:
        32 bytes; `None` where there is no such row.

    Raises:
        RecordError: The ledger cannot be read.
    """
    question = "SELECT hash FROM events WHERE lane = ? AND row = ?"
    for found in _answers(folder, lane, question, (lane, row)):
        return bytes(found[0])
    return None


def told_between(folder: Path, lane: int, kinds: Sequence[EventKind], since: datetime, until: datetime) -> list[Told]:
    """Events of some kinds within a time, in order.

    Args:
        folder: The ledger's folder.
        lane: The lane.
        kinds: Which events.
        since: Not before.
        until: Not after.

    Raises:
        RecordError: The ledger cannot be read.
    """
    question = (
        f"SELECT row, wall_us, kind, data FROM events WHERE lane = ? AND kind IN ({', '.join('?' * len(kinds))})"  # noqa: S608 - question marks
        " AND wall_us BETWEEN ? AND ? ORDER BY row"
    )
    values = (lane, *(each.value for each in kinds), micros(since), micros(until))
    rows = _answers(folder, lane, question, values)
    found = [Told(row, moment(wall_us), EventKind(kind), json.loads(data)) for row, wall_us, kind, data in rows]
    return sorted(found, key=lambda each: each.row)


def _answers(folder: Path, lane: int, question: str, values: tuple[Any, ...]) -> Iterator[Any]:
    """Asks the ledger, then each segment of the lane in the archive."""
    path = folder / FILE
    if not path.exists():
        return
    with complaints(path), closing(connect_reader(path)) as connection:
        yield from connection.execute(question, values)
        archived = "SELECT archive FROM segments WHERE lane = ? AND archive <> '' ORDER BY number"
        names = [each[0] for each in connection.execute(archived, (lane,))]
    for name in names:
        place = folder / ARCHIVE / Path(str(name)).name
        if place.exists():
            with complaints(place), closing(_opened(place)) as connection:
                yield from connection.execute(question, values)


def _opened(path: Path) -> sqlite3.Connection:
    return connect_reader(path)
