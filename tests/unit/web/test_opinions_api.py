"""Second opinions as the API tells them: what can be asked, an errand from its start to its end, and both compared."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from app.clock import VirtualClock
from app.web.access.audit import AuditFilter
from app.web.access.roles import Role
from app.web.figures import opinion_job, opinion_shelf
from app.web.figures.opinion_job import Errand, OpinionJob, Phase
from app.web.figures.opinion_shelf import OpinionShelf, read_choices
from app.web.review.label import LabelKind
from app.web.review.opinions import Asked, Opinion, Opinions
from app.web.store.reviews import LABELLED
from tests.unit.web.bench import Bench

ACCOUNT = {"onnx_sha256": "a" * 64, "known": 1, "own": 2, "left": 3, "judged": 2, "different": 1, "stopped": False}
ACCOUNT |= {"skipped": [{"why": "no picture", "parts": 4}], "notes": ["a note"], "package": "keen"}
TOLD = [
    {"parts": 2},
    {"part": "1/1/2", "judged": True, "said": "pass", "would": "reject"},
    {"part": "1/1/1", "judged": True, "said": "pass", "would": "pass"},
    ACCOUNT,
]
TELLS = "import json, sys\nfor each in json.loads(sys.argv[1]): print(json.dumps(each), flush=True)\n"
WAITS = """
import json, sys
print(json.dumps({"parts": 9}), flush=True)
print(json.dumps({"part": "1/1/1"}), flush=True)
open(sys.argv[1]).read()
"""
FAILS = "import sys\nsys.exit('takt: the golden frames do not reproduce; make the package anew')\n"
SHELF = {
    "packages": [
        {"name": "keen", "version": "1.0.0", "folder": "/zoo/keen", "installed": False, "problem": None}
        | {
            "models": [
                {"variant": "only", "active": True, "problem": None},
                {"variant": "off", "active": False, "problem": "broken"},
            ]
        },
        {"name": "own", "version": "2.0.0", "folder": "/state/own-1", "installed": True, "problem": None}
        | {"models": [{"variant": "only", "active": False, "problem": None}]},
        {"name": "bad", "folder": "/zoo/bad", "installed": False, "problem": "it has no golden frames"},
    ]
}


def job(code, *words):
    return OpinionJob([sys.executable, "-c", code, *words], [], VirtualClock(1))


def errand():
    return Errand("keen:only", "keen 1.0.0 (only)", 1, "lot-1", 5)


@pytest.fixture
def fifo(tmp_path):
    """Whoever reads it waits for ever."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    handle = os.open(path, os.O_RDWR)
    yield path
    os.close(handle)


def test_errand_is_followed_to_its_account():
    made = job(TELLS, json.dumps(TOLD))
    assert made.start(errand(), "quinn")
    made.wait(60)
    last = made.last

    assert (last.phase, last.parts, last.done, last.different) == (Phase.DONE, 2, 2, 1)
    assert last.account["judged"] == 2
    assert (last.title, last.by, last.trouble) == ("keen 1.0.0 (only)", "quinn", "")


def test_errand_names_model_lane_and_lot_and_no_name_is_taken_for_an_option():
    words = Errand("--lines", "x", 2, "lot 1", 7).words

    assert words == ["--lane", "2", "--lot", "lot 1", "--most", "7", "--lines", "--", "--lines"]


def test_command_that_fails_is_told_in_its_own_words():
    made = job(FAILS)
    made.start(errand(), "quinn")
    made.wait(60)

    assert made.last.phase is Phase.FAILED
    assert made.last.trouble == "the golden frames do not reproduce; make the package anew"


def test_command_that_is_not_there_is_told():
    made = OpinionJob(["/nowhere/takt"], [], VirtualClock(1))
    made.start(errand(), "quinn")
    made.wait(60)

    assert made.last.phase is Phase.FAILED
    assert "could not be started" in made.last.trouble


def test_one_goes_on_at_a_time_and_can_be_ended(fifo):
    made = job(WAITS, str(fifo))
    assert made.start(errand(), "quinn")
    assert not made.start(errand(), "lea")
    assert made.stop()
    made.wait(60)

    assert (made.last.phase, made.last.by, made.last.trouble) == (Phase.STOPPED, "quinn", "")
    assert not made.stop()
    assert made.start(errand(), "lea")
    made.stop()
    made.wait(60)


def test_errand_that_takes_too_long_is_ended(fifo):
    made = OpinionJob([sys.executable, "-c", WAITS, str(fifo)], [], VirtualClock(1), limit_s=0.2)
    made.start(errand(), "quinn")
    made.wait(60)

    assert made.last.phase is Phase.STOPPED


def test_models_that_can_be_asked_are_those_that_work():
    keen, own = read_choices(json.dumps(SHELF).encode())

    assert (keen.name, keen.title, keen.is_active) == ("keen:only", "keen 1.0.0 (only)", True)
    assert own.name == "/state/own-1:only"


@pytest.mark.parametrize(("code", "words"), [(FAILS, "golden frames"), ("print('no json')", "cannot be had")])
def test_list_that_cannot_be_had_is_told(code, words):
    shelf = OpinionShelf([sys.executable, "-c", code], VirtualClock(1))
    assert shelf.look().choices is None
    shelf.wait(60)

    assert words in shelf.look().trouble


@pytest.fixture
def box(tmp_path, monkeypatch, fifo):
    monkeypatch.setattr(opinion_shelf, "PROGRAM", (sys.executable, "-c", f"print({json.dumps(SHELF)!r})"))
    monkeypatch.setattr(opinion_job, "PROGRAM", (sys.executable, "-c", WAITS, str(fifo)))
    made = Bench(tmp_path / "bus")
    yield made
    made.close()


@pytest.fixture
def listed(box):
    """Headers of somebody of quality, once the models are listed."""
    headers = box.as_role(Role.QUALITY)
    assert wait_for(box, lambda said: said["choices"] is not None)
    return headers


def now(box):
    return box.client.get("/api/v1/figures/opinions").json


def wait_for(box, is_met):
    for _ in range(600):
        said = now(box)
        if is_met(said):
            return said
        time.sleep(0.05)
    raise AssertionError(now(box))


def test_model_is_asked_followed_and_ended_and_all_is_in_the_audit_trail(box, listed):
    answer = box.client.post("/api/v1/figures/opinions", json={"name": "keen:only", "lot": "lot-1"}, headers=listed)
    assert answer.status_code == 200
    said = wait_for(box, lambda said: said["errand"]["done"] == 1)
    assert (said["errand"]["phase"], said["errand"]["parts"]) == ("running", 9)
    again = box.client.post("/api/v1/figures/opinions", json={"name": "keen:only"}, headers=listed)
    assert again.status_code == 409
    assert box.client.delete("/api/v1/figures/opinions", headers=listed).status_code == 200
    assert wait_for(box, lambda said: said["errand"]["phase"] == "stopped")

    rows = [each for each in box.context.audit.rows(AuditFilter()) if each.what.startswith("figures.")]
    assert [(each.what, each.about) for each in rows] == [
        ("figures.end_opinion", "keen 1.0.0 (only)"),
        ("figures.ask_opinion", "keen 1.0.0 (only)"),
    ]


def test_only_a_listed_model_can_be_asked(box, listed):
    answer = box.client.post("/api/v1/figures/opinions", json={"name": "/etc"}, headers=listed)

    assert answer.status_code == 404
    assert now(box)["errand"]["phase"] == "never"


def test_lead_may_read_and_not_ask(box):
    headers = box.as_role(Role.LEAD)

    assert box.client.get("/figures/models").status_code == 200
    assert now(box)["asked"] == []
    assert box.client.post("/api/v1/figures/opinions", json={"name": "x"}, headers=headers).status_code == 403
    assert box.client.delete("/api/v1/figures/opinions", headers=headers).status_code == 403


def test_both_models_are_told_on_the_same_parts(box):
    opinions = Opinions(box.context.store)
    number = opinions.ask(Asked("ab" * 32, "keen", "1.0.0", "only", "onnx", 5))
    for part, said, would in (
        (1, "pass", "reject"),
        (2, "reject", "pass"),
        (3, "reject", "reject"),
        (4, "pass", "pass"),
    ):
        opinions.write(number, Opinion((1, 1, part), "lot-1", said, would, "", None, (), 1500, 1))
    about = {"class_name": "", "by": "quinn", "at_us": 1, "version": 1}
    with box.context.store.writing() as connection:
        for part, kind in ((1, LabelKind.ESCAPE), (2, LabelKind.FALSE_REJECT), (3, LabelKind.UNSURE)):
            connection.execute(LABELLED.insert().values(lane=1, epoch=1, part_id=part, kind=kind.value, **about))
    box.as_role(Role.LEAD)
    said = box.client.get(f"/api/v1/figures/opinions/compare?sha256={'ab' * 6}").json

    assert (said["parts"], said["would_reject"], said["would_pass"], said["unsure"]) == (4, 1, 1, 1)
    assert [said[side]["rejected"]["hits"] for side in ("line", "other")] == [2, 2]
    assert [said[side]["escapes"]["hits"] for side in ("line", "other")] == [1, 0]
    assert [said[side]["overkill"]["hits"] for side in ("line", "other")] == [1, 0]
    assert said["median_ms"] == 1.5
    assert 0.2 < said["line"]["escapes"]["low"] < 0.21  # 1 of 1
    assert box.client.get("/api/v1/figures/opinions/compare?sha256=00000000").status_code == 404
