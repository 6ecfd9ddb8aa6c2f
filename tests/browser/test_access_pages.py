"""Who may come in, in a real browser: the door, the dialogs that commands call for, and the pages of people."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from app.clock import SystemClock
from app.web.access.audit import Audit
from app.web.access.roles import Role
from app.web.store.database import FOLDER, Store
from tests.browser import people
from tests.browser.axe import violations
from tests.unit.web.people import PASSWORD, PIN

HOSTILE = '<img src=x onerror="window.caught = 1"><script>window.caught = 1</script>'
PAGES = {"account": "/account", "users": "/users", "tokens": "/users/tokens", "trail": "/audit"}
MM = 4
KEYS = """() => [...document.querySelectorAll('.door button, .languages a, #again-dialog[open] button')]
  .filter((each) => each.offsetParent)
  .map((each) => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height))"""


def write_trail(stand, *row, reason=""):
    store = Store(stand.state / FOLDER)
    try:
        Audit(store, SystemClock()).write(*row, reason=reason)
    finally:
        store.close()


def go(sight, stand, path):
    sight.go(f"{stand.base}{path}", is_live=False)


def enter(sight, pin):
    for digit in pin:
        sight.page.locator(f".pad [data-digit='{digit}']:visible").tap()
    sight.page.locator(".pad [data-deed=done]:visible").tap()


@pytest.fixture
def staff(stand):
    """People with names of every kind."""
    for name, role in (
        ("Anna Müller", Role.ADMIN),
        ("Kim", Role.OPERATOR),
        ("Maximilian Oberhofer-Schneider", Role.LEAD),
    ):
        people.add(stand.state, name, role)
    return stand


@pytest.mark.parametrize(("size", "scheme", "lang"), [("1280x800", "light", "de"), ("1920x1080", "dark", "en")])
def test_pin_is_given_with_gloves(staff, look, photograph, size, scheme, lang):
    sight = look(size, scheme, locale=lang)
    go(sight, staff, "/sign-in?next=/account")
    sight.page.locator(".tiles [data-name='Kim']").tap()
    photograph(sight, f"{size}-{scheme}-{lang}", "sign-in")
    assert violations(sight) == []
    assert min(sight.page.evaluate(KEYS)) >= 20 * MM

    enter(sight, "111222")
    sight.page.locator(".trouble:visible").wait_for()
    photograph(sight, f"{size}-{scheme}-{lang}-wrong", "sign-in")
    enter(sight, PIN)

    sight.page.wait_for_url(f"{staff.base}/account")
    assert sight.text("h1") == "Kim"


def test_password_is_typed_at_a_desk(staff, look, photograph):
    sight = look("1440x900")
    go(sight, staff, "/sign-in?next=//evil.example")
    sight.page.locator("[data-way=password]").click()
    sight.page.locator("#door-name").fill("anna müller")
    sight.page.locator("#door-password").fill(PASSWORD)
    photograph(sight, "1440x900-light-en-password", "sign-in")
    assert violations(sight) == []
    sight.page.keyboard.press("Enter")

    sight.page.wait_for_url(f"{staff.base}/operator/", wait_until="commit")
    assert sight.complaints == []


@pytest.mark.parametrize(("scheme", "lang"), [("light", "en"), ("dark", "de")])
@pytest.mark.parametrize("page", PAGES)
def test_pages_of_people(staff, signed_in, photograph, page, scheme, lang):
    write_trail(staff, "Anna Müller", "people.role", "Kim", "lead", "operator", reason="Asked for by quality")
    sight = signed_in(staff, Role.ADMIN, "1440x900", scheme, lang=lang)
    go(sight, staff, PAGES[page])
    sight.page.locator("#content h1").wait_for()
    sight.page.wait_for_timeout(400)
    photograph(sight, f"1440x900-{scheme}-{lang}", page)

    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(staff.base).netloc}


def test_admin_adds_somebody_who_is_then_there(staff, signed_in, photograph):
    sight = signed_in(staff, Role.ADMIN)
    go(sight, staff, "/users")
    sight.page.locator("#add").click()
    sight.page.locator("#add-name").fill(HOSTILE[:40])
    sight.page.locator("#add-role").select_option("lead")
    sight.page.locator("#add-dialog button[type=submit]").click()
    sight.page.locator("#again-dialog[open]").wait_for()
    photograph(sight, "1440x900-light-en", "again")
    assert violations(sight) == []
    sight.page.locator("#again-dialog [data-reason]").first.click()
    sight.page.locator("#again-dialog button[type=submit]").click()

    sight.page.locator("#users th", has_text=HOSTILE[:40]).wait_for()
    assert sight.page.evaluate("window.caught") is None


def test_who_was_signed_out_comes_in_again_without_losing_the_command(staff, signed_in, photograph):
    sight = signed_in(staff, Role.ADMIN)
    go(sight, staff, "/users/tokens")
    sight.page.context.clear_cookies()
    sight.page.locator("#make").click()
    sight.page.locator("#token-name").fill("press 3")
    sight.page.locator("#make-dialog button[type=submit]").click()
    sight.page.locator("#door-dialog[open]").wait_for()
    sight.page.locator("#door-dialog [data-way=password]").click()
    sight.page.locator("#door-name").fill("Admin One")
    sight.page.locator("#door-password").fill(PASSWORD)
    photograph(sight, "1440x900-light-en", "door")
    sight.page.keyboard.press("Enter")
    sight.page.locator("#again-dialog [data-reason]").first.click()
    sight.page.locator("#again-dialog button[type=submit]").click()

    sight.page.locator("#made:visible").wait_for()
    assert sight.text("#made-token").startswith("takt_")
    photograph(sight, "1440x900-light-en-made", "tokens")


def test_command_at_the_touch_screen_asks_for_pin_and_reason_with_large_keys(staff, signed_in, photograph):
    sight = signed_in(staff, Role.ADMIN, "1280x800", lang="de", by="pin")
    go(sight, staff, "/users")
    sight.page.evaluate("import('/static/js/access/dialogs.js').then((dialogs) => { dialogs.again(true, ''); })")
    sight.page.locator("#again-dialog .pad:visible").wait_for()
    photograph(sight, "1280x800-light-de-pin", "again")

    assert min(sight.page.evaluate(KEYS.replace(".languages a, ", ""))) >= 20 * MM
    assert violations(sight) == []


def test_hostile_words_in_the_trail_are_only_shown(staff, signed_in):
    write_trail(staff, HOSTILE, HOSTILE, HOSTILE, HOSTILE, {"a": HOSTILE}, reason=HOSTILE)
    sight = signed_in(staff, Role.QUALITY)
    go(sight, staff, "/audit")

    assert HOSTILE in sight.text(".trail")
    assert sight.page.evaluate("window.caught") is None


def test_box_is_set_up_by_its_owner(make_stand, look, photograph):
    stand = make_stand()
    sight = look("1440x900", locale="de")
    go(sight, stand, "/sign-in")
    sight.page.wait_for_url("**/setup")
    photograph(sight, "1440x900-light-de", "setup")
    assert violations(sight) == []
    code = (stand.state / FOLDER / "setup-code").read_text().strip()
    for field, said in (("code", code), ("name", "Anna"), ("password", PASSWORD), ("repeated", PASSWORD)):
        sight.page.locator(f"#{field}").fill(said)
    sight.page.keyboard.press("Enter")

    sight.page.wait_for_url(f"{stand.base}/operator/", wait_until="commit")
    assert not (stand.state / FOLDER / "setup-code").exists()
