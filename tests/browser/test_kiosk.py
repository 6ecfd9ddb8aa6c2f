"""The kiosk with a real browser: what is done to it, and that the page comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import FLAGS, WAIT_S
from tests.groups import ROOT

PAGE = b"""<!doctype html><title>Line</title><body data-live="yes"><script>
setInterval(async () => {
  const deed = await (await fetch("/deed")).text();
  if (deed) { await fetch("/taken"); location = deed; }
}, 100);
</script>"""


class Box:
    """A server of one page, which goes where the test tells it to."""

    def __init__(self, host="127.0.0.1", port=0):
        box = self
        self.deed, self.asked, self.status = "", [], 200

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                box.asked.append(self.path)
                is_deed = self.path in ("/deed", "/taken")
                if self.path == "/taken":
                    box.deed = ""  # and not before: a page that is just being left may still ask
                body = box.deed.encode() if is_deed else PAGE
                with suppress(OSError):  # a browser that was killed takes no answer
                    self.send_response(200 if is_deed else box.status)
                    self.send_header("Content-Type", "text/plain" if is_deed else "text/html")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_said):
                pass

        self.server = ThreadingHTTPServer((host, port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def base(self):
        return "http://{}:{}".format(*self.server.server_address)

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Kiosk:
    """`takt kiosk`, as a person or a unit starts it, on a screen that nobody sees."""

    def __init__(self, folder, url, *options):
        self.profile = folder / "profile"
        self.said = []
        flags = [f"--flag={each}" for each in ("--headless=new", *FLAGS)]
        words = ["kiosk", "--url", url, "--profile", self.profile, "--json", *flags, *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.at = 0

    def read(self):
        self.said.extend(map(json.loads, self.process.stdout))

    def wait(self, event, words=""):
        """The next event of a kind, after the last one that was waited for."""
        end = time.monotonic() + WAIT_S
        while True:
            for at, each in enumerate(self.said[self.at :], self.at + 1):
                if each["event"] == event and words in each["words"]:
                    self.at = at
                    return each
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, f"never {event!r} {words!r}: {self.said[self.at :]}"
            time.sleep(0.02)

    def settle(self):
        """Until the page is shown and nothing else was said since."""
        end = time.monotonic() + WAIT_S
        while not self.said or self.said[-1]["event"] != "shown":
            assert time.monotonic() < end, self.said
            time.sleep(0.02)
        self.at = len(self.said)

    @property
    def pid(self):
        return self.said[-1]["pid"]

    def browser(self):
        """The browser's processes by their number, each with what it is."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode(errors="replace")
                if f"--user-data-dir={self.profile}" in words:
                    found[int(folder.name)] = words
        return found

    def renderers(self):
        return [pid for pid, words in self.browser().items() if "--type=renderer" in words]

    def wait_for_renderer(self):
        end = time.monotonic() + WAIT_S
        while not self.renderers():
            assert time.monotonic() < end, self.said
            time.sleep(0.02)

    def is_gone(self):
        end = time.monotonic() + WAIT_S
        while self.browser() and time.monotonic() < end:
            time.sleep(0.02)
        return not self.browser()

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(WAIT_S)
        self.reader.join(WAIT_S)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def box():
    made = Box()
    yield made
    made.end()


@pytest.fixture(scope="module")
def lasting_kiosk(box, tmp_path_factory):
    made = Kiosk(tmp_path_factory.mktemp("kiosk"), f"{box.base}/operator/", "--away-s", 5)
    yield made
    made.end()


@pytest.fixture
def kiosk(lasting_kiosk):
    """The one that tests share, showing its page."""
    lasting_kiosk.settle()
    return lasting_kiosk


@pytest.fixture
def make_kiosk(tmp_path):
    """Makes one that shows nothing yet."""
    kiosks = []

    def made(url, *options):
        kiosks.append(Kiosk(tmp_path, url, *options))
        return kiosks[-1]

    yield made
    for kiosk in kiosks:
        kiosk.end()


def test_a_browser_that_was_killed_comes_back(kiosk):
    first = kiosk.pid
    os.kill(first, signal.SIGKILL)

    assert "SIGKILL" in kiosk.wait("restarting")["words"]
    assert kiosk.wait("shown")["pid"] != first
    assert first not in kiosk.browser()


def test_a_page_that_has_crashed_is_loaded_again(kiosk):
    for pid in kiosk.renderers():
        os.kill(pid, signal.SIGSEGV)

    kiosk.wait("again", "has crashed")
    kiosk.wait("shown")


def test_a_page_whose_process_is_stopped_is_noticed_and_comes_back(kiosk):
    for pid in kiosk.renderers():
        os.kill(pid, signal.SIGSTOP)

    kiosk.wait("restarting", "no sign of life")
    kiosk.wait("shown")


def test_a_page_that_was_led_away_is_brought_back(kiosk, box):
    box.deed = "about:blank"

    kiosk.wait("again", "led away to about:")
    kiosk.wait("shown")


def test_another_page_of_the_box_is_left_when_nobody_touches_it(kiosk, box):
    before = box.asked.count("/operator/")
    box.deed = "/queue"

    kiosk.wait("again", "nobody has touched /queue")
    kiosk.wait("shown")
    assert box.asked.count("/operator/") == before + 1


def test_a_page_that_is_refused_is_tried_until_it_comes(kiosk, box):
    box.status = 503
    box.deed = "/operator/"
    try:
        kiosk.wait("waiting", "HTTP status 503")
    finally:
        box.status = 200

    kiosk.wait("shown")


def test_nothing_but_the_box_is_asked_for_anything(kiosk, box):
    stranger = Box("127.0.0.2")
    try:
        box.deed = f"{stranger.base}/"
        kiosk.wait("waiting", "cannot be shown")
        kiosk.wait("shown")

        assert stranger.asked == []
    finally:
        stranger.end()


def test_a_server_that_is_not_there_yet_is_waited_for(make_kiosk):
    box = Box()
    box.end()
    kiosk = make_kiosk(f"{box.base}/operator/")
    kiosk.wait("waiting", "does not answer yet")
    box = Box(port=box.server.server_address[1])
    try:
        kiosk.wait("shown")
    finally:
        box.end()


def test_asked_to_end_it_leaves_no_process(make_kiosk, box):
    kiosk = make_kiosk(f"{box.base}/operator/")
    kiosk.wait_for_renderer()
    kiosk.process.send_signal(signal.SIGTERM)

    assert kiosk.process.wait(WAIT_S) == 0
    assert kiosk.browser() == {}


def test_a_browser_does_not_outlive_its_kiosk(make_kiosk, box):
    kiosk = make_kiosk(f"{box.base}/operator/")
    kiosk.wait_for_renderer()
    kiosk.process.kill()

    assert kiosk.is_gone()


def test_the_operators_page_is_shown_by_https_with_the_key_of_the_box_and_with_no_other(
    make_stand, make_kiosk, tmp_path
):
    from app.clock import SystemClock
    from app.web.certificate import device_certificate

    stand = make_stand(is_secure=True)
    url = f"{stand.secure_base}/operator/"
    other = device_certificate(tmp_path / "other", "", SystemClock().wall()).path
    make_kiosk(url, "--state", stand.state).wait("shown")
    make_kiosk(url, "--certificate", other, "--profile", tmp_path / "second").wait("restarting", "does not trust")
