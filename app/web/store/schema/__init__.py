"""How the store's tables came to be: Alembic's environment and its steps, which `app.web.store.database` runs."""

HEAD = "0004"
"""The newest step. A store that stands there needs no migration."""
