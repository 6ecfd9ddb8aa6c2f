"""What the recorder derives for reviewers: terms, finds and the queue, and how an older ledger gets them."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import pytest

from app.record.archive import Archiver
from app.record.database import ARCHIVE, FILE
from app.record.finds import top_scores
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, Stored
from app.record.readers import Records
from app.record.register import Register
from app.types import EventKind
from tests.unit.record.station_events import WALL, StationEvents


def spoken(*rows):
    return json.dumps([[label, score, 1, 2, 3, 4] for label, score in rows])


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger", segment_h=1)
    yield opened
    opened.close()


def rows(ledger, query):
    with ledger.transaction() as connection:
        return [tuple(each) for each in connection.exec_driver_sql(query)]


def queue(ledger):
    return rows(ledger, "SELECT part_id, why, labels, top_score FROM queue ORDER BY at_us, part_id")


def found(ledger):
    return rows(ledger, "SELECT part_id, label, score FROM found ORDER BY part_id, label")


@pytest.mark.parametrize(
    ("detections", "best"),
    [
        ("[]", {}),
        (None, {}),
        ("no JSON", {}),
        ('{"spur": 1}', {}),
        ('[["spur", "x", 1, 2, 3, 4], ["spur"], 7]', {}),
        (spoken(("spur", 0.2), ("short", 0.9), ("spur", 0.7)), {"spur": 0.7, "short": 0.9}),
    ],
)
def test_the_highest_score_of_each_class_counts(detections, best):
    assert top_scores(detections) == best


def test_rejects_and_flagged_parts_are_queued_and_passes_are_not(ledger):
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.judged(1), station.verdict(1)]
    events += [station.trigger(), station.judged(2, detections=spoken(("spur", 0.3)), is_flagged=True)]
    events += [station.verdict(2, is_flagged=True), station.trigger(), station.verdict(3, "reject")]
    events += [station.judged(3, "reject", detections=spoken(("short", 0.9), ("spur", 0.4)))]
    ledger.append(events, WALL)

    assert queue(ledger) == [(2, "flagged", "\nspur\n", 0.3), (3, "reject", "\nshort\nspur\n", 0.9)]


def test_a_part_that_is_sent_elsewhere_after_it_passed_is_queued(ledger):
    station = StationEvents()
    ledger.append([*station.start(), station.trigger(), station.verdict(1)], WALL)
    assert queue(ledger) == []

    ledger.append([station.event(EventKind.REROUTED, 1, to="reject", reason="PURGED")], WALL)

    assert queue(ledger) == [(1, "reject", "", None)]


def test_what_is_found_in_a_later_batch_comes_into_the_queue_too(ledger):
    station = StationEvents()
    ledger.append([*station.start(), station.trigger(), station.verdict(1, "reject")], WALL)

    ledger.append([station.judged(1, "reject", detections=spoken(("spur", 0.8)))], WALL)
    ledger.append([station.judged(1, "reject", exposure=1, detections=spoken(("spur", 0.5)))], WALL)

    assert queue(ledger) == [(1, "reject", "\nspur\n", 0.8)]


def test_finds_below_every_threshold_are_kept(ledger):
    station = StationEvents()
    ledger.append([*station.start(), station.trigger(), station.judged(1, detections=spoken(("spur", 0.05)))], WALL)

    assert found(ledger) == [(1, "spur", 0.05)]


def test_parts_know_the_terms_that_held_at_their_trigger(ledger):
    before, after = StationEvents(), StationEvents(epoch=2)
    ledger.append([*before.start(), *before.part("pass")], WALL)
    triggered = before.trigger()
    said = {"recipe": "fine board", "recipe_sha256": "ab", "by": "Ada", "role": "lead", "why": "", "from_part": 3}
    ledger.append([triggered, before.event(EventKind.RECIPE, None, **said), before.trigger()], WALL)
    ledger.append([*after.start(is_first=False), after.trigger()], WALL)
    records = Records(ledger.folder)

    told = [records.terms(records.part(*key)) for key in ((1, 1), (2, 1), (3, 1), (1, 2))]
    records.close()

    assert [each.recipe for each in told] == ["board", "board", "fine board", "board"]
    assert [each.package for each in told] == ["tiny", "tiny", "tiny", "tiny"]


def test_terms_outlive_a_restart_of_the_recorder(tmp_path):
    station = StationEvents()
    first = Ledger.open(tmp_path)
    first.append(station.start(), WALL)
    first.close()
    second = Ledger.open(tmp_path)
    second.append([station.trigger()], WALL)

    assert rows(second, "SELECT terms FROM parts") == [(1,)]
    second.close()


def picture(part_id, kind=PictureKind.PASS):
    return Stored(Shot(1, 1, part_id, "top", 0, 0), kind, f"day/lane1-1-{part_id}-top-0.png", 10, "0" * 64)


def test_a_passed_part_whose_picture_is_kept_is_a_sample(ledger, tmp_path):
    station = StationEvents()
    ledger.append([*station.start(), *station.part("pass"), *station.part("reject")], WALL)

    Register(ledger, tmp_path / "pictures").note([picture(1), picture(2, PictureKind.REJECT)])

    assert [each[:2] for each in queue(ledger)] == [(1, "sample"), (2, "reject")]


def test_a_picture_of_a_part_that_is_not_recorded_queues_nothing(ledger, tmp_path):
    Register(ledger, tmp_path / "pictures").note([picture(9)])

    assert queue(ledger) == []


def test_an_older_ledger_is_filled_from_its_events_and_its_archive(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger", segment_h=1)
    station = StationEvents()
    events = [*station.start(), station.trigger(), station.judged(1, detections=spoken(("spur", 0.8)))]
    ledger.append([*events, station.verdict(1, "reject"), station.outcome(1, "REJECTED")], WALL)
    later = [
        station.trigger(),
        station.judged(2, detections=spoken(("open", 0.1)), is_flagged=True),
        station.verdict(2),
    ]
    ledger.append([*later, *station.part("pass")], WALL + timedelta(hours=2))
    Register(ledger, tmp_path / "pictures").note([picture(3)])
    archiver = Archiver(ledger, 0.001)
    while archiver.step(WALL + timedelta(hours=3)):
        pass
    archiver.close()
    assert list((tmp_path / "ledger" / ARCHIVE).iterdir())
    expected = everything(ledger)
    ledger.close()
    forget_the_review(tmp_path / "ledger" / FILE)

    migrated = Ledger.open(tmp_path / "ledger", segment_h=1)

    assert everything(migrated) == expected
    assert rows(migrated, "SELECT row, package, recipe FROM terms") == [(1, "tiny", "board")]
    migrated.close()


def everything(ledger):
    return queue(ledger), found(ledger), rows(ledger, "SELECT part_id, terms FROM parts ORDER BY part_id")


def forget_the_review(path):
    """Makes a ledger one of the first schema again."""
    connection = sqlite3.connect(path)
    known = {each[0] for each in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    first = {"events", "segments", "heads", "epochs", "parts", "lots", "pictures", "alembic_version"}
    old = {"ix_parts_lot", "ix_parts_serial", "ix_parts_open", "ix_pictures_part", "ix_pictures_kept"}
    indexes = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    for (name,) in indexes.fetchall():
        if name not in old:
            connection.execute(f"DROP INDEX {name}")
    for name in known - first:
        connection.execute(f"DROP TABLE {name}")
    connection.execute("ALTER TABLE parts DROP COLUMN terms")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.commit()
    connection.close()
