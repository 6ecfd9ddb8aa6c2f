"""The store's file: its one writer within a process, its readers, its migration, and SQLite's complaints with a mend.

The web process and `takt users` write the same file: each transaction takes SQLite's write lock when it begins, so that
what is read in it still holds when it writes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.errors import RecordError
from app.record.database import migrate, reader_engine, writer_engine
from app.web.store import schema

FOLDER = "web"
FILE = "web.sqlite"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600

_MENDS = (
    ("disk is full", "the disk is full", "make room on it; the line does not wait for this file"),
    ("readonly", "it may not be written", "give this user leave to write the folder and the files in it"),
    ("unable to open", "it cannot be opened", "check that the folder exists and that this user may use it"),
    ("locked", "another process has locked it", "try again; if it stays so, end whatever else writes it"),
    ("malformed", "the file is damaged", "restore it from a copy, or move it away and set the people up again"),
    ("not a database", "it is no store of people", "move it away, or restore it from a copy"),
    ("disk I/O error", "the disk refuses to read or write", "check the disk, its room and the system's log"),
)


class Store:
    """What the pages write. Opened when it is first used, so that what needs no people is served without it.

    May be used by any thread. One writes at a time; readers wait for nobody.

    Args:
        folder: Where the file lies, as `state / FOLDER`. Made with mode 0700 when it is first used.

    Attributes:
        folder: The folder.
        path: The file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._order = threading.RLock()
        self._writer: Engine | None = None
        self._reader: Engine | None = None
        self._writing: Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; on the disk when it ends, undone when it raises.

        One within another, by the same thread, is part of it.

        Raises:
            RecordError: The file cannot be used.
        """
        with self._order:
            if self._writing is not None:
                yield self._writing
                return
            with complaints(self.path):
                writer = self._open()[0]
                with writer.begin() as connection:
                    self._writing = connection
                    try:
                        yield connection
                    finally:
                        self._writing = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that cannot write and sees one state of the file.

        Raises:
            RecordError: The file cannot be used.
        """
        with complaints(self.path), self._open()[1].begin() as connection:
            yield connection

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        with self._order:
            for engine in (self._writer, self._reader):
                if engine is not None:
                    engine.dispose()
            self._writer = self._reader = None

    def _open(self) -> tuple[Engine, Engine]:
        with self._order:
            if self._writer is None or self._reader is None:
                self.folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
                # SQLite gives the files beside this one its rights.
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE))
                _give_to_owner_of(self.folder.parent, self.folder, self.path)
                writer = writer_engine(self.path)
                try:
                    migrate(writer, self.path, schema)
                except BaseException:
                    writer.dispose()
                    raise
                self._writer, self._reader = writer, reader_engine(self.path)
            return self._writer, self._reader


@contextmanager
def complaints(path: Path) -> Iterator[None]:
    """Turns what SQLite and the system say of the file into a RecordError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise _explained(path, str(cause)) from error
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) not in (path, *path.parents):
            raise
        raise RecordError(
            f"{path} cannot be used: {error.strerror or error}", "check the folder, its owner and the disk"
        ) from error


def _give_to_owner_of(whose: Path, *made: Path) -> None:
    """What the administrator's shell has made belongs to whoever runs the station, who has to write it later."""
    if os.geteuid() == 0:
        owner = whose.stat()
        for path in made:
            os.chown(path, owner.st_uid, owner.st_gid)


def _explained(path: Path, said: str) -> RecordError:
    for hint, what, mend in _MENDS:
        if hint in said:
            return RecordError(f"{path}: {what} ({said})", mend)
    return RecordError(f"{path}: {said}", "restore the file from a copy")
