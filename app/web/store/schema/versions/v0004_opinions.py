"""What other models would have said of parts, and which models were asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = ("lane", "epoch", "part_id", "model")


def upgrade() -> None:
    """Makes the tables and their index."""
    op.create_table(
        "opinion_models",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        *_texts("package", "version", "variant", "runtime"),
        *_integers("asked_us"),
    )
    op.create_table(
        "opinions",
        *_integers(*_KEY),
        *_texts("lot", "said", "would", "label"),
        sa.Column("score", sa.REAL, nullable=True),
        *_texts("boxes"),
        *_integers("took_us", "at_us"),
        sa.PrimaryKeyConstraint(*_KEY),
        sa.ForeignKeyConstraint(["model"], ["opinion_models.number"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("opinions_by_model", "opinions", ["model", "lane", "lot"])


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, autoincrement=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
