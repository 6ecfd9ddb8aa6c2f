"""The tables of people, their sessions, machines' tokens, failed attempts, and the audit trail."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Table

from app.record.columns import blob, integer, text
from app.web.store.tables import METADATA

PEOPLE = Table(
    "people",
    METADATA,
    text("key", key=True),
    text("name"),
    text("role"),
    text("pin", empty=True),
    text("password", empty=True),
    integer("made_us"),
)
"""`key` is the name without regard to capitals; `pin` and `password` are Argon2 hashes."""

SESSIONS = Table(
    "sessions",
    METADATA,
    blob("id", key=True),
    text("person"),
    text("method"),
    text("address"),
    text("agent"),
    integer("made_us"),
    integer("seen_us"),
    integer("confirmed_us"),
)
"""`id` is the hash of what the browser holds; `person` is the key of one."""
SESSIONS.c.person.append_foreign_key(ForeignKey(PEOPLE.c.key, ondelete="CASCADE"))

TOKENS = Table(
    "tokens",
    METADATA,
    text("id", key=True),
    text("name"),
    blob("hash"),
    text("scopes"),
    text("made_by"),
    integer("made_us"),
    integer("expires_us"),
    integer("used_us", empty=True),
    integer("revoked_us", empty=True),
)

FAILURES = Table(
    "failures",
    METADATA,
    blob("key", key=True),
    text("kind"),
    integer("failed"),
    integer("last_us"),
)
"""`key` is a hash: what somebody typed as a name may be a password."""

AUDIT = Table(
    "audit",
    METADATA,
    integer("row", key=True),
    integer("at_us"),
    text("who"),
    text("what"),
    text("about"),
    text("before"),
    text("after"),
    text("reason"),
    blob("hash"),
)
"""Append-only: triggers refuse every change. `before` and `after` are JSON."""

AUDIT_HEAD = Table("audit_head", METADATA, integer("one", key=True), integer("row"), blob("hash"))
"""The one row that says how far the trail goes."""
