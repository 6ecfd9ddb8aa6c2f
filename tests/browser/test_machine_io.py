"""Inputs and outputs in a real browser: levels that live, keys that are held, and reasons why they are not."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from app.web.access.roles import Role
from tests.browser.axe import violations

LOOKS = [("en", "light", "1280x800"), ("de", "dark", "1440x900")]
CHANGES = {"part": 2408, "running": 2, "exit": 2374, "chute:reject": 34}
GATES = [["gate:reject", True, False, 10, 2000], ["gate:rework", False, False, 10, 390]]
OTHERS = [["permit"], ["ready", False, False, 10, 2000], ["lamp_red", True, False, 10, 2000]]
SHOWN = "document.querySelectorAll('#outputs li').length > 0"
STOPPED = {"state": "STOPPED", "why": "stopped by Kim", "is_permitted": False, "pulse_bar": "", "speed_mm_s": 0}
GATE = "[data-output='gate:reject']"
KEY = f"{GATE} .try"


def rested():
    """The inputs of a line that stopped 40 s ago."""
    at_ns = time.monotonic_ns() - 40_000_000_000
    return [*([name, False, edges, at_ns] for name, edges in CHANGES.items()), ["bin_full:reject"]]


@pytest.fixture
def visit(stand, signed_in):
    """Opens the page as a technician; the line stands unless told otherwise."""

    def opened(*, is_stopped=True, **how):
        stand.tell(pause=True)
        if is_stopped:
            latches = [["OPERATOR", "stopped by Kim"]]
            stand.tell(status=STOPPED, latches=latches, inputs=rested(), outputs=[*GATES, *OTHERS])
        sight = signed_in(stand, Role.TECHNICIAN, **how)
        sight.go(f"{stand.base}/machine/io")
        sight.wait(SHOWN)
        return sight

    return opened


def hold(sight, selector):
    """Presses a key with a finger until it has done something."""
    key = sight.page.locator(selector)
    key.scroll_into_view_if_needed()
    key.hover()
    sight.page.mouse.down()
    sight.wait(f"document.querySelector({selector!r}).dataset.phase === 'done'")
    sight.page.mouse.up()


@pytest.mark.parametrize(("lang", "scheme", "size"), LOOKS)
def test_page_is_photographed_and_for_everybody(stand, visit, photograph, lang, scheme, size):
    sight = visit(lang=lang, scheme=scheme, size=size)
    sight.page.locator(".whys .chip").first.click()
    sight.wait(f"!document.querySelector({KEY!r}).disabled")
    photograph(sight, f"{size}-{scheme}-{lang}", "io")

    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}
    heights = sight.page.evaluate(
        "[...document.querySelectorAll('.io .try, .io .chip, .io .length, .io .input')]"
        ".map((each) => each.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44


def test_edge_of_an_input_lights_its_row_up_and_is_counted(stand, visit):
    sight = visit()
    row = "#inputs tr:nth-child(5)"
    assert sight.text(f"{row} [data-level]") == "inactive"
    stand.tell(
        inputs=[["part"], ["running"], ["exit"], ["chute:reject"], ["bin_full:reject", True, 1, time.monotonic_ns()]]
    )

    sight.wait(f"document.querySelector({row!r}).dataset.lit === 'yes'")
    assert sight.text(f"{row} [data-level]") == "active"
    assert sight.text(f"{row} [data-edges]") == "1"
    assert sight.text(f"{row} [data-changed]") == "just now"
    sight.wait(f"!document.querySelector({row!r}).dataset.lit")


def test_running_line_greys_every_key_out_and_says_why(visit):
    sight = visit(is_stopped=False)
    sight.page.locator("#why").fill("wires")

    assert "the line is not stopped" in sight.text("#bar")
    assert sight.page.locator(".try:not(:disabled)").count() == 0
    assert "The permit is given" in sight.text("#permit")


def test_key_waits_for_a_reason_and_for_a_time_that_its_output_takes(visit):
    sight = visit()
    assert "Say why first" in sight.text("#bar")
    assert sight.page.locator(KEY).is_disabled()
    sight.page.locator("#why").fill("wires")
    sight.page.locator(".length").nth(2).click()

    assert sight.page.locator(KEY).is_enabled()
    assert sight.page.locator("[data-output='gate:rework'] .try").is_disabled()
    assert "10 to 390 ms" in sight.text("[data-output='gate:rework'] [data-note]")
    assert sight.page.locator("[data-output='permit'] .try").count() == 0


def test_held_key_tries_its_output_and_says_what_the_ledger_has(visit):
    sight = visit()
    sight.page.locator("#why").fill("new valve")
    sight.wait(f"!document.querySelector({KEY!r}).disabled")
    hold(sight, KEY)

    sight.wait(f"document.querySelector({GATE!r}).dataset.tried === 'yes'")
    assert "was tried for 200 ms; in the ledger" in sight.text("#toasts")
    assert "One moment" in sight.text("#bar")
    assert sight.complaints == []


def test_key_that_is_let_go_too_soon_tries_nothing(visit):
    sight = visit()
    sight.page.locator("#why").fill("wires")
    sight.wait(f"!document.querySelector({KEY!r}).disabled")
    sight.page.locator(KEY).hover()
    sight.page.mouse.down()
    sight.wait(f"document.querySelector({KEY!r}).dataset.phase === 'holding'")
    sight.page.mouse.up()

    sight.wait(f"document.querySelector({KEY!r}).dataset.phase === ''")
    assert [url for url in sight.requests if url.endswith("/pulse")] == []


def test_station_that_falls_silent_greys_all_of_it(make_stand, signed_in):
    stand = make_stand()
    sight = signed_in(stand, Role.TECHNICIAN)
    sight.go(f"{stand.base}/machine/io")
    sight.wait(SHOWN)
    stand.station.end()

    sight.wait("!document.querySelector('#trouble').hidden")
    assert "The station says nothing" in sight.text("#trouble")
    assert sight.page.locator(".try:not(:disabled)").count() == 0
    stand.start_station()
    sight.wait("document.querySelector('#trouble').hidden")
