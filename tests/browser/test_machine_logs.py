"""The log and the support bundle in a real browser."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

import pytest

from app.clock import SystemClock
from app.record.walltime import micros
from app.support.log_file import FOLDER, LogFile
from app.web.access.roles import Role
from tests.browser.axe import violations

HOSTILE = '<img src=x onerror="window.caught = 1"><script>window.caught = 1</script>'
SAID = (
    ("capture-top", "WWWWWWWWWW" * 40),
    ("takt run", "starting twin, capture-top, recorder, station, web"),
    ("web", "HTTPS on port 8443; certificate SHA-256 1f:22:80:4c:91:aa:03"),
    ("station", "scheduling FIFO 80 and 70, memory locked, cores 1"),
    ("takt run", "lane 1: RUNNING"),
    ("capture-top", "the camera sent a torn frame; refused, it is opened again"),
    ("recorder", "ended: exit code 1; starts again in 0.1 s"),
    ("station", f"lot {HOSTILE} was opened"),
    ("takt run", "lane 1: STOPPED, " + "the permit was not refreshed for 350 ms, its limit is 100 ms; " * 4),
)


@pytest.fixture
def written(stand):
    """A stand whose processes have said something; its log can be written on."""
    shutil.rmtree(stand.state / FOLDER, ignore_errors=True)
    log = LogFile(stand.state / FOLDER)
    stand.say = lambda process, text: log.append(micros(SystemClock().wall()), process, None, text)
    for process, text in SAID:
        stand.say(process, text)
    yield stand
    log.close()


def opened(sight, stand, query=""):
    sight.go(f"{stand.base}/machine/logs{query}", is_live=False)
    sight.page.locator("#table[aria-busy=false]").wait_for(state="attached")


@pytest.mark.parametrize(
    ("size", "scheme", "lang"),
    [("1280x800", "light", "en"), ("1440x900", "dark", "de")],
)
def test_log_is_shown(written, signed_in, photograph, size, scheme, lang):
    sight = signed_in(written, Role.TECHNICIAN, size, scheme, lang=lang)
    opened(sight, written)
    sight.wait("document.body.dataset.live === 'yes'")
    photograph(sight, f"{size}-{scheme}-{lang}", "log")

    assert sight.page.locator("#rows tr").count() == len(SAID)
    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(sight) == []
    assert sight.page.evaluate("window.caught") is None
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(written.base).netloc}


def test_keys_of_the_log_suit_a_finger(written, signed_in):
    sight = signed_in(written, Role.TECHNICIAN, "1280x800")
    opened(sight, written)
    heights = sight.page.evaluate(
        "[...document.querySelectorAll('main :is(.button, select, input)')].filter((each) => each.offsetParent)"
        ".map((each) => each.getBoundingClientRect().height)"
    )

    assert min(heights) >= 44


def test_new_lines_come_by_themselves_until_it_is_touched(written, signed_in):
    sight = signed_in(written, Role.TECHNICIAN, "1280x800")
    opened(sight, written)
    written.say("web", "something new")
    sight.page.locator("#rows tr").first.get_by_text("something new").wait_for()

    sight.page.locator("#rows tr").nth(2).tap()
    sight.page.locator("#pause[aria-pressed=true]").wait_for()
    written.say("web", "said while nobody wants to know")
    sight.page.wait_for_timeout(1500)
    assert sight.page.get_by_text("said while nobody wants to know").count() == 0

    sight.page.locator("#pause").tap()
    sight.page.get_by_text("said while nobody wants to know").wait_for()


def test_state_of_the_log_says_when_it_last_heard_something(written, signed_in):
    sight = signed_in(written, Role.TECHNICIAN)
    opened(sight, written)
    sight.wait("/Last heard at \\d\\d:\\d\\d:\\d\\d/.test(document.querySelector('#log-heard').textContent)")
    first = sight.text("#log-heard")
    sight.wait(f"document.querySelector('#log-heard').textContent !== {first!r}")

    sight.page.locator("#pause").click()
    sight.wait("document.querySelector('#log-state').textContent.startsWith('Paused')")
    sight.page.route("**/machine/logs?*", lambda route: route.abort())
    held = sight.text("#log-heard")
    sight.page.locator("#pause").click()
    sight.wait("!/Paused|Live/.test(document.querySelector('#log-state').textContent)")

    assert sight.text("#log-heard") == held


def test_filter_lives_in_the_address(written, signed_in):
    sight = signed_in(written, Role.TECHNICIAN)
    opened(sight, written, "?process=takt+run&words=lane")
    assert sight.page.locator("#rows tr").count() == 2
    assert sight.page.locator("#process").input_value() == "takt run"

    sight.page.locator("#words").fill("running")
    sight.wait("document.querySelectorAll('#rows tr').length === 1")

    assert sight.page.url.endswith("/machine/logs?words=running&process=takt+run")
    assert "words=running" in sight.page.locator("#text").get_attribute("href")


def test_nothing_to_show_is_said(written, signed_in, photograph):
    sight = signed_in(written, Role.TECHNICIAN)
    opened(sight, written, "?words=nobody+has+said+this")
    sight.page.locator("#empty").wait_for()
    photograph(sight, "1440x900-light-en-empty", "log")

    assert violations(sight) == []


def test_support_bundle_is_downloaded_and_ends_with_its_page(written, signed_in):
    sight = signed_in(written, Role.TECHNICIAN)
    opened(sight, written)
    with sight.page.expect_download() as download:
        sight.page.locator("#bundle button").click()
    sight.page.locator(".toast").wait_for()
    download.value.cancel()

    assert download.value.suggested_filename.startswith("takt-support-")
    assert sight.complaints == []
