import csv
import io
import json
from datetime import timedelta

import pytest

from app.errors import RecordError
from app.record.documents import find, hash_of, keep
from app.record.export import event_lines, part_lines, write_lines
from app.record.ledger import Ledger
from app.record.readers import Records
from app.record.words import sentence
from app.types import EventKind, Opening, Tally
from tests.unit.record.station_events import WALL, StationEvents


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger", segment_h=1)
    yield opened
    opened.close()


@pytest.fixture
def records(ledger):
    opened = Records(ledger.folder)
    yield opened
    opened.close()


@pytest.fixture
def two_epochs(ledger):
    """Seven parts, the station dies with part 7 in flight, starts again and makes three more in another lot."""
    before, after = StationEvents(), StationEvents(epoch=2)
    ledger.append([*before.run(6), before.trigger("SN-7"), before.verdict(7, "reject")], WALL)
    after.lot = "lot-2"
    events = after.start()
    events.append(after.outcome(7, "REJECTED", "BY_HAND", of_epoch=1))
    ledger.append([*events, *after.part(), *after.part(), *after.part()], WALL + timedelta(minutes=5))


def names(parts):
    return [each.name for each in parts]


def test_an_absent_ledger_reads_as_an_empty_one(tmp_path):
    records = Records(tmp_path / "none")

    assert records.recent(1) == []
    assert records.part(1) is None
    assert records.lots() == []
    assert records.lanes() == []
    assert records.last(1) == (0, -1)
    assert records.latency(1).parts == 0
    assert list(records.entries(1)) == []
    assert records.opening(1) == Opening()


def test_recent_parts_come_newest_first_and_page_on(records, two_epochs):
    assert names(records.recent(1, 4)) == ["1/2/3", "1/2/2", "1/2/1", "1/1/7"]
    assert names(records.recent(1, 3, before=(2, 1))) == ["1/1/7", "1/1/6", "1/1/5"]
    assert records.recent(2) == []


@pytest.mark.parametrize(
    ("key", "name"), [((1,), "1/2/1"), ((1, 1), "1/1/1"), ((7,), "1/1/7"), ((1, 2, 1), "1/2/1"), ((99,), None)]
)
def test_a_part_is_found_by_number_and_epoch(records, two_epochs, key, name):
    found = records.part(*key)

    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("SN-7", ["1/1/7"]),
        ("lot-2", ["1/2/3", "1/2/2", "1/2/1"]),
        ("7", ["1/1/7"]),
        ("nothing", []),
        ("9" * 40, []),
        ("' OR 1=1 --", []),
    ],
)
def test_parts_are_found_by_number_serial_and_lot(records, two_epochs, words, expected):
    assert names(records.search(words)) == expected


def test_a_story_spans_the_restart_of_the_station(records, two_epochs):
    story = records.story(records.part(7))

    assert [each.event.kind.value for each in story.entries] == ["TRIGGER", "VERDICT", "OUTCOME"]
    assert [each.event.epoch for each in story.entries] == [1, 1, 2]
    assert (story.part.outcome, story.part.confirmation) == ("REJECTED", "BY_HAND")
    assert story.started["package"] == "tiny"


def test_neighbours_with_the_same_number_are_not_in_the_story(records, two_epochs):
    assert {each.event.epoch for each in records.story(records.part(1, 1)).entries} == {1}


def test_lots_have_their_accounts(records, two_epochs):
    found = {each.lot: each.tally for each in records.lots()}

    assert found == {"lot-1": Tally(7, 5, 2, 0, 0), "lot-2": Tally(3, 3, 0, 0, 0)}
    assert records.lots()[0].lot == "lot-2"


def test_parts_in_flight_are_open(ledger, records):
    station = StationEvents()
    ledger.append([*station.run(1), station.trigger()], WALL)

    assert names(records.open_parts(1)) == ["1/1/2"]
    assert records.lots()[0].tally == Tally(2, 1, 0, 0, 1)


def test_a_closed_lot_that_is_opened_again_is_open(ledger, records):
    station = StationEvents()
    events = station.run(1)
    events.append(station.event(EventKind.LOT_CLOSED, lot="lot-1"))
    ledger.append(events, WALL)
    assert records.lots()[0].closed is not None

    ledger.append([station.event(EventKind.LOT_OPENED, lot="lot-1")], WALL)

    assert records.lots()[0].closed is None


def test_latency_is_of_the_newest_parts(ledger, records):
    station = StationEvents()
    events = station.start()
    for number in range(1, 101):
        events += [station.trigger(), station.judged(number, total_us=1000 * number)]
    ledger.append(events, WALL)

    figures = records.latency(1, 100)

    assert (figures.parts, round(figures.p50, 2), round(figures.p99, 2), figures.worst) == (100, 50.5, 99.01, 100.0)
    assert records.latency(1, 10).p50 == pytest.approx(95.5)


def test_the_last_event_is_known(records, two_epochs):
    assert records.last(1) == (2, 17)


def test_the_ledger_cannot_be_written_by_a_reader(ledger, records, two_epochs):
    with pytest.raises(RecordError, match="may not be written"), records._reading() as connection:
        connection.exec_driver_sql("DELETE FROM parts")


def test_a_reader_sees_what_was_appended_meanwhile(ledger, records):
    station = StationEvents()
    ledger.append(station.run(1), WALL)
    assert records.last(1) == (1, 6)

    ledger.append(station.part(), WALL)

    assert records.last(1) == (1, 11)


# What a starting station takes over


def test_a_start_goes_on_where_the_record_ends(ledger, records):
    station = StationEvents()
    ledger.append([*station.run(5), station.trigger(), station.verdict(6)], WALL)

    opening = records.opening(1)

    assert (opening.epoch, opening.lot) == (2, "lot-1")
    assert opening.tallies == {"lot-1": Tally(6, 4, 1, 0, 1)}
    assert [(each.epoch, each.part_id, each.is_good) for each in opening.orphans] == [(1, 6, True)]


def test_events_that_wait_in_the_ring_count_too_and_once(ledger, records):
    station = StationEvents()
    events = [*station.run(5), station.trigger(), station.outcome(6, "LOST", "MISSING"), station.trigger()]
    expected = Opening(2, "lot-1", {"lot-1": Tally(7, 4, 1, 1, 1)}, records.opening(1, events).orphans)

    openings = []
    for known in range(0, len(events), 4):
        ledger.append(events[: known + 4], WALL)
        openings.append(records.opening(1, events[max(0, known - 3) :]))

    assert openings == [expected] * len(openings)


def test_a_lot_that_waits_in_the_ring_runs(ledger, records):
    station = StationEvents()
    ledger.append(station.run(1), WALL)

    opening = records.opening(1, [station.event(EventKind.LOT_OPENED, lot="lot-2")])

    assert opening.lot == "lot-2"


def test_closed_lots_stay_behind(ledger, records):
    station = StationEvents()
    events = [*station.run(1), station.event(EventKind.LOT_OPENED, lot="lot-2")]
    events.append(station.event(EventKind.LOT_CLOSED, lot="lot-1"))
    ledger.append(events, WALL)

    assert set(records.opening(1).tallies) == {"lot-2"}


def test_another_lanes_events_are_not_this_ones(ledger, records):
    ledger.append(StationEvents(lane=2).run(2), WALL)

    assert records.opening(1) == Opening()
    assert records.opening(1, StationEvents(lane=2, epoch=5).run(1)) == Opening()


# Export


def test_parts_are_exported_as_csv(records, two_epochs):
    rows = list(csv.DictReader(io.StringIO("".join(part_lines(records, "csv", None, lambda *_: None)))))

    assert [each["part_id"] for each in rows] == ["1", "2", "3", "4", "5", "6", "7", "1", "2", "3"]
    assert (rows[6]["serial"], rows[6]["outcome"], rows[6]["triggered"][:10]) == ("SN-7", "REJECTED", "2026-03-01")


def test_events_of_a_lot_are_exported_as_json(records, two_epochs):
    lines = list(event_lines(records, "jsonl", "lot-1", lambda *_: None))

    events = [json.loads(each) for each in lines]
    assert {each["part_id"] for each in events if each["part_id"]} == set(range(1, 8))
    assert sum(each["kind"] == "OUTCOME" for each in events) == 7
    assert events[-1]["data"]["of_epoch"] == 1


def test_progress_of_an_export_reaches_the_end(records, two_epochs):
    told = []

    list(event_lines(records, "csv", None, lambda done, total: told.append((done, total))))

    assert told[-1] == (52, 52)


def test_an_export_that_breaks_off_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "parts.csv"
    target.write_text("before")

    def broken():
        yield "one\n"
        raise RecordError("the ledger is gone", "put it back")

    with pytest.raises(RecordError, match="gone"):
        write_lines(target, broken())

    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


# Documents


def test_a_text_is_kept_once_and_found_by_its_hash(tmp_path):
    first = keep(tmp_path, "schema = 1\n")
    second = keep(tmp_path, "schema = 1\n")

    assert first == second == hash_of("schema = 1\n")
    assert find(tmp_path, first) == "schema = 1\n"
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 1


@pytest.mark.parametrize("sha256", ["0" * 64, "", "../../etc/passwd", "A" * 64])
def test_what_was_not_kept_is_not_found(tmp_path, sha256):
    assert find(tmp_path, sha256) is None


def test_a_text_that_was_changed_is_not_what_the_hash_names(tmp_path):
    sha256 = keep(tmp_path, "one")
    (tmp_path / sha256[:2] / sha256).write_text("two")

    assert find(tmp_path, sha256) is None
    assert keep(tmp_path, "one") == sha256
    assert find(tmp_path, sha256) == "one"


def test_a_folder_that_cannot_hold_documents_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordError, match="file"):
        keep(tmp_path / "file", "text")


# Words


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_event_has_a_sentence_even_without_details(kind):
    text = sentence(StationEvents().event(kind, 1))

    assert text
    assert not text.endswith(".")
    assert text != kind.value


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (StationEvents().trigger("SN-1"), "triggered in lot lot-1, serial number SN-1"),
        (StationEvents().verdict(1), "verdict: it passes"),
        (
            StationEvents().verdict(1, "reject", is_flagged=True),
            "verdict: to reject, because of mouse_bite 0.93 at 12, 30, flagged for a person to look at",
        ),
        (
            StationEvents().judged(1, detections='[["short",0.5,1,2,3,4]]', runtime="openvino"),
            "the picture of camera top was judged by openvino in 2.40 ms: found short 0.50 at 1, 2 px",
        ),
        (StationEvents().outcome(1, "LOST", "MISSING"), "outcome: lost, nobody saw it"),
        (
            StationEvents().event(EventKind.GATE_ON, destination="bin", late_us=80.0),
            "gate bin was told to reject, 0.08 ms after its fire point",
        ),
    ],
)
def test_sentences_say_what_happened(event, text):
    assert sentence(event) == text
