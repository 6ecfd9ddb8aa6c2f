"""What was found on parts, with every box, as the station told the ledger when it judged them. Cannot write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from app.record.database import ARCHIVE, FILE
from app.record.keys import PartKey, in_groups
from app.record.open_files import OpenFiles
from app.record.summary import epoch_of
from app.record.tables import PARTS, SEGMENTS
from app.types import Detection, EventKind

_ROW_FIELDS = 6
_JUDGED = (
    "SELECT row, epoch, data FROM events"
    " WHERE lane = ? AND row BETWEEN ? AND ? AND part_id = ? AND kind = ? ORDER BY row"
)

_Found = tuple[Detection, ...]
_Span = tuple[int, int]
"""The first and the last row of a part."""


class JudgedParts:
    """The detections of single parts. A ledger that is not there yet reads as an empty one.

    What was found on a part does not change any more once it has its outcome, and of those it is remembered.

    Args:
        folder: The ledger's folder.
        most: So many parts are remembered.
    """

    def __init__(self, folder: Path, most: int = 100_000) -> None:
        self._folder = folder
        self._most = most
        self._files = OpenFiles()
        self._known: dict[PartKey, _Found] = {}

    def close(self) -> None:
        """Lets go of the files. Idempotent."""
        self._files.close()

    def found(self, parts: Sequence[PartKey]) -> dict[PartKey, tuple[Detection, ...]]:
        """What was found on each of the parts, in all its pictures, in the order in which they were judged.

        Args:
            parts: Lane, epoch and number of each.

        Returns:
            By part; those of which no picture was judged, or the ledger says nothing any more, are left out.

        Raises:
            RecordError: The ledger cannot be read.
        """
        known = self._known
        found = {each: known[each] for each in parts if each in known}
        wanted = [each for each in parts if each not in found]
        if wanted and (self._folder / FILE).exists():
            read, settled = self._read(wanted)
            found |= read
            if len(known) + len(settled) > self._most:
                known.clear()
            known.update({each: read[each] for each in settled[: self._most]})
        return found

    def _read(self, wanted: Sequence[PartKey]) -> tuple[dict[PartKey, _Found], list[PartKey]]:
        """What the files say of parts, and which of them are settled."""
        with ExitStack() as stack:
            connections = {"": stack.enter_context(self._files.reading(self._folder / FILE))}
            archived = [tuple(each) for each in connections[""].execute(_ARCHIVED)]
            found, settled = {}, []
            for key, span, is_settled in _spans(connections[""], wanted):
                names = {name for lane, first, last, name in archived if lane == key[0] and _meet(span, (first, last))}
                rows: dict[int, _Found] = {}
                for name in sorted({"", *names}):
                    if name not in connections:
                        path = self._folder / ARCHIVE / Path(name).name
                        connections[name] = stack.enter_context(self._files.reading(path))
                    rows |= _judged(connections[name], key, span)
                if rows:
                    found[key] = tuple(each for row in sorted(rows) for each in rows[row])
                    settled += [key] if is_settled else []
            return found, settled


_ARCHIVED = select(SEGMENTS.c.lane, SEGMENTS.c.first_row, SEGMENTS.c.last_row, SEGMENTS.c.archive).where(
    SEGMENTS.c.archive != ""
)


def _spans(connection: Connection, parts: Iterable[PartKey]) -> Iterator[tuple[PartKey, _Span, bool]]:
    """The rows of each part that the ledger has, and whether no more will come."""
    names = ("lane", "epoch", "part_id", "first_row", "last_row", "outcome")
    query = select(*(PARTS.c[name] for name in names))
    for where in in_groups(PARTS.c, parts):
        for *key, first_row, last_row, outcome in connection.execute(query.where(where)):
            yield tuple(key), (first_row, last_row), outcome is not None


def _judged(connection: Connection, key: PartKey, span: _Span) -> dict[int, _Found]:
    """What each event of a file says of a part, by its row."""
    lane, epoch, part_id = key
    found = {}
    for row, event_epoch, data in connection.exec_driver_sql(_JUDGED, (lane, *span, part_id, EventKind.JUDGED.value)):
        said = json.loads(data)
        if epoch_of(event_epoch, said) == epoch:
            found[row] = tuple(_readable(said.get("detections")))
    return found


def _readable(detections: object) -> Iterator[Detection]:
    """The detections in what `JUDGED` carries; what cannot be read is left out, as it is in the figures."""
    try:
        rows: Any = json.loads(detections) if isinstance(detections, str) and detections else []
    except ValueError:
        return
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == _ROW_FIELDS and isinstance(row[0], str) and all(map(_is_one, row[1:])):
            label, score, x, y, width, height = row
            yield Detection(
                label.encode(errors="backslashreplace").decode(),
                float(score),
                (float(x), float(y), float(width), float(height)),
            )


def _is_one(value: object) -> bool:
    return isinstance(value, (int, float)) and isfinite(value)


def _meet(one: _Span, other: _Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
