from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
import zipfile
from datetime import datetime, timezone

import cv2
import numpy as np
import pytest

from app.record import LEDGER, PICTURES
from app.record.ledger import Ledger
from app.record.readers import Records
from app.record.tables import PICTURES as REGISTER
from app.web.reports.apart import Apart
from app.web.reports.bundle import FORMS, zipped
from app.web.reports.items import items_of
from app.web.review.label import LabelBox, LabelKind, Said
from app.web.review.labels import Labels
from tests.unit.record.station_events import StationEvents

WALL = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
CAMERA = "../top cam"
BAD, DRAWN, GOOD, GONE = 1, 2, 3, 4


def made(state):
    """Four rejects: as the model saw it, with a box by a person, good, and one whose picture is gone."""
    station = StationEvents()
    events = station.start()
    for _ in range(4):
        trigger = station.trigger()
        number = trigger.part_id
        found = [["open", 0.91, 64.0, 32.0, 16.0, 8.0], ["spur", 0.11, 1.0, 2.0, 3.0, 4.0]]
        text = "open 0.91 at x=64 y=32, 16 x 8 px, threshold 0.5"
        judged = {"camera": CAMERA, "width": 128, "height": 64, "detections": json.dumps(found)}
        events += [
            trigger,
            station.verdict(number, "reject", text=text),
            station.judged(number, "reject", **judged),
            station.outcome(number, "REJECTED", reason="DEFECT"),
        ]
    ledger = Ledger.open(state / LEDGER)
    ledger.append(events, WALL)
    (state / PICTURES).mkdir(parents=True)
    with ledger.transaction() as connection:
        for number in (BAD, DRAWN, GOOD, GONE):
            file = f"{number}.png"
            image = np.full((64, 128, 3), 40 * number, np.uint8)
            content = cv2.imencode(".png", image)[1].tobytes()
            if number != GONE:
                (state / PICTURES / file).write_bytes(content)
            row = {"lane": 1, "epoch": 1, "part_id": number, "camera": CAMERA, "exposure": 0, "kind": "reject"}
            row |= {"file": file, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "taken_us": 1}
            connection.execute(REGISTER.insert().values(row))
    ledger.close()
    return state


@pytest.fixture
def desk(bench):
    made(bench.state)
    labels = Labels(bench.context.store, bench.context.audit, bench.clock)
    box = LabelBox(CAMERA, 0, "=short", 0, 0, 128, 64)
    labels.say((1, 1, DRAWN), "quinn", Said(LabelKind.OTHER_CLASS, "=short", (box,)), 0)
    labels.say((1, 1, GOOD), "quinn", Said(LabelKind.FALSE_REJECT), 0)
    return bench


def archive(bench, form):
    records = Records(bench.state / LEDGER)
    labels = Labels(bench.context.store, bench.context.audit, bench.clock)
    keys = [(1, 1, number) for number in (BAD, DRAWN, GOOD, GONE, 99)]
    content = b"".join(zipped(items_of(records, labels, bench.state / PICTURES, keys), form))
    records.close()
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def table(found, name):
    return list(csv.DictReader(io.StringIO(found.read(name).decode())))


@pytest.mark.parametrize("form", FORMS)
def test_pictures_are_as_they_were_kept_under_safe_names(desk, form):
    found = archive(desk, form)
    names = [each for each in found.namelist() if each.startswith("images/")]

    assert len(names) == 3
    for name in names:
        assert ".." not in name.replace("images/", "").split("/")
        assert name.count("/") == 1
        assert " " not in name
    first = next(each for each in names if each.startswith("images/lane1-1-1-"))
    assert found.read(first) == (desk.state / PICTURES / "1.png").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_pictures_that_are_gone_are_listed(desk, form):
    (row,) = table(archive(desk, form), "gone.csv")

    assert row["name"].startswith("lane1-1-4-")
    assert row["why"] == "the file is not there"


def vanishing(state, at, remove):
    """The parts of the export; the picture of one is taken away once it has been looked up."""
    records = Records(state / LEDGER)
    for item in items_of(records, Nobody(), state / PICTURES, [(1, 1, number) for number in (BAD, DRAWN, GOOD)]):
        if item.story.part.part_id == at:
            remove(item.shots[0].path)
        yield item
    records.close()


class Nobody:
    """Nobody has said anything of any part."""

    def of(self, keys):
        return {}


@pytest.mark.parametrize("form", FORMS)
def test_picture_that_retention_takes_away_during_the_export_is_listed_and_nothing_is_said_of_it(bench, form):
    state = made(bench.state)
    content = b"".join(zipped(vanishing(state, DRAWN, lambda path: path.unlink()), form))
    found = zipfile.ZipFile(io.BytesIO(content))
    (row,) = table(found, "gone.csv")

    assert found.testzip() is None
    assert row["name"].startswith("lane1-1-2-")
    assert row["why"] == "the file is not there"
    assert len([each for each in found.namelist() if each.startswith("images/")]) == 2
    assert not [each for each in found.namelist() if each.startswith("labels/lane1-1-2-")]
    if form == "coco":
        assert [each["part"] for each in json.loads(found.read("annotations.json"))["images"]] == ["1/1/1", "1/1/3"]


def test_picture_that_cannot_be_opened_is_listed_with_its_reason(bench):
    def swap(path):
        path.unlink()
        path.symlink_to(path.name)

    state = made(bench.state)
    content = b"".join(zipped(vanishing(state, BAD, swap), "csv"))
    (row,) = table(zipfile.ZipFile(io.BytesIO(content)), "gone.csv")

    assert row["why"] == "the file cannot be read: Too many levels of symbolic links"


def test_coco_has_the_boxes_of_people_before_those_of_the_verdict(desk):
    said = json.loads(archive(desk, "coco").read("annotations.json"))
    classes = {each["id"]: each["name"] for each in said["categories"]}
    images = {each["id"]: each["part"] for each in said["images"]}

    assert [(images[each["image_id"]], classes[each["category_id"]], each["bbox"]) for each in said["annotations"]] == [
        ("1/1/1", "open", [64.0, 32.0, 16.0, 8.0]),
        ("1/1/2", "=short", [0.0, 0.0, 128.0, 64.0]),
    ]
    assert [each.get("score") for each in said["annotations"]] == [0.91, None]


def test_yolo_has_shares_of_the_picture_and_empty_files_for_good_parts(desk):
    found = archive(desk, "yolo")
    labels = {name.split("-")[2]: found.read(name).decode() for name in found.namelist() if name.startswith("labels/")}

    assert labels == {
        "1": "0 0.562500 0.562500 0.125000 0.125000\n",
        "2": "1 0.500000 0.500000 1.000000 1.000000\n",
        "3": "",
    }
    assert 'names:\n  0: "open"\n  1: "=short"\n' in found.read("data.yaml").decode()


def test_csv_has_a_row_per_part_and_no_cell_is_a_formula(desk):
    rows = table(archive(desk, "csv"), "parts.csv")

    assert [each["label"] for each in rows] == ["", "other_class", "false_reject", ""]
    assert rows[1]["class"] == "'=short"
    assert json.loads(rows[0]["marks"]) == [["open", 64.0, 32.0, 16.0, 8.0, 0.91]]


def test_an_export_comes_through_the_page_by_filter_and_by_name(desk):
    desk.as_role_lead = desk.as_role(role("LEAD"))

    every = desk.client.get("/api/v1/export.zip?form=csv&lot=&why=reject")
    one = desk.client.get("/api/v1/export.zip?form=csv&parts=1-1-3")

    assert [len(table(zipfile.ZipFile(io.BytesIO(each.data)), "parts.csv")) for each in (every, one)] == [4, 1]
    assert every.headers["Content-Disposition"] == 'attachment; filename="takt-csv.zip"'


@pytest.mark.parametrize("query", ["form=png", "parts=1-2", "why=all", "min_score=2"])
def test_nonsense_is_refused(desk, query):
    desk.as_role(role("LEAD"))

    assert desk.client.get(f"/api/v1/export.zip?{query}").status_code == 400


def test_what_breaks_within_is_not_taken_for_the_end():
    def broken():
        yield b"half"
        raise OSError("the disk is gone")

    stream = Apart(broken())

    assert next(stream) == b"half"
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_a_page_that_goes_ends_the_work():
    let_go = threading.Semaphore(0)

    def endless():
        while True:
            yield b"x"

    stream = Apart(endless(), let_go)
    assert next(stream) == b"x"
    stream.close()

    assert let_go.acquire(timeout=10)


def role(name):
    from app.web.access.roles import Role

    return Role[name]
