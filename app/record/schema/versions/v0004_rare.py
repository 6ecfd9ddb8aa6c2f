"""An index of what happens rarely and is looked for by itself: stops, resets, lots, challenge tests, recipes."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_KINDS = "kind IN ('ALARM', 'CHALLENGE', 'LATCHED', 'LOT_CLOSED', 'LOT_OPENED', 'RECIPE', 'RESET', 'STARTED')"


def upgrade() -> None:
    """Makes the index."""
    op.execute(f"CREATE INDEX ix_events_rare ON events (lane, row) WHERE {_KINDS}")
