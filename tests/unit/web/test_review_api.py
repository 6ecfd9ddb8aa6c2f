"""The queue, stories, labels and pictures as the API tells them, on one record of a dozen parts."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import parse_qsl

import cv2
import numpy as np
import pytest
from sqlalchemy import event

from app.record import DOCUMENTS, LEDGER, PICTURES
from app.record.documents import keep
from app.record.ledger import Ledger
from app.record.pictures import PictureKind, Shot, store
from app.record.register import Drop, Kept, Register
from app.record.walltime import micros
from app.types import EventKind
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.review.filters import read_filter
from app.web.review.pictures import Pictures
from app.web.review.queue import Queue
from tests.unit.record.station_events import WALL, StationEvents
from tests.unit.web.bench import Bench
from tests.unit.web.people import machine, sign_in

RECIPE = 'name = "board"\n[default]\nthreshold = 0.5\n[classes.spur]\npolicy = "flag"\n'
MARKUP = "<script>alert(1)</script>"
SHOT = np.full((300, 400, 3), 90, np.uint8)
REJECTS, FLAGGED, SAMPLES = (2, 5, 8, 11), (3,), (6, 12)


def write_record(state):
    """Twelve parts: every third from the second on is rejected, 3 is flagged, 6 and 12 are samples."""
    ledger = Ledger.open(state / LEDGER)
    station = StationEvents()
    sha256 = keep(state / DOCUMENTS, RECIPE)
    said = {"recipe": "board", "recipe_sha256": sha256, "package": "tiny", "lot": station.lot}
    events = [station.event(EventKind.STARTED, **said), station.event(EventKind.LOT_OPENED, lot=station.lot)]
    for number in range(1, 13):
        station.lot = "lot-2" if number > 9 else "lot-1"
        boxes = [["spur", 0.4 + number / 100, 10, 20, 30, 40]] if number % 2 else [["short", 0.9, 1, 2, 3, 4]]
        boxes = boxes if number in (*REJECTS, *FLAGGED) else []
        route = "reject" if number in REJECTS else "pass"
        found = {"detections": json.dumps(boxes), "width": 400, "height": 300, "is_flagged": number in FLAGGED}
        events += [station.trigger(MARKUP if number == 11 else f"SN-{number}"), station.judged(number, route, **found)]
        text = "short 0.90 at x=1 y=2, 3 x 4 px, threshold 0.5" if route == "reject" else ""
        events += [station.verdict(number, route, is_flagged=number in FLAGGED, text=text)]
        events += [station.outcome(number, "REJECTED" if route == "reject" else "PASSED")]
    ledger.append(events, WALL, station.now_ns)
    register = Register(ledger, state / PICTURES)
    kinds = dict.fromkeys(REJECTS, PictureKind.REJECT) | dict.fromkeys(SAMPLES, PictureKind.PASS)
    for number in (2, 5, 6, 12):
        shot = Shot(1, 1, number, "top", 0, micros(WALL) + number)
        register.note([store(state / PICTURES, shot, kinds[number], SHOT)])
    gone = next(each for each in register.oldest([PictureKind.REJECT], 9) if "-5-top" in each.file)
    register.remove([Drop(Kept(gone.number, gone.kind, gone.file, gone.size, gone.taken_us), "too old")], micros(WALL))
    with ledger.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO pictures (id, lane, epoch, part_id, camera, exposure, kind, file, bytes, sha256, taken_us)"
            " VALUES (90, 1, 1, 1, 'top', 0, 'reject', '../../secret.png', 1, 'x', 1)"
        )
    ledger.close()
    (state.parent / "secret.png").write_bytes(b"secret")


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("review") / "bus")
    write_record(made.state)
    yield made
    made.close()
    made.context.close()


@pytest.fixture(scope="module")
def quality(box):
    """Somebody who labels, and the headers of their commands."""
    client = box.app.test_client()
    return client, sign_in(client, box.context, Role.QUALITY, "Ada")


@pytest.fixture(scope="module")
def second(box):
    """A second reviewer."""
    client = box.app.test_client()
    return client, sign_in(client, box.context, Role.QUALITY, "Ben")


def get(who, path):
    return who[0].get(path)


def parts(who, query=""):
    answer = get(who, f"/api/v1/queue?{query}")
    assert answer.status_code == 200, answer.text
    return [each["part"] for each in answer.json["rows"]]


def say(who, part, kind, version=None, **more):
    path = f"/api/v1/parts/1/1/{part}/labels"
    seen = get(who, path).json["version"] if version is None else version
    return who[0].post(path, json={"kind": kind, "version": seen, **more}, headers=who[1])


def test_the_queue_is_newest_first_and_pages_on(quality):
    first = get(quality, "/api/v1/queue?limit=3").json
    second = get(quality, f"/api/v1/queue?limit=9&after={first['next']}").json

    assert [each["part"] for each in first["rows"]] == [12, 11, 8]
    assert [each["part"] for each in second["rows"]] == [6, 5, 3, 2]
    assert (first["total"], second["total"], second["next"]) == (7, None, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("why=reject", [11, 8, 5, 2]),
        ("why=flagged", [3]),
        ("why=sample", [12, 6]),
        ("class=spur", [11, 5, 3]),
        ("class=spur&min_score=0.45", [11, 5]),
        ("class=spur&max_score=0.44", [3]),
        ("min_score=0.8", [8, 2]),
        ("lot=lot-2", [12, 11]),
        ("recipe=board&package=tiny&lot=lot-2", [12, 11]),
        ("recipe=other", []),
        ("reason=DEFECT", [11, 8, 5, 2]),
        ("reason=DEF", []),
        ("lane=2", []),
        ("from=2026-03-01T12:00:00Z", []),
        ("to=2026-03-01T12:00:00Z&why=flagged", [3]),
        ("class=%27%20OR%201=1", []),
    ],
)
def test_filters_choose(quality, query, expected):
    assert parts(quality, query) == expected


@pytest.mark.parametrize(
    "query", ["why=x", "limit=0", "limit=100000", "after=1", "min_score=2", "from=never", "lane=-1"]
)
def test_nonsense_is_refused_by_the_api(quality, query):
    answer = get(quality, f"/api/v1/queue?{query}")

    assert (answer.status_code, set(answer.json)) == (400, {"what", "mend"})


def test_rows_tell_what_was_found_and_what_judged(quality):
    row = next(each for each in get(quality, "/api/v1/queue").json["rows"] if each["part"] == 2)

    assert row["found"] == [{"label": "short", "score": 0.9}]
    assert (row["recipe"], row["package"], row["lot"], row["serial"]) == ("board", "tiny", "lot-1", "SN-2")
    assert (row["picture"], row["outcome"], row["why"]) == ("kept", "REJECTED", "reject")


def test_neighbours_stay_within_the_filter(quality):
    said = get(quality, "/api/v1/parts/1/1/5/neighbours?why=reject").json

    assert said == {"newer": "1-1-8", "older": "1-1-2"}
    assert get(quality, "/api/v1/parts/1/1/12/neighbours").json["newer"] is None


def test_the_story_has_steps_boxes_and_the_rules_of_that_time(quality):
    story = get(quality, "/api/v1/parts/1/1/2").json

    assert [each["step"] for each in story["steps"]] == ["trigger", "judged", "verdict", "outcome"]
    assert [each["kind"] for each in story["pictures"][0]["boxes"]] == ["DEFECT"]
    assert {each["label"]: each["policy"] for each in story["terms"]["rules"]} == {
        "short": "reject",
        "spur": "flag",
        "": "reject",
    }
    assert story["terms"]["recipe"] == "board"


def test_a_picture_that_retention_deleted_is_told_with_its_rule(quality):
    picture = get(quality, "/api/v1/parts/1/1/5").json["pictures"][0]

    assert (picture["url"], picture["gone_why"]) == (None, "too old")
    assert picture["gone_us"]


@pytest.mark.parametrize("path", ["1/1/99", "9/1/1", "1/9999999999999999999999/1"])
def test_parts_that_are_not_there_are_said_so(quality, path):
    page = get(quality, f"/review/{path}")

    assert get(quality, f"/api/v1/parts/{path}").status_code == 404
    assert page.status_code == 404
    assert "This part is not in the record" in page.text


def test_pages_say_which_filter_makes_no_sense_and_show_the_rest(quality):
    page = get(quality, f"/review/?min_score={MARKUP}&lot=lot-2")

    assert page.status_code == 200
    assert "The filter Lowest score cannot be" in page.text
    assert MARKUP not in page.text
    assert '"lot": "lot-2"' in page.text


def test_the_page_of_a_part_carries_no_markup_of_its_names(quality):
    page = get(quality, "/review/1/1/11")

    assert page.status_code == 200
    assert MARKUP not in page.text


@pytest.mark.parametrize("query", ["", "class=spur&min_score=0.1", "label=none", "recipe=board", "lot=lot-1"])
def test_a_page_reads_no_table_from_end_to_end_but_the_narrow_ones(box, query):
    chosen, _ = read_filter(dict(parse_qsl(query)))
    queue = Queue(box.state / LEDGER, box.context.store)
    said = []
    event.listen(queue._open(), "before_cursor_execute", lambda _c, _d, text, values, *_: said.append((text, values)))
    queue.page(chosen, None, 5)
    queue.neighbours(chosen, (1, 1, 5))
    with queue._reading() as connection:
        plans = [
            row[3]
            for text, values in list(said)
            if text.startswith("SELECT") and "sqlite_master" not in text
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        ]
    queue.close()

    scanned = {each.split()[1] for each in plans if each.startswith("SCAN")}
    assert "queue" in scanned
    assert scanned <= {"queue", "terms", "CONSTANT"}


# Labels


def test_a_label_is_given_changed_and_taken_back(quality, box):
    given = say(quality, 2, "true_defect").json
    changed = say(quality, 2, "other_class", **{"class": "short"}).json
    path = "/api/v1/parts/1/1/2/labels"
    back = quality[0].delete(path, json={"version": changed["version"]}, headers=quality[1])

    assert [each["kind"] for each in given["labels"]] == ["true_defect"]
    assert [(each["kind"], each["class"], each["by"]) for each in changed["labels"]] == [
        ("other_class", "short", "Ada")
    ]
    assert back.json["labels"] == []
    trail = box.context.audit.rows(AuditFilter(what="review.label"))
    assert [each.about for each in trail][:3] == ["1/1/2"] * 3


def test_the_queue_is_filtered_by_what_people_say(quality, second):
    say(quality, 8, "true_defect")
    say(second, 8, "false_reject")
    say(quality, 12, "escape")

    assert parts(quality, "label=any") == [12, 8]
    assert parts(quality, "label=escape") == [12]
    assert parts(quality, "label=false_reject") == [8]
    assert parts(quality, "label=disputed") == [8]
    assert 8 not in parts(quality, "label=none")


def test_the_second_of_two_at_once_is_told_and_writes_nothing(quality, second):
    version = get(second, "/api/v1/parts/1/1/3/labels").json["version"]
    assert say(quality, 3, "unsure", version=version).status_code == 200

    refused = say(second, 3, "good", version=version)

    assert refused.status_code == 409
    assert "Ada has changed" in refused.json["what"]
    assert [each["by"] for each in get(second, "/api/v1/parts/1/1/3/labels").json["labels"]] == ["Ada"]


def test_many_are_labelled_at_once_and_what_is_not_there_is_named(quality):
    wanted = [{"lane": 1, "epoch": 1, "part": part, "version": 0} for part in (6, 77)]

    said = quality[0].post("/api/v1/labels", json={"parts": wanted, "kind": "good"}, headers=quality[1]).json

    assert [(each["key"], each["version"], each["label"]["kind"]) for each in said["done"]] == [("1-1-6", 1, "good")]
    assert said["refused"] == ["1-1-77"]


FLAT = {"camera": "top", "class": "x", "x": 0, "y": 0, "width": 0, "height": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "other_class", "version": 0},
        {"kind": "nonsense", "version": 0},
        {"kind": "good"},
        {"kind": "good", "version": -1},
        {"kind": "good", "version": 1 << 70},
        {
            "kind": "good",
            "version": 0,
            "boxes": [{"camera": "top", "class": "x", "x": 0, "y": 0, "width": 0, "height": 1}],
        },
        {"kind": "good", "version": 0, "class": "line\nfeed"},
    ],
)
def test_a_label_that_makes_no_sense_is_refused(quality, body):
    answer = quality[0].post("/api/v1/parts/1/1/2/labels", json=body, headers=quality[1])

    assert (answer.status_code, set(answer.json)) == (400, {"what", "mend"})


def test_a_lead_reads_and_does_not_label(box):
    client = box.app.test_client()
    lead = client, sign_in(client, box.context, Role.LEAD, "Eve")

    assert parts(lead, "why=flagged") == [3]
    assert say(lead, 3, "good").status_code == 403
    assert 'data-kind="good"' not in get(lead, "/review/1/1/2").text


def test_nobody_reads_without_signing_in(box):
    client = box.app.test_client()

    assert client.get("/api/v1/queue").status_code == 401
    assert client.get("/api/v1/pictures/1").status_code == 401
    assert client.get("/review/").status_code == 302


def test_a_machine_labels_by_its_scope(box):
    client = box.app.test_client()

    reading, reviewing = ((client, machine(box.context, scope)) for scope in ("read", "review"))
    path = "/api/v1/parts/1/1/11/labels"

    assert client.post(path, json={"kind": "good", "version": 0}, headers=reading[1]).status_code == 403
    assert client.post(path, json={"kind": "good", "version": 0}, headers=reviewing[1]).status_code == 200


# Pictures


def number_of(quality, part):
    return get(quality, f"/api/v1/parts/1/1/{part}").json["pictures"][0]["url"].rsplit("/", 1)[1]


def test_a_picture_is_served_as_it_was_kept(quality):
    with get(quality, f"/api/v1/pictures/{number_of(quality, 2)}") as answer:
        answer.get_data()

    assert answer.mimetype == "image/png"
    assert (cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR) == SHOT).all()
    assert answer.headers["ETag"].strip('"') == hashlib.sha256(answer.data).hexdigest()


def test_a_small_picture_keeps_its_shape(quality):
    answer = get(quality, f"/api/v1/pictures/{number_of(quality, 2)}/thumb")

    assert answer.mimetype == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR).shape == (120, 160, 3)


@pytest.mark.parametrize("tail", ["", "/thumb"])
def test_pictures_that_are_gone_or_never_were_are_told_apart(quality, tail):
    row = next(each for each in get(quality, "/api/v1/queue").json["rows"] if each["part"] == 5)

    assert (row["picture"], row["thumb"]) == ("gone", None)
    assert get(quality, f"/api/v1/pictures/2{tail}").status_code == 410
    assert get(quality, f"/api/v1/pictures/7777{tail}").status_code == 404
    assert get(quality, f"/api/v1/pictures/{1 << 70}{tail}").status_code == 404


@pytest.mark.parametrize("tail", ["", "/thumb"])
def test_a_file_outside_the_folder_is_never_served(quality, tail):
    assert get(quality, f"/api/v1/pictures/90{tail}").status_code == 410


def test_thumbnails_do_not_pile_up(box, quality, tmp_path):
    picture = box.context.records.picture(int(number_of(quality, 2)))
    pictures = Pictures(box.context.records, box.state / PICTURES, tmp_path / "thumbs", most=4)
    for number in range(12):
        kept = tmp_path / "thumbs" / f"{number}-old.jpg"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(b"old")

    assert pictures.thumb(picture)

    assert len(list((tmp_path / "thumbs").iterdir())) <= 4


# Saved filters


def test_filters_are_saved_each_for_themselves(quality, second):
    saved = {"name": "My <b>lot</b>", "query": "lot=lot-2&why=reject"}

    said = quality[0].post("/api/v1/filters", json=saved, headers=quality[1])

    assert said.json["filters"] == [saved]
    assert get(second, "/api/v1/filters").json["filters"] == []
    assert quality[0].delete("/api/v1/filters", json={"name": saved["name"]}, headers=quality[1]).json["filters"] == []


def test_a_part_is_found_by_its_serial_number(quality):
    assert get(quality, "/api/v1/find?words=SN-8").json == {"key": "1-1-8"}
    assert get(quality, "/api/v1/find?words=nothing").status_code == 404


def test_a_box_without_a_record_shows_an_empty_queue(bench):
    client = bench.app.test_client()
    lead = client, sign_in(client, bench.context, Role.LEAD)

    assert get(lead, "/api/v1/queue").json == {"rows": [], "next": None, "total": 0}
    assert get(lead, "/review/").status_code == 200
    bench.context.close()
