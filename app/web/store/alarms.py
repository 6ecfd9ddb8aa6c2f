"""The tables of the line's pages: alarms with what people did about them, and how many parts a lot shall have."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, text

from app.record.columns import integer
from app.record.columns import text as words
from app.web.store.tables import METADATA

ALARMS = Table(
    "alarms",
    METADATA,
    Column("number", Integer, primary_key=True),
    integer("lane"),
    words("key"),
    words("kind"),
    integer("priority"),
    words("text"),
    integer("is_first"),
    integer("times"),
    integer("raised_us"),
    integer("cleared_us", empty=True),
    integer("acked_us", empty=True),
    words("acked_by", empty=True),
)
"""One row per alarm. It is listed until it is both cleared and acknowledged; then it is history."""

LISTED = "cleared_us IS NULL OR acked_us IS NULL"
Index("alarms_listed", ALARMS.c.lane, sqlite_where=text(LISTED))
Index("alarms_raised", ALARMS.c.lane, ALARMS.c.raised_us)

PLANNED = Table(
    "planned_lots",
    METADATA,
    integer("lane", key=True),
    words("lot", key=True),
    integer("planned", empty=True),
    words("by"),
    integer("at_us"),
    sqlite_with_rowid=False,
)
"""How many parts a lot shall have, and who began it."""
