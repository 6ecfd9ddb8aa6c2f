import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RecordError
from app.record.database import FILE
from app.record.ledger import Ledger
from app.record.verify import verify
from app.types import Tally
from tests.unit.record.station_events import WALL, EventKind, StationEvents, write_ledger

FIELDS = ("lane", "row", "epoch", "sequence", "at_ns", "wall_us", "part_id", "count", "kind", "data", "hash")
SEAL_FIELDS = ("lane", "number", "first_row", "prior", "opened_us", "last_row", "rows", "head", "sealed_us", "seal")
HEAD_FIELDS = ("lane", "segment", "row", "epoch", "sequence", "hash")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Twelve parts in three segments; segment 1 ends with row 22, segment 2 with row 42."""
    folder = tmp_path_factory.mktemp("original")
    write_ledger(folder, parts=12, segments=3)
    return folder


@pytest.fixture
def copy(original, tmp_path):
    shutil.copy(original / FILE, tmp_path / FILE)
    return tmp_path


def change(folder, *statements):
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement, *parameters in statements:
            connection.execute(statement, parameters)


def first_problem(folder):
    found = verify(folder)
    assert not found.is_sound
    return found.problems[0]


def flipped(value, at, mask):
    """A stored value with one of its bytes changed, of the same kind as it was."""
    if isinstance(value, int):
        return value ^ (mask << 8 * (at % 7))
    content = bytearray(value if isinstance(value, bytes) else value.encode())
    content[at % len(content)] ^= mask
    return bytes(content)


def test_a_ledger_as_recorded_is_sound(original):
    (lane,) = verify(original).lanes

    assert (lane.rows, lane.segments, lane.parts, lane.problems) == (62, 3, 12, ())
    assert lane.tallies == {"lot-1": Tally(12, 10, 2, 0, 0)}


def test_progress_reaches_the_end(original):
    told = []

    verify(original, lambda done, total: told.append((done, total)))

    assert told[-1] == (62, 62)


@settings(max_examples=120)
@given(data=st.data())
def test_any_changed_byte_of_an_event_is_found_at_its_row(original, tmp_path_factory, data):
    row = data.draw(st.integers(1, 62))
    field = data.draw(st.sampled_from(FIELDS))
    at, mask = data.draw(st.integers(0, 600)), data.draw(st.integers(1, 127))
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copy(original / FILE, folder / FILE)
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.text_factory = bytes
        (value,) = connection.execute(f"SELECT {field} FROM events WHERE row = ?", (row,)).fetchone()
        if value is None:
            return
        new = flipped(value, at, mask)
        is_text = field in ("kind", "data")
        target = "CAST(? AS TEXT)" if is_text else "?"
        try:
            connection.execute(f"UPDATE events SET {field} = {target} WHERE row = ?", (new, row))
        except sqlite3.IntegrityError:
            return  # another row has that number
    problem = first_problem(folder)

    is_moved = field in ("lane", "row")
    assert problem.row == row or (is_moved and problem.row <= row)
    assert (problem.lane, problem.segment) == (1, 1 + (row > 22) + (row > 42)) or is_moved
    shutil.rmtree(folder)


@pytest.mark.parametrize("field", SEAL_FIELDS)
@pytest.mark.parametrize("number", [1, 2])
def test_a_changed_byte_of_a_sealed_segments_record_is_found(copy, field, number):
    with closing(sqlite3.connect(copy / FILE)) as connection:
        query = f"SELECT {field} FROM segments WHERE number = ?"
        (value,) = connection.execute(query, (number,)).fetchone()
    change(copy, (f"UPDATE segments SET {field} = ? WHERE number = ?", flipped(value, 0, 0x40), number))

    assert not verify(copy).is_sound


@pytest.mark.parametrize("field", HEAD_FIELDS)
def test_a_changed_byte_of_the_head_is_found(copy, field):
    with closing(sqlite3.connect(copy / FILE)) as connection:
        (value,) = connection.execute(f"SELECT {field} FROM heads").fetchone()
    change(copy, (f"UPDATE heads SET {field} = ?", flipped(value, 0, 0x40)))

    assert not verify(copy).is_sound


def test_a_deleted_row_is_named(copy):
    change(copy, ("DELETE FROM events WHERE row = 30",))

    problem = first_problem(copy)

    assert (problem.segment, problem.row, problem.what) == (2, 30, "it is missing")


def test_rows_that_changed_places_are_named(copy):
    change(
        copy,
        ("UPDATE events SET row = -1 WHERE row = 30",),
        ("UPDATE events SET row = 30 WHERE row = 31",),
        ("UPDATE events SET row = 31 WHERE row = -1",),
    )

    assert first_problem(copy).row == 30


def test_a_cut_off_tail_is_named(copy):
    change(copy, ("DELETE FROM events WHERE row > 60",))

    problem = first_problem(copy)

    assert (problem.segment, problem.row) == (3, 61)


def test_a_tail_cut_off_with_its_head_set_back_is_named(copy):
    change(
        copy,
        ("DELETE FROM events WHERE row > 60",),
        ("UPDATE heads SET row = 60, sequence = 59",),
    )

    assert first_problem(copy).segment == 3


def test_a_row_added_behind_the_head_is_named(copy):
    fields = "epoch, 62, at_ns, wall_us, part_id, count, kind, data, hash"
    change(copy, (f"INSERT INTO events SELECT lane, 63, {fields} FROM events WHERE row = 62",))

    assert first_problem(copy).row == 63


def test_a_removed_segment_is_named(copy):
    change(copy, ("DELETE FROM segments WHERE number = 2",), ("DELETE FROM events WHERE row BETWEEN 23 AND 42",))

    assert first_problem(copy).segment == 2


def test_an_open_segment_before_another_is_named(copy):
    change(copy, ("UPDATE segments SET seal = NULL WHERE number = 1",))

    assert first_problem(copy).segment == 1


def test_rows_of_a_lane_that_was_never_recorded_are_named(copy):
    fields = "row, epoch, sequence, at_ns, wall_us, part_id, count, kind, data, hash"
    change(copy, (f"INSERT INTO events SELECT 7, {fields} FROM events WHERE row < 4",))

    assert [each.lane for each in verify(copy).problems] == [7]


@pytest.mark.parametrize("row", [1, 400, 1002])
@pytest.mark.parametrize("field", ["data", "hash"])
def test_one_changed_byte_of_the_file_is_named_by_its_row(tmp_path, row, field):
    path = write_ledger(tmp_path, parts=200)
    with closing(sqlite3.connect(path)) as connection:
        data, digest = connection.execute("SELECT data, hash FROM events WHERE row = ?", (row,)).fetchone()
    content = bytearray(path.read_bytes())
    stored = data.encode() + digest
    at = content.index(stored) + (len(stored) - 5 if field == "hash" else 3)
    content[at] ^= 0x20
    path.write_bytes(content)

    problem = first_problem(tmp_path)

    assert (problem.segment, problem.row) == (1, row)


def test_a_page_of_the_file_that_cannot_be_read_names_the_row_before_which_it_lies(tmp_path):
    path = write_ledger(tmp_path, parts=200)
    with closing(sqlite3.connect(path)) as connection:
        (digest,) = connection.execute("SELECT hash FROM events WHERE row = 400").fetchone()
    content = bytearray(path.read_bytes())
    page = content.index(digest) // 4096 * 4096
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)

    problem = first_problem(tmp_path)

    assert problem.segment == 1
    assert 370 < problem.row <= 400
    assert "damaged" in problem.what


def test_a_changed_table_of_parts_is_found(copy):
    change(copy, ("UPDATE parts SET outcome = 'PASSED' WHERE part_id = 5",))

    assert "1/5" in str(first_problem(copy))


def test_a_changed_account_is_found(copy):
    change(copy, ("UPDATE lots SET lost = lost + 1",))

    assert "lot 'lot-1'" in str(first_problem(copy))


def test_no_ledger_is_said(tmp_path):
    with pytest.raises(RecordError, match="holds no ledger"):
        verify(tmp_path)


# The account


def recorded(folder, *batches):
    ledger = Ledger.open(folder)
    for events in batches:
        ledger.append(events, WALL)
    ledger.close()
    return verify(folder)


def test_an_outcome_without_a_part_is_found(tmp_path):
    station = StationEvents()

    found = recorded(tmp_path, [*station.run(2), station.outcome(9)])

    assert "was not in flight" in str(found.problems[0])


def test_a_second_outcome_is_found(tmp_path):
    station = StationEvents()

    found = recorded(tmp_path, [*station.run(2), station.outcome(2)])

    assert [each.row for each in found.problems] == [13]


def test_parts_in_flight_of_the_newest_epoch_are_in_order(tmp_path):
    station = StationEvents()

    found = recorded(tmp_path, [*station.run(2), station.trigger(), station.trigger()])

    assert found.is_sound
    assert found.lanes[0].tallies["lot-1"] == Tally(4, 2, 0, 0, 2)


def test_parts_of_a_dead_station_may_wait_for_the_purge(tmp_path):
    before, after = StationEvents(), StationEvents(epoch=2)

    found = recorded(tmp_path, [*before.run(2), before.trigger()], after.start(is_first=False))

    assert found.is_sound
    assert found.lanes[0].carried == ((1, 3),)


def test_parts_of_a_dead_station_that_nobody_settles_are_found(tmp_path):
    before, after = StationEvents(), StationEvents(epoch=2)

    found = recorded(tmp_path, [*before.run(2), before.trigger()], after.start(is_first=False) + after.part("pass"))

    assert "1/3" in str(found.problems[0])


def test_parts_of_a_dead_station_that_were_settled_are_in_order(tmp_path):
    before, after = StationEvents(), StationEvents(epoch=2)
    settled = after.start(is_first=False)
    settled.append(after.outcome(3, "LOST", "MISSING", of_epoch=1))

    found = recorded(tmp_path, [*before.run(2), before.trigger()], settled + after.part("pass"))

    assert found.is_sound
    assert found.lanes[0].tallies["lot-1"] == Tally(4, 3, 0, 1, 0)


def test_an_epoch_that_begins_in_the_middle_is_found(tmp_path):
    station = StationEvents()

    found = recorded(tmp_path, station.run(2)[1:])

    assert "those before never came" in str(found.problems[0])


def test_the_ledger_is_sound_while_it_is_written(tmp_path):
    ledger, station = Ledger.open(tmp_path, segment_h=1), StationEvents()
    ledger.append(station.run(3), WALL)
    seen = []

    def write_on(_done, _total):
        seen.append(len(seen))
        ledger.append(station.part(), WALL + timedelta(hours=len(seen)))

    found = verify(tmp_path, write_on)
    ledger.close()

    assert seen
    assert found.is_sound
    assert verify(tmp_path).lanes[0].rows > found.lanes[0].rows


def test_what_follows_from_damage_does_not_hide_it(copy):
    change(copy, ("UPDATE events SET kind = 'FRAME' WHERE row = 3",))

    (problem,) = verify(copy).problems

    assert problem.row == 3
    assert EventKind.TRIGGER.value not in problem.what
