"""The tables of reviews: what each reviewer said of a part, and what stands; filters that people have saved."""

from __future__ import annotations

from sqlalchemy import Index, Table

from app.record.columns import integer, text
from app.web.store.tables import METADATA

LABEL_CHANGES = Table(
    "label_changes",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    integer("version", key=True),
    text("by"),
    integer("at_us"),
    text("kind"),
    text("class_name"),
    text("boxes", empty=True),
    sqlite_with_rowid=False,
)
"""Append-only: what was said of a part, change by change. The version counts them; an empty kind takes a label back."""

LABELLED = Table(
    "labelled",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    text("kind"),
    text("class_name"),
    text("boxes", empty=True),
    text("by"),
    integer("at_us"),
    integer("version"),
    integer("agrees", empty=True),
    sqlite_with_rowid=False,
)
"""What stands of each part: the newest label that was not taken back. An empty kind: there is none any more."""
Index("labelled_by_kind", LABELLED.c.kind, LABELLED.c.at_us)

FILTERS = Table(
    "filters",
    METADATA,
    text("person", key=True),
    text("name", key=True),
    text("query"),
    integer("made_us"),
    sqlite_with_rowid=False,
)
"""Filters of the queue under the names that people gave them."""
