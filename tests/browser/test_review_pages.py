"""The quality engineer's pages in a real browser: queue, part, labels by keyboard, two people at one part."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from app.web.access.roles import Role
from tests.browser import people
from tests.browser.axe import violations
from tests.browser.conftest import Stand
from tests.browser.review_record import GONE_PART, HOSTILE, Record

ROWS = "document.querySelectorAll('.row').length"
ACTIVE = "document.querySelector('.row.active')"
PART = 43
MANY = 10_000


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """A stand with a record; what one test says of a part no other test looks at."""
    folder = tmp_path_factory.mktemp("review")
    Record(folder / "state")
    made = Stand(folder / "bus", period=1.0)
    yield made
    made.end()


@pytest.fixture
def visit(reviewed, signed_in):
    """Opens a page of reviews as somebody of quality."""

    def opened(path="", name="", **how):
        sight = signed_in(reviewed, Role.QUALITY, **how)
        if name:
            people.add(reviewed.state, name, Role.QUALITY)
            people.sign_in(sight, reviewed.base, name)
        sight.go(f"{reviewed.base}/review/{path}")
        sight.wait("document.querySelector('.row, #steps tr') !== null")
        return sight

    return opened


def label_of(part):
    row = f"[...document.querySelectorAll('.row')].find((each) => each.dataset.key === '1-1-{part}')"
    return f"{row}?.lastElementChild.textContent ?? ''"


def go_to(sight, part):
    """Moves to a part of the queue by keyboard."""
    for _ in range(60):
        if sight.page.evaluate(f"{ACTIVE}?.dataset.key") == f"1-1-{part}":
            return
        sight.page.keyboard.press("j")
    pytest.fail(f"part {part} is not in the queue")


def is_sound(sight, base):
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(base).netloc}


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("de", "dark")])
def test_queue_is_photographed_and_for_everybody(reviewed, visit, photograph, lang, scheme):
    sight = visit(lang=lang, scheme=scheme)
    go_to(sight, 46)
    photograph(sight, f"1440x900-{scheme}-{lang}", "review-queue")

    is_sound(sight, reviewed.base)


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("de", "dark")])
def test_part_is_photographed_and_for_everybody(reviewed, visit, photograph, lang, scheme):
    sight = visit(f"1/1/{PART}", lang=lang, scheme=scheme)
    sight.wait("document.querySelectorAll('.over .box').length === 2")
    photograph(sight, f"1440x900-{scheme}-{lang}", "review-part")

    is_sound(sight, reviewed.base)
    assert sight.page.locator("#rules tbody tr").count() >= 2
    assert sight.page.locator("#timeline text").count() > 4


def test_parts_are_labelled_by_keyboard_and_that_is_undone(visit):
    sight = visit()
    go_to(sight, 40)
    sight.page.keyboard.press("2")
    sight.wait(f"({label_of(40)}).includes('False reject')")
    moved_on = sight.page.evaluate(f"{ACTIVE}.dataset.key")

    sight.page.keyboard.press("u")

    sight.wait(f"!({label_of(40)}).includes('False reject')")
    assert moved_on != "1-1-40"


def test_selected_parts_are_labelled_together(visit):
    sight = visit()
    go_to(sight, 36)
    sight.page.keyboard.press(" ")
    go_to(sight, 34)
    sight.page.keyboard.press("x")
    assert sight.text("#bulk-count") == "2 selected"

    sight.page.keyboard.press("1")

    for part in (36, 34):
        sight.wait(f"({label_of(part)}).includes('True defect')")
    assert not sight.page.locator("#bulk").is_visible()


def test_filter_lives_in_the_address_and_comes_back(reviewed, visit):
    sight = visit()
    sight.page.locator("[data-why='sample']").click()
    sight.wait("[...document.querySelectorAll('.row .badge')].every((each) => each.textContent.includes('Sampled'))")
    sight.page.reload()
    sight.wait(f"{ROWS} > 0")

    assert sight.page.url == f"{reviewed.base}/review/?why=sample"
    assert sight.page.locator("[data-why='sample']").get_attribute("aria-pressed") == "true"


def test_filter_that_fits_nothing_says_so_and_is_cleared(visit):
    sight = visit()
    sight.page.locator("#f-min_score").fill("1")
    sight.page.locator("#f-min_score").press("Enter")
    sight.wait("document.querySelector('.empty-state') !== null")

    sight.page.locator(".empty-state button").click()

    sight.wait(f"{ROWS} > 0")


def test_second_of_two_sees_what_the_first_said(visit):
    first, second = visit("1/1/26", name="Ada"), visit("1/1/26", name="Ben")
    second.page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")

    first.page.keyboard.press("1")
    first.wait("document.querySelector('#said').textContent.includes('True defect')")
    second.page.keyboard.press("5")

    second.wait(
        "document.querySelector('.toast[data-kind=wrong]')?.textContent.includes('Ada was quicker: True defect')"
    )
    assert "Ada" in second.text("#said")
    assert second.page.locator("[data-kind='good']").get_attribute("aria-pressed") == "false"

    second.page.keyboard.press("1")
    second.wait("document.querySelector('#agreement').textContent.includes('2 reviewers agree')")
    first.wait("document.querySelector('#agreement').textContent.includes('2 reviewers agree')")


def test_boxes_are_moved_by_keyboard_and_drawn_by_mouse(reviewed, visit):
    sight = visit("1/1/33", name="Ada")
    page = sight.page
    sight.wait("document.querySelectorAll('.over .box').length > 0")
    page.keyboard.press("e")
    page.locator(".over .box.mine").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("n")
    frame = page.locator("#viewer").bounding_box()
    page.mouse.move(frame["x"] + 200, frame["y"] + 200)
    page.mouse.down()
    page.mouse.move(frame["x"] + 300, frame["y"] + 290, steps=3)
    page.mouse.up()
    page.locator("#class-other").fill("scratch")
    page.locator("#class-other").press("Enter")
    before = ask(sight, f"{reviewed.base}/api/v1/parts/1/1/33")["pictures"][0]["boxes"]

    page.keyboard.press("1")

    sight.wait("document.querySelector('#said').textContent.includes('boxes corrected')")
    boxes = ask(sight, f"{reviewed.base}/api/v1/parts/1/1/33/labels")["labels"][0]["boxes"]
    assert boxes[-1]["class"] == "scratch"
    assert boxes[0]["x"] == pytest.approx(before[0]["x"] + 1, abs=0.11)
    assert boxes[0]["height"] == pytest.approx(before[0]["height"] + 1, abs=0.11)


def test_picture_that_was_deleted_is_said_so_with_its_record(visit):
    sight = visit(f"1/1/{GONE_PART}")
    sight.wait("document.querySelector('.beside') !== null")

    assert "This picture was deleted" in sight.text(".beside")
    assert "older than 30 days" in sight.text(".beside")
    assert sight.page.locator("#steps tr").count() > 4


def test_markup_in_lots_serial_numbers_and_classes_is_only_shown(visit):
    for path in ("", "1/1/49"):
        sight = visit(path)
        sight.wait(f"document.body.textContent.includes({json.dumps(HOSTILE)})")
        page = sight.page

        assert page.title() != "owned"
        assert page.locator("img[onerror], img[src='x']").count() == 0
        assert sight.complaints == []


def test_ten_thousand_rows_are_a_few_elements(reviewed, signed_in):
    sight = signed_in(reviewed, Role.QUALITY)
    sight.page.route("**/api/v1/queue?*", answer_many)
    sight.go(f"{reviewed.base}/review/")
    sight.wait(f"{ROWS} > 0")
    most = 0
    last = "[...document.querySelectorAll('.row')].some((each) => each.dataset.key === '1-1-1')"
    for _ in range(MANY // 100):
        sight.page.keyboard.press("End")
        most = max(most, sight.page.evaluate(ROWS))
        if sight.page.evaluate(last):
            break
    sight.wait(last)

    assert most < 60
    assert sight.text("#list-title") == "10,000 parts"


def answer_many(route):
    """A page of a queue of ten thousand parts."""
    query = parse_qs(urlsplit(route.request.url).query)
    start = int(query["after"][0]) if "after" in query else MANY
    limit = int(query["limit"][0])
    numbers = range(start, max(0, start - limit), -1)
    left = start - len(numbers)
    body = {"rows": [row(number) for number in numbers], "next": str(left) if left else None, "total": MANY}
    route.fulfill(json=body)


def row(number):
    said = {"key": f"1-1-{number}", "lane": 1, "epoch": 1, "part": number, "at_us": 1_772_366_400_000_000 + number}
    said |= {"why": "reject", "route": "reject", "reasons": ["DEFECT"], "lot": "A", "serial": None, "recipe": "board"}
    said |= {"package": "tiny", "found": [{"label": "spur", "score": 0.5}], "outcome": "REJECTED", "label": None}
    return said | {"version": 0, "picture": "none", "thumb": None, "differs": []}


def ask(sight, url):
    return sight.page.context.request.get(url).json()
