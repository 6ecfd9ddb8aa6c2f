"""What was found on single parts, read from wherever the ledger keeps it."""

import json
from contextlib import closing
from datetime import timedelta

import pytest

from app.record.archive import Archiver
from app.record.judged import JudgedParts
from app.record.ledger import Ledger
from app.types import Detection
from tests.unit.record.station_events import WALL, StationEvents, write_ledger

BOX = (12.0, 30.0, 20.0, 16.5)


def row(label, score, box=BOX):
    return [label, score, *box]


@pytest.fixture
def station():
    return StationEvents()


@pytest.fixture
def judged(tmp_path):
    made = JudgedParts(tmp_path)
    yield made
    made.close()


def write(folder, events):
    with closing(Ledger.open(folder)) as ledger:
        ledger.append(events, WALL)


def test_all_pictures_of_a_part_count_in_order(tmp_path, station, judged):
    start, trigger, other = station.start(), station.trigger(), station.trigger()
    first = station.judged(1, camera="top", detections=json.dumps([row("short", 0.9), row("open", 0.2)]))
    neighbour = station.judged(2, detections=json.dumps([row("spur", 0.5)]))
    second = station.judged(1, camera="side", detections=json.dumps([row("open", 0.31234)]))
    write(tmp_path, [*start, trigger, other, first, neighbour, second])

    found = judged.found([(1, 1, 1), (1, 1, 2)])

    assert found[1, 1, 1] == (
        Detection("short", 0.9, BOX),
        Detection("open", 0.2, BOX),
        Detection("open", 0.31234, BOX),
    )
    assert found[1, 1, 2] == (Detection("spur", 0.5, BOX),)


def test_a_part_that_nobody_judged_is_left_out_and_one_without_findings_is_not(tmp_path, station, judged):
    events = [*station.start(), station.trigger(), station.trigger(), station.judged(2, detections="[]")]
    write(tmp_path, events)

    assert judged.found([(1, 1, 1), (1, 1, 2), (1, 7, 1), (9, 1, 1)]) == {(1, 1, 2): ()}


def test_what_comes_later_is_seen_until_the_part_has_its_outcome(tmp_path, station, judged):
    write(tmp_path, [*station.start(), station.trigger(), station.judged(1, detections=json.dumps([row("a", 0.5)]))])
    before = judged.found([(1, 1, 1)])[1, 1, 1]
    write(tmp_path, [station.judged(1, detections=json.dumps([row("b", 0.6)])), station.outcome(1)])

    after = judged.found([(1, 1, 1)])[1, 1, 1]

    assert ([each.label for each in before], [each.label for each in after]) == (["a"], ["a", "b"])


@pytest.mark.parametrize("said", ["", "no json", "{}", '[["short", 0.5]]', '[["short", "x", 1, 2, 3, 4]]', "[3]"])
def test_what_cannot_be_read_is_left_out(tmp_path, station, judged, said):
    write(tmp_path, [*station.start(), station.trigger(), station.judged(1, detections=said)])

    assert judged.found([(1, 1, 1)]) == {(1, 1, 1): ()}


def test_parts_are_read_from_the_archive_as_from_the_ledger(tmp_path, judged):
    write_ledger(tmp_path, parts=30, segments=3)
    keys = [(1, 1, each) for each in range(1, 31)]
    before = judged.found(keys)
    with closing(Ledger.open(tmp_path)) as ledger:
        archiver = Archiver(ledger, 1.0)
        while archiver.step(WALL + timedelta(days=10)):
            pass
        archiver.close()
    fresh = JudgedParts(tmp_path)

    after = fresh.found(keys)
    fresh.close()

    assert (len(before), after) == (30, before)


def test_a_box_without_a_ledger_has_found_nothing(judged):
    assert judged.found([(1, 1, 1)]) == {}
