"""Labels of parts, with their history, and saved filters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KEY = ("lane", "epoch", "part_id")


def upgrade() -> None:
    """Makes the tables and their index."""
    op.create_table(
        "label_changes",
        *_integers(*_KEY, "version"),
        *_texts("by"),
        *_integers("at_us"),
        *_texts("kind", "class_name"),
        sa.Column("boxes", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint(*_KEY, "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "labelled",
        *_integers(*_KEY),
        *_texts("kind", "class_name"),
        sa.Column("boxes", sa.Text, nullable=True),
        *_texts("by"),
        *_integers("at_us", "version"),
        sa.Column("agrees", sa.Integer, nullable=True),
        sa.PrimaryKeyConstraint(*_KEY),
        sqlite_with_rowid=False,
    )
    op.create_index("labelled_by_kind", "labelled", ["kind", "at_us"])
    op.create_table(
        "filters",
        *_texts("person", "name", "query"),
        *_integers("made_us"),
        sa.PrimaryKeyConstraint("person", "name"),
        sqlite_with_rowid=False,
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
