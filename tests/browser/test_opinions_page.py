"""Second opinions in a real browser: a model is asked, both are compared, and the queue shows where they differ."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from app.clock import SystemClock
from app.config import UiSettings
from app.web.access.hashing import Hasher
from app.web.access.roles import Role
from app.web.access.service import open_access
from app.web.review.label import LabelKind, Said
from app.web.review.labels import Labels
from app.web.review.opinions import Asked, Opinion, OpinionBox, Opinions
from app.web.store.database import FOLDER, Store
from tests.browser import people
from tests.browser.axe import violations
from tests.browser.conftest import Stand
from tests.browser.review_record import HOSTILE, Record

LOOKS = [("1440x900", "light", "en"), ("1280x800", "dark", "de")]
COMPARED = "!document.querySelector('#both-said').hidden && document.querySelectorAll('#model option').length > 3"
ROWS = "document.querySelector('.list .row .badge') !== null"
PARTS = 24
PATIENCE_S = 150
"""A model that steps back behind everything else may wait long on a busy machine."""


def write_opinions(state):
    """Two models were asked; the second is called like an attack. Some of the parts are labelled."""
    clock, store = SystemClock(), Store(state / FOLDER)
    opinions = Opinions(store)
    model = opinions.ask(Asked("ab" * 32, "pcb-golden", "1.2.0", "accelerator-fp32", "openvino", 2))
    hostile = opinions.ask(Asked("cd" * 32, HOSTILE, HOSTILE, HOSTILE, "onnx", 1))
    box = OpinionBox("top", 0, "open", 0.12, (300.0, 200.0, 90.0, 60.0), "")
    for part in range(1, PARTS + 1):
        said = "reject" if part % 10 in (3, 6, 9, 0) else "pass"
        would = {"pass": "reject", "reject": "pass"}[said] if part % 6 == 0 else said
        opinions.write(model, Opinion((1, 1, part), "2026-31-A", said, would, "open", 0.12, (box,), 21_400, 9))
    opinions.write(hostile, Opinion((1, 1, 6), HOSTILE, "reject", "pass", HOSTILE, 0.5, (box,), 1000, 9))
    audit = open_access(store, clock, UiSettings(), hasher=Hasher(people.CHEAP)).audit
    labels = Labels(store, audit, clock)
    for part in range(1, PARTS):
        kind = LabelKind.TRUE_DEFECT if part % 3 == 0 else LabelKind.GOOD
        labels.say((1, 1, part), "quinn", Said(kind), 0)
    store.close()


@pytest.fixture(scope="module")
def opined(tmp_path_factory):
    """A stand with a record, opinions on it, and labels."""
    folder = tmp_path_factory.mktemp("opinions")
    Record(folder / "state", parts=PARTS, boards=6)
    write_opinions(folder / "state")
    made = Stand(folder / "bus", period=1.0)
    yield made
    made.end()


def is_sound(sight, stand):
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}
    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert sight.page.title() != "owned"


@pytest.mark.parametrize(("size", "scheme", "lang"), LOOKS)
def test_both_models_are_photographed_and_for_everybody(opined, signed_in, photograph, size, scheme, lang):
    sight = signed_in(opined, Role.QUALITY, size, scheme, lang=lang)
    sight.go(f"{opined.base}/figures/models?model={'ab' * 6}")
    sight.wait(COMPARED)
    photograph(sight, f"{size}-{scheme}-{lang}", "opinions")

    assert "pcb-golden 1.2.0" in sight.text("#other-name")
    assert "(9/24)" in sight.text("[data-row=rejected]")
    assert "(11/24)" in sight.text("[data-row=rejected]")
    assert sight.page.locator("[data-row=escapes] .interval").count() == 2
    is_sound(sight, opined)


def test_disagreement_leads_to_the_queue_and_to_its_boxes(opined, signed_in, photograph):
    sight = signed_in(opined, Role.LEAD)
    sight.go(f"{opined.base}/figures/models?model={'ab' * 6}")
    sight.wait("document.querySelector('#differ a') !== null")
    sight.page.locator("#differ a").last.click()
    sight.wait(ROWS)
    photograph(sight, "1440x900-light-en", "opinions-queue")
    assert "opinion=differs" in sight.page.url
    assert "pcb-golden" in sight.text(".list .row:first-child")
    is_sound(sight, opined)

    sight.go(f"{opined.base}/review/1/1/6?opinion=differs")
    sight.wait("document.querySelectorAll('#others li').length === 2 && document.querySelector('.over .box') !== null")
    assert "pcb-golden 1.2.0 would have: PASS (open 0.12)" in sight.text("#others")
    before = sight.page.locator(".over").text_content()
    sight.page.keyboard.press("o")
    sight.wait("document.querySelector('#others button').getAttribute('aria-pressed') === 'true'")
    assert sight.page.locator(".over").text_content() != before
    assert "open" in sight.page.locator(".over").text_content()
    photograph(sight, "1440x900-light-en", "opinions-part")
    is_sound(sight, opined)
    sight.page.keyboard.press("o")
    assert sight.page.locator(".over").text_content() == before


def test_lead_sees_what_was_found_and_asks_nothing(opined, signed_in):
    sight = signed_in(opined, Role.LEAD, "1280x800")
    sight.go(f"{opined.base}/figures/models")
    sight.wait("!document.querySelector('#both-said').hidden")

    assert sight.page.locator("#start, #end").count() == 0
    assert "Quality" in sight.text("[aria-labelledby=ask-title]")


def test_model_is_asked_from_the_page_and_judges_the_kept_pictures(opined, signed_in, photograph):
    sight = signed_in(opined, Role.QUALITY)
    sight.go(f"{opined.base}/figures/models")
    sight.wait(COMPARED)
    sight.page.locator("#model").select_option(label="pcb 1.1.0 (accelerator-fp32)")
    sight.page.locator("#most").fill("2")
    sight.page.locator("#start").click()
    sight.wait("!document.querySelector('#errand').hidden")
    end = time.monotonic() + PATIENCE_S
    while sight.page.locator("#end").is_visible():
        assert time.monotonic() < end, sight.text("#errand")
        sight.page.wait_for_timeout(200)
    photograph(sight, "1440x900-light-en", "opinions-asked")

    assert sight.text("#errand-says").startswith("Judged: 2 ")
    sight.wait("document.querySelector('#other-name').textContent.startsWith('pcb 1.1.0')")
    assert "/2)" in sight.text("[data-row=rejected]")
    is_sound(sight, opined)
