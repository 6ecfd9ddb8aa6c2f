"""What tables are made of, in the ledger and in the pages' store."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, Text


def integer(name: str, *, key: bool = False, empty: bool = False) -> Column[int]:
    """A whole number; names that end in `_us` are microseconds since 1970 UTC."""
    return Column(name, Integer, primary_key=key, nullable=empty, autoincrement=False)


def text(name: str, *, key: bool = False, empty: bool = False) -> Column[str]:
    """A text."""
    return Column(name, Text, primary_key=key, nullable=empty)


def blob(name: str, *, key: bool = False, empty: bool = False) -> Column[bytes]:
    """Bytes, such as a hash."""
    return Column(name, LargeBinary, primary_key=key, nullable=empty)
