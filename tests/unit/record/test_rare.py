"""Events that happen rarely are found by their own index, not by a look at all the others."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from app.record.database import FILE
from app.record.ledger import Ledger
from app.record.rare import KINDS, RareEvents
from app.record.readers import Records
from app.record.tables import RARE, RARE_INDEX
from app.types import EventKind
from tests.unit.record.station_events import WALL, StationEvents


@pytest.fixture
def folder(tmp_path):
    station = StationEvents()
    events = station.start()
    for number in range(3):
        trigger = station.trigger()
        events += [trigger, station.verdict(trigger.part_id), station.outcome(trigger.part_id)]
        events.append(station.event(EventKind.CHALLENGE, result="PASSED", text=str(number)))
    ledger = Ledger.open(tmp_path)
    ledger.append(events, WALL)
    ledger.close()
    return tmp_path


def test_newest_come_first_and_page_by_page(folder) -> None:
    rare = RareEvents(folder)
    found = rare.newest(1, [EventKind.CHALLENGE], most=2)
    older = rare.newest(1, [EventKind.CHALLENGE], before_row=found[-1].row)
    rare.close()

    assert [each.event.data["text"] for each in (*found, *older)] == ["2", "1", "0"]
    assert rare.newest(2, [EventKind.CHALLENGE]) == []


def test_ledger_that_is_not_there_yet_has_none(tmp_path) -> None:
    assert RareEvents(tmp_path).newest(1, [EventKind.RESET]) == []


def test_events_of_parts_are_not_rare(folder) -> None:
    with pytest.raises(ValueError, match="VERDICT"):
        RareEvents(folder).newest(1, [EventKind.VERDICT])


def test_index_holds_the_rare_kinds_and_is_used(folder) -> None:
    assert all(f"'{each.value}'" in RARE for each in KINDS)
    with closing(sqlite3.connect(folder / FILE)) as connection:
        query = f"SELECT * FROM events INDEXED BY {RARE_INDEX} WHERE lane = 1 AND {RARE} ORDER BY row DESC LIMIT 5"
        plan = " ".join(str(row) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))

    assert RARE_INDEX in plan
    assert "TEMP B-TREE" not in plan


def test_story_of_a_part_names_the_recipe_that_it_was_triggered_under(tmp_path) -> None:
    station = StationEvents()
    events = [station.event(EventKind.STARTED, lot=station.lot, recipe="first", recipe_sha256="1" * 64)]
    for recipe in ("second", "third"):
        trigger = station.trigger()
        events += [trigger, station.event(EventKind.RECIPE, recipe=recipe, recipe_sha256=recipe[0] * 64, from_part=9)]
        events += [station.verdict(trigger.part_id), station.outcome(trigger.part_id)]
    ledger = Ledger.open(tmp_path)
    ledger.append(events, WALL)
    ledger.close()
    records = Records(tmp_path)
    stories = [records.story(each) for each in records.parts(1)]
    records.close()

    assert [each.started["recipe"] for each in stories] == ["first", "second"]
    assert stories[1].started["recipe_sha256"] == "s" * 64
