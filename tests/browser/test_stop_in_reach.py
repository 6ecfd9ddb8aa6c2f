"""Stopping the line and silencing the buzzer stay in reach while the operator's page asks who is there."""

from __future__ import annotations

import pytest

from app.web.access.roles import Role
from tests.browser import people
from tests.browser.axe import violations

KEY_MM, PIXELS_PER_MM = 20, 4
BOX = """(({left, right, top, bottom}) => ({left, right, top, bottom}))(
  document.querySelector('%s').getBoundingClientRect())"""
AT_STOP = """(({left, right, top, bottom}) =>
  document.elementFromPoint((left + right) / 2, (top + bottom) / 2)?.closest('#stop') !== null
)(document.querySelector('#stop').getBoundingClientRect())"""
WAITING = "document.querySelectorAll('[inert]').length"


def asked(look, stand, size="1280x800", lang="en"):
    """The operator's page with the dialog that asks who is there."""
    people.add(stand.state, "Operator One", Role.OPERATOR)
    sight = look(size)
    sight.go(f"{stand.url}?lang={lang}")
    stand.tell(status={"has_buzzer": True, "lamps": ["lamp_green", "buzzer"]})
    sight.page.locator("[data-screen=more]").tap()
    sight.page.locator("#more-sign").tap()
    sight.wait("document.querySelector('#door-dialog').open")
    sight.wait("!document.querySelector('#door-dialog [data-silence]').hidden")
    return sight


@pytest.mark.parametrize(
    ("size", "lang"), [("1280x800", "en"), ("1280x800", "de"), ("1920x1080", "de"), ("800x1280", "de")]
)
def test_dialog_leaves_the_stop_key_free(stand, look, photograph, size, lang):
    sight = asked(look, stand, size, lang)
    photograph(sight, f"{size}-light-{lang}", "who")
    stop, dialog = (sight.page.evaluate(BOX % each) for each in ("#stop", "#door-dialog"))

    assert sight.page.evaluate(AT_STOP)
    assert stop["left"] >= dialog["right"] or stop["bottom"] <= dialog["top"]
    assert stop["bottom"] - stop["top"] >= KEY_MM * PIXELS_PER_MM - 0.5
    assert 0 <= dialog["left"] < dialog["right"] <= int(size.split("x")[0])


def test_line_is_stopped_while_the_page_asks_who_is_there(stand, look):
    sight = asked(look, stand)
    sight.page.locator("#stop").hover()
    sight.page.mouse.down()
    sight.wait("document.body.dataset.state === 'STOPPED'")
    sight.page.mouse.up()

    assert sight.page.locator("#notice").is_visible()
    assert sight.page.evaluate("document.querySelector('#door-dialog').open")


def test_buzzer_is_silenced_while_the_page_asks_who_is_there(stand, look):
    sight = asked(look, stand)
    sight.page.locator("#door-dialog [data-silence]").tap()
    sight.wait("document.querySelector('#notice').textContent.includes('silent')")

    assert sight.page.evaluate("document.querySelector('#door-dialog').open")


def test_everything_else_waits_until_the_dialog_is_closed(stand, look):
    sight = asked(look, stand)
    assert sight.page.evaluate("document.querySelector('.keys').inert && document.querySelector('main').inert")
    assert not sight.page.evaluate("document.querySelector('#stop').closest('[inert]')")
    assert violations(sight) == []

    sight.page.locator("#door-name").press("Escape")
    sight.wait("!document.querySelector('#door-dialog').open")
    sight.wait(f"{WAITING} === 0")
    assert sight.page.locator("#screen-more").is_visible()
    assert sight.complaints == []


def test_dialog_of_another_page_is_modal(stand, signed_in):
    sight = signed_in(stand, Role.ADMIN)
    sight.go(f"{stand.base}/users", is_live=False)
    sight.page.evaluate("import('/static/js/access/dialogs.js').then((dialogs) => { dialogs.again(true, ''); })")
    sight.page.locator("#again-dialog:modal").wait_for()

    assert not sight.page.locator("#again-dialog [data-silence]").is_visible()
