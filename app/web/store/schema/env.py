"""Alembic runs this file for each migration; the connection comes from `app.web.store.database`."""

from __future__ import annotations

from alembic import context

from app.web.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
