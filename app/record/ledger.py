"""The ledger's one writer: events become rows of a hash chain, a batch at a time, each batch whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from app.errors import RecordError
from app.record.chain import GENESIS, Segment, content_of, link, seal_of
from app.record.database import FILE, LOCK, complaints, held, migrate, writer_engine
from app.record.derived import load_summary, write_changes
from app.record.summary import Change, Summary
from app.record.tables import EPOCHS, EVENTS, HEADS, ROW_FIELDS, SEGMENTS
from app.record.tallied import load_tallying, write_tallies
from app.record.tallying import Tallying
from app.record.walltime import US_PER_H, micros
from app.types import LedgerEvent, Scalar

_NS_PER_US = 1_000
_ROW_NAMES = tuple(column.name for column in ROW_FIELDS)
_DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class Appended:
    """What one batch brought.

    Attributes:
        events: Those that were new, in order.
        known: How many were in the ledger already.
        gaps: What is missing before an event, or out of order, in words.
        sealed: Segments that were sealed before the batch, as (lane, number).
    """

    events: tuple[LedgerEvent, ...] = ()
    known: int = 0
    gaps: tuple[str, ...] = ()
    sealed: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class _Lane:
    """Where the chain of a lane stands."""

    summary: Summary
    tallying: Tallying
    segment: Segment | None = None
    row: int = 0
    hash: bytes = GENESIS


class Ledger:
    """The ledger of one box, open for writing.

    Args:
        folder: Where it lies.
        engine: The connection that writes.
        closing: What is let go of at the end.
        segment_h: A segment is sealed after so many hours.
    """

    def __init__(self, folder: Path, engine: Engine, closing: ExitStack, segment_h: float = _DAY_H) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._engine = engine
        self._closing = closing
        self._identity = _identity(self.path)
        self._segment_us = round(segment_h * US_PER_H)
        self._lanes: dict[int, _Lane] = {}

    @classmethod
    def open(cls, folder: Path, segment_h: float = _DAY_H) -> Ledger:
        """Opens the ledger in a folder, makes it where there is none, and brings an older one up to date.

        Args:
            folder: The folder; made where it is missing.
            segment_h: A segment is sealed after so many hours.

        Raises:
            RecordError: It cannot be written, is damaged, belongs to a newer version, or another process writes it.
        """
        with ExitStack() as opened, complaints(folder / FILE):
            folder.mkdir(parents=True, exist_ok=True)
            opened.enter_context(held(folder / LOCK))
            engine = writer_engine(folder / FILE)
            opened.callback(engine.dispose)
            migrate(engine, folder / FILE)
            return cls(folder, engine, opened.pop_all(), segment_h)

    def append(self, events: Sequence[LedgerEvent], wall: datetime, now_ns: int | None = None) -> Appended:
        """Adds a batch in one transaction; on the disk when this returns.

        Events that the ledger has are passed over, so a batch may be delivered again after a crash. Where an event is
        missing before another, the rest is kept all the same: the gap is in the answer, and `verify` names it.

        Args:
            events: In the order of each lane's sequence.
            wall: The wall time now.
            now_ns: The monotonic time at `wall`, by which each event gets the wall time at which it happened. Without
                it, or for an event from the future, that is `wall`.

        Raises:
            RecordError: Nothing of the batch is in the ledger, and it can be tried again.
        """
        if not events:
            return Appended()
        clock = _WallClock(wall, now_ns)
        if _identity(self.path) != self._identity:
            # SQLite would go on writing into a file that nobody finds again.
            raise RecordError(f"{self.path} was moved or deleted", "put it back, or restart the recorder to begin anew")
        try:
            with complaints(self.path), self._engine.begin() as connection:
                return self._append(connection, events, clock)
        except BaseException:
            # What is in memory may be ahead of the file now, or behind where only the answer to the commit was lost.
            self._lanes.clear()
            self._engine.dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on the tables beside the chain: whole, or undone where it raises.

        Raises:
            RecordError: The file cannot be read or written.
        """
        with complaints(self.path), self._engine.begin() as connection:
            yield connection

    def rows(self) -> int:
        """How many rows were recorded, all lanes together.

        Raises:
            RecordError: They cannot be read.
        """
        with self.transaction() as connection:
            return int(connection.execute(select(func.coalesce(func.sum(HEADS.c.row), 0))).scalar_one())

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        self._closing.close()

    # How

    def _append(self, connection: Connection, events: Sequence[LedgerEvent], clock: _WallClock) -> Appended:
        taken: list[LedgerEvent] = []
        gaps: list[str] = []
        sealed: list[tuple[int, int]] = []
        rows: list[Change] = []
        touched: dict[int, _Lane] = {}
        for event in events:
            lane = self._lane(connection, event.lane)
            if lane.summary.is_known(event) and _is_recorded(connection, event):
                continue
            gap = lane.summary.gap(event)
            if gap:
                gaps.append(f"lane {event.lane}, {gap}")
            if event.lane not in touched:
                touched[event.lane] = lane
                sealed += self._turn_segment(connection, event.lane, lane, clock.wall_us)
            if event.epoch > lane.summary.epoch:
                _note_epoch(connection, event, lane.row + 1, clock.of(event))
            rows.append(_next_row(event, lane, clock.of(event)))
            taken.append(event)
        if rows:
            connection.execute(insert(EVENTS), rows)
            for number, lane in touched.items():
                _write_head(connection, number, lane)
        return Appended(tuple(taken), len(events) - len(taken), tuple(gaps), tuple(sealed))

    def _lane(self, connection: Connection, number: int) -> _Lane:
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = _load(connection, number)
        return lane

    def _turn_segment(self, connection: Connection, number: int, lane: _Lane, wall_us: int) -> list[tuple[int, int]]:
        """Seals the open segment where its time is up, and sees to it that one is open."""
        segment = lane.segment
        # A clock that was set back by more than a period would otherwise keep a segment open for as long.
        is_due = segment is not None and abs(wall_us - segment.opened_us) >= self._segment_us
        if segment is not None and not is_due:
            return []
        turned = []
        if segment is not None:
            sealed = replace(
                segment,
                last_row=lane.row,
                rows=lane.row - segment.first_row + 1,
                head=lane.hash,
                sealed_us=wall_us,
            )
            sealed = replace(sealed, seal=seal_of(sealed))
            key = (SEGMENTS.c.lane == number) & (SEGMENTS.c.number == segment.number)
            changed = {each: getattr(sealed, each) for each in ("last_row", "rows", "head", "sealed_us", "seal")}
            connection.execute(update(SEGMENTS).where(key).values(changed))
            lane.hash = sealed.seal or GENESIS
            turned.append((number, segment.number))
        lane.segment = Segment(number, segment.number + 1 if segment else 1, lane.row + 1, lane.hash, wall_us)
        record = {each: getattr(lane.segment, each) for each in ("lane", "number", "first_row", "prior", "opened_us")}
        connection.execute(insert(SEGMENTS), record)
        return turned


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _WallClock:
    """Tells the wall time of an event from its monotonic time."""

    def __init__(self, wall: datetime, now_ns: int | None) -> None:
        self.wall_us = micros(wall)
        self._now_ns = now_ns

    def of(self, event: LedgerEvent) -> int:
        if self._now_ns is None:
            return self.wall_us
        return self.wall_us - max(0, self._now_ns - event.at_ns) // _NS_PER_US


def _next_row(event: LedgerEvent, lane: _Lane, wall_us: int) -> Change:
    lane.row += 1
    kind, data = event.kind.value, _as_text(event.data)
    fields = (lane.row, event.epoch, event.sequence, event.at_ns, wall_us, event.part_id, event.count)
    lane.hash = link(lane.hash, content_of(event.lane, (*fields, kind.encode(), data.encode())))
    lane.summary.fold(event, lane.row, wall_us)
    lane.tallying.fold(event, wall_us, lane.summary.finds.terms_row)
    return {"lane": event.lane, **dict(zip(_ROW_NAMES, (*fields, kind, data, lane.hash), strict=True))}


def _as_text(data: Mapping[str, Scalar]) -> str:
    try:
        return json.dumps(dict(data), separators=(",", ":"), allow_nan=False)
    except ValueError:
        # NaN and infinity are no JSON, and an event must not be lost for them.
        told = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in data.items()}
        return json.dumps(told, separators=(",", ":"))


def _is_recorded(connection: Connection, event: LedgerEvent) -> bool:
    """The ledger has this very event.

    An epoch is in one piece, and its rows count as its sequence does; a gap only moves them forward.
    """
    of_epoch = (EPOCHS.c.lane == event.lane) & (EPOCHS.c.epoch == event.epoch)
    first_row = connection.execute(select(EPOCHS.c.first_row).where(of_epoch)).scalar()
    if first_row is None:
        return False
    where = (
        (EVENTS.c.lane == event.lane)
        & (EVENTS.c.row >= first_row)
        & (EVENTS.c.row <= first_row + event.sequence)
        & (EVENTS.c.epoch == event.epoch)
        & (EVENTS.c.sequence == event.sequence)
    )
    columns = select(EVENTS.c.kind, EVENTS.c.at_ns, EVENTS.c.part_id, EVENTS.c.count)
    found = connection.execute(columns.where(where).order_by(EVENTS.c.row.desc()).limit(1)).first()
    if found is None:
        # Its segment is in the archive, or an earlier gap moved it: the ledger is past it either way.
        return True
    return tuple(found) == (event.kind.value, event.at_ns, event.part_id, event.count)


def _note_epoch(connection: Connection, event: LedgerEvent, row: int, wall_us: int) -> None:
    values = {"lane": event.lane, "epoch": event.epoch, "first_row": row, "started_us": wall_us}
    connection.execute(upsert(EPOCHS).on_conflict_do_nothing(), values)


def _load(connection: Connection, number: int) -> _Lane:
    head = connection.execute(select(HEADS).where(HEADS.c.lane == number)).first()
    if head is None:
        return _Lane(Summary(number), Tallying())
    key = (SEGMENTS.c.lane == number) & (SEGMENTS.c.number == head.segment)
    segment = Segment(**connection.execute(select(SEGMENTS).where(key)).one()._mapping)  # noqa: SLF001 - a public name
    return _Lane(load_summary(connection, number), load_tallying(connection, number), segment, head.row, head.hash)


def _write_head(connection: Connection, number: int, lane: _Lane) -> None:
    write_changes(connection, lane.summary)
    write_tallies(connection, number, lane.tallying)
    values = {
        "lane": number,
        "segment": lane.segment.number if lane.segment else 0,
        "row": lane.row,
        "epoch": lane.summary.epoch,
        "sequence": lane.summary.sequence,
        "hash": lane.hash,
    }
    connection.execute(_HEAD_UPSERT, values)


def _head_upsert() -> Any:
    statement = upsert(HEADS)
    names = ("segment", "row", "epoch", "sequence", "hash")
    return statement.on_conflict_do_update(
        index_elements=["lane"], set_={name: statement.excluded[name] for name in names}
    )


_HEAD_UPSERT = _head_upsert()
