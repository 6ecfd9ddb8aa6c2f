"""The ledger's tables. `events`, `segments` and `heads` are the record; the others are derived from it for reading."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TextClause,
    text,
)

METADATA = MetaData()


def _integer(name: str, *, key: bool = False, empty: bool = False) -> Column[int]:
    return Column(name, Integer, primary_key=key, nullable=empty, autoincrement=False)


def _text(name: str, *, key: bool = False, empty: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=empty)


def _hash(name: str, *, empty: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=empty)


EVENTS = Table(
    "events",
    METADATA,
    _integer("lane", key=True),
    _integer("row", key=True),
    _integer("epoch"),
    _integer("sequence"),
    _integer("at_ns"),
    _integer("wall_us"),
    _integer("part_id", empty=True),
    _integer("count"),
    _text("kind"),
    _text("data"),
    _hash("hash"),
    sqlite_with_rowid=False,
)

SEGMENTS = Table(
    "segments",
    METADATA,
    _integer("lane", key=True),
    _integer("number", key=True),
    _integer("first_row"),
    _hash("prior"),
    _integer("opened_us"),
    _integer("last_row", empty=True),
    _integer("rows", empty=True),
    _hash("head", empty=True),
    _integer("sealed_us", empty=True),
    _hash("seal", empty=True),
    Column("archive", Text, nullable=False, server_default=text("''")),
    sqlite_with_rowid=False,
)

HEADS = Table(
    "heads",
    METADATA,
    _integer("lane", key=True),
    _integer("segment"),
    _integer("row"),
    _integer("epoch"),
    _integer("sequence"),
    _hash("hash"),
    ForeignKeyConstraint(["lane", "segment"], ["segments.lane", "segments.number"]),
)

EPOCHS = Table(
    "epochs",
    METADATA,
    _integer("lane", key=True),
    _integer("epoch", key=True),
    _integer("first_row"),
    _integer("started_us"),
    sqlite_with_rowid=False,
)

PARTS = Table(
    "parts",
    METADATA,
    _integer("lane", key=True),
    _integer("epoch", key=True),
    _integer("part_id", key=True),
    _text("lot", empty=True),
    _text("serial", empty=True),
    _integer("trigger_us", empty=True),
    _integer("trigger_count", empty=True),
    _text("verdict", empty=True),
    _text("route", empty=True),
    _text("reasons", empty=True),
    _text("text", empty=True),
    _integer("is_flagged"),
    _integer("total_us", empty=True),
    _text("outcome", empty=True),
    _text("confirmation", empty=True),
    _text("destination", empty=True),
    _integer("settled_us", empty=True),
    _integer("first_row"),
    _integer("last_row"),
    sqlite_with_rowid=False,
)
Index("ix_parts_lot", PARTS.c.lot)
Index("ix_parts_serial", PARTS.c.serial, sqlite_where=text("serial IS NOT NULL"))
Index("ix_parts_open", PARTS.c.lane, PARTS.c.epoch, sqlite_where=text("outcome IS NULL"))

LOTS = Table(
    "lots",
    METADATA,
    _integer("lane", key=True),
    _text("lot", key=True),
    _integer("opened_us", empty=True),
    _integer("opened_row", empty=True),
    _integer("closed_us", empty=True),
    _integer("triggers"),
    _integer("passed"),
    _integer("rejected"),
    _integer("lost"),
    sqlite_with_rowid=False,
)

PICTURES = Table(
    "pictures",
    METADATA,
    Column("id", Integer, primary_key=True),
    _integer("lane"),
    _integer("epoch"),
    _integer("part_id"),
    _text("camera"),
    _integer("exposure"),
    _text("kind"),
    Column("file", Text, nullable=False, unique=True),
    _integer("bytes"),
    _text("sha256"),
    _integer("taken_us"),
    _integer("gone_us", empty=True),
    _text("gone_why", empty=True),
)
Index("ix_pictures_part", PICTURES.c.lane, PICTURES.c.epoch, PICTURES.c.part_id)
Index("ix_pictures_kept", PICTURES.c.kind, PICTURES.c.taken_us, sqlite_where=text("gone_us IS NULL"))

ROW_FIELDS = (
    EVENTS.c.row,
    EVENTS.c.epoch,
    EVENTS.c.sequence,
    EVENTS.c.at_ns,
    EVENTS.c.wall_us,
    EVENTS.c.part_id,
    EVENTS.c.count,
    EVENTS.c.kind,
    EVENTS.c.data,
    EVENTS.c.hash,
)
"""The columns of `events` in the order that `app.record.chain` reads them in."""


def is_open(lane: int) -> TextClause:
    """The condition for parts of a lane that were triggered and have no outcome.

    The plus signs keep SQLite from reading every part of the lane, or of every lot, instead of the index of open ones.
    """
    return text("+parts.lane = :lane AND parts.outcome IS NULL AND +parts.lot IS NOT NULL").bindparams(lane=lane)
