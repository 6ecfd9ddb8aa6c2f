import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from app.errors import RecordError
from app.record.archive import Archiver
from app.record.database import ARCHIVE, FILE
from app.record.ledger import Ledger
from app.record.readers import Records
from app.record.verify import verify
from tests.unit.record.station_events import WALL, StationEvents, write_ledger

LATER = WALL + timedelta(days=10)


@pytest.fixture
def folder(tmp_path):
    """Three segments of one lane, sealed in the hours after WALL; the last is open."""
    write_ledger(tmp_path, parts=30, segments=3)
    return tmp_path


@pytest.fixture
def ledger(folder):
    opened = Ledger.open(folder)
    yield opened
    opened.close()


def archived(ledger, wall=LATER, days=1.0):
    archiver = Archiver(ledger, days)
    while archiver.step(wall):
        pass
    archiver.close()


def rows_left(folder):
    with closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute("SELECT min(row), count(*) FROM events").fetchone()


def test_old_sealed_segments_move_and_verify_covers_them(folder, ledger):
    archived(ledger)

    assert sorted(path.name for path in (folder / ARCHIVE).iterdir()) == ["lane1-000001.sqlite", "lane1-000002.sqlite"]
    assert rows_left(folder) == (103, 50)
    found = verify(folder)
    assert (found.is_sound, found.lanes[0].rows) == (True, 152)


def test_young_segments_stay(folder, ledger):
    archived(ledger, WALL + timedelta(hours=5))

    assert rows_left(folder) == (1, 152)


def test_no_days_is_never(folder, ledger):
    archived(ledger, days=0)

    assert rows_left(folder) == (1, 152)


def test_the_chain_goes_on_after_the_move(folder, ledger):
    archived(ledger)
    station = StationEvents(epoch=2)

    ledger.append(station.start(is_first=False) + station.part(), LATER)

    assert verify(folder).is_sound


def test_events_delivered_again_from_the_archive_are_passed_over(folder, ledger):
    archived(ledger)

    assert ledger.append(StationEvents().run(4), LATER).events == ()


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_move_that_was_cut_off_anywhere_leaves_a_sound_ledger(folder, ledger, monkeypatch, steps):
    monkeypatch.setattr("app.record.archive.STEP_ROWS", 20)
    archiver = Archiver(ledger, 1.0)
    for _ in range(steps):
        archiver.step(LATER)

    assert verify(folder).is_sound
    archived(ledger)
    assert verify(folder).is_sound
    assert rows_left(folder) == (103, 50)


def test_a_damaged_segment_is_not_moved(folder, ledger):
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE events SET count = count + 1 WHERE row = 7")

    with pytest.raises(RecordError, match="row 7"):
        archived(ledger)

    assert rows_left(folder) == (1, 152)
    assert list((folder / ARCHIVE).iterdir()) == []


def test_a_changed_byte_in_the_archive_is_found(folder, ledger):
    archived(ledger)
    with closing(sqlite3.connect(folder / ARCHIVE / "lane1-000002.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE events SET data = replace(data, 'SEEN', 'SEEM') WHERE row = 70")
        connection.execute("UPDATE events SET count = count + 1 WHERE row = 71")

    assert {(each.segment, each.row) for each in verify(folder).problems} <= {(2, 70), (2, 71)}
    assert not verify(folder).is_sound


def test_an_archive_that_is_not_there_is_named(folder, ledger):
    archived(ledger)
    (folder / ARCHIVE / "lane1-000001.sqlite").unlink()

    problem = verify(folder).problems[0]

    assert (problem.segment, "is not there" in problem.what) == (1, True)


def test_a_parts_story_is_read_from_the_archive(folder, ledger):
    archived(ledger)
    records = Records(folder)

    story = records.story(records.part(2))
    everything = [each.row for each in records.entries(1)]
    records.close()

    assert [each.event.kind.value for each in story.entries] == ["TRIGGER", "FRAME", "VERDICT", "JUDGED", "OUTCOME"]
    assert everything == list(range(1, 153))
