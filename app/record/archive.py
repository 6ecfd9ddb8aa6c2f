"""Old sealed segments move to files of their own, a step at a time, so that no event waits for it.

The copy is complete, on the disk and checked against its seal before the ledger says that the segment lies there; only
then the ledger's own rows go. A crash at any moment leaves every row in at least one place that the ledger names.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, update

from app.errors import RecordError
from app.record.chain import Segment, SegmentCheck
from app.record.database import ARCHIVE, complaints
from app.record.ledger import Ledger
from app.record.tables import EVENTS, ROW_FIELDS, SEGMENTS
from app.record.walltime import US_PER_DAY, micros

STEP_ROWS = 2_000
_DRAFT = ".draft"
_NAMES = tuple(column.name for column in ROW_FIELDS)
_TABLE = (
    "CREATE TABLE events (lane INTEGER NOT NULL, row INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT"
    " NULL, at_ns INTEGER NOT NULL, wall_us INTEGER NOT NULL, part_id INTEGER, count INTEGER NOT NULL, kind TEXT NOT"
    " NULL, data TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (lane, row)) WITHOUT ROWID"
)
_INSERT = f"INSERT INTO events (lane, {', '.join(_NAMES)}) VALUES ({', '.join('?' * (len(_NAMES) + 1))})"  # noqa: S608


def archive_file(segment: Segment) -> str:
    """The name of a segment's file in the archive folder."""
    return f"lane{segment.lane}-{segment.number:06}.sqlite"


class Archiver:
    """Moves segments that were sealed long enough ago.

    Args:
        ledger: The ledger.
        archive_days: Segments sealed longer ago are moved; 0: none.
    """

    def __init__(self, ledger: Ledger, archive_days: float) -> None:
        self._ledger = ledger
        self._folder = ledger.folder / ARCHIVE
        self._older_us = round(archive_days * US_PER_DAY)
        self._copy: _Copy | None = None

    def step(self, wall: datetime) -> bool:
        """Does a bounded piece of the work.

        Returns:
            Whether there is more to do.

        Raises:
            RecordError: The archive cannot be written, or a segment is not as it was sealed: it stays where it is.
        """
        if not self._older_us:
            return False
        if self._remove_moved():
            return True
        if self._copy is None:
            segment = self._due(micros(wall))
            if segment is None:
                return False
            self._copy = _Copy(self._folder, segment)
        try:
            if self._copy.take(self._rows_after(self._copy)):
                return True
            name = self._copy.finish()
        except BaseException:
            self._copy.abandon()
            self._copy = None
            raise
        segment, self._copy = self._copy.segment, None
        with self._ledger.transaction() as connection:
            key = (SEGMENTS.c.lane == segment.lane) & (SEGMENTS.c.number == segment.number)
            connection.execute(update(SEGMENTS).where(key).values(archive=name))
        return True

    def close(self) -> None:
        """Gives up a copy that is not complete; it is begun again next time. Idempotent."""
        if self._copy is not None:
            self._copy.abandon()
            self._copy = None

    def _due(self, now_us: int) -> Segment | None:
        is_due = (SEGMENTS.c.archive == "") & (SEGMENTS.c.sealed_us < now_us - self._older_us)
        oldest = select(SEGMENTS).where(is_due).order_by(SEGMENTS.c.sealed_us, SEGMENTS.c.lane).limit(1)
        with self._ledger.transaction() as connection:
            found = connection.execute(oldest).mappings().first()
        return Segment(**found) if found else None

    def _rows_after(self, copy: _Copy) -> Sequence[Any]:
        segment = copy.segment
        within = (EVENTS.c.lane == segment.lane) & (EVENTS.c.row >= copy.next_row) & (EVENTS.c.row <= segment.last_row)
        with self._ledger.transaction() as connection:
            return connection.execute(select(*ROW_FIELDS).where(within).order_by(EVENTS.c.row).limit(STEP_ROWS)).all()

    def _remove_moved(self) -> bool:
        """Takes rows out of the ledger that lie in the archive; says whether there were any."""
        with self._ledger.transaction() as connection:
            moved = select(SEGMENTS.c.lane, SEGMENTS.c.first_row, SEGMENTS.c.last_row).where(SEGMENTS.c.archive != "")
            for lane, first_row, last_row in connection.execute(moved.order_by(SEGMENTS.c.sealed_us.desc())).all():
                within = (EVENTS.c.lane == lane) & (EVENTS.c.row >= first_row) & (EVENTS.c.row <= last_row)
                lowest = connection.execute(select(EVENTS.c.row).where(within).order_by(EVENTS.c.row).limit(1)).scalar()
                if lowest is not None:
                    connection.execute(delete(EVENTS).where(within & (EVENTS.c.row < lowest + STEP_ROWS)))
                    return True
        return False


class _Copy:
    """One segment on its way into a file."""

    def __init__(self, folder: Path, segment: Segment) -> None:
        self.segment = segment
        self._path = folder / archive_file(segment)
        self._draft = folder / f"{self._path.name}{_DRAFT}"
        self._check = SegmentCheck(segment)
        with complaints(self._draft):
            folder.mkdir(parents=True, exist_ok=True)
            self._draft.unlink(missing_ok=True)
            self._connection = sqlite3.connect(self._draft, isolation_level=None)
            # The whole file is synced once, before it gets its name.
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.execute("PRAGMA journal_mode=OFF")
            self._connection.execute(_TABLE)

    @property
    def next_row(self) -> int:
        """The row that comes next."""
        return self._check.next_row

    def take(self, rows: Sequence[Any]) -> bool:
        """Adds rows; `False` where there are none left to add."""
        stored = [(*row[:7], row[7].encode(), row[8].encode(), row[9]) for row in rows]
        problems = self._check.take(stored)
        if problems:
            raise RecordError(f"not archived, as it is damaged: {problems[0]}", "run takt ledger verify")
        with complaints(self._draft):
            self._connection.execute("BEGIN")
            self._connection.executemany(_INSERT, [(self.segment.lane, *row) for row in rows])
            self._connection.execute("COMMIT")
        return bool(rows)

    def finish(self) -> str:
        """Gives the complete file its name."""
        problems = self._check.finish_seal()
        if problems:
            raise RecordError(f"not archived, as it is damaged: {problems[0]}", "run takt ledger verify")
        with complaints(self._draft):
            self._connection.close()
            _sync(self._draft)
            self._draft.replace(self._path)
            _sync(self._path.parent)
        return self._path.name

    def abandon(self) -> None:
        """Leaves nothing of it behind."""
        with closing(self._connection):
            self._draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
