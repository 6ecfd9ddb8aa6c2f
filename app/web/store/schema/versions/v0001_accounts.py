"""People, sessions, tokens, failed attempts, and the audit trail that nobody can change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ONLY_NEXT = """
CREATE TRIGGER audit_keeps_order BEFORE INSERT ON audit
WHEN NEW.row IS NOT (SELECT coalesce(max(row), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
"""
"""Without it a REPLACE would change a row: SQLite fires no DELETE trigger for that."""

_FORBIDDEN = """
CREATE TRIGGER audit_keeps_{name} BEFORE {verb} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
"""


def upgrade() -> None:
    """Makes every table."""
    _create_people()
    _create_audit()


def _create_people() -> None:
    op.create_table(
        "people",
        *_texts("key", "name", "role"),
        sa.Column("pin", sa.Text, nullable=True),
        sa.Column("password", sa.Text, nullable=True),
        *_integers("made_us"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.LargeBinary, nullable=False),
        *_texts("person", "method", "address", "agent"),
        *_integers("made_us", "seen_us", "confirmed_us"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["person"], ["people.key"], ondelete="CASCADE"),
    )
    op.create_index("sessions_of_person", "sessions", ["person"])
    op.create_table(
        "tokens",
        *_texts("id", "name"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        *_texts("scopes", "made_by"),
        *_integers("made_us", "expires_us"),
        sa.Column("used_us", sa.Integer, nullable=True),
        sa.Column("revoked_us", sa.Integer, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "failures",
        sa.Column("key", sa.LargeBinary, nullable=False),
        *_texts("kind"),
        *_integers("failed", "last_us"),
        sa.PrimaryKeyConstraint("key"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        *_integers("row", "at_us"),
        *_texts("who", "what", "about", "before", "after", "reason"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("row"),
    )
    op.create_index("audit_by_who", "audit", ["who"])
    op.create_index("audit_by_what", "audit", ["what"])
    for verb in ("UPDATE", "DELETE"):
        op.execute(_FORBIDDEN.format(name=verb.lower(), verb=verb))
    op.execute(_ONLY_NEXT)
    op.create_table(
        "audit_head",
        *_integers("one", "row"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
