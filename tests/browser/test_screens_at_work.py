"""What a stranger at the screens stumbled over: what was cut off, lay over something else, flashed or led nowhere."""

from __future__ import annotations

import pytest

from app.web.access.roles import Role
from tests.browser import people
from tests.browser.conftest import PART, Stand
from tests.browser.review_record import Record

SHOWN = "Number(document.querySelector('#frame').dataset.part?.split('-')[2] ?? 0)"
LATCHES = [["MISSED_REJECT", "the chute did not see part 41", 41]]
STOPPED = {"status": {"state": "STOPPED", "why": LATCHES[0][1], "lamps": ["lamp_red"]}, "latches": LATCHES}
TALLY = {"triggers": 4321, "passed": 3856, "rejected": 459, "lost": 3, "in_flight": 3}
LEAST_PX = 44


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screens")
    Record(folder / "state")
    made = Stand(folder / "bus", period=1.0)
    yield made
    made.end()


def open_screen(sight, name):
    sight.page.locator(f"[data-screen={name}]:visible").first.tap()
    sight.wait(f"!document.querySelector('#screen-{name}').hidden")


# The operator's page


def test_picture_stays_and_says_whose_it_is_until_the_next_one_has_come(stand, look):
    sight = look("1280x800")
    sight.go(stand.url)
    before = stand.rest(sight)
    sight.wait(f"{SHOWN} === {before} && document.querySelector('#frame img')")
    held = []
    sight.page.route("**/api/v1/previews/**", lambda route: held.append(route))  # noqa: PLW0108

    stand.tell(judge={})
    sight.wait(f"{PART} === {before + 1} && !document.querySelector('#earlier').hidden")
    assert sight.text("#earlier") == f"Picture of part {before}"
    assert sight.page.locator("#frame img").count() == 1

    while held:
        held.pop().continue_()
    sight.page.unroute("**/api/v1/previews/**")
    sight.wait(f"{SHOWN} === {before + 1} && document.querySelector('#earlier').hidden")


def test_part_that_has_no_picture_does_not_wear_the_one_before(stand, look):
    sight = look("1280x800")
    sight.go(stand.url)
    before = stand.rest(sight)
    sight.wait(f"{SHOWN} === {before} && document.querySelector('#frame img')")

    stand.tell(judge={"reason": "NO_FRAME", "text": "no frame within 40 ms"})
    sight.wait(f"{SHOWN} === {before + 1} && !document.querySelector('#frame img')")
    assert sight.page.locator("#earlier").is_hidden()


@pytest.mark.parametrize("size", ["1280x800", "1920x1080"])
@pytest.mark.parametrize("is_stopped", [False, True])
def test_all_that_the_station_consists_of_is_in_its_panel(stand, look, size, is_stopped):
    sight = look(size, locale="de")
    sight.go(stand.url)
    stand.rest(sight)
    stand.tell(**STOPPED)
    sight.wait("document.querySelector('#alarm-banner').dataset.state === 'new'")
    if not is_stopped:
        stand.tell(latches=[], status={"state": "RUNNING", "why": ""})
        sight.wait("document.querySelector('#alarm-banner').dataset.state === 'gone'")
    stand.tell(tally=TALLY)
    sight.wait("document.querySelectorAll('#health li').length >= 5")

    sight.wait("document.querySelector('#tally-triggers').textContent === '4.321'")
    panel = "document.querySelector('.panel.station')"
    assert sight.page.evaluate(f"{panel}.scrollHeight <= {panel}.clientHeight + 1")


def test_other_pages_are_a_key_away_for_those_who_may(stand, look):
    sight = look("1280x800")
    sight.go(stand.url)
    open_screen(sight, "more")
    ways = sight.page.locator("#screen-more .ways a:visible")
    assert ways.all_inner_texts() == ["Alarms of the past", "Figures"]

    people.add(stand.state, "Quality One", Role.QUALITY)
    people.sign_in(sight, stand.base, "Quality One")
    sight.page.reload()
    sight.wait("document.body.dataset.live === 'yes'")
    open_screen(sight, "more")
    sight.page.locator("#screen-more .ways a", has_text="Review queue").tap()
    sight.page.wait_for_url("**/review/**")


def test_what_a_command_says_lies_over_no_key(stand, look):
    sight = look("1280x800")
    sight.go(stand.url)
    open_screen(sight, "lot")
    open_screen(sight, "next")
    sight.page.locator("#lots-start").tap()
    sight.wait("document.querySelector('#notice').textContent === 'Give the lot a name.'")

    notice = sight.page.locator("#notice").bounding_box()
    for key in sight.page.locator(".key:visible").all():
        box = key.bounding_box()
        is_beside = box["x"] >= notice["x"] + notice["width"] or box["x"] + box["width"] <= notice["x"]
        is_apart = box["y"] >= notice["y"] + notice["height"] or box["y"] + box["height"] <= notice["y"]
        assert is_beside or is_apart, key.inner_text()


def test_page_that_ends_a_lot_leaves_its_closing_to_the_station(stand, signed_in):
    sight = signed_in(stand, Role.OPERATOR, "1280x800", by="pin")
    lots, asked = [lot("A", in_flight=0, is_running=True)], []

    def answer(route):
        if route.request.method == "POST":
            lots[:] = [lot("B", in_flight=1, is_running=True), lot("A", in_flight=3), lot("Z", in_flight=0, lost=2)]
        route.fulfill(json={"lots": lots} if route.request.method == "GET" else {"epoch": 1, "sequence": 1})

    sight.page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    sight.page.route("**/api/v1/lanes/1/lots", answer)
    sight.go(stand.url)
    open_screen(sight, "lot")
    open_screen(sight, "next")
    sight.page.locator("#lots-letters [data-letter='B']").tap()
    sight.page.locator("#lots-start").tap()
    sight.wait("document.querySelector('#lots-open')?.textContent.includes('On the belt: 3')")
    first = sight.page.locator("#lots-open .open").first.bounding_box()
    title = sight.page.locator("#lots-waiting").bounding_box()
    assert first["y"] - title["y"] - title["height"] < first["height"]
    assert [each.inner_text().splitlines()[0] for each in sight.page.locator("#lots-open .open:has(.key)").all()] == [
        "Z"
    ]

    lots[1:] = [lot("A", in_flight=0) | {"is_closed": True}]
    sight.wait("document.querySelector('#lots-open')?.textContent.includes('Closed: A')")
    assert [url for url in asked if url.endswith("/lots/close")] == []


def lot(name, *, in_flight, lost=0, is_running=False):
    passed = 50 - in_flight - lost
    tally = {"triggers": 50, "passed": passed, "rejected": 0, "lost": lost, "in_flight": in_flight}
    return {"lot": name, "is_running": is_running, "is_closed": False, "planned": None, "by": "Kim", "tally": tally}


# The other pages


def test_page_that_is_shown_is_in_sight_among_the_places(stand, signed_in):
    sight = signed_in(stand, Role.ADMIN, "1280x800")
    sight.go(f"{stand.base}/audit")

    box = sight.page.locator("#side [aria-current=page]").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("lang", ["en", "de"])
def test_users_are_changed_by_keys_with_words_within_reach(stand, signed_in, lang):
    sight = signed_in(stand, Role.ADMIN, "1280x800", lang=lang)
    sight.go(f"{stand.base}/users")
    sight.wait("document.querySelector('#users .deeds .button')")

    keys = sight.page.locator("#users .deeds .button")
    assert all(words.strip() for words in keys.all_inner_texts())
    frame = "document.querySelector('#users').closest('.table-frame')"
    assert sight.page.evaluate(f"{frame}.scrollWidth <= {frame}.clientWidth")


def test_what_is_around_a_page_can_be_touched(stand, signed_in):
    sight = signed_in(stand, Role.TECHNICIAN, "1280x800")
    stand.tell(**STOPPED)
    sight.go(f"{stand.base}/machine/")
    sight.wait("document.querySelector('#alarms .alarm-banner:not([hidden])')")

    for each in ("#side .brand", "#line-state", "#alarms .alarm-banner"):
        assert sight.page.locator(each).bounding_box()["height"] >= LEAST_PX, each


def test_queue_says_in_words_why_a_part_without_a_picture_was_rejected(recorded, signed_in):
    sight = signed_in(recorded, Role.QUALITY)

    def answer(route):
        said = route.fetch().json()
        said["rows"][0]["reasons"] = ["NO_FRAME"]
        route.fulfill(json=said)

    sight.page.route("**/api/v1/queue*", answer)
    sight.go(f"{recorded.base}/review/?why=reject")
    sight.wait("document.querySelector('.row')")

    assert "No picture in time" in sight.text("#row-0")


def test_part_whose_model_found_nothing_says_what_the_recipe_asked(recorded, signed_in):
    sight = signed_in(recorded, Role.QUALITY)
    sight.go(f"{recorded.base}/review/1/1/2")
    sight.wait("document.querySelector('#rules tbody tr')")

    assert "every other class" in sight.text("#rules")


def test_times_of_alarms_have_twenty_four_hours(stand, look):
    stand.tell(**STOPPED)
    sight = look("1440x900", locale="en-US")
    sight.go(f"{stand.base}/line/alarms")
    sight.wait("document.querySelectorAll('#rows tr').length >= 1")

    assert not {"AM", "PM"} & set(sight.text("#rows").split())


def test_exports_and_queue_call_labels_the_same(recorded, signed_in):
    sight = signed_in(recorded, Role.QUALITY, lang="de")
    words = []
    for path, select in (("/review/", "[name=label]"), ("/figures/lots", "[name=label]")):
        sight.go(f"{recorded.base}{path}")
        sight.wait(f"document.querySelectorAll('{select} option').length > 3")
        words.append(set(sight.page.locator(f"{select} option").all_inner_texts()))

    assert {each.strip() for each in words[1]} <= {each.strip() for each in words[0]}
