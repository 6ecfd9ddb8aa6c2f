"""What is around every page but the operator's, in a real browser."""

from __future__ import annotations

import signal
from urllib.parse import urlsplit

import pytest

from app.web.access.roles import Role
from tests.browser import people
from tests.browser.axe import violations
from tests.browser.conftest import PART

STATE = "document.querySelector('#line-state').dataset.state"
SCHEME = "document.documentElement.dataset.scheme"


def visit(sight, stand, path="/api/"):
    sight.go(f"{stand.base}{path}", is_live=False)
    sight.wait(f"{STATE} === 'RUNNING'")


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("de", "dark")])
@pytest.mark.parametrize("path", ["/api/", "/nowhere"])
def test_page_of_the_shell_is_for_everybody(stand, signed_in, photograph, path, lang, scheme):
    sight = signed_in(stand, Role.ADMIN, "1440x900", scheme, lang=lang)
    visit(sight, stand, path)
    name = "reference" if path == "/api/" else "error"
    photograph(sight, f"1440x900-{scheme}-{lang}", name)

    assert violations(sight) == []
    assert sight.page.locator("html").get_attribute("lang") == lang
    assert [each for each in sight.complaints if "404" not in each] == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}


def test_state_of_the_line_is_live_and_says_no_data_when_the_server_is_gone(own_stand, look):
    sight = look("1440x900")
    visit(sight, own_stand)
    own_stand.tell(status={"state": "STOPPED", "why": "somebody pressed stop"})
    sight.wait(f"{STATE} === 'STOPPED'")

    own_stand.web.send(signal.SIGKILL)
    sight.wait(f"{STATE} === 'NO_DATA'")
    own_stand.web.end()
    own_stand.start_web()

    sight.wait(f"{STATE} === 'STOPPED'")


def test_light_and_dark_is_kept_by_the_browser(stand, look):
    sight = look("1440x900", "dark")
    visit(sight, stand)
    before = sight.page.evaluate(SCHEME)
    sight.page.locator("#scheme").click()
    chosen = sight.page.evaluate(SCHEME)
    sight.page.reload()

    assert (before, chosen, sight.page.evaluate(SCHEME)) == ("dark", "light", "light")


def test_language_is_chosen_on_the_page_and_kept(stand, look):
    sight = look("1440x900", locale="en")
    visit(sight, stand)
    sight.page.locator(".languages a[lang=de]").click()
    visit(sight, stand)

    assert sight.text("#line-word") == "LÄUFT"
    assert sight.page.locator("html").get_attribute("lang") == "de"


def test_menu_of_a_tablet_opens_by_key_and_closes_again(stand, look, photograph):
    sight = look("800x1100")
    visit(sight, stand)
    page = sight.page
    assert not page.locator("#side").is_visible()
    page.locator("#menu").focus()
    page.keyboard.press("Enter")
    sight.wait("document.querySelector('#side').getBoundingClientRect().left === 0")
    photograph(sight, "800x1100-menu", "reference")

    assert violations(sight) == []
    page.keyboard.press("Escape")

    assert not page.locator("#side").is_visible()
    assert page.evaluate("document.activeElement.id") == "menu"


def test_page_is_no_wider_than_the_screen(stand, look):
    sight = look("600x900")
    visit(sight, stand)

    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_page_is_live_by_https_and_its_cookies_are_never_sent_in_the_clear(make_stand, look):
    stand = make_stand(is_secure=True)
    sight = look("1440x900", ignore_https_errors=True)
    people.add(stand.state, "Lea", Role.LEAD)
    people.sign_in(sight, stand.secure_base, "Lea")
    sight.go(f"{stand.secure_base}/operator/")
    first = sight.part()
    sight.wait(f"{PART} >= {first + 3}")

    cookies = sight.page.context.cookies()
    assert [each["name"] for each in cookies if each["secure"]]
    assert [each["name"] for each in cookies if not each["secure"]] == []
    assert sight.complaints == []
