"""The queue of parts to look at, read from the ledger beside the labels: a page at a time, newest first.

Both files are read through one connection, the labels' attached, so that a filter by label costs one query as well.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    create_engine,
    event,
    func,
    select,
    tuple_,
)
from sqlalchemy.pool import QueuePool

from app.record.database import FILE, complaints, connect_reader
from app.record.keys import PartKey, in_groups
from app.record.tables import FOUND, PARTS, PICTURES, QUEUE, TERMS
from app.web.review.answers import FoundAnswer, QueueRow, RowLabel, RowOpinion
from app.web.review.conditions import (
    NEWEST,
    OLDEST,
    OWN,
    OWN_LABELS,
    OWN_MODELS,
    OWN_OPINIONS,
    PLACE,
    chosen_from,
)
from app.web.review.filters import Cursor, QueueFilter, cursor_text
from app.web.store.database import Store

MOST_COUNTED = 20_000
_MOST_CHOICES = 200
_RECENT = 2_000
_POOL = 4
_OPINIONS = (
    select(
        *(OWN_OPINIONS.c[name] for name in ("lane", "epoch", "part_id", "would", "label", "score")),
        *(OWN_MODELS.c[name] for name in ("package", "version", "variant", "sha256")),
    )
    .join(OWN_MODELS, OWN_MODELS.c.number == OWN_OPINIONS.c.model)
    .where(OWN_OPINIONS.c.said != OWN_OPINIONS.c.would)
    .order_by(OWN_MODELS.c.asked_us.desc())
)


class Queue:
    """The queue of one box, for reading. Any thread may use it.

    Args:
        folder: The ledger's folder.
        store: Where the labels are.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        self._path = folder / FILE
        self._store = store
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Lets go of the files. Idempotent."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def page(self, chosen: QueueFilter, after: Cursor | None, limit: int) -> tuple[list[QueueRow], str | None]:
        """A page, newest first.

        Args:
            chosen: Which parts.
            after: Where the page before this one ended; `None`: from the newest.
            limit: At most so many.

        Returns:
            The parts, and where this page ends; `None` where it is the last.

        Raises:
            RecordError: Ledger or labels cannot be read; so do all calls below.
        """
        query = chosen_from(select(QUEUE), chosen).order_by(*NEWEST).limit(limit + 1)
        if after is not None:
            query = query.where(tuple_(*PLACE) < after)
        with self._reading() as connection:
            if connection is None:
                return [], None
            found = connection.execute(query).all()
            rows = _rows(connection, found[:limit])
        return rows, cursor_text(_cursor(found[limit - 1])) if len(found) > limit else None

    def count(self, chosen: QueueFilter) -> int:
        """How many parts there are, counted up to MOST_COUNTED."""
        some = chosen_from(select(QUEUE.c.part_id), chosen).limit(MOST_COUNTED).subquery()
        with self._reading() as connection:
            return (
                0
                if connection is None
                else int(connection.execute(select(func.count()).select_from(some)).scalar_one())
            )

    def neighbours(self, chosen: QueueFilter, key: PartKey) -> tuple[PartKey | None, PartKey | None]:
        """The parts of the queue right after and right before one, by time: the newer and the older."""
        with self._reading() as connection:
            if connection is None:
                return None, None
            at_us = connection.execute(select(PARTS.c.trigger_us).where(_is_part(key))).scalar()
            if at_us is None:
                return None, None
            here, query = (at_us, *key), chosen_from(select(QUEUE), chosen).limit(1)
            newer = connection.execute(query.where(tuple_(*PLACE) > here).order_by(*OLDEST)).first()
            older = connection.execute(query.where(tuple_(*PLACE) < here).order_by(*NEWEST)).first()
        return newer and _cursor(newer)[1:], older and _cursor(older)[1:]

    def choices(self) -> dict[str, list[str]]:
        """What there is to choose from: `recipe`, `package`, `lot` and `class`, the last two of the newest parts."""
        with self._reading() as connection:
            if connection is None:
                return {name: [] for name in ("recipe", "package", "lot", "class")}
            newest = select(QUEUE.c.lot, QUEUE.c.labels).order_by(*NEWEST).limit(_RECENT)
            rows = connection.execute(newest).all()
            recipes, packages = (_distinct(connection, column) for column in (TERMS.c.recipe, TERMS.c.package))
        classes = sorted({label for row in rows for label in row.labels.split("\n") if label})
        lots = list(dict.fromkeys(row.lot for row in rows if row.lot))
        known = {"recipe": recipes, "package": packages, "lot": lots, "class": classes}
        return {name: values[:_MOST_CHOICES] for name, values in known.items()}

    # How

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """A read at one instant; `None` where the recorder has made no queue yet."""
        if not self._path.exists():
            yield None
            return
        with complaints(self._path), self._open().begin() as connection:
            known = "SELECT count(*) FROM main.sqlite_master WHERE name = 'queue'"
            yield connection if connection.exec_driver_sql(known).scalar() else None

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                with self._store.reading():
                    # Makes the file where nobody has used it yet.
                    pass
                engine = create_engine(
                    "sqlite+pysqlite://", creator=self._connect, poolclass=QueuePool, pool_size=_POOL
                )
                event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
                self._engine = engine
            return self._engine

    def _connect(self) -> sqlite3.Connection:
        connection = connect_reader(self._path)
        try:
            address = f"file:{quote(str(self._store.path.absolute()))}?mode=ro"
            connection.execute(f"ATTACH ? AS {OWN}", (address,))
        except BaseException:
            connection.close()
            raise
        return connection


def _distinct(connection: Connection, column: ColumnElement[Any]) -> list[str]:
    return list(connection.scalars(select(column).where(column.is_not(None), column != "").distinct().order_by(column)))


def _is_part(key: PartKey) -> ColumnElement[bool]:
    return and_(PARTS.c.lane == key[0], PARTS.c.epoch == key[1], PARTS.c.part_id == key[2])


def _cursor(row: Row[Any]) -> Cursor:
    return row.at_us, row.lane, row.epoch, row.part_id


def _rows(connection: Connection, found: Sequence[Row[Any]]) -> list[QueueRow]:
    keys = [_cursor(row)[1:] for row in found]
    if not keys:
        return []
    parts = _by_part(connection, select(PARTS), PARTS.c, keys)
    scores = _by_part(connection, select(FOUND).order_by(FOUND.c.score.desc()), FOUND.c, keys)
    pictures = _by_part(connection, select(PICTURES).order_by(PICTURES.c.exposure), PICTURES.c, keys)
    labels = _by_part(connection, select(OWN_LABELS), OWN_LABELS.c, keys)
    opinions = _by_part(connection, _OPINIONS, OWN_OPINIONS.c, keys)
    terms = {(each.lane, each.row): each for each in connection.execute(_terms_of(found))}
    return [
        _row(
            row,
            next(iter(parts.get(key, ())), None),
            terms.get((row.lane, row.terms)),
            scores.get(key, []),
            pictures.get(key, []),
            next(iter(labels.get(key, ())), None),
            opinions.get(key, []),
        )
        for row, key in zip(found, keys, strict=True)
    ]


def _terms_of(found: Sequence[Row[Any]]) -> Select[Any]:
    wanted = {(row.lane, row.terms) for row in found if row.terms is not None}
    return select(TERMS).where(tuple_(TERMS.c.lane, TERMS.c.row).in_(wanted))


def _by_part(
    connection: Connection, query: Select[Any], columns: Any, keys: Sequence[PartKey]
) -> dict[PartKey, list[Row[Any]]]:
    rows: dict[PartKey, list[Row[Any]]] = {}
    for of_parts in in_groups(columns, keys):
        for row in connection.execute(query.where(of_parts)):
            rows.setdefault((row.lane, row.epoch, row.part_id), []).append(row)
    return rows


def _row(
    row: Row[Any],
    part: Row[Any] | None,
    terms: Row[Any] | None,
    scores: Sequence[Row[Any]],
    pictures: Sequence[Row[Any]],
    label: Row[Any] | None,
    opinions: Sequence[Row[Any]],
) -> QueueRow:
    kept = next((each for each in pictures if each.gone_us is None), None)
    return QueueRow(
        key=f"{row.lane}-{row.epoch}-{row.part_id}",
        lane=row.lane,
        epoch=row.epoch,
        part=row.part_id,
        at_us=row.at_us,
        why=row.why,
        route=(part and part.route) or "",
        reasons=row.reasons.split(),
        lot=row.lot,
        serial=part.serial if part else None,
        recipe=(terms and terms.recipe) or "",
        package=(terms and terms.package) or "",
        found=[FoundAnswer(label=each.label, score=each.score) for each in scores],
        outcome=part.outcome if part else None,
        label=_row_label(label),
        version=label.version if label else 0,
        differs=[_row_opinion(each) for each in opinions],
        picture="kept" if kept else "gone" if pictures else "none",
        thumb=f"/api/v1/pictures/{kept.id}/thumb" if kept else None,
    )


def _row_opinion(row: Row[Any]) -> RowOpinion:
    return RowOpinion(**{name: getattr(row, name) for name in RowOpinion.model_fields})


def _row_label(label: Row[Any] | None) -> RowLabel | None:
    if label is None or not label.kind:
        return None
    agrees = None if label.agrees is None else bool(label.agrees)
    return RowLabel.model_validate({"kind": label.kind, "class": label.class_name, "by": label.by, "agrees": agrees})
