"""What pages, exports and a starting station read of the record. Cannot write, and never stops the recorder from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, select, tuple_

from app.record.database import ARCHIVE, FILE
from app.record.derived import load_summary
from app.record.open_files import OpenFiles
from app.record.summary import OpenLot, Summary, epoch_of, replay
from app.record.tables import EPOCHS, EVENTS, HEADS, LOTS, PARTS, PICTURES, SEGMENTS, TERMS, is_open
from app.record.told import Entry, LatencyFigures, LotRecord, PartRecord, PictureRecord, Story, TermsRecord
from app.record.walltime import moment
from app.types import EventKind, LedgerEvent, Opening, Tally

_SHARES = (50.0, 95.0, 99.0, 99.9)
_STREAM_ROWS = 2_000
_NEWEST = (PARTS.c.lane.desc(), PARTS.c.epoch.desc(), PARTS.c.part_id.desc())
"""All one way, so that an index read backwards gives this order."""


class Records:
    """The record of one box, for reading. A ledger that is not there yet reads as an empty one.

    Belongs to one thread at a time unless told otherwise by the pool: each call takes a connection and gives it back.

    Args:
        folder: The ledger's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._files = OpenFiles()

    def close(self) -> None:
        """Lets go of the files. Idempotent."""
        self._files.close()

    # Parts

    def recent(self, lane: int, most: int = 12, before: tuple[int, int] | None = None) -> list[PartRecord]:
        """The newest parts of a lane, newest first.

        Args:
            lane: The lane.
            most: How many at most.
            before: Only parts before this one, as (epoch, part), for the next page.

        Raises:
            RecordError: The ledger cannot be read; so do all calls below.
        """
        where = PARTS.c.lane == lane
        if before is not None:
            where &= tuple_(PARTS.c.epoch, PARTS.c.part_id) < before
        return self._parts(select(PARTS).where(where).order_by(*_NEWEST).limit(most))

    def part(self, part_id: int, epoch: int | None = None, lane: int | None = None) -> PartRecord | None:
        """One part; the one of the newest epoch that has this number where none is named."""
        with self._reading() as connection:
            if connection is None:
                return None
            for key_lane, key_epoch in self._epochs(connection, epoch, lane):
                key = (PARTS.c.lane == key_lane) & (PARTS.c.epoch == key_epoch) & (PARTS.c.part_id == part_id)
                found = connection.execute(select(PARTS).where(key)).first()
                if found is not None:
                    return _part(found)
        return None

    def parts_of_lot(self, lot: str, most: int = 100, lane: int | None = None) -> list[PartRecord]:
        """The newest parts of a lot, newest first."""
        where = PARTS.c.lot == lot
        if lane is not None:
            where &= PARTS.c.lane == lane
        return self._parts(select(PARTS).where(where).order_by(*_NEWEST).limit(most))

    def search(self, words: str, most: int = 50) -> list[PartRecord]:
        """Parts whose number, serial number or lot is what was typed, newest first."""
        words = words.strip()
        found = self._parts(select(PARTS).where(PARTS.c.serial == words).order_by(*_NEWEST).limit(most))
        found += [each for each in self.parts_of_lot(words, most) if each not in found]
        if words.isdecimal() and len(words) < 19:  # noqa: PLR2004 - digits of the largest number there can be
            numbered = self.part(int(words))
            found = ([numbered] if numbered else []) + [each for each in found if each != numbered]
        return found[:most]

    def parts(self, lane: int, lot: str | None = None) -> Iterator[PartRecord]:
        """Every part of a lane, oldest first; memory stays flat.

        Args:
            lane: The lane.
            lot: Only those of a lot.
        """
        where = PARTS.c.lane == lane
        if lot is not None:
            where &= PARTS.c.lot == lot
        last = (-1, -1)
        while True:
            query = select(PARTS).where(where & (tuple_(PARTS.c.epoch, PARTS.c.part_id) > last))
            found = self._parts(query.order_by(PARTS.c.epoch, PARTS.c.part_id).limit(_STREAM_ROWS))
            if not found:
                return
            yield from found
            last = (found[-1].epoch, found[-1].part_id)

    def story(self, part: PartRecord) -> Story:
        """Everything the record holds of a part: its events in order, its pictures, and under what it was judged."""
        with self._reading() as connection:
            if connection is None:
                return Story(part, (), (), {})
            entries = [each for each in self._entries(connection, part) if _is_about(each.event, part)]
            of_part = (
                (PICTURES.c.lane == part.lane) & (PICTURES.c.epoch == part.epoch) & (PICTURES.c.part_id == part.part_id)
            )
            pictures = [
                _picture(each)
                for each in connection.execute(select(PICTURES).where(of_part).order_by(PICTURES.c.exposure))
            ]
            started = self._started(connection, part.lane, part.epoch)
        terms = self.terms(part)
        if terms is not None and terms.recipe_sha256:  # it may have been changed since the start
            started = {**started, "recipe": terms.recipe, "recipe_sha256": terms.recipe_sha256}
        return Story(part, tuple(entries), tuple(pictures), started)

    def terms(self, part: PartRecord) -> TermsRecord | None:
        """What a part was judged under; `None` where no event said so."""
        key = (PARTS.c.lane == part.lane) & (PARTS.c.epoch == part.epoch) & (PARTS.c.part_id == part.part_id)
        held = (TERMS.c.lane == PARTS.c.lane) & (TERMS.c.row == PARTS.c.terms)
        with self._reading() as connection:
            query = select(TERMS).join(PARTS, held).where(key)
            found = None if connection is None else connection.execute(query).first()
        return None if found is None else _terms(found)

    def picture(self, number: int) -> PictureRecord | None:
        """A picture by its row in the register, deleted ones included."""
        with self._reading() as connection:
            query = select(PICTURES).where(PICTURES.c.id == number)
            found = None if connection is None else connection.execute(query).first()
        return None if found is None else _picture(found)

    def open_parts(self, lane: int) -> list[PartRecord]:
        """Parts of a lane without an outcome, oldest first."""
        return self._parts(select(PARTS).where(is_open(lane)).order_by(PARTS.c.epoch, PARTS.c.part_id))

    def latency(self, lane: int, most: int = 1000) -> LatencyFigures:
        """Frame in memory to verdict over the last parts of a lane that have that figure."""
        newest = select(PARTS.c.total_us).where((PARTS.c.lane == lane) & PARTS.c.total_us.is_not(None))
        newest = newest.order_by(*_NEWEST).limit(most)
        with self._reading() as connection:
            times_us = [] if connection is None else [each[0] for each in connection.execute(newest)]
        if not times_us:
            return LatencyFigures()
        p50, p95, p99, p999 = (float(each) / 1000 for each in np.percentile(np.asarray(times_us, np.float64), _SHARES))
        return LatencyFigures(len(times_us), p50, p95, p99, p999, max(times_us) / 1000)

    # Lots, lanes, events

    def lots(self, lane: int | None = None, most: int = 1000) -> list[LotRecord]:
        """The account of every lot, the one opened last first."""
        query = select(LOTS).order_by(LOTS.c.opened_row.desc().nulls_last()).limit(most)
        with self._reading() as connection:
            if connection is None:
                return []
            rows = connection.execute(query if lane is None else query.where(LOTS.c.lane == lane)).all()
        return [_lot(each) for each in rows]

    def lanes(self) -> list[int]:
        """The lanes that have a record."""
        with self._reading() as connection:
            return [] if connection is None else list(connection.scalars(select(HEADS.c.lane).order_by(HEADS.c.lane)))

    def last(self, lane: int) -> tuple[int, int]:
        """Epoch and sequence of a lane's last event; (0, -1) before the first."""
        with self._reading() as connection:
            query = select(HEADS.c.epoch, HEADS.c.sequence).where(HEADS.c.lane == lane)
            found = None if connection is None else connection.execute(query).first()
        return (found[0], found[1]) if found is not None else (0, -1)

    def entries(self, lane: int, after_row: int = 0, lot: str | None = None) -> Iterator[Entry]:
        """Every event of a lane in order, archived ones included; memory stays flat.

        Args:
            lane: The lane.
            after_row: Only what comes after this row.
            lot: Only events of the parts of a lot.
        """
        with self._reading() as connection:
            if connection is None:
                return
            head = select(HEADS.c.row).where(HEADS.c.lane == lane)
            last_row = connection.execute(head).scalar() or 0
        chosen: set[tuple[int, int]] = set()
        for entry in self._between(lane, after_row + 1, last_row):
            if lot is None or _belongs(entry.event, lot, chosen):
                yield entry

    def rows(self, lane: int) -> int:
        """How many events a lane has."""
        with self._reading() as connection:
            query = select(HEADS.c.row).where(HEADS.c.lane == lane)
            return 0 if connection is None else int(connection.execute(query).scalar() or 0)

    # What a starting station takes over

    def opening(
        self, lane: int, pending: Iterable[LedgerEvent] = (), farthest: Mapping[int, int] | None = None
    ) -> Opening:
        """What a station of this lane takes over that starts now.

        Args:
            lane: The lane.
            pending: Events that still wait in the ring; those that the ledger has as well count once.
            farthest: The farthest belt position that each epoch may have reached, as far as somebody knows; where the
                events tell of a farther one, that counts.
        """
        with self._reading() as connection:
            if connection is None:
                return replay(Summary(lane), pending).opening({}, farthest or {})
            summary = load_summary(connection, lane)
            columns = (LOTS.c.lot, LOTS.c.opened_row, LOTS.c.triggers, LOTS.c.passed, LOTS.c.rejected, LOTS.c.lost)
            query = select(*columns).where((LOTS.c.lane == lane) & LOTS.c.closed_us.is_(None))
            lots = {
                lot: OpenLot(Tally(*counts), -1 if row is None else row)
                for lot, row, *counts in connection.execute(query)
            }
        return replay(summary, pending).opening(lots, farthest or {})

    # How

    def _reading(self, path: Path | None = None) -> AbstractContextManager[Connection | None]:
        """A read at one instant; `None` before the first start."""
        if path is not None and path != self._path:
            return self._files.reading_if_made(path)
        return self._files.reading_if_made(self._path, "heads", "pictures")

    def _parts(self, query: Select[Any]) -> list[PartRecord]:
        with self._reading() as connection:
            return [] if connection is None else [_part(each) for each in connection.execute(query)]

    def _epochs(self, connection: Connection, epoch: int | None, lane: int | None) -> Sequence[tuple[int, int]]:
        query = select(EPOCHS.c.lane, EPOCHS.c.epoch).order_by(EPOCHS.c.started_us.desc(), EPOCHS.c.epoch.desc())
        if epoch is not None:
            query = query.where(EPOCHS.c.epoch == epoch)
        if lane is not None:
            query = query.where(EPOCHS.c.lane == lane)
        return [(each[0], each[1]) for each in connection.execute(query)]

    def _started(self, connection: Connection, lane: int, epoch: int) -> Mapping[str, Any]:
        """What the station said of itself when it started that epoch."""
        query = select(EPOCHS.c.first_row).where((EPOCHS.c.lane == lane) & (EPOCHS.c.epoch == epoch))
        row = connection.execute(query).scalar()
        if row is None:
            return {}
        for entry in self._between(lane, row, row):
            if entry.event.kind is EventKind.STARTED:
                return entry.event.data
        return {}

    def _entries(self, connection: Connection, part: PartRecord) -> Iterator[Entry]:
        """All events from a part's first to its last: in order, with those of its neighbours."""
        key = (PARTS.c.lane == part.lane) & (PARTS.c.epoch == part.epoch) & (PARTS.c.part_id == part.part_id)
        span = connection.execute(select(PARTS.c.first_row, PARTS.c.last_row).where(key)).first()
        if span is not None:
            yield from self._between(part.lane, span[0], span[1])

    def _between(self, lane: int, first_row: int, last_row: int) -> Iterator[Entry]:
        row = first_row
        while row <= last_row:
            path = self._place_of(lane, row)
            with self._reading(path) as connection:
                within = (EVENTS.c.lane == lane) & (EVENTS.c.row >= row) & (EVENTS.c.row <= last_row)
                query = select(EVENTS).where(within).order_by(EVENTS.c.row).limit(_STREAM_ROWS)
                found = [] if connection is None else [Entry.of(each) for each in connection.execute(query)]
            if not found and self._place_of(lane, row) == path:
                return
            yield from found
            row = found[-1].row + 1 if found else row

    def _place_of(self, lane: int, row: int) -> Path:
        """The file that holds a row."""
        within = (SEGMENTS.c.lane == lane) & (SEGMENTS.c.first_row <= row) & (SEGMENTS.c.last_row >= row)
        with self._reading() as connection:
            query = select(SEGMENTS.c.archive).where(within)
            name = "" if connection is None else str(connection.execute(query).scalar() or "")
        return self._folder / ARCHIVE / Path(name).name if name else self._path


def _is_about(event: LedgerEvent, part: PartRecord) -> bool:
    return event.part_id == part.part_id and epoch_of(event.epoch, event.data) == part.epoch


def _belongs(event: LedgerEvent, lot: str, chosen: set[tuple[int, int]]) -> bool:
    """Whether an event is about a part of the lot; parts are in `chosen` from trigger to outcome."""
    if event.part_id is None:
        return event.data.get("lot") == lot
    key = (epoch_of(event.epoch, event.data), event.part_id)
    if event.kind is EventKind.TRIGGER and event.data.get("lot") == lot:
        chosen.add(key)
    return key in chosen


def _part(row: Row[Any]) -> PartRecord:
    return PartRecord(
        lane=row.lane,
        epoch=row.epoch,
        part_id=row.part_id,
        lot=row.lot or "",
        serial=row.serial,
        triggered=None if row.trigger_us is None else moment(row.trigger_us),
        settled=None if row.settled_us is None else moment(row.settled_us),
        verdict=row.verdict,
        route=row.route,
        reasons=tuple((row.reasons or "").split()),
        text=row.text or "",
        is_flagged=bool(row.is_flagged),
        total_ms=None if row.total_us is None else row.total_us / 1000,
        outcome=row.outcome,
        confirmation=row.confirmation,
        destination=row.destination,
    )


def _picture(row: Row[Any]) -> PictureRecord:
    return PictureRecord(
        camera=row.camera,
        exposure=row.exposure,
        kind=row.kind,
        file=row.file,
        size=row.bytes,
        sha256=row.sha256,
        gone=None if row.gone_us is None else moment(row.gone_us),
        gone_why=row.gone_why or "",
        number=row.id,
    )


def _terms(row: Row[Any]) -> TermsRecord:
    texts = (row.package, row.package_sha256, row.recipe, row.recipe_sha256, row.line_sha256, row.runtime, row.version)
    return TermsRecord(moment(row.since_us), *(each or "" for each in texts))


def _lot(row: Row[Any]) -> LotRecord:
    in_flight = row.triggers - row.passed - row.rejected - row.lost
    return LotRecord(
        lane=row.lane,
        lot=row.lot,
        opened=None if row.opened_us is None else moment(row.opened_us),
        closed=None if row.closed_us is None else moment(row.closed_us),
        tally=Tally(row.triggers, row.passed, row.rejected, row.lost, in_flight),
    )
