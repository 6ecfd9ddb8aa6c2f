"""The ledger's tables. `events`, `segments` and `heads` are the record; the others are derived from it for reading."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
    text,
)

from app.record.columns import blob, integer
from app.record.columns import text as words

METADATA = MetaData()

EVENTS = Table(
    "events",
    METADATA,
    integer("lane", key=True),
    integer("row", key=True),
    integer("epoch"),
    integer("sequence"),
    integer("at_ns"),
    integer("wall_us"),
    integer("part_id", empty=True),
    integer("count"),
    words("kind"),
    words("data"),
    blob("hash"),
    sqlite_with_rowid=False,
)

RARE = "kind IN ('ALARM', 'CHALLENGE', 'LATCHED', 'LOT_CLOSED', 'LOT_OPENED', 'RECIPE', 'RESET', 'STARTED')"
"""The condition of the index of rare events; a query must have it word for word."""
RARE_INDEX = "ix_events_rare"
Index(RARE_INDEX, EVENTS.c.lane, EVENTS.c.row, sqlite_where=text(RARE))

SEGMENTS = Table(
    "segments",
    METADATA,
    integer("lane", key=True),
    integer("number", key=True),
    integer("first_row"),
    blob("prior"),
    integer("opened_us"),
    integer("last_row", empty=True),
    integer("rows", empty=True),
    blob("head", empty=True),
    integer("sealed_us", empty=True),
    blob("seal", empty=True),
    Column("archive", Text, nullable=False, server_default=text("''")),
    sqlite_with_rowid=False,
)

HEADS = Table(
    "heads",
    METADATA,
    integer("lane", key=True),
    integer("segment"),
    integer("row"),
    integer("epoch"),
    integer("sequence"),
    blob("hash"),
    ForeignKeyConstraint(["lane", "segment"], ["segments.lane", "segments.number"]),
)

EPOCHS = Table(
    "epochs",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("first_row"),
    integer("started_us"),
    sqlite_with_rowid=False,
)

PARTS = Table(
    "parts",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    words("lot", empty=True),
    words("serial", empty=True),
    integer("trigger_us", empty=True),
    integer("trigger_count", empty=True),
    words("verdict", empty=True),
    words("route", empty=True),
    words("reasons", empty=True),
    words("text", empty=True),
    integer("is_flagged"),
    integer("total_us", empty=True),
    words("outcome", empty=True),
    words("confirmation", empty=True),
    words("destination", empty=True),
    integer("settled_us", empty=True),
    integer("first_row"),
    integer("last_row"),
    integer("terms", empty=True),
    sqlite_with_rowid=False,
)
Index("ix_parts_lot", PARTS.c.lot)
Index("ix_parts_serial", PARTS.c.serial, sqlite_where=text("serial IS NOT NULL"))
Index("ix_parts_open", PARTS.c.lane, PARTS.c.epoch, sqlite_where=text("outcome IS NULL"))

TERMS = Table(
    "terms",
    METADATA,
    integer("lane", key=True),
    integer("row", key=True),
    integer("epoch"),
    integer("since_us"),
    words("package", empty=True),
    words("package_sha256", empty=True),
    words("recipe", empty=True),
    words("recipe_sha256", empty=True),
    words("line_sha256", empty=True),
    words("runtime", empty=True),
    words("version", empty=True),
    sqlite_with_rowid=False,
)
"""Under what parts are judged: one row per event that says so, which `parts.terms` names."""

FOUND = Table(
    "found",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    words("label", key=True),
    Column("score", REAL, nullable=False),
    sqlite_with_rowid=False,
)
"""The highest score of each class on each part, whatever the thresholds were."""

QUEUE = Table(
    "queue",
    METADATA,
    integer("at_us", key=True),
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    words("why"),
    words("reasons"),
    words("lot"),
    integer("terms", empty=True),
    words("labels"),
    Column("top_score", REAL, nullable=True),
    sqlite_with_rowid=False,
)
"""The parts that a person may have to look at, in the order of their triggers: narrow, so that it is quick."""

LOTS = Table(
    "lots",
    METADATA,
    integer("lane", key=True),
    words("lot", key=True),
    integer("opened_us", empty=True),
    integer("opened_row", empty=True),
    integer("closed_us", empty=True),
    integer("triggers"),
    integer("passed"),
    integer("rejected"),
    integer("lost"),
    sqlite_with_rowid=False,
)

PICTURES = Table(
    "pictures",
    METADATA,
    Column("id", Integer, primary_key=True),
    integer("lane"),
    integer("epoch"),
    integer("part_id"),
    words("camera"),
    integer("exposure"),
    words("kind"),
    Column("file", Text, nullable=False, unique=True),
    integer("bytes"),
    words("sha256"),
    integer("taken_us"),
    integer("gone_us", empty=True),
    words("gone_why", empty=True),
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
