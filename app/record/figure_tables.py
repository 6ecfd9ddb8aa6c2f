"""The tables that charts are drawn from: what `app.record.tallying` counts. Derived from the events, like `parts`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Table

from app.record.columns import integer, text
from app.record.tables import METADATA


def _slice() -> tuple[Column[Any], ...]:
    """What each figure is counted by; columns belong to one table, so each gets its own."""
    return integer("lane", key=True), integer("stretch_us", key=True), integer("terms", key=True), text("lot", key=True)


TALLIES = Table(
    "tallies",
    METADATA,
    *_slice(),
    integer("triggers"),
    integer("passed"),
    integer("rejected"),
    integer("lost"),
    integer("flagged"),
    sqlite_with_rowid=False,
)
Index("ix_tallies_lot", TALLIES.c.lot)

CAUSES = Table(
    "causes",
    METADATA,
    *_slice(),
    text("cause", key=True),
    integer("parts"),
    sqlite_with_rowid=False,
)
Index("ix_causes_lot", CAUSES.c.lot)

LATENCIES = Table(
    "latencies",
    METADATA,
    *_slice(),
    integer("bin", key=True),
    integer("parts"),
    sqlite_with_rowid=False,
)
Index("ix_latencies_lot", LATENCIES.c.lot)
