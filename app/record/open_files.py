"""Files of a ledger that are opened when somebody first reads them, and stay open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from app.record.database import complaints, has_tables, reader_engine


class OpenFiles:
    """Connections that cannot write, to any number of files; several threads may read at once."""

    def __init__(self) -> None:
        self._engines: dict[Path, Engine] = {}

    def close(self) -> None:
        """Lets go of the files. Idempotent; what is read afterwards is opened again."""
        engines, self._engines = self._engines, {}
        for each in engines.values():
            each.dispose()

    @contextmanager
    def reading(self, path: Path) -> Iterator[Connection]:
        """A read at one instant.

        Args:
            path: The file.

        Raises:
            RecordError: It is not there or cannot be read.
        """
        with complaints(path):
            # Two threads that come first at once make two, and one of these is used.
            engine = self._engines.get(path) or self._engines.setdefault(path, reader_engine(path))
            with engine.begin() as connection:
                yield connection

    @contextmanager
    def reading_if_made(self, path: Path, *names: str) -> Iterator[Connection | None]:
        """A read at one instant; `None` where the recorder has not made the file yet, or not all that is named.

        Args:
            path: The file.
            *names: Tables and indexes.

        Raises:
            RecordError: It is there and cannot be read.
        """
        if not path.exists():
            yield None
            return
        with self.reading(path) as connection:
            yield connection if has_tables(connection, *names) else None
