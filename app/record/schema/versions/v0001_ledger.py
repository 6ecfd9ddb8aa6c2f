"""The first ledger: events in a hash chain, segments, and the tables derived for reading."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table and index."""
    _create_record()
    _create_derived()
    _create_pictures()


def _create_record() -> None:
    op.create_table(
        "events",
        *_integers("lane", "row", "epoch", "sequence", "at_ns", "wall_us"),
        *_integers("part_id", is_nullable=True),
        *_integers("count"),
        *_texts("kind", "data"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("lane", "row"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segments",
        *_integers("lane", "number", "first_row"),
        sa.Column("prior", sa.LargeBinary, nullable=False),
        *_integers("opened_us"),
        *_integers("last_row", "rows", is_nullable=True),
        sa.Column("head", sa.LargeBinary, nullable=True),
        *_integers("sealed_us", is_nullable=True),
        sa.Column("seal", sa.LargeBinary, nullable=True),
        sa.Column("archive", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("lane", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heads",
        *_integers("lane", "segment", "row", "epoch", "sequence"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("lane"),
        sa.ForeignKeyConstraint(["lane", "segment"], ["segments.lane", "segments.number"]),
    )


def _create_derived() -> None:
    op.create_table(
        "epochs",
        *_integers("lane", "epoch", "first_row", "started_us"),
        sa.PrimaryKeyConstraint("lane", "epoch"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parts",
        *_integers("lane", "epoch", "part_id"),
        *_texts("lot", "serial", is_nullable=True),
        *_integers("trigger_us", "trigger_count", is_nullable=True),
        *_texts("verdict", "route", "reasons", "text", is_nullable=True),
        *_integers("is_flagged"),
        *_integers("total_us", is_nullable=True),
        *_texts("outcome", "confirmation", "destination", is_nullable=True),
        *_integers("settled_us", is_nullable=True),
        *_integers("first_row", "last_row"),
        sa.PrimaryKeyConstraint("lane", "epoch", "part_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parts_lot", "parts", ["lot"])
    op.create_index("ix_parts_serial", "parts", ["serial"], sqlite_where=sa.text("serial IS NOT NULL"))
    op.create_index("ix_parts_open", "parts", ["lane", "epoch"], sqlite_where=sa.text("outcome IS NULL"))
    op.create_table(
        "lots",
        *_integers("lane"),
        *_texts("lot"),
        *_integers("opened_us", "opened_row", "closed_us", is_nullable=True),
        *_integers("triggers", "passed", "rejected", "lost"),
        sa.PrimaryKeyConstraint("lane", "lot"),
        sqlite_with_rowid=False,
    )


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("id", sa.Integer, primary_key=True),
        *_integers("lane", "epoch", "part_id"),
        *_texts("camera"),
        *_integers("exposure"),
        *_texts("kind"),
        sa.Column("file", sa.Text, nullable=False, unique=True),
        *_integers("bytes"),
        *_texts("sha256"),
        *_integers("taken_us"),
        *_integers("gone_us", is_nullable=True),
        *_texts("gone_why", is_nullable=True),
    )
    op.create_index("ix_pictures_part", "pictures", ["lane", "epoch", "part_id"])
    op.create_index("ix_pictures_kept", "pictures", ["kind", "taken_us"], sqlite_where=sa.text("gone_us IS NULL"))


def _integers(*names: str, is_nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=is_nullable, autoincrement=False) for name in names]


def _texts(*names: str, is_nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=is_nullable) for name in names]
