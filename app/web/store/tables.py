"""Where the tables of the pages' store are gathered."""

from __future__ import annotations

from sqlalchemy import MetaData

METADATA = MetaData()
