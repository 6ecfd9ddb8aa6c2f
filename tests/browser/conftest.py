"""A real browser before a real server, with a station on the real bus that a test can kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.browser import people
from tests.groups import ROOT, find_browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SIZES = {"1280x800": (1280, 800, True), "1920x1080": (1920, 1080, True), "1440x900": (1440, 900, False)}
WAIT_S = 40
PART = "Number(document.querySelector('#judged').dataset.part?.split('-')[2] ?? 0)"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Process:
    """A program of ours in a process of its own."""

    def __init__(self, module, *arguments):
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.browser.{module}", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first = self.process.stdout.readline().strip()
        assert self.first, f"{module} did not start"
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        self.lines.extend(self.process.stdout)

    def send(self, number):
        """Sends a signal, and says when by the wall clock in ms."""
        at_ms = time.time() * 1000
        os.kill(self.process.pid, number)
        return at_ms

    def tell(self, **said):
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process.stdin.close()
        self.process.stdout.close()


class Stand:
    """Station, server and the folder where they meet."""

    def __init__(self, folder, lanes=1, period=0.2, pixels_per_mm=4.0, *, is_secure=False):
        self.is_secure = is_secure
        self.folder, self.lanes, self.period, self.pixels_per_mm = folder, lanes, period, pixels_per_mm
        self.epoch = 0
        self.stations = {}
        self.port = 0
        for lane in range(1, lanes + 1):
            self.start_station(lane)
        self.start_web()

    @property
    def station(self):
        return self.stations[1]

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def secure_base(self):
        """Its server's address by HTTPS."""
        end = time.monotonic() + WAIT_S
        while not self.web.lines:
            assert time.monotonic() < end, "the server does not tell its port"
            time.sleep(0.01)
        return f"https://127.0.0.1:{int(self.web.lines[0])}"

    @property
    def url(self):
        return f"{self.base}/operator/"

    @property
    def state(self):
        """The state folder of its server."""
        return self.folder.parent / "state"

    def start_station(self, lane=1):
        self.epoch += 1
        options = ("--lane", lane, "--epoch", self.epoch, "--period", self.period)
        self.stations[lane] = Process("fake_station", self.folder, *options)

    def start_web(self):
        options = ("--port", self.port, "--lanes", self.lanes, "--pixels-per-mm", self.pixels_per_mm)
        if self.is_secure:
            options += ("--https",)
        self.web = Process("web_process", self.folder, *options)
        self.port = int(self.web.first)

    def tell(self, **said):
        self.station.tell(**said)

    def rest(self, sight):
        """Lets no more parts come, and waits until the page shows the last one.

        Returns:
            Its number.
        """
        heard = len(self.station.lines)
        self.tell(pause=True)
        end = time.monotonic() + WAIT_S
        while True:
            said = [json.loads(line) for line in self.station.lines[heard:]]
            rests_at = next((each["rests_at"] for each in said if "rests_at" in each), None)
            if rests_at is not None:
                break
            assert time.monotonic() < end, "the station does not rest"
            time.sleep(0.01)
        sight.wait(f"{PART} === {rests_at}")
        return rests_at

    def end(self):
        for each in (*self.stations.values(), self.web):
            each.end()


class Sight:
    """A page, and everything that went wrong on it."""

    def __init__(self, page, name):
        self.page, self.name = page, name
        self.complaints, self.requests = [], []
        page.on("console", self.hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def go(self, url, *, is_live=True):
        self.page.goto(url)
        if is_live:
            self.wait("document.body.dataset.live === 'yes'")

    def wait(self, condition):
        """Until an expression is true. Asked from outside: the page's policy lets nobody evaluate words in it."""
        end = time.monotonic() + WAIT_S
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never: {condition}"
            self.page.wait_for_timeout(20)

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def part(self):
        """The number of the part that is shown large; 0 for none."""
        return self.page.evaluate(PART)


@pytest.fixture(scope="package")
def chromium():
    from playwright.sync_api import sync_playwright

    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def look(chromium):
    """Opens a page of a size, a scheme and with fingers or without."""
    contexts = []

    def opened(size="1280x800", scheme="light", **options):
        width, height, has_touch = SIZES.get(size) or (*map(int, size.split("x")), True)
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=has_touch, **options
        )
        contexts.append(context)
        return Sight(context.new_page(), f"{size}-{scheme}")

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def signed_in(look):
    """Opens a page at which somebody of a role is signed in.

    Takes the stand, the role, and what `look` takes; `lang` as well: the language of the browser.
    """

    def opened(stand, role, size="1440x900", scheme="light", *, lang="en", by="password"):
        sight = look(size, scheme, locale=lang)
        name = f"{role.word.capitalize()} One"
        people.add(stand.state, name, role)
        people.sign_in(sight, stand.base, name, by=by)
        return sight

    return opened


@pytest.fixture
def make_stand(tmp_path):
    """Makes stations and their server, for tests that need another kind or kill one; all end with the test."""
    stands = []

    def made(**options):
        stands.append(Stand(tmp_path / f"bus{len(stands)}", **options))
        return stands[-1]

    yield made
    for stand in stands:
        stand.end()


@pytest.fixture(scope="package")
def lasting_stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("stand") / "bus")
    yield made
    made.end()


@pytest.fixture
def stand(lasting_stand):
    """The one that tests share which kill nothing, running as at first."""
    lasting_stand.tell(anew=True)
    return lasting_stand


@pytest.fixture
def own_stand(make_stand):
    """One to kill."""
    return make_stand()


@pytest.fixture
def photograph(tmp_path):
    """Keeps a picture of a page: where TAKT_SCREENSHOTS says, else with the test's own files."""
    folder = Path(os.environ.get("TAKT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def taken(sight, name, page="operator"):
        path = folder / f"{page}-{name}.png"
        sight.page.screenshot(path=path)
        assert path.stat().st_size > 10_000

    return taken
