from collections import Counter

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text

from app.record.database import writer_engine
from app.record.figure_tables import CAUSES, LATENCIES, TALLIES
from app.record.figures import Figures, Slice, Tallied
from app.record.ledger import Ledger
from app.record.schema.versions import v0003_figures
from app.record.tallying import STRETCH_US, Tallying, bin_of, cause_of, label_of, upper_us
from app.record.verify import verify
from app.record.walltime import micros
from tests.unit.record.station_events import WALL, EventKind, StationEvents, write_ledger

START_US = micros(WALL)


def counted(events, terms=1, wall_us=START_US):
    tallying = Tallying()
    for event in events:
        tallying.fold(event, wall_us, terms)
    return tallying.take_changes()


def rejected(station, reason="DEFECT", text="mouse_bite 0.93 at x=12 y=30, 5 x 6 px, threshold 0.35", **verdict):
    trigger = station.trigger()
    told = station.verdict(trigger.part_id, "reject", text=text, **verdict)
    return [trigger, told, station.outcome(trigger.part_id, "REJECTED", reason=reason)]


def test_parts_count_in_their_five_minutes_lot_and_terms():
    counts = counted(StationEvents().run(10), terms=7)

    assert counts.tallies == {(START_US, 7, "lot-1"): Counter(triggers=10, passed=8, rejected=2)}


def test_a_part_that_was_triggered_before_the_turn_of_the_stretch_counts_before_it():
    station, tallying = StationEvents(), Tallying()
    tallying.fold(station.trigger(), START_US + STRETCH_US - 1, 1)
    tallying.fold(station.outcome(1), START_US + STRETCH_US + 1, 1)

    assert list(tallying.take_changes().tallies) == [(START_US, 1, "lot-1")]


def test_a_part_counts_under_the_terms_that_held_when_it_was_triggered():
    station, tallying = StationEvents(), Tallying()
    tallying.fold(station.trigger(), START_US, 1)
    tallying.fold(station.outcome(1), START_US, 9)

    assert list(tallying.take_changes().tallies) == [(START_US, 1, "lot-1")]


def test_a_rejected_part_counts_under_the_class_that_decided():
    counts = counted(rejected(StationEvents()))

    assert counts.causes == {((START_US, 1, "lot-1"), "mouse_bite"): 1}


def test_a_part_rejected_for_no_defect_counts_under_its_reason():
    counts = counted(rejected(StationEvents(), reason="TOUCHING", reasons="TOUCHING", text="it touches part 3"))

    assert counts.causes == {((START_US, 1, "lot-1"), "TOUCHING"): 1}


@pytest.mark.parametrize(
    ("reason", "label", "cause"),
    [("DEFECT", "spur", "spur"), ("", "spur", "spur"), ("", "", "UNEXPECTED_REJECT"), ("PURGED", "spur", "PURGED")],
)
def test_a_cause_is_the_class_where_a_defect_decided(reason, label, cause):
    assert cause_of(reason, label) == cause


def test_a_class_may_have_blanks_and_figures_in_its_name():
    assert label_of("DEFECT FLAGGED", "open circuit 2 0.71 at x=1 y=2, 3 x 4 px, threshold 0.3") == "open circuit 2"


def test_a_part_is_flagged_once():
    station = StationEvents()
    events = [station.trigger(), station.judged(1, is_flagged=True), station.verdict(1, is_flagged=True)]

    assert counted(events).tallies == {(START_US, 1, "lot-1"): Counter(triggers=1, flagged=1)}


def test_the_latency_of_a_part_is_that_of_its_slowest_picture():
    station = StationEvents()
    events = [station.trigger(), station.judged(1, total_us=900), station.judged(1, total_us=400), station.outcome(1)]

    assert counted(events).latencies == {((START_US, 1, "lot-1"), bin_of(900)): 1}


@pytest.mark.parametrize("total_us", [1, 10, 11, 99, 2_400, 5_000, 123_456])
def test_a_latency_lies_in_its_bin(total_us):
    number = bin_of(total_us)

    assert upper_us(number) >= total_us
    assert number == 0 or upper_us(number - 1) < total_us


def test_a_restart_of_the_recorder_changes_no_figure(tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    events = StationEvents().run(40)
    for folder, pieces in ((whole, [events]), (halves, [events[:101], events[101:]])):
        for piece in pieces:
            ledger = Ledger.open(folder)
            ledger.append(piece, WALL)
            ledger.close()

    assert tables(whole) == tables(halves)


def test_an_older_ledger_is_counted_as_if_it_had_been_from_the_start(tmp_path):
    station = StationEvents()
    events = station.run(30) + rejected(station) + rejected(station, reason="TOUCHING", reasons="TOUCHING", text="near")
    events += [station.trigger(), station.event(EventKind.REROUTED, 33, to="reject", reason="PURGED")]
    events += [station.outcome(33, "REJECTED", reason="PURGED"), station.trigger()]
    ledger = Ledger.open(tmp_path)
    ledger.append(events, WALL)
    ledger.close()
    before = tables(tmp_path)
    engine = writer_engine(tmp_path / "ledger.sqlite")
    with engine.begin() as connection:
        for table in (TALLIES, CAUSES, LATENCIES):
            connection.execute(text(f"DROP TABLE {table.name}"))
        with Operations.context(MigrationContext.configure(connection)):
            v0003_figures.upgrade()
    engine.dispose()

    assert tables(tmp_path) == before


def test_no_ledger_reads_as_an_empty_one(tmp_path):
    figures = Figures(tmp_path)

    assert (figures.tallies(Slice(), STRETCH_US), figures.total(Slice()), figures.lots()) == ({}, Tallied(), [])
    assert (figures.span(), figures.head(1), figures.terms()) == (None, (0, b""), {})


def test_steps_begin_at_the_hours_of_the_time_zone(tmp_path):
    write_ledger(tmp_path, 10)

    (start,) = Figures(tmp_path).tallies(Slice(), 24 * 3_600_000_000, offset_us=3_600_000_000)

    assert start == START_US - 13 * 3_600_000_000


def test_slices_take_what_they_name(tmp_path):
    write_ledger(tmp_path, 10)
    figures = Figures(tmp_path)

    assert figures.total(Slice(package="tiny", recipe="board", lot="lot-1", lane=1)).triggers == 10
    for other in (Slice(package="x"), Slice(recipe="x"), Slice(lot="x"), Slice(lane=2), Slice(since_us=START_US + 1)):
        assert figures.total(other) == Tallied()


def test_counts_that_were_changed_do_not_verify(tmp_path):
    write_ledger(tmp_path, 10)
    assert verify(tmp_path).is_sound
    engine = writer_engine(tmp_path / "ledger.sqlite")
    with engine.begin() as connection:
        connection.execute(text("UPDATE tallies SET passed = passed + 1"))
    engine.dispose()

    (problem,) = verify(tmp_path).problems
    assert "the counts for charts" in str(problem)


def tables(folder):
    engine = writer_engine(folder / "ledger.sqlite")
    with engine.begin() as connection:
        found = [connection.execute(table.select()).all() for table in (TALLIES, CAUSES, LATENCIES)]
    engine.dispose()
    return found
