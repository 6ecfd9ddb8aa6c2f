from __future__ import annotations

import shutil
from datetime import datetime, timezone

import pytest

from app.bus.commands import Reply
from app.record import DOCUMENTS
from app.record.documents import hash_of, keep
from app.web.access.roles import Role
from tests.unit.web.bench import Bench
from tests.unit.web.week import RECIPE, Week


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A state folder with an hour of production until now, and labels."""
    made = Bench(tmp_path_factory.mktemp("week") / "bus")
    week = Week(made.state, datetime.now(timezone.utc), hours=1).write(bad_hour=0)
    week.label(made.context, passes=20)
    made.close()
    return made.state


@pytest.fixture
def week(bench, written):
    """Pages over that hour."""
    shutil.copytree(written, bench.state, dirs_exist_ok=True)
    return bench


def figures(bench, query="span=all"):
    answer = bench.client.get(f"/api/v1/figures?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_figures_are_told_to_anybody_and_add_up(week):
    said = figures(week)

    total, series = said["total"], said["series"]
    assert total["triggers"] == total["passed"] + total["rejected"] + total["lost"] + total["in_flight"] == 180
    assert sum(series["triggers"]) == 180
    assert sum(each["parts"] for each in said["causes"]) == total["rejected"]
    assert said["causes"][-1]["cumulated"] == pytest.approx(1)
    assert said["centre"] == pytest.approx(total["rejected"] / 180)
    assert len({len(each) for each in series.values() if isinstance(each, list)}) == 1


def test_a_slice_takes_its_part_of_the_whole(week):
    halves = [figures(week, f"span=all&package={name}")["total"]["triggers"] for name in ("pcb-nano", "pcb-golden")]

    assert halves == [90, 90]
    assert figures(week, "span=all&lot=nobody")["total"]["triggers"] == 0


@pytest.mark.parametrize("query", ["span=year", "lane=x", "since_ms=-1", "since_ms=5&until_ms=4"])
def test_nonsense_is_refused_with_what_is_wrong(bench, query):
    answer = bench.client.get(f"/api/v1/figures?{query}")

    assert answer.status_code == 400
    assert set(answer.json) == {"what", "mend"}


def test_a_box_without_a_ledger_has_figures_of_nothing(bench):
    assert figures(bench)["total"]["triggers"] == 0
    assert bench.client.get("/api/v1/figures/choices").json["lots"] == []
    assert bench.client.get("/api/v1/figures/shifts").json["shift"]["counts"]["triggers"] == 0


def test_models_are_told_with_escapes_and_overkill(week):
    week.as_role(Role.LEAD)
    said = week.client.get("/api/v1/figures/models").json

    assert {each["package"] for each in said["models"]} == {"pcb-nano", "pcb-golden"}
    for each in said["models"]:
        assert each["labels"] == each["escapes"]["of"] + each["overkill"]["of"]
    assert said["shared"][0]["lot"] == "4711-01"


def test_thresholds_are_tried_on_what_is_labelled(week):
    headers = week.as_role(Role.LEAD)

    said = week.client.post("/api/v1/figures/what-if", json={"lane": 1, "thresholds": {}}, headers=headers).json
    wide = {"lane": 1, "thresholds": {each["label"]: 1.0 for each in said["classes"]}, "curve": "short"}
    tried = week.client.post("/api/v1/figures/what-if", json=wide, headers=headers).json

    assert said["now"] == said["tried"]
    assert said["recipe"] == "Board A"
    assert {each["label"]: each["now"] for each in said["classes"]}["short"] == 0.35
    assert tried["tried"]["overkill"]["hits"] == 0
    assert tried["tried"]["escapes"]["hits"] == tried["tried"]["escapes"]["of"]
    assert tried["moved"] > 0
    assert len(tried["curve"]["escapes"]) == len(tried["curve"]["thresholds"])


@pytest.mark.parametrize(("body", "code"), [({"lane": 9}, 404), ({"thresholds": {"short": 2}}, 400), ({"x": 1}, 400)])
def test_wishes_that_make_no_sense_are_refused(week, body, code):
    headers = week.as_role(Role.LEAD)

    assert week.client.post("/api/v1/figures/what-if", json=body, headers=headers).status_code == code


def test_thresholds_of_another_recipe_than_the_one_that_holds_are_not_applied(week):
    headers = week.as_role(Role.QUALITY) | {"X-Reason": "too%20many%20rejects"}
    body = {"lane": 1, "recipe_sha256": "0" * 64, "thresholds": {"short": 0.4}}

    answer = week.client.post("/api/v1/figures/what-if/apply", json=body, headers=headers)

    assert (answer.status_code, answer.json["what"]) == (409, "the recipe was changed meanwhile")


def test_lot_documents_are_pdf_and_only_closed_lots_are_certified(week):
    week.as_role(Role.QUALITY)

    report = week.client.get("/api/v1/lots/1/report.pdf?lot=4711-01")
    certificate = week.client.get("/api/v1/lots/1/certificate.pdf?lot=4711-01")
    nobody = week.client.get("/api/v1/lots/1/report.pdf?lot=nobody")

    assert (report.status_code, report.data[:5], report.mimetype) == (200, b"%PDF-", "application/pdf")
    assert (certificate.status_code, nobody.status_code) == (409, 404)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("page", ["/figures/", "/figures/what-if", "/figures/lots"])
def test_pages_are_there_in_every_language(week, page, language):
    week.as_role(Role.LEAD)

    answer = week.client.get(f"{page}?lang={language}")

    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.text


def test_thresholds_are_applied_with_a_reason_to_the_recipe_that_holds(week, monkeypatch):
    told = []

    def adopt(lane, text, person, why):
        told.append((lane, text, person.name, why))
        return Reply(ok=True, epoch=2, sequence=9)

    monkeypatch.setattr("app.web.figures.api.adopt", adopt)
    headers = week.as_role(Role.QUALITY) | {"X-Reason": "too%20many%20rejects"}
    tried = week.client.post("/api/v1/figures/what-if", json={"thresholds": {"short": 0.4}}, headers=headers).json
    body = {"lane": 1, "recipe_sha256": tried["recipe_sha256"], "thresholds": {"short": 0.4}}

    answer = week.client.post("/api/v1/figures/what-if/apply", json=body, headers=headers)

    assert (answer.status_code, answer.json["sequence"]) == (200, 9)
    ((lane, text, name, why),) = told
    assert (lane, name, why) == (1, "quality one", "too many rejects")
    assert text == RECIPE.replace("threshold = 0.35", "threshold = 0.4")
    assert answer.json["recipe_sha256"] == hash_of(text)


@pytest.mark.parametrize("label", ["nonesuch", "spur"])
def test_thresholds_of_classes_that_do_not_count_are_not_applied(week, label):
    headers = week.as_role(Role.QUALITY) | {"X-Reason": "because"}
    week.publish(recipe_sha256=keep(week.state / DOCUMENTS, RECIPE + '[classes.spur]\npolicy = "ignore"\n'))
    week.look()
    tried = week.client.post("/api/v1/figures/what-if", json={}, headers=headers).json
    body = {"recipe_sha256": tried["recipe_sha256"], "thresholds": {label: 0.4}}

    answer = week.client.post("/api/v1/figures/what-if/apply", json=body, headers=headers)

    assert (answer.status_code, label in answer.json["what"]) == (400, True)


def test_the_recipe_before_is_put_to_work_again(week, monkeypatch):
    told = []
    monkeypatch.setattr(
        "app.web.figures.api.adopt",
        lambda lane, text, person, why: told.append((lane, text)) or Reply(ok=True, epoch=2, sequence=9),
    )
    headers = week.as_role(Role.QUALITY) | {"X-Reason": "it%20was%20better"}
    after = keep(week.state / DOCUMENTS, RECIPE.replace("0.35", "0.4"))
    week.publish(recipe_sha256=after)
    week.look()
    tried = week.client.post("/api/v1/figures/what-if", json={}, headers=headers).json

    answer = week.client.post("/api/v1/figures/what-if/back", json={"recipe_sha256": after}, headers=headers)

    assert tried["before"]["sha256"] == answer.json["recipe_sha256"] == hash_of(RECIPE)
    assert told == [(1, RECIPE)]


def test_there_is_no_going_back_behind_the_first_recipe(week):
    headers = week.as_role(Role.QUALITY) | {"X-Reason": "it%20was%20better"}
    tried = week.client.post("/api/v1/figures/what-if", json={}, headers=headers).json
    body = {"recipe_sha256": tried["recipe_sha256"]}

    answer = week.client.post("/api/v1/figures/what-if/back", json=body, headers=headers)

    assert (tried["before"], answer.status_code) == (None, 409)


def test_a_change_of_recipe_is_seen_at_once(week):
    headers = week.as_role(Role.LEAD)
    before = week.client.post("/api/v1/figures/what-if", json={}, headers=headers).json
    week.publish(recipe_sha256=keep(week.state / DOCUMENTS, RECIPE.replace("0.35", "0.9")))
    week.look()

    after = week.client.post("/api/v1/figures/what-if", json={}, headers=headers).json

    assert [{one["label"]: one["now"] for one in each["classes"]}["short"] for each in (before, after)] == [0.35, 0.9]


def test_thresholds_are_not_applied_without_a_reason(week):
    headers = week.as_role(Role.QUALITY)
    body = {"lane": 1, "recipe_sha256": "0" * 64, "thresholds": {"short": 0.4}}

    answer = week.client.post("/api/v1/figures/what-if/apply", json=body, headers=headers)

    assert answer.status_code == 428
