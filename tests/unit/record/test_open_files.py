"""Files of a ledger are opened when first read, and let go of."""

import sqlite3
import threading

import pytest

from app.errors import RecordError
from app.record.open_files import OpenFiles


@pytest.fixture
def path(tmp_path):
    """A database with one table and one index."""
    with sqlite3.connect(tmp_path / "some.sqlite") as connection:
        connection.executescript("CREATE TABLE parts (number); CREATE INDEX by_number ON parts (number);")
    connection.close()
    return tmp_path / "some.sqlite"


@pytest.fixture
def files():
    files = OpenFiles()
    yield files
    files.close()


def test_file_that_is_not_there_yet_reads_as_nothing(files, tmp_path):
    with files.reading_if_made(tmp_path / "none.sqlite", "parts") as connection:
        assert connection is None
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize(("names", "is_made"), [(("parts", "by_number"), True), (("parts", "lots"), False), ((), True)])
def test_file_without_its_tables_reads_as_nothing(files, path, names, is_made):
    with files.reading_if_made(path, *names) as connection:
        assert (connection is not None) is is_made


def test_file_that_must_be_there_is_missed_by_name(files, tmp_path):
    with pytest.raises(RecordError, match=r"none\.sqlite"), files.reading(tmp_path / "none.sqlite"):
        pass


def test_nothing_can_be_written(files, path):
    with pytest.raises(RecordError, match="readonly"), files.reading(path) as connection:
        connection.exec_driver_sql("INSERT INTO parts VALUES (1)")


def test_closed_files_are_opened_again(files, path):
    for _ in range(2):
        with files.reading(path) as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM parts").scalar() == 0
        files.close()


def test_threads_read_at_once(files, path):
    together, seen = threading.Barrier(4, timeout=20), []

    def read():
        together.wait()
        with files.reading(path) as connection:
            together.wait()  # all are within a read now
            seen.append(connection.exec_driver_sql("SELECT count(*) FROM parts").scalar())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen == [0] * 4
