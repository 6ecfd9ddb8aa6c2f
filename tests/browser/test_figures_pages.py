"""The figures in a real browser: charts read by keyboard, thresholds moved by keyboard, lots and exports."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import urlsplit

import pytest

from app.clock import SystemClock
from app.config import UiSettings
from app.web.access.hashing import Hasher
from app.web.access.roles import Role
from app.web.access.service import open_access
from app.web.store.database import FOLDER, Store
from tests.browser import people
from tests.browser.axe import violations
from tests.browser.conftest import Stand
from tests.unit.web.week import Week

LOOKS = [("en", "light"), ("de", "dark")]
DRAWN = "document.querySelectorAll('.u-over').length === 3 && document.querySelector('#charts').ariaBusy === 'false'"
TRIED = "document.querySelector('#bench').ariaBusy === 'false' && document.querySelector('#curve path') !== null"


class _Kept:
    """Store, audit trail and clock, as labels need them."""

    def __init__(self, state):
        self.clock = SystemClock()
        self.store = Store(state / FOLDER)
        hasher = Hasher(people.CHEAP)
        self.audit = open_access(self.store, self.clock, UiSettings(), hasher=hasher).audit


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A stand with four hours of production until now, and labels."""
    folder = tmp_path_factory.mktemp("figures")
    week = Week(folder / "state", datetime.now(timezone.utc), hours=4).write(bad_hour=3)
    kept = _Kept(folder / "state")
    week.label(kept, passes=40)
    kept.store.close()
    made = Stand(folder / "bus", period=1.0)
    yield made
    made.end()


@pytest.fixture
def visit(counted, signed_in):
    """Opens a page of figures as somebody of quality."""

    def opened(path, ready, **how):
        sight = signed_in(counted, Role.QUALITY, **how)
        sight.go(f"{counted.base}/figures/{path}")
        sight.wait(ready)
        return sight

    return opened


def is_sound(sight, stand):
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}


@pytest.mark.parametrize(("lang", "scheme"), LOOKS)
def test_charts_are_photographed_and_for_everybody(counted, visit, photograph, lang, scheme):
    sight = visit("?span=day", DRAWN, lang=lang, scheme=scheme)
    sight.wait("document.querySelector('#models tr') !== null")
    photograph(sight, f"1440x900-{scheme}-{lang}", "figures")

    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    is_sound(sight, counted)


def test_chart_is_read_by_keyboard_and_has_its_numbers_behind_it(visit):
    sight = visit("?span=day", DRAWN)
    sight.page.locator("#control [data-plot]").focus()
    sight.page.keyboard.press("End")
    last = sight.text("#control-reads")
    sight.page.keyboard.press("ArrowLeft")

    assert "Share of rejects" in last
    assert sight.text("#control-reads") != last

    sight.page.locator("#control summary").click()
    sight.wait("document.querySelectorAll('#control tbody tr').length > 5")
    assert sight.text("#control tbody tr:last-child th") == last.split(": ")[0]


CHART = "import('/static/js/figures/chart.js')"
DAY = """{seconds: [60, 120, 180], stepSeconds: 60, lines: [
  {kind: "line", values: [1, 2, 3]}, {kind: "steps", values: [5, 6, 7]}, {kind: "dashed", values: [4, 4, 4]}]}"""


def test_limits_go_on_to_both_edges_of_the_plot_and_nothing_else_does(visit):
    sight = visit("?span=day", DRAWN)
    columns = sight.page.evaluate(f"{CHART}.then((chart) => chart.columnsOf({DAY}))")

    assert columns == [[30, 60, 120, 180, 240], [None, 1, 2, 3, None], [5, 5, 6, 7, 7], [4, 4, 4, 4, 4]]


def test_all_figures_of_an_axis_have_as_many_decimals(visit):
    sight = visit("?span=day", DRAWN)
    said = "(value, top = value) => value.toFixed(top < 0.1 ? 2 : 1)"
    ticks = sight.page.evaluate(f"{CHART}.then((chart) => chart.ticksOf([0, 0.05, 0.1, 0.15], {said}))")

    assert ticks == ["0.0", "0.1", "0.1", "0.1"]


def test_a_choice_lives_in_the_address(visit, counted):
    sight = visit("?span=day", DRAWN)
    every = sight.text("#tile-parts")
    sight.page.locator("select[name=package]").select_option("pcb-nano")
    sight.wait(f"document.querySelector('#tile-parts').textContent !== {every!r}")

    assert "package=pcb-nano" in sight.page.url
    half = sight.text("#tile-parts")
    sight.go(sight.page.url)
    sight.wait(DRAWN)
    assert sight.text("#tile-parts") == half


def test_nothing_in_a_slice_says_so_and_leads_on(visit):
    sight = visit("?lot=nobody", "!document.querySelector('#nothing').hidden")
    sight.page.locator("#everything").click()

    sight.wait(DRAWN)
    assert "span=all" in sight.page.url


@pytest.mark.parametrize(("lang", "scheme"), LOOKS)
def test_thresholds_are_moved_by_keyboard(counted, visit, photograph, lang, scheme):
    sight = visit("what-if", TRIED, lang=lang, scheme=scheme)
    tried = "[data-row=overkill] [data-tried]"
    before = sight.text(tried)
    sight.page.locator("[data-label=short] input[type=range]").focus()
    for _ in range(12):
        sight.page.keyboard.press("ArrowRight")
    sight.wait(f"document.querySelector({tried!r}).textContent !== {before!r}")
    sight.wait("document.querySelector('[data-label=short]').dataset.moved === 'yes'")
    sight.wait("document.querySelector('#curve-of').textContent.includes('short')")
    photograph(sight, f"1440x900-{scheme}-{lang}", "what-if")

    assert sight.page.locator("[data-label=short] input[type=number]").input_value() == "0.47"
    assert sight.text("[data-row=overkill] [data-now]") == before
    assert sight.page.locator("#apply").is_enabled()
    is_sound(sight, counted)

    sight.page.locator("#reset").click()
    sight.wait(f"document.querySelector({tried!r}).textContent === {before!r}")
    assert sight.page.locator("#apply").is_disabled()


@pytest.mark.parametrize(("lang", "scheme"), LOOKS)
def test_lots_and_exports_are_for_everybody(counted, visit, photograph, lang, scheme):
    sight = visit("lots", "document.querySelector('tbody tr') !== null", lang=lang, scheme=scheme)
    photograph(sight, f"1440x900-{scheme}-{lang}", "lots")

    is_sound(sight, counted)


def test_report_of_a_lot_is_downloaded(visit):
    sight = visit("lots", "document.querySelector('tbody tr') !== null")
    with sight.page.expect_download() as waiting:
        sight.page.locator("tbody tr a").first.click()

    assert waiting.value.suggested_filename == "report-4711-01.pdf"
