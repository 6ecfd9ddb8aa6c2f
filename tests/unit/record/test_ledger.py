import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import RecordError
from app.record.database import FILE
from app.record.ledger import Ledger
from app.record.tables import EVENTS, PARTS, SEGMENTS
from app.record.verify import verify
from tests.unit.record.station_events import WALL, EventKind, StationEvents, write_ledger


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path, segment_h=1)
    yield opened
    opened.close()


def rows_of(ledger, table=EVENTS):
    with ledger.transaction() as connection:
        return connection.execute(select(table)).mappings().all()


def test_events_are_there_once_and_in_order(ledger):
    events = StationEvents().run(3)

    appended = ledger.append(events, WALL)

    assert appended.events == tuple(events)
    assert [(each["row"], each["sequence"]) for each in rows_of(ledger)] == [(n + 1, n) for n in range(len(events))]


def test_nothing_to_append_is_nothing_done(ledger):
    assert ledger.append([], WALL).events == ()


def test_events_delivered_again_are_passed_over(ledger):
    events = StationEvents().run(3)
    ledger.append(events[:8], WALL)

    appended = ledger.append(events[4:], WALL)

    assert (appended.events, appended.known, appended.gaps) == (tuple(events[8:]), 4, ())


def test_events_delivered_again_after_a_new_start_are_passed_over(tmp_path):
    events = StationEvents().run(3)
    first = Ledger.open(tmp_path)
    first.append(events, WALL)
    first.close()
    second = Ledger.open(tmp_path)

    appended = second.append(events, WALL)
    second.close()

    assert (appended.events, appended.known) == ((), len(events))


def test_an_event_that_never_came_is_told_and_found(ledger):
    events = StationEvents().run(3)
    del events[6]

    appended = ledger.append(events, WALL)

    assert appended.gaps == ("lane 1, epoch 1: sequence 6 to 6 never came",)
    assert ledger.append(events, WALL).known == len(events)
    assert "sequence 6 to 6 of epoch 1 never came" in str(verify(ledger.folder).problems[0])


def test_another_event_under_a_known_number_is_kept_and_found(ledger):
    events = StationEvents().run(3)
    ledger.append(events, WALL)
    other = replace(events[4], kind=EventKind.ALARM)

    appended = ledger.append([other], WALL)

    assert appended.events == (other,)
    assert "twice" in str(verify(ledger.folder).problems[0])


def test_lanes_have_chains_of_their_own(ledger):
    one, two = StationEvents(lane=1).run(3), StationEvents(lane=2).run(4)

    ledger.append([each for pair in zip(one, two, strict=False) for each in pair] + two[len(one) :], WALL)
    found = verify(ledger.folder)

    assert [(each.lane, each.rows, each.problems) for each in found.lanes] == [(1, len(one), ()), (2, len(two), ())]


def test_a_segment_is_sealed_when_its_time_is_up(ledger):
    station = StationEvents()
    ledger.append(station.run(2), WALL)

    appended = ledger.append(station.part(), WALL + timedelta(hours=1))

    assert appended.sealed == ((1, 1),)
    first, second = rows_of(ledger, SEGMENTS)
    assert (first["last_row"], first["rows"]) == (12, 12)
    assert (second["first_row"], second["prior"]) == (13, first["seal"])
    assert verify(ledger.folder).is_sound


def test_a_clock_set_back_by_years_does_not_keep_a_segment_open(ledger):
    station = StationEvents()
    ledger.append(station.run(2), WALL)

    appended = ledger.append(station.part(), WALL - timedelta(days=3650))

    assert appended.sealed == ((1, 1),)
    assert verify(ledger.folder).is_sound


def test_an_event_has_the_wall_time_at_which_it_happened(ledger):
    station = StationEvents()
    (event, *_) = events = station.start()

    ledger.append(events, WALL, now_ns=event.at_ns + 60_000_000_000)

    row = rows_of(ledger)[0]
    assert row["wall_us"] == int((WALL - timedelta(minutes=1)).timestamp() * 1e6)


def test_an_event_from_the_future_has_the_wall_time_of_now(ledger):
    (event, *_) = events = StationEvents().start()

    ledger.append(events, WALL, now_ns=event.at_ns - 5)

    assert rows_of(ledger)[0]["wall_us"] == int(WALL.timestamp() * 1e6)


def test_numbers_that_are_no_json_are_kept_as_words(ledger):
    station = StationEvents()

    ledger.append([station.event(EventKind.ALARM, value=float("nan"))], WALL)

    assert rows_of(ledger)[0]["data"] == '{"value":"nan"}'


def test_a_failed_batch_leaves_nothing_and_can_be_tried_again(ledger):
    station = StationEvents()
    ledger.append(station.run(1), WALL)
    events = station.part()
    spoiled = [*events[:-1], replace(events[-1], data={"outcome": {1, 2}})]

    with pytest.raises(TypeError):
        ledger.append(spoiled, WALL)
    appended = ledger.append(events, WALL)

    assert appended.events == tuple(events)
    assert verify(ledger.folder).is_sound


def test_derived_parts_grow_over_batches(ledger):
    events = StationEvents().run(6)

    for event in events:
        ledger.append([event], WALL)

    parts = rows_of(ledger, PARTS)
    assert [(each["part_id"], each["verdict"], each["outcome"]) for each in parts] == [
        (n, "reject" if n == 5 else "pass", "REJECTED" if n == 5 else "PASSED") for n in range(1, 7)
    ]
    assert verify(ledger.folder).is_sound


# What a ledger refuses


def test_a_second_writer_is_refused(ledger):
    with pytest.raises(RecordError, match="held by process"):
        Ledger.open(ledger.folder)


def test_a_ledger_that_was_closed_can_be_opened_again(tmp_path):
    Ledger.open(tmp_path).close()

    Ledger.open(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordError, match="file"):
        Ledger.open(tmp_path / "file" / "ledger")


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 100)

    with pytest.raises(RecordError, match="it is no ledger"):
        Ledger.open(tmp_path)


def test_a_ledger_of_a_newer_version_is_refused(tmp_path):
    path = write_ledger(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(RecordError, match="does not know"):
        Ledger.open(tmp_path)


def test_a_ledger_that_was_moved_away_is_not_written_into_nothing(ledger):
    station = StationEvents()
    ledger.append(station.run(1), WALL)
    ledger.path.rename(ledger.folder / "elsewhere")

    with pytest.raises(RecordError, match="moved or deleted"):
        ledger.append(station.part(), WALL)


def test_commits_are_synced_and_foreign_keys_checked(ledger):
    with ledger.transaction() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in ("synchronous", "foreign_keys")]
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()

    assert (found, mode) == ([2, 1], "wal")
