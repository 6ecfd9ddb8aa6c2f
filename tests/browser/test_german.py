"""Every page speaks German where German is chosen; what the code says of itself in English is marked as English."""

from __future__ import annotations

import json
import re

import pytest

from app.web.access.roles import Role
from app.web.texts import Texts
from tests.browser import people
from tests.browser.conftest import Sight
from tests.browser.review_record import GONE_PART, HOSTILE, Record
from tests.browser.test_line_screens import LATCHES, SCREENS, Floor, open_screen
from tests.unit.web.people import PASSWORD

WORDS_OF_A_SENTENCE = 3
WORD = re.compile(r"\S*[^\W\d_]{2,}\S*")
A_VALUE = r"(?:\S+(?: \S+){0,3})?"
"""What stands for a value of a text: a name, a figure, a time; never a sentence."""

SAID = """() => {
  const found = [];
  const isHere = (each) => (each.closest("[lang]")?.lang ?? "de") === "de" && each.checkVisibility();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element.closest("script, style, noscript, template") && isHere(element)) found.push(node.textContent);
  }
  for (const each of document.querySelectorAll("[title], [aria-label], [alt], [placeholder]")) {
    if (!isHere(each)) continue;
    for (const name of ["title", "aria-label", "alt", "placeholder"]) found.push(each.getAttribute(name) ?? "");
  }
  return found.map((each) => each.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""
SAYS_ENGLISH = (
    "[...document.querySelectorAll('[lang=en]')].filter((each) => each.checkVisibility()).map((e) => e.textContent)"
)
TROUBLE = "the accelerator gives no answer: launch failed"
FULL = "there is no room left on the disk"
BLIND = "no frame has come for three seconds"


def patterns_of(words):
    """A text as it may stand on a page: whole, or a stretch of it between somebody else's words."""
    pieces = re.split(r"\{\w+\}", " ".join(words.split()))
    ends = range(1, len(pieces) + 1)
    stretches = [pieces[begin:end] for end in ends for begin in range(end)]
    told = [each for each in stretches if WORD.search("".join(each)) and (each == pieces or is_sentence(each))]
    return [re.compile(A_VALUE.join(map(re.escape, bare(each)))) for each in told]


def bare(stretch):
    """Without the punctuation at its ends."""
    first, last = stretch[0].lstrip(" .:;,()"), stretch[-1].rstrip(" .:;,()")
    return [first, *stretch[1:-1], last] if len(stretch) > 1 else [first.rstrip(" .:;,()")]


def is_sentence(stretch):
    return len(WORD.findall(" ".join(stretch))) >= WORDS_OF_A_SENTENCE


GERMAN = [pattern for words in Texts("de").words.values() for pattern in patterns_of(words)]


def is_german(words):
    words = words.replace(HOSTILE, "").strip(" .:;,()")
    if not is_sentence([words]) or any(each.fullmatch(words) for each in GERMAN):
        return True
    pieces = re.split(r"[;,:.] ", words)
    return len(pieces) > 1 and all(map(is_german, pieces))


def foreign(sight):
    """Sentences on a page that no German text makes, and that are not marked as English."""
    return sorted({each for each in sight.page.evaluate(SAID) if not is_german(each)})


@pytest.fixture(scope="module")
def floor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("german")
    Record(folder / "state", parts=10, boards=2)
    made = Floor(folder / "bus", period=1.0)
    people.add(made.state, "Admin One", Role.ADMIN)
    yield made
    made.end()


@pytest.fixture
def sight(floor, chromium):
    floor.tell(anew=True)
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, has_touch=True, locale="de")
    yield Sight(context.new_page(), "german")
    context.close()


def test_a_sentence_of_the_station_would_be_found():
    assert not is_german(TROUBLE)
    assert not is_german(f"Kamera top: {BLIND}")
    assert is_german("Eine Kamera liefert keine brauchbaren Bilder")


@pytest.mark.parametrize(
    ("said", "heading"),
    [
        ({"status": {"state": "DEGRADED", "why": TROUBLE}, "recorder": {"error": FULL}}, "Der Ersatz prüft"),
        (
            {"status": {"state": "NO_CAMERA", "why": BLIND}, "cameras": [["top", BLIND]]},
            "Kamera top liefert keine brauchbaren Bilder",
        ),
        (
            {"status": {"state": "STOPPED", "why": LATCHES[0][1]}, "latches": LATCHES},
            "Ein schlechtes Teil kam nicht in seinen Schacht",
        ),
    ],
    ids=["degraded", "no camera", "stopped"],
)
def test_operators_page_says_in_german_why_and_quotes_the_station(floor, sight, photograph, said, heading):
    sight.go(floor.url)
    floor.tell(**said)
    sight.wait(f"document.querySelector('#state-why').textContent === {json.dumps(heading)}")
    sight.wait("!document.querySelector('#alarm-banner').hidden")
    photograph(sight, f"{said['status']['state'].lower()}-1280x800-de")

    assert foreign(sight) == []
    assert any(said["status"]["why"] in each for each in sight.page.evaluate(SAYS_ENGLISH))


def test_every_screen_of_the_operator_is_german(floor, sight):
    sight.go(floor.url)
    floor.tell(status={"state": "STOPPED", "why": LATCHES[0][1]}, latches=LATCHES, recorder={"error": FULL})
    sight.wait("document.querySelectorAll('#alarms-list .alarm').length >= 3")
    for name in (*SCREENS, "reset"):
        open_screen(sight, name)
        if name == "recipe":
            sight.page.locator("[data-file='recipes/typo.toml']").tap()
        assert foreign(sight) == [], name


def test_every_page_of_the_desk_is_german(floor, sight):
    floor.tell(
        status={"state": "NO_CAMERA", "why": BLIND}, cameras=[["top", BLIND]], recorder={"error": FULL}, latches=LATCHES
    )
    people.sign_in(sight, floor.base, "Admin One")
    sight.go(f"{floor.base}/account")
    links = sight.page.evaluate("[...document.querySelectorAll('#side nav a')].map((each) => each.pathname)")
    assert len(links) > 10
    more = ["/account", "/review/1/1/5", f"/review/1/1/{GONE_PART}", "/review/1/1/99999", "/machine/logs?minutes=soon"]
    found = {}
    for path in [*links, *more]:
        sight.page.goto(f"{floor.base}{path}")
        sight.wait("document.readyState === 'complete'")
        sight.page.wait_for_load_state("load")
        sight.page.wait_for_timeout(400)
        if said := foreign(sight):
            found[path] = said

    assert found == {}


def test_refusal_in_english_stands_below_a_german_heading(floor, sight):
    people.sign_in(sight, floor.base, "Admin One")
    sight.go(floor.url)
    refusal = {"what": "lot A is running", "mend": "open the next lot first"}
    answer = {"status": 409, "headers": {"Content-Language": "en"}, "json": refusal}
    sight.page.route("**/challenge/start", lambda route: route.fulfill(**answer))
    open_screen(sight, "challenge")
    sight.page.locator("#trial-start").focus()
    sight.page.keyboard.down("Enter")
    sight.wait("!document.querySelector('#notice').hidden")
    sight.page.keyboard.up("Enter")

    assert sight.text("#notice strong") == Texts("de")("refusal.409")
    assert sight.text("#notice [lang=en]") == "lot A is running; open the next lot first"
    assert foreign(sight) == []


def test_refusal_in_the_language_of_the_page_needs_no_heading(floor, sight):
    sight.go(f"{floor.base}/sign-in", is_live=False)
    sight.page.locator("[data-way=password]").click()
    sight.page.locator("#door-name").fill("Admin One")
    sight.page.locator("#door-password").fill(PASSWORD[::-1])
    sight.page.keyboard.press("Enter")
    sight.page.locator(".trouble:visible").wait_for()

    assert Texts("de")("refused.wrong.password") in sight.text(".trouble span")
    assert foreign(sight) == []
