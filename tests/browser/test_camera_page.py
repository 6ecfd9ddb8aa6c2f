"""The live camera in a real browser: a lens is turned, a box is drawn, the camera goes."""

from __future__ import annotations

import json
import threading
import time
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from app.bus.block import BlockWriter
from app.bus.peek import WishReader, looked_beside, wish_beside
from app.bus.place import Place
from app.bus.slots import SlotWriter
from app.twin.boards import Design
from app.types import Frame
from app.web.access.roles import Role
from tests.browser.axe import violations
from tests.browser.conftest import WAIT_S, Stand

LIVE = "document.querySelector('#stage').dataset.state === 'live'"
SCORE = "Number(document.querySelector('#score').textContent.replace(/[^0-9]/g, ''))"
SIDE = 900


class Lens:
    """A camera that is asked for pictures while somebody looks, as its capture process would."""

    def __init__(self, folder):
        place = Place(folder)
        frames = place.frames(1, "top")
        board = cv2.resize(Design(5).board(1, ()).image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        grey = board if board.ndim == 2 else cv2.cvtColor(board, cv2.COLOR_BGR2GRAY)
        self.board = (40 + 0.6 * grey).astype(np.uint8)
        self.blur, self.level, self.text, self.is_giving = 2.0, 1.0, "", True
        self.wish = WishReader(wish_beside(frames))
        self.slots = SlotWriter(looked_beside(frames), 2, SIDE, SIDE, 1, is_given=False)
        self.block = BlockWriter(place.camera(1, "top"), 4096)
        self.shown = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(0.1):
            now_ns = time.monotonic_ns()
            said = {"text": self.text, "is_away": bool(self.text), "at_ns": now_ns, "shows": "asked"}
            self.block.write(json.dumps(said).encode())
            if self.is_giving and self.wish.is_fresh(now_ns):
                blurred = cv2.GaussianBlur(self.board, (0, 0), self.blur) if self.blur else self.board
                image = np.clip(blurred.astype(np.float32) * self.level, 0, 255).astype(np.uint8)
                self.shown += 1
                self.slots.put(Frame(image, "top", now_ns, counter=self.shown, in_memory_ns=time.monotonic_ns()))

    def end(self):
        self.is_over.set()
        self.thread.join()
        self.slots.close()
        self.block.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A stand whose belt stands."""
    made = Stand(tmp_path_factory.mktemp("camera") / "bus", period=0)
    made.tell(status={"state": "STOPPED", "why": "stopped by Olga", "speed_mm_s": 0.0, "is_permitted": False})
    yield made
    made.end()


@pytest.fixture
def lens(standing):
    made = Lens(standing.folder)
    yield made
    made.end()


@pytest.fixture
def visit(standing, lens, signed_in):
    def opened(**how):
        sight = signed_in(standing, Role.TECHNICIAN, **how)
        sight.go(f"{standing.base}/machine/camera")
        sight.wait(LIVE)
        return sight

    return opened


def is_sound(sight, stand):
    assert violations(sight) == []
    assert sight.complaints == []
    assert {urlsplit(url).netloc for url in sight.requests} == {urlsplit(stand.base).netloc}


def turned(sight, lens, *blurs):
    """Turns the lens, and waits each time until the score has followed."""
    for blur in blurs:
        before = sight.page.evaluate(SCORE)
        lens.blur = blur
        sight.wait(f"{SCORE} !== {before}")
        sight.page.wait_for_timeout(300)


@pytest.mark.parametrize(("size", "lang", "scheme"), [("1280x800", "en", "light"), ("1440x900", "de", "dark")])
def test_a_lens_is_turned_and_photographed(standing, visit, lens, photograph, size, lang, scheme):
    sight = visit(size=size, lang=lang, scheme=scheme)
    sight.page.locator("#thirds").click()
    turned(sight, lens, 1.5, 1.1, 0.8, 0.9)
    photograph(sight, f"{size}-{scheme}-{lang}", "machine-camera")

    assert sight.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    is_sound(sight, standing)


def test_the_best_score_is_held_until_it_is_forgotten(visit, lens):
    sight = visit()
    turned(sight, lens, 0)
    best = sight.text("#best")
    turned(sight, lens, 2.5)

    assert sight.text("#best") == best
    assert "%" in sight.text("#share")
    sight.page.locator("#reset").click()
    sight.wait(f"document.querySelector('#best').textContent !== {best!r}")
    assert sight.text("#share") == "This is the best so far"


def test_a_box_is_drawn_by_hand_and_the_score_is_of_it(visit, lens):
    sight = visit()
    before = sight.page.evaluate(SCORE)
    sight.page.locator("#draw").click()
    stage = sight.page.locator("#stage").bounding_box()
    middle = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    with sight.page.expect_request(lambda request: "width=" in request.url and "known" not in request.url) as told:
        sight.page.mouse.move(middle[0] - 40, middle[1] - 60)
        sight.page.mouse.down()
        sight.page.mouse.move(middle[0] + 40, middle[1] + 60, steps=4)
        sight.page.mouse.up()
    sight.wait(f"{SCORE} !== {before}")

    assert sight.page.locator("#box-own").get_attribute("aria-pressed") == "true"
    assert sight.page.locator("#draw").get_attribute("aria-pressed") == "false"
    asked = dict(each.split("=") for each in urlsplit(told.value.url).query.split("&"))
    ratio = int(asked["height"]) / int(asked["width"])
    assert ratio == pytest.approx(1.5, rel=0.03)


def test_a_tap_shows_the_pixels_themselves_and_the_keyboard_moves_them(visit):
    sight = visit()
    with sight.page.expect_request(lambda request: ".jpg?" in request.url) as near:
        sight.page.locator("#stage").click(position={"x": 200, "y": 200})
    assert sight.page.locator("#zoom").get_attribute("aria-pressed") == "true"

    with sight.page.expect_request(lambda request: ".jpg?" in request.url and request.url != near.value.url):
        sight.page.keyboard.press("ArrowDown")
    sight.page.keyboard.press("Enter")
    assert sight.page.locator("#zoom").get_attribute("aria-pressed") == "false"


def test_what_is_clipped_is_marked_and_said(visit, lens):
    sight = visit()
    lens.level = 4.0
    sight.wait("!document.querySelector('#clip-white').hasAttribute('hidden')")
    sight.wait("document.querySelector('#remarks').textContent.startsWith('Saturated')")
    lens.level = 0.0
    sight.wait("document.querySelector('#remarks').textContent.startsWith('Dark')")

    assert "100.0 % at 0" in sight.text("#at-dark")


def test_pictures_that_end_turn_grey_and_the_camera_says_why(visit, lens, standing, photograph):
    sight = visit()
    lens.is_giving = False
    sight.wait("document.querySelector('#stage').dataset.state === 'asked'")
    assert "s old" in sight.text("#age")

    lens.text = "camera 'top' is gone; check its cable"
    sight.wait("document.querySelector('#stage').dataset.state === 'away'")
    assert sight.text("#says-mend") == lens.text
    photograph(sight, "1440x900-light-en-gone", "machine-camera")
    is_sound(sight, standing)


def test_a_picture_is_saved(visit):
    sight = visit()
    sight.wait("document.querySelector('#grab').getAttribute('aria-disabled') === null")
    with sight.page.expect_download() as saved:
        sight.page.locator("#grab").click()

    assert saved.value.suggested_filename.startswith("lane1_top_")


def test_a_page_that_is_left_asks_for_nothing_more(visit, lens, standing):
    sight = visit()
    assert lens.wish.is_fresh(time.monotonic_ns())

    sight.go(f"{standing.base}/account")
    end = time.monotonic() + WAIT_S
    while lens.wish.is_fresh(time.monotonic_ns()):
        assert time.monotonic() < end, "somebody still looks"
        sight.page.wait_for_timeout(50)
