"""The live cameras: what the API says of a picture, of a camera that gives none, and to whom."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from app.bus.block import BlockWriter
from app.bus.peek import WishReader, looked_beside, wish_beside
from app.bus.slots import SlotReader, SlotWriter
from app.clock import NS_PER_MS, NS_PER_S
from app.config import UiSettings
from app.picture_figures import counts_of, figures_of, focus_of
from app.setup import load_setup, twin_line
from app.types import Frame
from app.web.access.roles import Role
from app.web.application import create_app
from app.web.context import make_context
from app.web.machine.camera_watch import IDLE_S, CameraWatches
from tests.unit.web.bench import Bench
from tests.unit.web.people import machine

URL = "/api/v1/machine/cameras/1/top"
HEIGHT, WIDTH = 60, 80


class Scene(Bench):
    """A bench with a camera that a test plays."""

    def __init__(self, root, channels=1, size=(HEIGHT, WIDTH)):
        super().__init__(root)
        self.path = self.place.frames(1, "top")
        self.slots = SlotWriter(self.path, 4, *size, channels)
        self.looked = None
        self.size, self.channels = size, channels
        self.camera = BlockWriter(self.place.camera(1, "top"), 4096)
        self.number = 0
        self.as_role(Role.TECHNICIAN)
        self.say()
        self.publish()
        self.live.look()

    def say(self, **more):
        said = {"name": "top", "text": "", "is_away": False, "at_ns": self.clock.now_ns(), "shows": "asked", **more}
        self.camera.write(json.dumps(said).encode())

    def belt(self, speed_mm_s):
        self.publish(speed_mm_s=speed_mm_s)
        self.live.look()

    def frame(self, image, **more):
        self.number += 1
        now_ns = self.clock.now_ns()
        return Frame(image, "top", now_ns - NS_PER_MS, counter=self.number, in_memory_ns=now_ns, **more)

    def part(self, image, **more):
        self.slots.put(self.frame(image, **more))

    def show(self, image):
        self.looked = self.looked or SlotWriter(looked_beside(self.path), 2, *self.size, self.channels, is_given=False)
        self.looked.put(self.frame(image))

    def later(self, ms):
        self.clock.advance_to(self.clock.now_ns() + round(ms * NS_PER_MS))
        self.say()

    def seen(self, **query):
        answer = self.client.get(URL, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def close(self):
        super().close()
        for each in (self.slots, self.looked, self.camera):
            if each is not None:
                each.close()


@pytest.fixture
def make_scene(tmp_path):
    made = []

    def opened(**how):
        made.append(Scene(tmp_path / "bus", **how))
        return made[-1]

    yield opened
    for each in made:
        each.close()


@pytest.fixture
def scene(make_scene):
    return make_scene()


def stripes(sigma=0.0, size=(HEIGHT, WIDTH)):
    """Something sharp, or less so."""
    image = np.where(np.indices(size)[1] // 5 % 2, 200, 40).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def test_a_sharper_picture_has_the_higher_score(scene):
    scores = []
    for sigma in (3, 2, 1, 0):
        scene.later(200)
        scene.part(stripes(sigma))
        scores.append(scene.seen()["picture"]["figures"]["focus"])

    assert scores == sorted(scores)
    assert scores[3] > 4 * scores[0]


def test_every_pixel_is_in_the_histogram(scene):
    scene.part(stripes())
    figures = scene.seen()["picture"]["figures"]

    assert sum(figures["histogram"]) == HEIGHT * WIDTH
    assert figures["histogram"][40] + figures["histogram"][200] == HEIGHT * WIDTH
    assert (figures["low"], figures["high"]) == (40, 200)


def test_figures_of_a_colour_picture_are_those_of_its_greys_and_of_its_brightest_channel(make_scene):
    scene = make_scene(channels=3)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 4, 2] = 255
    scene.part(image)
    figures = scene.seen()["picture"]["figures"]

    assert figures["saturated"] == 0.25
    assert (figures["low"], figures["high"]) == (0, 255)
    assert figures["mean"] == pytest.approx(76 / 4)
    assert sum(figures["histogram"]) == HEIGHT * WIDTH
    assert [each["kind"] for each in figures["remarks"]] == ["saturated"]


def test_figures_of_greys_are_those_that_numpy_counts():
    image = np.random.default_rng(3).integers(0, 256, (70, 90, 3), np.uint8)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    figures = figures_of(image)

    assert figures.mean == pytest.approx(grey.mean())
    assert figures.deviation == pytest.approx(grey.std())
    assert (figures.low, figures.high) == (image.min(), image.max())
    assert figures.saturated == pytest.approx((image.max(axis=2) == 255).mean())
    assert np.array_equal(counts_of(grey), np.bincount(grey.ravel(), minlength=256))
    assert figures.focus == pytest.approx(cv2.Laplacian(grey, cv2.CV_64F).var())
    assert figures_of(image[::2, ::2]).high == image[::2, ::2].max()


def test_the_score_is_of_the_box_that_was_drawn_and_the_rest_of_the_whole(scene):
    image = stripes()
    image[:, 40:] = 90
    scene.part(image)
    sharp, dull = (scene.seen(x=x, y=10, width=30, height=30)["picture"]["figures"] for x in (2, 45))

    assert dull["focus"] == 0 < sharp["focus"] == pytest.approx(focus_of(image[10:40, 2:32]))
    assert sharp["box"] == [2, 10, 30, 30]
    assert sharp["histogram"] == dull["histogram"]


@pytest.mark.parametrize(
    ("box", "used"),
    [
        ({"x": 70, "y": 50, "width": 500, "height": 500}, [70, 50, 10, 10]),
        ({"x": 900, "y": 0, "width": 5, "height": 5}, [0, 0, WIDTH, HEIGHT]),
        ({"x": 3, "y": 4}, [0, 0, WIDTH, HEIGHT]),
    ],
)
def test_a_box_is_cut_at_the_picture_and_one_outside_is_the_whole(scene, box, used):
    scene.part(stripes())

    assert scene.seen(**box)["picture"]["figures"]["box"] == used


def test_a_picture_that_is_known_is_not_told_again(scene):
    scene.part(stripes())
    key = scene.seen()["picture"]["key"]

    again = scene.seen(known=key)["picture"]
    assert (again["key"], again["figures"]) == (key, None)
    scene.later(200)
    scene.part(stripes())
    assert scene.seen(known=key)["picture"]["figures"] is not None


def test_whoever_asks_looks_and_nobody_else(scene):
    wish = WishReader(wish_beside(scene.path))
    scene.client.get("/machine/camera")
    assert not wish.is_fresh(scene.clock.now_ns())

    scene.seen()
    assert wish.is_fresh(scene.clock.now_ns())
    assert not wish.is_fresh(scene.clock.now_ns() + 2 * NS_PER_S)


def test_looking_takes_nothing_from_the_station(scene):
    station = SlotReader(scene.path, "station")
    for _ in range(4):
        scene.part(stripes())
    for _ in range(5):
        scene.later(200)
        scene.seen()

    assert station.held == 4
    assert station.take() is not None


def test_the_newest_is_shown_be_it_of_a_part_or_taken_for_who_looks(scene):
    scene.part(stripes())
    assert scene.seen()["picture"]["is_asked"] is False
    scene.later(200)
    scene.show(stripes(1))
    assert scene.seen()["picture"]["is_asked"] is True
    scene.later(200)
    scene.part(stripes())
    assert scene.seen()["picture"]["is_asked"] is False


def test_a_picture_grows_old_and_the_state_says_why(scene):
    scene.part(stripes())
    assert scene.seen()["state"] == "live"

    scene.later(2500)
    scene.belt(0.0)
    said = scene.seen()
    assert (said["state"], said["reason"]) == ("asked", "")
    assert said["picture"]["age_ms"] == 2500

    scene.belt(120.0)
    assert (scene.seen()["state"], scene.seen()["reason"]) == ("parts", "running")


@pytest.mark.parametrize("why", ["wired", "recorded"])
def test_a_camera_that_cannot_be_asked_says_that_pictures_come_with_parts(scene, why):
    scene.say(shows=why)
    scene.belt(0.0)

    assert (scene.seen()["state"], scene.seen()["reason"], scene.seen()["picture"]) == ("parts", why, None)


def test_a_camera_that_is_gone_says_so_in_words(scene):
    scene.say(is_away=True, text="camera 'top' is gone; check its cable")
    said = scene.seen()

    assert (said["state"], said["text"]) == ("away", "camera 'top' is gone; check its cable")


@pytest.mark.parametrize("said", [None, b"", b"{", b"[]", b'{"at_ns": "x", "text": "", "is_away": false}'])
def test_without_its_process_a_camera_is_absent(tmp_path, said):
    bench = Bench(tmp_path / "bus")
    bench.as_role(Role.TECHNICIAN)
    if said is not None:
        block = BlockWriter(bench.place.camera(1, "top"), 4096)
        block.write(said)
        block.close()

    answer = bench.client.get(URL)
    assert (answer.status_code, answer.json["state"], answer.json["picture"]) == (200, "absent", None)
    bench.close()


def test_a_process_that_says_nothing_more_is_absent(scene):
    scene.part(stripes())
    scene.clock.advance_to(scene.clock.now_ns() + 3 * NS_PER_S)

    assert scene.seen()["state"] == "absent"


def test_the_picture_is_small_and_its_box_is_in_its_own_pixels(make_scene):
    scene = make_scene(size=(900, 1800))
    image = np.tile(np.arange(1800, dtype=np.uint16) % 200, (900, 1)).astype(np.uint8)
    scene.part(image)
    key = scene.seen()["picture"]["key"]

    whole = scene.client.get(f"{URL}/{key}.jpg")
    box = scene.client.get(f"{URL}/{key}.jpg", query_string={"x": 50, "y": 60, "width": 100, "height": 80})

    assert cv2.imdecode(np.frombuffer(whole.data, np.uint8), 0).shape == (480, 960)
    near = cv2.imdecode(np.frombuffer(box.data, np.uint8), 0)
    assert near.shape == (80, 100)
    assert np.abs(near.astype(int) - image[60:140, 50:150]).max() < 25


def test_a_picture_is_saved_without_loss_and_named_by_its_stamps(scene):
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    scene.part(image, device_ns=123456)
    key = scene.seen()["picture"]["key"]
    answer = scene.client.get(f"{URL}/{key}.png")

    assert np.array_equal(cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_UNCHANGED), image)
    name = answer.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="lane1_top_20')
    assert name.endswith('Z_n1_dev123456.png"')


def test_only_the_last_pictures_are_kept(scene):
    keys = []
    for _ in range(5):
        scene.later(200)
        scene.part(stripes())
        keys.append(scene.seen()["picture"]["key"])
        scene.slots.close()
        scene.slots = SlotWriter(scene.path, 5 + len(keys), HEIGHT, WIDTH, 1)

    assert [scene.client.get(f"{URL}/{key}.jpg").status_code for key in keys] == [404, 404, 200, 200, 200]


@pytest.mark.parametrize("path", ["1/side", "7/top", "1/..%2Ftop", "99999999999999999999/top"])
def test_a_camera_that_does_not_exist_is_not_found(scene, path):
    for end in ("", "/1.jpg", "/1.png"):
        assert scene.client.get(f"/api/v1/machine/cameras/{path}{end}").status_code == 404


@pytest.mark.parametrize("query", ["lane=2", "lane=x", "camera=side", "lane=1&camera=%3Cb%3E"])
def test_a_page_of_a_camera_that_does_not_exist_is_not_found(scene, query):
    assert scene.client.get(f"/machine/camera?{query}").status_code == 404


@pytest.mark.parametrize("query", [{"x": -1}, {"width": 0}, {"known": "soon"}, {"height": 1e9}])
def test_nonsense_in_the_address_is_refused(scene, query):
    assert scene.client.get(URL, query_string=query).status_code == 400


def test_only_technicians_look(bench):
    for role, status in ((Role.NONE, 401), (Role.LEAD, 403), (Role.QUALITY, 403), (Role.TECHNICIAN, 200)):
        if role is not Role.NONE:
            bench.as_role(role)
        assert bench.client.get(URL).status_code == status


def test_machines_never_look(bench):
    assert bench.client.get(URL, headers=machine(bench.context, "read", "line")).status_code == 403


def test_the_page_names_every_camera_and_its_own(two_lanes):
    two_lanes.as_role(Role.TECHNICIAN)
    page = two_lanes.client.get("/machine/camera?lane=2").text

    assert 'href="/machine/camera?lane=1&amp;camera=top"' in page
    assert "/api/v1/machine/cameras/2/top" in page


def test_the_recipes_region_is_offered_where_there_is_one(tmp_path):
    bench = Bench(tmp_path / "bus")
    bench.context.close()
    setup = load_setup(twin_line())
    roi = "[roi]\nx_px = 10\ny_px = 20\nwidth_px = 100\nheight_px = 50\n"
    (tmp_path / "line").mkdir()
    for name in (setup.file, setup.line.recipe):
        text = (setup.folder / name).read_text()
        (tmp_path / "line" / name).write_text(text + (roi if name == setup.line.recipe else ""))
    known = load_setup(tmp_path / "line" / setup.file)
    bench.context = make_context(
        bench.place, bench.live, UiSettings(), bench.clock, bench.state, setups=[known], hasher=bench.hasher
    )
    bench.client = create_app(bench.context).test_client()
    bench.as_role(Role.TECHNICIAN)
    page = bench.client.get("/machine/camera").text
    bench.close()

    assert 'id="box-region"' in page
    assert "[10, 20, 100, 50]" in page


def test_what_nobody_looks_at_any_more_is_let_go(scene):
    watches = CameraWatches(scene.place, scene.lanes, (), scene.clock)
    watch = watches.find(1, "top")
    scene.part(stripes())
    assert watches.look(watch) is not None
    assert watches.tidy()

    scene.later(IDLE_S * 1000 + 1)
    assert not watches.tidy()
    assert watch.looked_ns is None
    assert watches.look(watch) is not None, "and the next look opens it again"


def test_however_many_look_a_camera_is_looked_at_no_oftener(scene):
    scene.part(stripes())
    first = scene.seen()["picture"]["key"]
    scene.later(50)
    scene.part(stripes())

    assert scene.seen()["picture"]["key"] == first
    scene.later(150)
    assert scene.seen()["picture"]["key"] != first


def test_where_somebody_else_asks_for_the_camera_parts_are_seen_none_the_less(scene):
    holder = BlockWriter(wish_beside(scene.path), 8)
    scene.part(stripes())

    assert scene.seen()["state"] == "live"
    holder.close()
