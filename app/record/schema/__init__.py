"""How the ledger's tables came to be: Alembic's environment and its steps, which `app.record.database` runs."""

HEAD = "0004"
"""The newest step. A ledger that stands there needs no migration."""
