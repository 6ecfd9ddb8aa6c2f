"""What the operator does beyond looking and stopping: alarms, lots, recipes, challenge tests, resets, cleaning."""

from __future__ import annotations

import signal
from itertools import pairwise

import cv2
import pytest

from app.setup import load_setup, twin_line
from app.twin.boards import Design
from app.web.access.roles import Role
from tests.browser import people
from tests.browser.axe import violations
from tests.browser.conftest import Process, Stand
from tests.groups import ROOT
from tests.unit.web.people import PIN

KEY_MM, GAP_MM, PIXELS_PER_MM = 20, 3, 4
LEAST_CONTRAST = 4.5
SCREENS = ("lot", "recipe", "challenge", "alarms", "statistics", "more")
LATCHES = [
    ["MISSED_REJECT", "the chute did not see part 41", 41],
    ["REPEATED_ALARMS", "3 alarms, the last: part 39 passed the gate and never reached the exit"],
]
STOPPED = {"status": {"state": "STOPPED", "why": LATCHES[0][1], "lamps": ["lamp_red"]}, "latches": LATCHES}
STRICT = """name = "Board A strict"
golden_sample = "golden.png"
[default]
threshold = 0.25
[classes.spur]
threshold = 0.2
policy = "flag"
"""


class Floor(Stand):
    """A stand whose pages know the lane's settings and its recipes."""

    def __init__(self, folder, **options):
        self.line = folder.parent / "line"
        (self.line / "recipes").mkdir(parents=True)
        source = load_setup(twin_line())
        for name in (source.file, source.line.recipe):
            (self.line / name).write_text((source.folder / name).read_text())
        cv2.imwrite(str(self.line / "golden.png"), Design(7).golden)
        (self.line / "recipes" / "strict.toml").write_text(STRICT)
        (self.line / "recipes" / "lax.toml").write_text('name = "Board B"\n[default]\nthreshold = 0.6\n')
        (self.line / "recipes" / "metal.toml").write_text('name = "Metal"\n[classes.dent]\nthreshold = 0.4\n')
        (self.line / "recipes" / "typo.toml").write_text("threshhold = 1\n")
        super().__init__(folder, **options)

    def start_web(self):
        options = ("--port", self.port, "--lanes", 1, "--pixels-per-mm", self.pixels_per_mm)
        self.web = Process("web_process", self.folder, *options, "--line", self.line / "line.toml")
        self.port = int(self.web.first)


@pytest.fixture(scope="module")
def lasting_floor(tmp_path_factory):
    made = Floor(tmp_path_factory.mktemp("floor") / "bus", period=1.0)
    for role in (Role.OPERATOR, Role.LEAD):
        people.add(made.state, f"{role.word.capitalize()} One", role)
    yield made
    made.end()


@pytest.fixture
def floor(lasting_floor):
    lasting_floor.tell(anew=True)
    return lasting_floor


@pytest.fixture
def own_floor(tmp_path):
    made = Floor(tmp_path / "bus", period=1.0)
    yield made
    made.end()


@pytest.fixture
def come(look):
    """Opens the operator's page; `role`: somebody is signed in."""

    def opened(floor, role=None, size="1280x800", lang="en", **options):
        sight = look(size, **options)
        if role is not None:
            name = f"{role.word.capitalize()} One"
            people.add(floor.state, name, role)
            people.sign_in(sight, floor.base, name, by="pin")
        sight.go(f"{floor.url}?lang={lang}")
        return sight

    return opened


def open_screen(sight, name):
    sight.page.locator(f"[data-screen={name}]:visible").first.tap()
    sight.wait(f"!document.querySelector('#screen-{name}').hidden")


def hold(sight, key):
    """Holds a key until it has done its work, or failed."""
    sight.page.locator(key).focus()
    sight.page.keyboard.down("Enter")
    sight.wait(f"['sending', 'done', 'failed'].includes(document.querySelector('{key}').dataset.phase)")
    sight.page.keyboard.up("Enter")


def prove(sight, reason="Trial"):
    """Gives a reason, and the PIN again where it was given too long ago."""
    sight.wait("document.querySelector('#again-dialog').open")
    sight.page.locator("#again-dialog [data-reason]", has_text=reason).tap()
    if sight.page.locator("#again-dialog [data-digit='1']").is_visible():
        type_pin(sight, "#again-dialog")
    else:
        sight.page.locator("#again-dialog [type=submit]").tap()


def type_pin(sight, dialog):
    for digit in PIN:
        sight.page.locator(f"{dialog} [data-digit='{digit}']").tap()
    sight.page.locator(f"{dialog} [data-deed=done]").tap()


# Alarms


def test_alarm_is_new_then_known_then_gone_and_resets_nothing(floor, come):
    sight = come(floor, Role.OPERATOR)
    floor.tell(**STOPPED)
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'new'")
    assert sight.text("#alarm-words") == "A bad part did not reach its chute"
    assert "Find the part" in sight.text("#alarm-todo")

    open_screen(sight, "alarms")
    sight.wait("document.querySelectorAll('#alarms-list .alarm').length === 2")
    assert "first cause" in sight.text("#alarms-list .alarm:first-child").lower()
    sight.page.locator("#alarms-all").tap()
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'known'")
    assert sight.page.evaluate("document.body.dataset.state") == "STOPPED"

    floor.tell(latches=[], status={"state": "RUNNING", "why": ""})
    sight.wait("document.querySelector('#alarm-banner').hidden")
    assert sight.complaints == []


def test_alarm_that_nobody_noted_outlives_its_cause_and_the_server(own_floor, come):
    sight = come(own_floor)
    own_floor.tell(latches=LATCHES[:1], status={"state": "STOPPED", "why": "x"})
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'new'")
    own_floor.tell(latches=[], status={"state": "RUNNING", "why": ""})
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'gone'")

    own_floor.web.send(signal.SIGKILL)
    own_floor.web.end()
    sight.wait("document.body.dataset.live === 'no'")
    own_floor.start_web()
    sight.wait("document.body.dataset.live === 'yes'")
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'gone'")
    assert sight.text("#alarm-words") == "A bad part did not reach its chute"


def test_alarms_of_the_past_are_filtered_in_the_address(floor, come, look):
    sight = come(floor, Role.OPERATOR)
    floor.tell(**STOPPED)
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'new'")
    desk = look("1440x900")
    desk.go(f"{floor.base}/line/alarms?kind=MISSED_REJECT", is_live=False)
    desk.wait("document.querySelectorAll('#rows tr').length >= 1")

    assert set(desk.page.locator("#rows th").all_inner_texts()) == {"A bad part did not reach its chute"}
    desk.wait("document.querySelector('#alarms .alarm-banner')")
    assert violations(desk) == []
    assert desk.complaints == []


# Lots


def test_lot_starts_after_the_pin_and_ends_by_holding(floor, come):
    sight = come(floor)
    open_screen(sight, "lot")
    open_screen(sight, "next")
    for letter in "4711-B":
        sight.page.locator(f"#lots-letters [data-letter='{letter}']").tap()
    sight.page.locator("#lots-planned").tap()
    for letter in "500":
        sight.page.locator(f"#lots-letters [data-letter='{letter}']").tap()
    sight.page.locator("#lots-start").tap()
    sight.wait("document.querySelector('#door-dialog').open")
    sight.page.locator("#door-dialog [data-name='Operator One']").tap()
    type_pin(sight, "#door-dialog")
    sight.wait("document.querySelector('#fact-lot').textContent === '4711-B'")
    sight.wait("document.querySelector('#lots-count').textContent.includes('of 500 parts')")

    hold(sight, "#lots-end")
    sight.wait("document.querySelector('#fact-lot').textContent === '4711-B+1'")
    # Only that nobody was signed in at first.
    assert [each for each in sight.complaints if "401" not in each] == []


# Recipes


def test_recipe_changes_by_holding_with_a_reason_and_the_pin(floor, come):
    sight = come(floor, Role.LEAD)
    open_screen(sight, "recipe")
    sight.wait("document.querySelectorAll('#recipes-list [data-file]').length === 5")
    sight.page.locator("[data-file='recipes/typo.toml']").tap()
    assert "did you mean threshold" in sight.text("#recipes-trouble")
    assert not sight.page.locator("#recipes-change").is_visible()

    sight.page.locator("[data-file='recipes/strict.toml']").tap()
    assert "0.20" in sight.text("#recipes-rules")
    hold(sight, "#recipes-change")
    prove(sight)
    sight.wait("document.querySelector('#fact-recipe').textContent === 'Board A strict'")
    sight.wait("document.querySelector('[data-file=\"recipes/strict.toml\"] .at-work')")


def test_recipe_that_the_station_refuses_says_why(floor, come):
    sight = come(floor, Role.LEAD)
    open_screen(sight, "recipe")
    sight.page.locator("[data-file='recipes/metal.toml']").tap()
    hold(sight, "#recipes-change")
    prove(sight)
    sight.wait("document.querySelector('#notice').textContent.includes('which the model does not know')")

    assert sight.text("#fact-recipe") == "demo board"


@pytest.mark.parametrize("lang", ["en", "de"])
def test_recipe_with_a_class_that_the_model_lacks_is_grey_and_says_why(floor, come, lang, photograph):
    floor.tell(status={"package": "pcb-nano", "classes": ["open", "short", "spur"]})
    sight = come(floor, Role.LEAD, lang=lang)
    open_screen(sight, "recipe")
    sight.page.locator("[data-file='recipes/metal.toml'].refused").tap()

    said = sight.text("#recipes-trouble")
    assert "dent" in said
    assert "open, short, spur" in said
    assert ("Regeln für" in said) is (lang == "de")
    assert sight.page.locator("#recipes-trouble [lang=en]").count() == 0
    assert not sight.page.locator("#recipes-change").is_visible()
    assert violations(sight) == []
    photograph(sight, f"words-recipe-refused-{lang}")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"status": {"state": "DEGRADED", "why": "accelerator late: no answer within 2.0 ms", "code": "LATE"}},
            "Der Beschleuniger hat nicht rechtzeitig geantwortet",
        ),
        (
            {
                "status": {"state": "NO_CAMERA", "why": "camera 'top': its mean grey is 3.0", "code": "DARK"},
                "cameras": [["top", "camera 'top': its mean grey is 3.0", 7, 0, 0, 3, 0, False, "DARK"]],
            },
            "Kamera top: sieht zu wenig Licht",
        ),
    ],
    ids=["degraded", "camera"],
)
def test_cause_is_said_in_german_and_the_stations_sentence_is_its_detail(floor, come, told, words, photograph):
    sight = come(floor, Role.OPERATOR, lang="de")
    floor.tell(**told)
    sight.wait(f"document.querySelector('#state-why').textContent.includes({words!r})")
    assert sight.text("#state-said") == told["status"]["why"]
    photograph(sight, f"words-{told['status']['code'].lower()}-overview-de")

    open_screen(sight, "alarms")
    sight.wait(f"document.querySelector('#alarms-list .why')?.textContent.includes({words!r})")
    photograph(sight, f"words-{told['status']['code'].lower()}-alarms-de")


# Challenge test, reset, cleaning


def test_challenge_test_is_started_and_followed(floor, come):
    sight = come(floor, Role.OPERATOR)
    open_screen(sight, "challenge")
    sight.wait("document.querySelectorAll('#trial-steps li').length === 4")
    hold(sight, "#trial-start")
    sight.wait("document.querySelector('#trial-steps [aria-current=step]')?.textContent.includes('well apart')")

    floor.tell(status={"challenge_phase": "PROVING"})
    sight.wait("document.querySelector('#trial-words').textContent === 'The line must stop now.'")


def test_reset_asks_for_a_reason_and_ends_the_stop(floor, come):
    sight = come(floor, Role.LEAD)
    floor.tell(**STOPPED)
    sight.wait("document.body.dataset.state === 'STOPPED'")
    open_screen(sight, "reset")
    hold(sight, "#reset-do")
    sight.wait("document.querySelector('#notice').textContent === 'Choose a reason first.'")
    sight.page.locator("[data-why='Jam cleared']").tap()
    hold(sight, "#reset-do")
    sight.wait("document.body.dataset.state === 'RUNNING'")


def test_screen_that_is_cleaned_reacts_to_nothing_but_two_corners(floor, come):
    sight = come(floor)
    open_screen(sight, "more")
    sight.page.locator("#more-clean").tap()
    sight.wait("!document.querySelector('#clean').hidden")
    sight.page.touchscreen.tap(640, 300)
    sight.page.keyboard.press("Escape")
    assert sight.page.locator("#screen-more").is_visible()

    corners = [sight.page.locator(f"[data-corner={each}]").bounding_box() for each in ("left", "right")]
    points = [{"x": box["x"] + 20, "y": box["y"] + 20, "id": n} for n, box in enumerate(corners)]
    touch = sight.page.context.new_cdp_session(sight.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    sight.wait("document.querySelector('#clean').hidden")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


# For everybody


def test_language_and_brightness_are_chosen_at_the_kiosk(floor, come):
    sight = come(floor)
    open_screen(sight, "more")
    sight.page.locator("#screen-more [data-brightness=dark]").tap()
    assert sight.page.evaluate("document.documentElement.dataset.scheme") == "dark"
    sight.page.locator("#screen-more [hreflang=de]").tap()
    sight.page.wait_for_url("**lang=de*")
    sight.wait("document.body.dataset.live === 'yes' && document.documentElement.lang === 'de'")

    assert sight.page.locator("[data-screen=alarms] span").first.inner_text() == "Alarme"
    assert sight.page.evaluate("document.documentElement.dataset.scheme") == "dark"


def test_lamps_are_drawn_as_they_are_lit(floor, come):
    sight = come(floor)
    sight.wait("document.querySelector('[data-lamp=green]').dataset.lit === 'yes'")
    floor.tell(**STOPPED)
    sight.wait("document.querySelector('[data-lamp=red]').dataset.lit === 'yes'")

    assert sight.page.locator("#lamps").get_attribute("aria-label") == "Lamps: red on"


@pytest.mark.parametrize(("size", "lang"), [("1280x800", "en"), ("1280x800", "de"), ("1920x1080", "de")])
def test_every_screen_can_be_read_and_touched(floor, come, photograph, size, lang):
    sight = come(floor, None, size, lang)
    floor.rest(sight)
    floor.tell(**STOPPED)
    sight.wait("document.body.dataset.alarm === 'new'")
    page = sight.page
    page.evaluate((ROOT / "tests" / "browser" / "measure.js").read_text(encoding="utf-8"))
    for name in (*SCREENS, "reset", "next"):
        open_screen(sight, "lot" if name == "next" else name)
        if name == "next":
            open_screen(sight, name)
        if name == "recipe":
            page.locator("[data-file='recipes/strict.toml']").tap()
        photograph(sight, f"{name}-{size}-{lang}", "line")
        within = f"document.querySelector('#screen-{name}')"
        faint = [each for each in page.evaluate("measure.texts()") if each["contrast"] < LEAST_CONTRAST]
        small = [
            each
            for each in page.evaluate("measure.keys()")
            if min(each["width"], each["height"]) < KEY_MM * PIXELS_PER_MM - 0.5
        ]
        boxes = page.evaluate(
            f"[...{within}.querySelectorAll('.key-row')].map(row => [...row.querySelectorAll('.key')]"
            ".filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect()).map(b => [b.left, b.right, b.top]))"
        )
        gaps = [b[0] - a[1] for row in boxes for a, b in pairwise(row) if a[2] == b[2]]
        assert faint == [], name
        assert small == [], name
        assert all(gap >= GAP_MM * PIXELS_PER_MM - 0.5 for gap in gaps), name
        assert page.evaluate("measure.cutOff()") == [], name
        assert page.evaluate(f"{within}.scrollHeight <= {within}.clientHeight + 1"), name
        assert violations(sight) == [], name
        page.keyboard.press("Escape")
    assert sight.complaints == []


def test_screen_shows_no_data_like_the_rest(own_floor, come):
    sight = come(own_floor)
    open_screen(sight, "lot")
    own_floor.station.send(signal.SIGKILL)
    sight.wait("document.body.dataset.live === 'no'")

    assert sight.page.locator("#veil .card").is_visible()
    assert sight.page.locator("#stop").is_enabled()


def test_hostile_recipe_and_lot_are_only_shown(floor, come):
    evil = "<img src=x onerror=alert(1)>"
    (floor.line / "recipes" / "evil.toml").write_text(
        'name = "x"\n[classes."<img src=x onerror=alert(1)>"]\nthreshold = 0.5\n'
    )
    sight = come(floor)
    floor.tell(status={"lot": evil}, latches=[["OPERATOR", evil]])
    open_screen(sight, "recipe")
    sight.page.locator("[data-file='recipes/evil.toml']").tap()
    assert evil in sight.text("#recipes-rules")
    open_screen(sight, "alarms")
    sight.wait("document.querySelector('#alarms-list').textContent.includes('onerror')")
    open_screen(sight, "lot")
    sight.wait("document.querySelector('#lots-name').textContent.includes('onerror')")
    (floor.line / "recipes" / "evil.toml").unlink()

    assert sight.page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
