"""Alarms of the line, and how many parts a lot shall have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the tables and their indexes."""
    op.create_table(
        "alarms",
        sa.Column("number", sa.Integer, primary_key=True),
        *_integers("lane"),
        *_texts("key", "kind"),
        *_integers("priority"),
        *_texts("text"),
        *_integers("is_first", "times", "raised_us"),
        sa.Column("cleared_us", sa.Integer, nullable=True),
        sa.Column("acked_us", sa.Integer, nullable=True),
        sa.Column("acked_by", sa.Text, nullable=True),
    )
    op.create_index("alarms_listed", "alarms", ["lane"], sqlite_where=sa.text("cleared_us IS NULL OR acked_us IS NULL"))
    op.create_index("alarms_raised", "alarms", ["lane", "raised_us"])
    op.create_table(
        "planned_lots",
        *_integers("lane"),
        *_texts("lot"),
        sa.Column("planned", sa.Integer, nullable=True),
        *_texts("by"),
        *_integers("at_us"),
        sa.PrimaryKeyConstraint("lane", "lot"),
        sqlite_with_rowid=False,
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
