"""Is the ledger as it was recorded? Streams through every row once, while the recorder goes on writing.

Rows never change once they are written, so short reads one after another see the same as one long one would, and do not
keep the recorder from tidying its journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from app.errors import RecordError
from app.record.chain import GENESIS, Problem, RowFields, Segment, SegmentCheck
from app.record.database import ARCHIVE, FILE, complaints, connect_reader
from app.record.reckoning import Reckoning, Settled
from app.record.tables import ROW_FIELDS
from app.types import Tally

CHUNK_ROWS = 20_000
MOST_PROBLEMS = 50
"""Of one lane; a ledger that is worse than that is told no more of."""

_ROWS = (
    f"SELECT {', '.join(column.name for column in ROW_FIELDS)} FROM events"  # noqa: S608 - names of our own
    " WHERE lane = ? AND row > ? AND row <= ? ORDER BY row LIMIT ?"
)
_SEGMENT = tuple(each.name for each in fields(Segment))


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What was found of one lane.

    Attributes:
        lane: The lane.
        rows: Rows that were read.
        segments: Segments, the open one included.
        parts: Parts that were triggered.
        epoch: The newest epoch.
        head: The hash at the end of the chain, in hexadecimal.
        tallies: The account by lot.
        carried: Parts of earlier epochs that are still in flight, as (epoch, part).
        problems: What is wrong; empty where all is as recorded.
    """

    lane: int
    rows: int
    segments: int
    parts: int
    epoch: int
    head: str
    tallies: dict[str, Tally]
    carried: tuple[tuple[int, int], ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of the whole ledger."""

    lanes: tuple[LaneReport, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong, lane by lane."""
        return tuple(problem for lane in self.lanes for problem in lane.problems)

    @property
    def is_sound(self) -> bool:
        """The ledger is as it was recorded and its account is balanced."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Head:
    lane: int
    segment: int = 0
    row: int = 0
    epoch: int = 0
    sequence: int = -1
    hash: bytes = b""


@dataclass(slots=True)
class _Outline:
    """What the ledger says of itself, at one instant."""

    heads: dict[int, _Head] = field(default_factory=dict)
    segments: dict[int, list[Segment]] = field(default_factory=dict)
    last_rows: dict[int, int] = field(default_factory=dict)


def verify(folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Verification:
    """Checks chain, seals, sequences, account and the derived tables of every lane, archive included.

    Args:
        folder: The ledger's folder.
        progress: Told how many rows of how many were read.

    Raises:
        RecordError: There is no ledger, or it is so damaged that not even its outline can be read.
    """
    path = folder / FILE
    if not path.exists():
        raise RecordError(f"{folder} holds no ledger", "name the state folder of a station that has run: --state DIR")
    with complaints(path), closing(_connect(path)) as connection:
        outline = _read_outline(connection)
        total = sum(head.row for head in outline.heads.values())
        done = 0
        reports = []
        for lane in sorted(set(outline.heads) | set(outline.segments) | set(outline.last_rows)):
            check = _LaneCheck(folder, connection, outline, lane)
            for rows in check.run():
                done += rows
                progress(min(done, total), total)
            reports.append(check.report())
    return Verification(tuple(reports))


class _LaneCheck:
    """One lane, from its first row to its head."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, outline: _Outline, lane: int) -> None:
        self._folder = folder
        self._connection = connection
        self._lane = lane
        self._head = outline.heads.get(lane, _Head(lane))
        self._segments = outline.segments.get(lane, [])
        self._last_row = outline.last_rows.get(lane, 0)
        self._problems: list[Problem] = []
        self._is_chain_sound = True
        self._rows = 0
        self._last: RowFields | None = None
        self._settled: list[Settled] = []
        self._reckoning = Reckoning(lane, self._settled.append)

    def run(self) -> Iterator[int]:
        """Checks; yields after each chunk how many rows it had."""
        prior, next_row = GENESIS, 1
        for number, segment in enumerate(self._segments, 1):
            self._check_place(segment, number, prior, next_row)
            yield from self._check_segment(segment, is_last=number == len(self._segments))
            if len(self._problems) >= MOST_PROBLEMS:
                return
            prior, next_row = segment.seal or b"", (segment.last_row or 0) + 1
        self._check_end()
        if self._is_chain_sound:
            self._problems += self._reckoning.finish()
            self._connection.execute("BEGIN")
            self._compare_lots()
            self._connection.execute("COMMIT")

    def report(self) -> LaneReport:
        """What was found."""
        return LaneReport(
            self._lane,
            self._rows,
            len(self._segments),
            self._reckoning.parts,
            self._reckoning.epoch,
            self._head.hash.hex() if isinstance(self._head.hash, bytes) else "",
            self._reckoning.tallies(),
            tuple(self._reckoning.carried()),
            tuple(self._problems[:MOST_PROBLEMS]),
        )

    def _check_place(self, segment: Segment, number: int, prior: bytes, next_row: int) -> None:
        """The record of a segment continues that of the one before."""
        if segment.number != number:
            self._found(Problem(self._lane, number, None, "its record is missing"))
        elif segment.prior != prior or segment.first_row != next_row:
            self._found(Problem(self._lane, number, segment.first_row, "it does not continue the segment before it"))

    def _check_segment(self, segment: Segment, *, is_last: bool) -> Iterator[int]:
        check = SegmentCheck(segment)
        end = segment.last_row if segment.is_sealed else self._head.row
        try:
            with ExitStack() as opened:
                # Within one read the segment lies in one place: it may be moved to the archive meanwhile.
                self._connection.execute("BEGIN")
                opened.callback(self._connection.execute, "COMMIT")
                connection = self._place_of(segment, opened)
                for chunk in self._chunks(connection, segment, end):
                    self._take(segment, check, chunk)
                    yield len(chunk)
                    if len(self._problems) >= MOST_PROBLEMS:
                        return
        except (sqlite3.Error, OSError) as error:
            what = f"the file is damaged here and cannot be read on ({error}); restore it from a copy"
            self._found(Problem(self._lane, segment.number, check.next_row, what))
            return
        if segment.is_sealed:
            self._found(*check.finish_seal())
        elif not is_last:
            self._found(Problem(self._lane, segment.number, None, "it has no seal, and another follows it"))
        else:
            self._found(*check.finish(self._head.row, self._head.hash))

    def _chunks(self, connection: sqlite3.Connection, segment: Segment, end: int | None) -> Iterator[list[RowFields]]:
        last = segment.first_row - 1
        # Rows that were slipped in behind the recorded end come to light here as well.
        limit = end if segment.is_sealed or end is None else max(end, self._last_row)
        while True:
            chunk: list[RowFields] = []
            try:
                chunk.extend(connection.execute(_ROWS, (self._lane, last, limit, CHUNK_ROWS)))
            except sqlite3.Error:
                # What could be read before the damage tells where it lies.
                yield chunk
                raise
            if not chunk:
                return
            yield chunk
            last = chunk[-1][0]

    def _take(self, segment: Segment, check: SegmentCheck, chunk: list[RowFields]) -> None:
        if not chunk:
            return
        self._rows += len(chunk)
        self._found(*check.take(chunk))
        if not self._is_chain_sound:
            # What follows from damaged rows would only hide which row it was.
            return
        for row in chunk:
            self._problems += self._reckoning.take(segment.number, row)
        self._last = chunk[-1]
        self._compare_parts(segment.number)

    def _place_of(self, segment: Segment, opened: ExitStack) -> sqlite3.Connection:
        """The file that holds a segment's rows now; it may have moved since the outline was read."""
        question = "SELECT archive FROM segments WHERE lane = ? AND number = ?"
        found = self._connection.execute(question, (self._lane, segment.number)).fetchone()
        name = _decoded(found[0]) if found else segment.archive
        if not name:
            return self._connection
        path = self._folder / ARCHIVE / Path(name).name
        if not path.exists():
            raise FileNotFoundError(f"its archive {path} is not there")
        return opened.enter_context(closing(_connect(path)))

    def _check_end(self) -> None:
        head, last = self._head, self._last
        if not self._segments:
            self._found(Problem(self._lane, 0, 1, "rows of a lane that was never recorded"))
        elif self._is_chain_sound and last is not None:
            is_open = (head.segment, head.row) == (self._segments[-1].number, last[0])
            if not is_open or (head.epoch, head.sequence) != (last[1], last[2]):
                self._found(Problem(self._lane, head.segment, head.row, "the recorded head is not the last row"))

    def _compare_parts(self, segment: int) -> None:
        """Holds the table of parts against what the events say."""
        question = "SELECT lot, verdict, outcome, confirmation FROM parts WHERE lane = ? AND epoch = ? AND part_id = ?"
        for part in self._settled:
            found = self._connection.execute(question, (self._lane, part.epoch, part.part_id)).fetchone()
            told = None if found is None else tuple(None if each is None else _decoded(each) for each in found)
            if told != (part.lot, part.verdict, part.outcome, part.confirmation):
                what = f"the table of parts says of {part.epoch}/{part.part_id} what the events do not"
                self._problems.append(Problem(self._lane, segment, None, what))
        self._settled.clear()

    def _compare_lots(self) -> None:
        """Holds the accounts of lots against the events, where nothing was written meanwhile."""
        question = "SELECT lot, triggers, passed, rejected, lost FROM lots WHERE lane = ?"
        row = self._connection.execute("SELECT row FROM heads WHERE lane = ?", (self._lane,)).fetchone()
        lots = {_decoded(lot): Tally(*counts) for lot, *counts in self._connection.execute(question, (self._lane,))}
        if row is None or row[0] != self._head.row:
            return
        for lot, tally in self._reckoning.tallies().items():
            said = lots.get(lot, Tally())
            if (said.triggers, said.passed, said.rejected, said.lost) != (
                tally.triggers,
                tally.passed,
                tally.rejected,
                tally.lost,
            ):
                what = f"the account of lot {lot!r} is not what its events add up to"
                self._found(Problem(self._lane, 0, None, what))
        self._compare_counts()

    def _compare_counts(self) -> None:
        """Holds what charts are drawn from against the events."""
        question = (
            "SELECT lot, sum(triggers), sum(passed), sum(rejected), sum(lost) FROM tallies WHERE lane = ? GROUP BY lot"
        )
        counts = {_decoded(lot): Tally(*sums) for lot, *sums in self._connection.execute(question, (self._lane,))}
        told = {lot: replace(tally, in_flight=0) for lot, tally in self._reckoning.tallies().items()}
        if counts != told:
            self._found(Problem(self._lane, 0, None, "the counts for charts are not what the events add up to"))

    def _found(self, *problems: Problem) -> None:
        if problems:
            self._is_chain_sound = False
            self._problems += problems


def _connect(path: Path) -> sqlite3.Connection:
    connection = connect_reader(path)
    # Bytes as they are stored: what is no text any more must be told from what is, not fail to be read.
    connection.text_factory = bytes
    return connection


def _read_outline(connection: sqlite3.Connection) -> _Outline:
    outline = _Outline()
    connection.execute("BEGIN")
    for values in connection.execute("SELECT lane, segment, row, epoch, sequence, hash FROM heads"):
        outline.heads[values[0]] = _Head(*values)
    for values in connection.execute(f"SELECT {', '.join(_SEGMENT)} FROM segments ORDER BY lane, number"):  # noqa: S608
        said = dict(zip(_SEGMENT, values, strict=True))
        segment = Segment(**said | {"archive": _decoded(said["archive"])})
        outline.segments.setdefault(segment.lane, []).append(segment)
    lane: int | None = -(1 << 62)
    while lane is not None:
        # One step down the index for each lane, where DISTINCT would read every row.
        lane = connection.execute("SELECT min(lane) FROM events WHERE lane > ?", (lane,)).fetchone()[0]
        if lane is not None:
            last = connection.execute("SELECT max(row) FROM events WHERE lane = ?", (lane,)).fetchone()[0]
            outline.last_rows[lane] = last
    connection.execute("COMMIT")
    return outline


def _decoded(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
