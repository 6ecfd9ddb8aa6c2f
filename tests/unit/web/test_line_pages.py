"""What the operator's screens ask and command: who may, what reaches the station, what the record keeps of it."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone

import cv2
import numpy as np
import pytest

from app.config import UiSettings
from app.record import DOCUMENTS, LEDGER
from app.record.adopted import adopted
from app.record.documents import find, hash_of, keep
from app.record.ledger import Ledger
from app.setup import load_setup, twin_line
from app.status import State, StopReason
from app.types import EventKind
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.application import create_app
from app.web.context import make_context
from app.web.line import recipes
from app.web.line.figures import shift_start
from app.web.line.lots import interim
from app.web.line.watching import AlarmWatch
from tests.unit.record.station_events import WALL, StationEvents
from tests.unit.web.answering import Answering
from tests.unit.web.bench import Bench

LANE = "/api/v1/lanes/1"
BOARD_B = 'name = "Board B"\ngolden_sample = "good.png"\n[default]\nthreshold = 0.4\n[classes.spur]\npolicy = "flag"\n'


class Floor(Bench):
    """A bench with the twin's own line, more recipes, and a station that takes commands."""

    def __init__(self, root):
        super().__init__(root)
        folder = root.parent / "line"
        (folder / "recipes").mkdir(parents=True)
        source = load_setup(twin_line())
        for name in (source.file, source.line.recipe):
            (folder / name).write_text((source.folder / name).read_text())
        (folder / "recipes" / "b.toml").write_text(BOARD_B)
        (folder / "recipes" / "wrong.toml").write_text("threshhold = 1\n")
        cv2.imwrite(str(folder / "good.png"), np.full((900, 1200), 90, np.uint8))
        self.folder = folder
        self.context.close()
        setup = load_setup(folder / source.file)
        self.context = make_context(
            self.place, self.live, UiSettings(), self.clock, self.state, setups=[setup], hasher=self.hasher
        )
        self.app = create_app(self.context)
        self.client = self.app.test_client()
        self.station = Answering(self.place.commands(1))
        self.publish(recipe="demo", recipe_sha256="0" * 64, lot="A")
        self.look()

    def post(self, path, headers, reason="", **body):
        more = {"X-Reason": reason} if reason else {}
        return self.client.post(f"{LANE}/{path}", json=body, headers={**headers, **more})

    def trail(self, what):
        return self.context.audit.rows(AuditFilter(what=what))

    def close(self):
        self.station.close()
        super().close()


@pytest.fixture
def floor(tmp_path):
    made = Floor(tmp_path / "bus")
    yield made
    made.close()


# Alarms


def test_taking_note_of_an_alarm_needs_an_operator_and_resets_nothing(floor) -> None:
    floor.publish(state=State.STOPPED, latches=(StopReason("BIN_FULL", "bin", 1),))
    floor.look()
    next(each for each in floor.live._companions[::-1] if isinstance(each, AlarmWatch)).look()
    assert floor.client.post(f"{LANE}/alarms/acknowledge", json={}).status_code == 401

    answer = floor.post("alarms/acknowledge", floor.as_role(Role.OPERATOR, "Kim"))
    assert answer.status_code == 200
    assert len(answer.json["numbers"]) == 2  # and the recorder that does not report
    assert floor.station.asked == []
    listed = floor.client.get(f"{LANE}/alarms").json["alarms"]
    assert {each["acknowledged_by"] for each in listed} == {"Kim"}
    assert len(floor.trail("line.acknowledge")) == 2


def test_page_of_past_alarms_is_there_for_everybody(floor) -> None:
    page = floor.client.get("/line/alarms")

    assert page.status_code == 200
    assert "A reject bin is full" in page.text


# Lots


def test_lot_starts_with_its_quantity(floor) -> None:
    kim = floor.as_role(Role.OPERATOR, "Kim")
    answer = floor.post("lots", kim, lot="4711-B", planned=500)
    floor.publish(lot="4711-B")
    floor.look()

    assert answer.json["running"] == "4711-B"
    [asked] = floor.station.asked
    assert (asked.command, asked.lot, asked.by) == ("open_lot", "4711-B", "Kim")
    running = floor.client.get(f"{LANE}/lots").json["lots"][0]
    assert (running["lot"], running["planned"], running["by"], running["is_running"]) == ("4711-B", 500, "Kim", True)
    assert floor.trail("line.open_lot")[0].who == "Kim"


def test_lot_is_the_same_however_its_umlaut_was_typed(floor) -> None:
    answer = floor.post("lots", floor.as_role(Role.OPERATOR, "Kim"), lot=" Gro\u0308\u00dfe 7 ")

    assert answer.json["running"] == "Gr\u00f6\u00dfe 7"
    assert floor.station.asked[-1].lot == "Gr\u00f6\u00dfe 7"


def test_lot_that_ends_gives_way_to_one_for_what_comes_after(floor) -> None:
    kim = floor.as_role(Role.OPERATOR, "Kim")
    assert floor.post("lots/end", kim, lot="Z").status_code == 409

    answer = floor.post("lots/end", kim, lot="A")
    assert answer.json["running"] == "A+1"
    assert floor.station.asked[-1].lot == "A+1"


def test_name_of_the_lot_between_two_is_free_and_short() -> None:
    assert interim("L1", {"L1"}) == "L1+1"
    assert interim("L1", {"L1", "L1+1"}) == "L1+2"
    assert len(interim("x" * 64, set())) <= 64


def test_station_says_why_a_lot_cannot_be_closed(floor) -> None:
    floor.station.refuse("close_lot", "lot A has 3 parts in flight", "let them leave the belt")
    answer = floor.post("lots/close", floor.as_role(Role.OPERATOR), lot="A")

    assert answer.status_code == 409
    assert answer.json == {"what": "lot A has 3 parts in flight", "mend": "let them leave the belt"}
    assert floor.trail("line.close_lot") == []


def test_reason_of_a_lot_with_lost_parts_reaches_the_station(floor) -> None:
    floor.post("lots/close", floor.as_role(Role.OPERATOR), "found%20them", lot="A")
    assert floor.station.asked[-1].reason == "found them"


def test_lots_of_the_ledger_are_listed_with_what_waits_before_what_is_closed(floor) -> None:
    ledger = Ledger.open(floor.state / LEDGER)
    events = StationEvents(lot="old")
    said = [*events.start(), events.event(EventKind.LOT_OPENED, lot="A")]
    said.append(events.event(EventKind.LOT_CLOSED, lot="old", by="Kim", why="", triggers=0, lost=0))
    said.append(events.event(EventKind.LOT_OPENED, lot="waits"))
    ledger.append(said, WALL)
    ledger.close()

    lots = floor.client.get(f"{LANE}/lots").json["lots"]
    assert [(each["lot"], each["is_running"], each["is_closed"]) for each in lots] == [
        ("A", True, False),
        ("waits", False, False),
        ("old", False, True),
    ]


@pytest.mark.parametrize("body", [{}, {"lot": ""}, {"lot": "a\nb"}, {"lot": "x" * 65}, {"lot": "A", "planned": 0}])
def test_lot_without_a_proper_name_or_quantity_is_no_command(floor, body) -> None:
    assert floor.post("lots", floor.as_role(Role.OPERATOR), **body).status_code == 400
    assert floor.station.asked == []


# Recipes


def test_recipes_on_offer_say_what_they_do_and_which_cannot_be_chosen(floor) -> None:
    found = {each["file"]: each for each in floor.client.get(f"{LANE}/recipes").json["recipes"]}

    board = found["recipes/b.toml"]
    assert (board["name"], board["default"]["threshold"]) == ("Board B", 0.4)
    assert [(each["label"], each["policy"]) for each in board["classes"]] == [("spur", "flag")]
    assert "did you mean threshold" in found["recipes/wrong.toml"]["trouble"]
    assert "line.toml" not in found
    picture = floor.client.get(board["picture"])
    assert picture.mimetype == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR).shape == (360, 480, 3)


@pytest.mark.parametrize("file", ["../line/line.toml", "good.png", "/etc/passwd", ""])
def test_pictures_are_only_those_that_recipes_name(floor, file) -> None:
    assert floor.client.get(f"{LANE}/recipes/picture", query_string={"file": file}).status_code == 404


def test_golden_sample_outside_the_lines_folder_is_not_shown(floor) -> None:
    cv2.imwrite(str(floor.folder.parent / "secret.png"), np.zeros((9, 9), np.uint8))
    (floor.folder / "recipes" / "b.toml").write_text('golden_sample = "../secret.png"\n')

    answer = floor.client.get(f"{LANE}/recipes/picture", query_string={"file": "recipes/b.toml"})
    assert answer.status_code == 404


def change(floor, headers, reason="new%20board", **said):
    body = {"file": "recipes/b.toml", "sha256": hash_of(BOARD_B), **said}
    return floor.post("recipes/adopt", headers, reason, **body)


def test_recipe_changes_with_a_reason_and_is_kept_for_the_next_start(floor) -> None:
    lee = floor.as_role(Role.LEAD, "Lee")
    assert change(floor, lee, "").status_code == 428
    answer = change(floor, lee)

    assert answer.status_code == 200, answer.json
    [asked] = floor.station.asked
    assert (asked.command, asked.by, asked.role, asked.reason) == ("adopt_recipe", "Lee", "lead", "new board")
    assert asked.recipe == BOARD_B
    assert find(floor.state / DOCUMENTS, hash_of(BOARD_B)) == BOARD_B
    chosen = adopted(floor.state, 1)
    assert (chosen.name, chosen.sha256) == ("Board B", hash_of(BOARD_B))
    [row] = floor.trail("line.recipe")
    assert (row.who, row.reason) == ("Lee", "new board")


def test_recipe_that_the_station_refuses_is_not_kept_for_the_next_start(floor) -> None:
    floor.station.refuse("adopt_recipe", "it is for the model package 'metal'", "activate that first")
    answer = change(floor, floor.as_role(Role.LEAD))

    assert (answer.status_code, answer.json["mend"]) == (409, "activate that first")
    assert adopted(floor.state, 1) is None
    assert floor.trail("line.recipe") == []


def test_recipe_of_a_station_that_answers_too_late_is_kept_once_it_judges_by_it(floor, monkeypatch) -> None:
    monkeypatch.setattr(recipes, "ANSWER_S", 0.05)
    answered = threading.Event()

    def change_without_a_word(_):
        floor.publish(recipe="Board B", recipe_sha256=hash_of(BOARD_B))
        floor.look()
        answered.wait(20)

    floor.station.on_command = change_without_a_word
    answer = change(floor, floor.as_role(Role.LEAD, "Lee"))
    answered.set()

    assert answer.status_code == 200, answer.json
    assert adopted(floor.state, 1).sha256 == hash_of(BOARD_B)
    [row] = floor.trail("line.recipe")
    assert row.who == "Lee"


def test_recipe_that_no_station_takes_is_an_attempt_in_the_trail(floor, monkeypatch) -> None:
    monkeypatch.setattr(recipes, "ANSWER_S", 0.05)
    monkeypatch.setattr(recipes, "LATE_S", 0.0)
    answered = threading.Event()
    floor.station.on_command = lambda _: answered.wait(20)
    answer = change(floor, floor.as_role(Role.LEAD, "Lee"))
    answered.set()

    assert answer.status_code == 503
    assert adopted(floor.state, 1) is None
    [row] = floor.trail("line.recipe")
    assert json.loads(row.after)["answer"] == "none"


@pytest.mark.parametrize("said", [{"sha256": "0" * 64}, {"file": "recipes/none.toml"}, {"file": "recipes/wrong.toml"}])
def test_recipe_that_is_another_than_was_shown_is_refused(floor, said) -> None:
    assert change(floor, floor.as_role(Role.LEAD), **said).status_code == 409
    assert floor.station.asked == []


def test_recipe_with_a_class_that_the_model_does_not_know_cannot_be_chosen(floor) -> None:
    floor.publish(recipe="demo", recipe_sha256="0" * 64, package="pcb-nano", classes=("open", "short"))
    floor.look()
    found = {each["file"]: each for each in floor.client.get(f"{LANE}/recipes").json["recipes"]}

    board = found["recipes/b.toml"]
    assert board["trouble_code"] == "RECIPE_CLASSES"
    assert board["trouble_values"] == {"unknown": "spur", "known": "open, short"}
    assert "'spur'" in board["trouble"]
    answer = change(floor, {**floor.as_role(Role.LEAD), "Accept-Language": "de"}, "x")
    assert answer.status_code == 409
    assert answer.headers["Content-Language"] == "de"
    assert "spur" in answer.json["what"]
    assert "open, short" in answer.json["mend"]
    assert floor.station.asked == []


def test_recipe_for_another_model_cannot_be_chosen(floor) -> None:
    (floor.folder / "recipes" / "b.toml").write_text('package = "metal"\n')
    floor.publish(package="pcb-nano", classes=("spur",))
    floor.look()
    found = {each["file"]: each for each in floor.client.get(f"{LANE}/recipes").json["recipes"]}

    assert found["recipes/b.toml"]["trouble_code"] == "RECIPE_PACKAGE"
    assert found["recipes/b.toml"]["trouble_values"] == {"wanted": "metal", "package": "pcb-nano"}


def test_recipe_with_classes_that_the_model_knows_can_be_chosen(floor) -> None:
    floor.publish(package="pcb-nano", classes=("open", "spur"))
    floor.look()
    found = {each["file"]: each for each in floor.client.get(f"{LANE}/recipes").json["recipes"]}

    assert found["recipes/b.toml"]["trouble"] == ""


@pytest.mark.parametrize("role", [Role.OPERATOR])
def test_recipe_needs_a_lead(floor, role) -> None:
    assert change(floor, floor.as_role(role)).status_code == 403


def test_recipe_at_work_is_marked(floor) -> None:
    floor.publish(recipe="Board B", recipe_sha256=keep(floor.state / DOCUMENTS, BOARD_B))
    floor.look()
    found = floor.client.get(f"{LANE}/recipes").json

    assert [each["file"] for each in found["recipes"] if each["is_at_work"]] == ["recipes/b.toml"]


# Challenge test, reset, purge, figures


def test_challenge_test_is_told_with_its_steps_and_its_past(floor) -> None:
    ledger = Ledger.open(floor.state / LEDGER)
    events = StationEvents()
    said = events.start()
    said.append(events.event(EventKind.CHALLENGE, result="STARTED", text="started by Kim"))
    said.append(
        events.event(EventKind.CHALLENGE, result="FAILED", text="not found", quarantine_from=3, quarantine_to=9)
    )
    said.append(events.event(EventKind.CHALLENGE, result="STARTED", text="started by Kim"))
    said.append(events.event(EventKind.CHALLENGE, result="PASSED", text="all rejected"))
    ledger.append(said, WALL)
    ledger.close()

    answer = floor.client.get(f"{LANE}/challenge").json
    assert [each["phase"] for each in answer["series"]] == ["SPACED", "CONSECUTIVE", "NORMAL", "SUPPRESSED"]
    assert [each["result"] for each in answer["trials"]] == ["PASSED", "FAILED"]
    assert (answer["trials"][1]["quarantine_from"], answer["trials"][1]["quarantine_to"]) == (3, 9)
    assert answer["trials"][0]["began_us"] is not None


def trials_after(floor, *steps, epoch):
    """What the page tells of the tests, where the ledger has these steps and the station runs in an epoch."""
    ledger = Ledger.open(floor.state / LEDGER)
    for start, results in steps:
        events = StationEvents(epoch=start)
        said = events.start(is_first=start == 1)
        said += [events.event(EventKind.CHALLENGE, result=each, text=each) for each in results]
        ledger.append(said, WALL)
    ledger.close()
    floor.publish(epoch=epoch)
    floor.look()
    return [each["result"] for each in floor.client.get(f"{LANE}/challenge").json["trials"]]


def test_challenge_test_whose_station_began_anew_is_told_as_broken_off(floor) -> None:
    assert trials_after(floor, (1, ["STARTED"]), (2, []), epoch=2) == ["BROKEN"]


def test_broken_challenge_test_is_told_also_where_another_has_begun_since(floor) -> None:
    steps = (1, ["STARTED"]), (2, ["STARTED", "PASSED", "STARTED"])

    assert trials_after(floor, *steps, epoch=2) == ["PASSED", "BROKEN"]


def test_challenge_test_that_runs_is_none_of_the_past(floor) -> None:
    assert trials_after(floor, (1, ["STARTED", "PASSED", "STARTED"]), epoch=1) == ["PASSED"]


def test_challenge_test_and_purge_are_started_by_name(floor) -> None:
    kim = floor.as_role(Role.OPERATOR, "Kim")
    assert floor.post("challenge/start", kim).status_code == 200
    assert floor.post("purge", kim).status_code == 200

    assert [(each.command, each.by) for each in floor.station.asked] == [("start_challenge", "Kim"), ("purge", "Kim")]


def test_reset_needs_a_lead_and_a_reason(floor) -> None:
    assert floor.post("reset", floor.as_role(Role.OPERATOR), "jam").status_code == 403
    lead = floor.as_role(Role.LEAD, "Lee")
    assert floor.post("reset", lead).status_code == 428
    assert floor.post("reset", lead, "jam%20cleared", is_cleared=True).status_code == 200

    [asked] = floor.station.asked
    assert (asked.role, asked.reason, asked.is_cleared) == ("lead", "jam cleared", True)
    assert floor.trail("line.reset")[0].reason == "jam cleared"


def test_quality_resets_in_the_role_of_a_lead_which_the_station_knows(floor) -> None:
    floor.post("reset", floor.as_role(Role.QUALITY), "checked")
    assert floor.station.asked[0].role == "lead"


def test_buzzer_is_silenced_by_anybody(floor) -> None:
    assert floor.client.post(f"{LANE}/silence", json={}).status_code == 200
    floor.station.refuse("silence", "this line has no buzzer", "wire one")
    assert floor.client.post(f"{LANE}/silence", json={}).status_code == 409


def test_figures_of_hour_and_shift_are_there_before_the_first_part(floor) -> None:
    answer = floor.client.get(f"{LANE}/figures").json
    assert (answer["hour"]["tally"]["triggers"], answer["shift"]["yield_share"]) == (0, None)


@pytest.mark.parametrize(
    ("now", "start"), [("05:59", "22:00"), ("06:00", "06:00"), ("13:59", "06:00"), ("23:00", "22:00")]
)
def test_shift_begins_when_it_was_said_to(now, start) -> None:
    hours, minutes = map(int, now.split(":"))
    at = datetime(2026, 3, 4, hours, minutes, tzinfo=timezone.utc)
    found = shift_start(at, ("06:00", "14:00", "22:00"))

    assert found.strftime("%H:%M") == start
    assert found <= at


def test_lane_that_is_not_there_has_no_screens(floor) -> None:
    for path in ("alarms", "lots", "recipes", "challenge", "figures"):
        assert floor.client.get(f"/api/v1/lanes/7/{path}").status_code == 404


def test_station_that_does_not_answer_is_said(bench) -> None:
    answer = bench.client.post(f"{LANE}/purge", json={}, headers=bench.as_role(Role.OPERATOR))
    assert answer.status_code == 503
    assert "no station answers" in answer.json["what"]


def test_pages_without_settings_offer_no_recipes(bench) -> None:
    assert bench.client.get(f"{LANE}/recipes").json["recipes"] == []
