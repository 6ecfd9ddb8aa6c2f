"""Diagnostics and processes in a real browser: at a glance, by finger, in both languages, and never silently old."""

from __future__ import annotations

import os
import signal
import time
from urllib.parse import urlsplit

import pytest

from app.bus.block import BlockWriter
from app.support.supervised import BLOCK, BLOCK_BYTES, ChildStatus, End, Supervised, encode_supervised
from app.web.access.roles import Role
from tests.browser.axe import violations
from tests.browser.conftest import Stand

LOOKS = [("1280x800", "light", "en"), ("1440x900", "dark", "de")]
SEEN = "document.querySelector('#areas').ariaBusy === 'false'"
LISTED = "document.querySelector('#rows tr') !== null"
HOSTILE = "<img src=x onerror=\"document.title='hit'\">"
SMALL = """() => [...document.querySelectorAll('main button, main summary')].filter((each) => each.checkVisibility())
  .map((each) => [each.textContent.trim(), each.getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 44).map(([words]) => words)"""


class Told:
    """What `takt run` would tell of the processes of a stand."""

    def __init__(self, stand):
        self.block = BlockWriter(stand.folder / BLOCK, BLOCK_BYTES)
        stand.tell_processes = lambda: self.tell(stand)

    def tell(self, stand):
        now_ns = time.monotonic_ns()

        def child(name, kind, lane, pid, restarts=0, last_exit=""):
            return ChildStatus(name, kind, lane, pid, now_ns - 90 * 10**9, bool(pid), 2.0, restarts, last_exit)

        rows = (
            child("capture-top", "capture", 1, 0, 3, HOSTILE),
            child("station", "station", 1, stand.station.process.pid),
            child("web", "web", None, stand.web.process.pid, 1, "SIGKILL"),
        )
        ends = (End("web", now_ns - 80 * 10**9, "SIGKILL"), End("capture-top", now_ns - 5 * 10**9, HOSTILE))
        # Of the future, so that it does not grow old while a test looks at it.
        self.block.write(encode_supervised(Supervised(now_ns + 10**12, os.getpid(), rows, ends)))


@pytest.fixture(scope="module")
def supervised(tmp_path_factory):
    """A stand whose processes somebody tells of; whoever kills one of them starts it again."""
    made = Stand(tmp_path_factory.mktemp("processes") / "bus")
    told = Told(made)
    yield made
    told.block.close()
    made.end()


def is_sound(sight, stand):
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}
    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert sight.page.title() != "hit"


@pytest.mark.parametrize(("size", "scheme", "lang"), LOOKS)
def test_diagnostics_are_photographed_and_for_everybody(supervised, signed_in, photograph, size, scheme, lang):
    supervised.tell_processes()
    sight = signed_in(supervised, Role.TECHNICIAN, size, scheme, lang=lang)
    sight.go(f"{supervised.base}/machine/")
    sight.wait(SEEN)
    sight.wait("!document.querySelector('#area-judging [data-spark]').hasAttribute('hidden')")
    photograph(sight, f"{size}-{scheme}-{lang}", "diagnosis")

    assert sight.page.locator("#area-line").get_attribute("data-level") == "fine"
    assert sight.page.locator("#area-processes").get_attribute("data-level") == "wrong"
    assert sight.page.locator(".area[data-level=loading]").count() == 0
    assert scheme == "dark" or sight.page.evaluate(SMALL) == []  # only fingers need the size
    is_sound(sight, supervised)


def test_figures_of_an_area_open_by_finger_and_stay_open(supervised, signed_in):
    supervised.tell_processes()
    sight = signed_in(supervised, Role.LEAD, "1280x800")
    sight.go(f"{supervised.base}/machine/")
    sight.wait(SEEN)
    sight.page.locator("#area-time summary").tap()
    before = sight.text("#area-time [data-facts]")
    sight.wait(f"document.querySelector('#area-time [data-facts]').innerText !== {before!r}")

    assert sight.page.locator("#area-time details").evaluate("each => each.open")
    assert sight.page.locator("#run").count() == 0


def test_station_that_dies_is_wrong_within_seconds(supervised, signed_in):
    supervised.tell_processes()
    sight = signed_in(supervised, Role.TECHNICIAN)
    sight.go(f"{supervised.base}/machine/")
    sight.wait(SEEN)
    supervised.station.send(signal.SIGKILL)

    sight.wait("document.querySelector('#area-line').dataset.level === 'wrong'")
    assert "NO DATA" in sight.text("#area-line")
    supervised.station.end()
    supervised.start_station()
    sight.wait("document.querySelector('#area-line').dataset.level === 'fine'")


@pytest.mark.parametrize(("size", "scheme", "lang"), LOOKS)
def test_processes_are_photographed_and_for_everybody(supervised, signed_in, photograph, size, scheme, lang):
    supervised.tell_processes()
    sight = signed_in(supervised, Role.TECHNICIAN, size, scheme, lang=lang)
    sight.go(f"{supervised.base}/machine/processes")
    sight.wait(LISTED)
    sight.wait("document.querySelector('#rows tr:last-child td:nth-child(4)').textContent.includes('%')")
    photograph(sight, f"{size}-{scheme}-{lang}", "processes")

    keys = sight.page.locator("#rows button")
    assert [each.is_enabled() for each in keys.all()] == [False, False, True]
    assert sight.page.locator("#ends tr").count() == 2
    assert HOSTILE in sight.text("#ends")
    assert scheme == "dark" or sight.page.evaluate(SMALL) == []  # only fingers need the size
    is_sound(sight, supervised)


def test_pages_end_and_the_browser_says_that_what_it_shows_is_old(supervised, signed_in):
    supervised.tell_processes()
    sight = signed_in(supervised, Role.TECHNICIAN)
    sight.go(f"{supervised.base}/machine/processes")
    sight.wait(LISTED)
    sight.page.locator("#rows tr:last-child button").click()
    sight.page.locator("#again-dialog").wait_for()
    sight.page.locator("#again-dialog [name=reason]").fill("it is slow")
    sight.page.locator("#again-dialog [type=submit]").click()

    supervised.web.process.wait(20)
    supervised.web.end()
    sight.wait("!document.querySelector('#trouble').hidden")
    supervised.start_web()
    supervised.tell_processes()
    sight.wait("document.querySelector('#trouble').hidden")
