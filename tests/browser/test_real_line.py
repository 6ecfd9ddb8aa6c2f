"""The page before the real line: every process of `takt run`, parts on the twin, and a hand on the stop key."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from sqlalchemy import update

from app.clock import SystemClock
from app.config import UiSettings
from app.decide import decide
from app.recipe import parse_recipe
from app.record import DOCUMENTS, LEDGER
from app.record.documents import find
from app.record.judged import JudgedParts
from app.types import PASS, EventKind
from app.web.access.audit import AuditFilter
from app.web.access.hashing import Hasher
from app.web.access.roles import Role
from app.web.access.service import open_access
from app.web.review.label import LabelKind, Said
from app.web.review.labels import Labels
from app.web.store.accounts import SESSIONS
from app.web.store.database import FOLDER, Store
from tests.browser import people
from tests.live.box import LESS_WORK, NEVER_TIRED, Box, line_file, wait_until
from tests.unit.web.people import PIN

LABELLED = 24
PATIENT = LESS_WORK | NEVER_TIRED | {"refresh_ms = 100": "refresh_ms = 800"}
"""A machine that stalls for a moment does not stop the line: other tests are about that."""

LOOK_MS = 500


@pytest.fixture
def box(tmp_path):
    made = Box([line_file(tmp_path / "line", PATIENT)], tmp_path / "box")
    yield made
    made.close()


class Kept:
    """What the pages of a box keep, opened beside them."""

    def __init__(self, state):
        self.clock = SystemClock()
        self.store = Store(state / FOLDER)
        self.audit = open_access(self.store, self.clock, UiSettings(), hasher=Hasher(people.CHEAP)).audit

    def label(self, parts):
        """Somebody agrees with every verdict."""
        labels = Labels(self.store, self.audit, self.clock)
        with self.store.writing():
            for each in parts:
                kind = LabelKind.GOOD if each.verdict == PASS else LabelKind.TRUE_DEFECT
                labels.say((each.lane, each.epoch, each.part_id), "quinn", Said(kind), 0)

    def forget_proofs(self):
        """Whoever is signed in has given their PIN too long ago."""
        with self.store.writing() as connection:
            connection.execute(update(SESSIONS).values(confirmed_us=0))


@pytest.fixture
def kept(box):
    made = Kept(box.state_folder)
    yield made
    made.store.close()


@dataclass(frozen=True)
class Judged:
    """A part: what was found on it, its verdict, and the recipe that the station named with it."""

    part_id: int
    found: tuple
    verdict: str
    recipe_sha256: str


def judged_parts(box):
    """Every settled part whose verdict rests on findings, in order."""
    said = {each.event.part_id: each.event.data for each in box.entries(EventKind.JUDGED)}
    parts = [each for each in box.parts() if each.outcome and set(each.reasons) <= {"DEFECT", "FLAGGED"}]
    reader = JudgedParts(box.state_folder / LEDGER)
    found = reader.found([(each.lane, each.epoch, each.part_id) for each in parts])
    reader.close()
    return [
        Judged(
            each.part_id,
            found[each.lane, each.epoch, each.part_id],
            each.verdict,
            str(said[each.part_id].get("recipe_sha256", "")),
        )
        for each in parts
        if each.verdict and (each.lane, each.epoch, each.part_id) in found
    ]


def recipe_of(box, sha256):
    """The recipe of a hash, with the model's own threshold as the station said it."""
    started = box.entries(EventKind.STARTED)[-1].event.data
    return parse_recipe(find(box.state_folder / DOCUMENTS, sha256), "the recipe").settled(started["threshold"])


def prove(sight, *, has_pin):
    """Gives a reason, and the PIN where it was given too long ago."""
    sight.wait("document.querySelector('#again-dialog').open")
    sight.page.locator("#again-dialog [data-reason]", has_text="Trial").click()
    assert sight.page.locator("#again-dialog [data-digit='1']").is_visible() == has_pin
    if not has_pin:
        sight.page.locator("#again-dialog [type=submit]").click()
        return
    for digit in PIN:
        sight.page.locator(f"#again-dialog [data-digit='{digit}']").click()
    sight.page.locator("#again-dialog [data-deed=done]").click()


def check_verdicts(box, recipes):
    """Every part was judged by the recipe that held when it was triggered: the first, the second, the first again."""
    (first, before), (second, after) = recipes.items()
    parts = judged_parts(box)
    switch = next(index for index, each in enumerate(parts) if each.recipe_sha256 == second)
    assert [each.event.data["recipe_sha256"] for each in box.entries(EventKind.RECIPE)] == [second, first]
    assert {each.recipe_sha256 for each in parts[:switch]} <= {"", first}
    assert parts[-1].recipe_sha256 == first
    for each in parts:
        recipe = after if each.recipe_sha256 == second else before
        assert (each.part_id, each.verdict) == (each.part_id, decide(1, each.found, recipe, 0).destination)


def check_trail(kept, first, second):
    """The audit trail says who changed what, from what to what, and why."""
    newest, oldest = kept.audit.rows(AuditFilter(what="line.recipe"))
    assert [(each.who, each.reason) for each in (oldest, newest)] == [("Quinn", "Trial")] * 2
    assert [json.loads(each.before)["sha256"] for each in (oldest, newest)] == [first, second]
    assert [json.loads(each.after)["sha256"] for each in (oldest, newest)] == [second, first]


def test_real_line_is_seen_running_stopped_dead_and_back(box, look, photograph):
    box.start()
    sight = look("1280x800")
    sight.go(box.url)
    sight.wait("document.querySelectorAll('#strip .tile').length === 12")

    def is_rejecting():
        box.run_on()
        return (sight.text("#verdict-word"), sight.text("#state-word")) == ("REJECT", "RUNNING")

    wait_until(is_rejecting, "a part is rejected before everybody's eyes, and the line runs")
    sight.wait("document.querySelector('#frame img')")
    photograph(sight, "real-running")
    assert sight.text("#balance-words").startswith("Balanced")

    sight.page.locator("#stop").focus()
    sight.page.keyboard.down("Enter")
    sight.wait("document.body.dataset.state === 'STOPPED'")
    sight.page.keyboard.up("Enter")
    photograph(sight, "real-stopped")
    assert any("stopped by Operator" in latch.text for latch in box.status().latches)

    os.kill(box.pid("station"), signal.SIGKILL)
    sight.wait("document.body.dataset.live === 'no'")
    photograph(sight, "real-no-data")
    sight.wait("document.body.dataset.live === 'yes'")
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(box.url).netloc}
    assert sight.complaints == []


def test_a_threshold_is_applied_to_the_running_line_and_taken_back(box, kept, look, photograph):
    box.start()

    def is_begun():
        box.run_on()
        parts = [each for each in box.parts() if each.outcome]
        return len(parts) >= LABELLED and any("DEFECT" in each.reasons for each in parts)

    wait_until(is_begun, "parts are judged, some of them bad")
    first = box.status().recipe_sha256
    before = recipe_of(box, first)
    kept.label([each for each in box.parts() if each.outcome])
    base = "{0.scheme}://{0.netloc}".format(urlsplit(box.url))
    people.add(box.state_folder, "Quinn", Role.QUALITY)
    sight = look("1440x900")
    people.sign_in(sight, base, "Quinn", by="pin")
    kept.forget_proofs()
    sight.go(f"{base}/figures/what-if")
    sight.wait("document.querySelector('#bench').ariaBusy === 'false'")
    numbers = sight.page.locator("#classes input[type=number]")

    for number in numbers.all():
        number.fill("1")
    sight.wait("document.querySelector('[data-row=escapes] [data-tried]').textContent.startsWith('100')")
    photograph(sight, "real-what-if")
    sight.page.locator("#apply").click()
    prove(sight, has_pin=True)
    sight.wait("document.querySelector('.toast') !== null")
    assert "with the new thresholds" in sight.text("#toasts")

    second = box.status().recipe_sha256
    after = recipe_of(box, second)
    assert {rule.threshold for rule in after.classes.values()} == {1.0}
    assert set(numbers.evaluate_all("(all) => all.map((each) => each.value)")) == {"1"}

    def is_judged_otherwise():
        sight.page.wait_for_timeout(LOOK_MS)
        assert box.is_running(), box.status()
        parts = [each for each in judged_parts(box) if each.recipe_sha256 == second]
        return any(decide(1, each.found, before, 0).destination != each.verdict for each in parts)

    wait_until(is_judged_otherwise, "a part passes that the recipe before would have rejected")
    photograph(sight, "real-what-if-applied")

    sight.page.locator("#back").click()
    prove(sight, has_pin=False)
    sight.wait("document.querySelector('#classes input[type=number]').value !== '1'")
    assert box.status().recipe_sha256 == first
    last = max(each.part_id for each in judged_parts(box))
    wait_until(lambda: box.parts()[-1].part_id > last + 20, "parts are judged by the recipe before")

    check_verdicts(box, {first: before, second: after})
    check_trail(kept, first, second)
    # What needs proof and a reason is refused first, of which the browser complains.
    assert [each for each in sight.complaints if "428" not in each] == []
