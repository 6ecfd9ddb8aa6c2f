"""The tables of second opinions: what other models than the line's would have said of parts whose pictures are kept."""

from __future__ import annotations

from sqlalchemy import REAL, Column, ForeignKey, Index, Integer, Table, Text

from app.record.columns import integer, text
from app.web.store.tables import METADATA

OPINION_MODELS = Table(
    "opinion_models",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),
    text("package"),
    text("version"),
    text("variant"),
    text("runtime"),
    integer("asked_us"),
)
"""The models that were asked, each by the hash of its file."""

OPINIONS = Table(
    "opinions",
    METADATA,
    integer("lane", key=True),
    integer("epoch", key=True),
    integer("part_id", key=True),
    integer("model", key=True),
    text("lot"),
    text("said"),
    text("would"),
    text("label"),
    Column("score", REAL, nullable=True),
    text("boxes"),
    integer("took_us"),
    integer("at_us"),
    sqlite_with_rowid=False,
)
"""A row per part and model: where the line's model sent the part (`said`), and where this one would have (`would`)."""
OPINIONS.c.model.append_foreign_key(ForeignKey(OPINION_MODELS.c.number, ondelete="CASCADE"))
Index("opinions_by_model", OPINIONS.c.model, OPINIONS.c.lane, OPINIONS.c.lot)
