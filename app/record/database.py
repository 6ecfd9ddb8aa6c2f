"""The ledger's file: connections, migration, and SQLite's complaints as errors with a mend."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, StaticPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from app.errors import RecordError
from app.record import schema
from app.record.tables import METADATA

FILE = "ledger.sqlite"
LOCK = "ledger.lock"
ARCHIVE = "archive"
_BUSY_S = 2.0


def writer_engine(path: Path) -> Engine:
    """The one connection that writes. Every commit is on the disk when it returns."""

    def connect() -> sqlite3.Connection:
        # Python's own transactions start too late for BEGIN IMMEDIATE, so they are switched off.
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "cache_size=-8000",
                "journal_size_limit=67108864",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def reader_engine(path: Path) -> Engine:
    """Connections that cannot write, whatever is asked of them."""
    engine = create_engine("sqlite+pysqlite://", creator=lambda: connect_reader(path), poolclass=QueuePool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def connect_reader(path: Path) -> sqlite3.Connection:
    """A bare read-only connection, for whoever streams millions of rows.

    Raises:
        sqlite3.Error: There is no such file, or it is no database.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    options = {"timeout": _BUSY_S, "isolation_level": None, "check_same_thread": False, "uri": True}
    connection = sqlite3.connect(address, **options)  # type: ignore[call-overload]
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        # Without a writer and without leave to write beside it, SQLite reads a file in WAL mode only as unchanging.
        if path.with_name(f"{path.name}-wal").exists() or not path.exists():
            raise
        connection = sqlite3.connect(f"{address}&immutable=1", **options)  # type: ignore[call-overload]
    except BaseException:
        connection.close()
        raise
    return connection  # type: ignore[no-any-return]


def migrate(engine: Engine, path: Path, steps: ModuleType = schema) -> None:
    """Brings a file to the newest schema.

    Args:
        engine: Writes it.
        path: The file, for the message.
        steps: The package with Alembic's environment and steps, and `HEAD`, the newest of them.

    Raises:
        RecordError: A newer version of Takt wrote it.
    """
    with engine.begin() as connection:
        version = _version(connection)
        if version != steps.HEAD:
            _upgrade(connection, version, path, Path(str(steps.__file__)).parent)


def has_tables(connection: Connection, *names: str) -> bool:
    """The database has all of these tables and indexes; the recorder may have made the file and not them yet."""
    known = "SELECT count(*) FROM sqlite_master WHERE name = ?"
    return all(connection.exec_driver_sql(known, (name,)).scalar() for name in names)


@contextmanager
def complaints(path: Path) -> Iterator[None]:
    """Turns what SQLite and the system say of a file into a RecordError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        if isinstance(error, RecordError):
            raise
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise _explained(path, cause) from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Holds the ledger for its one writer; the kernel lets go when the process ends.

    Raises:
        RecordError: Another process holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise RecordError(
                f"the ledger in {path.parent} is held by process {who}, which writes it", "end that recorder first"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _version(connection: Connection) -> str:
    known = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(text(known)).first() is None:
        return ""
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found or "")


def _upgrade(connection: Connection, version: str, path: Path, steps: Path) -> None:
    from alembic import command  # noqa: PLC0415 - a file that is up to date needs none of it
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if version and version not in known:
        raise RecordError(
            f"{path} has the schema {version}, which this version of Takt does not know",
            "install the version that wrote it, or a newer one",
        )
    command.upgrade(config, "head")


def _explained(path: Path, cause: BaseException) -> RecordError:
    said = str(cause)
    if isinstance(cause, OSError):
        return RecordError(f"{path} cannot be used: {cause.strerror or said}", "check the folder, its owner and disk")
    for hint, what, mend in (
        ("disk is full", "the disk is full", "make room on it: until then the events wait and the line stops"),
        ("readonly", "it may not be written", "give this user leave to write the folder and the files in it"),
        ("unable to open", "it cannot be opened", "check that the folder exists and that this user may use it"),
        ("locked", "another process has locked it", "end whatever else writes it"),
        ("malformed", "the file is damaged", "run takt ledger verify, and restore the file from a copy"),
        ("not a database", "it is no ledger", "move it away, or restore it from a copy"),
        ("no such", "another version of Takt wrote it", "start the recorder of this version, which migrates it"),
        ("disk I/O error", "the disk refuses to read or write", "check the disk, its room and the system's log"),
    ):
        if hint in said:
            return RecordError(f"{path}: {what} ({said})", mend)
    return RecordError(f"{path}: {said}", "run takt ledger verify to see whether it is damaged")


__all__ = [
    "ARCHIVE",
    "FILE",
    "LOCK",
    "METADATA",
    "complaints",
    "connect_reader",
    "held",
    "migrate",
    "reader_engine",
    "writer_engine",
]
