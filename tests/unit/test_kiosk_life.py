"""The kiosk at work, with a program in the browser's place that speaks its pipe."""

import os
import signal
import socket
import sys
import time

import pytest

from app.bus.notify import Notifier
from app.clock import NS_PER_S, SystemClock
from app.errors import ConfigError
from app.kiosk.browser import Browser
from app.kiosk.care import Limits
from app.kiosk.keeper import Keeper
from app.kiosk.pipe import MOST_BYTES, Pipe
from app.kiosk.profile import Profile
from app.kiosk.screen import is_there
from app.kiosk.tab import Answer, Tab
from app.kiosk.tree import Member, kill, memory_mb, tree_of
from app.kiosk.waiting import WAITING, is_waiting

URL = "http://127.0.0.1:8080/operator/"
WAIT_S = 20
FAKE = """
import json, os, subprocess, sys
mode = sys.argv[1]
if mode == "fails":
    sys.exit("no such screen")
if mode == "leaves":
    subprocess.Popen(["sleep", "600"], start_new_session=True)
buffered, at = b"", "about:blank"
while piece := os.read(3, 65536):
    *whole, buffered = (buffered + piece).split(b"\\0")
    for said in map(json.loads, whole):
        method, result, more = said["method"], {}, []
        if method == "Target.setDiscoverTargets":
            for name in ("one", "two"):
                info = {"type": "page", "targetId": name}
                more.append({"method": "Target.targetCreated", "params": {"targetInfo": info}})
        elif method == "Target.attachToTarget":
            result = {"sessionId": "s"}
        elif method == "Page.navigate":
            at = said["params"]["url"]
        elif method == "Runtime.evaluate":
            result = {"result": {"value": [at, 200, "yes", True, True, False]}}
        if mode != "mute":
            for each in ({"id": said["id"], "result": result}, *more):
                os.write(4, json.dumps(each).encode() + b"\\0")
"""


def until(condition, what):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path):
    """Starts the program; ends it with the test."""
    (tmp_path / "fake.py").write_text(FAKE)
    started = []

    def begin(mode="well"):
        started.append(Browser([sys.executable, str(tmp_path / "fake.py"), mode], os.environ))
        return started[-1]

    yield begin
    for each in started:
        if not each.pipe.is_closed or not each.has_ended:
            each.end(is_gentle=False)


# The pipe


@pytest.fixture
def ends():
    """A pipe, and the two descriptors of the browser's end."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    pipe = Pipe(ours_in, ours_out)
    yield pipe, theirs_in, theirs_out
    pipe.close()
    for each in (theirs_in, theirs_out):
        os.close(each)


def test_messages_arrive_whole_however_they_are_cut(ends):
    pipe, _, writing = ends
    os.write(writing, b'{"a": 1}\0{"b"')
    first = pipe.receive()
    os.write(writing, b": 2}\0")

    assert (first, pipe.receive()) == ([{"a": 1}], [{"b": 2}])
    assert not pipe.is_closed


def test_a_browser_that_takes_nothing_holds_nobody_up(ends):
    pipe, _, _ = ends
    for _ in range(100):
        pipe.send("Page.navigate", "s", url="x" * 100_000)

    assert len(pipe._to_say) < MOST_BYTES + 200_000


@pytest.mark.parametrize("said", [b"hello\0", b"[1]\0", b"\xff\0"])
def test_what_is_no_message_ends_the_talk(ends, said):
    pipe, _, writing = ends
    os.write(writing, said)

    assert pipe.receive() == []
    assert pipe.is_closed


# One life of the browser


def test_the_page_is_found_led_and_asked_and_a_second_window_is_closed(start):
    clock = SystemClock()
    browser = start()
    sent = []
    send, browser.pipe.send = browser.pipe.send, lambda *said, **more: sent.append((said, more)) or send(*said, **more)
    tab = Tab(browser.pipe, clock.now_ns())
    tab.lead(URL, clock.now_ns())
    answers = []

    def has_answered():
        tab.hear(clock.now_ns())
        tab.ask(clock.now_ns())
        answers.append(tab.answer())
        return answers[-1]

    until(has_answered, "the page does not answer")

    assert answers[-1] == Answer(URL, 200, "yes", is_drawn=True, is_visible=True, is_touched=False)
    assert (("Target.closeTarget",), {"targetId": "two"}) in sent


def test_a_mute_browser_counts_as_silent_from_its_start(start):
    browser = start("mute")
    tab = Tab(browser.pipe, 0)
    tab.hear(7 * NS_PER_S)

    assert tab.silent_ns(7 * NS_PER_S) == 7 * NS_PER_S
    assert not tab.has_come


def test_nothing_of_a_browser_is_left_not_even_what_has_gone_off_on_its_own(start):
    browser = start("leaves")
    until(lambda: len(tree_of(browser.pid)) == 2, "it starts nothing")
    everybody = tree_of(browser.pid)
    browser.memory_mb()
    os.kill(browser.pid, signal.SIGSTOP)
    browser.end()

    assert kill(everybody) == []
    assert browser.has_ended


def test_how_it_ended_tells_what_it_said_last(start):
    browser = start("fails")
    until(lambda: browser.has_ended, "it does not end")

    assert browser.how == "exit code 1, after it said: no such screen"


def test_no_other_process_is_killed_for_having_its_number():
    own = next(each for each in tree_of(os.getpid()) if each.pid == os.getpid())
    other = Member(own.pid, own.parent, own.session, own.started - 1)

    assert kill([other]) == []


def test_memory_is_that_of_all_that_are_there():
    own = [each for each in tree_of(os.getpid()) if each.pid == os.getpid()]

    assert memory_mb(own) > 10
    assert memory_mb([Member(2**22 + 1, 1, 1, 1)]) == 0


# All of it


class Up:
    """A server that has always just answered."""

    def __init__(self):
        self.count = 0

    def look(self, _now_ns):
        self.count += 1
        return self.count


def keep(tmp_path, begin, until_event, *, has_screen=lambda: True, **limits):
    """Runs a keeper until it says something; gives what it has said."""
    said = []

    def hear(each):
        said.append(each)
        if each.event == until_event:
            keeper.stop()

    profile = Profile(tmp_path / "profile")
    with profile.held():
        keeper = Keeper(
            URL,
            Limits(**limits),
            profile,
            start=begin,
            has_screen=has_screen,
            server=Up(),
            clock=SystemClock(),
            say=hear,
            notifier=Notifier("", 1000),
        )
        keeper.run()
    return [each.event for each in said]


def test_the_page_is_shown_and_the_browser_ended_with_the_kiosk(tmp_path, start):
    assert keep(tmp_path, start, "shown") == ["started", "shown", "ended"]


def test_a_browser_that_ends_at_once_is_started_again(tmp_path, start):
    modes = iter(("fails", "well"))

    assert keep(tmp_path, lambda: start(next(modes)), "shown") == ["started", "restarting", "started", "shown", "ended"]


def test_a_browser_that_says_nothing_is_started_again(tmp_path, start):
    modes = iter(("mute", "well"))
    said = keep(tmp_path, lambda: start(next(modes)), "shown", start_s=0.5)

    assert said == ["started", "restarting", "started", "shown", "ended"]


def test_one_that_holds_too_much_memory_is_started_again(tmp_path, start, monkeypatch):
    monkeypatch.setattr("app.kiosk.keeper._WEIGH_NS", 0)
    said = keep(tmp_path, start, "restarting", memory_mb=1, untouched_s=0)

    assert said[-1] == "restarting"


def test_one_that_cannot_be_started_at_all_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="absent"):
        keep(tmp_path, lambda: Browser([str(tmp_path / "absent")], os.environ), "shown")


def test_without_a_screen_any_more_it_ends_for_whoever_starts_it_again(tmp_path, start):
    screens = iter((True, False))
    modes = iter(("fails",))

    with pytest.raises(ConfigError, match="no screen"):
        keep(tmp_path, lambda: start(next(modes)), "shown", has_screen=lambda: next(screens))


def test_a_compositor_is_there_when_it_lets_somebody_in(tmp_path):
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "WAYLAND_DISPLAY": "w"}
    assert not is_there("wayland", environ)

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "w"))
        door.listen()

        assert is_there("wayland", environ)


def test_the_page_that_waits_needs_nobody():
    assert is_waiting(WAITING)
    assert "http" not in WAITING
