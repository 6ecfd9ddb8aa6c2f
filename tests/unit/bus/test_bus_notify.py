"""What a process tells systemd: heard by a socket such as systemd's."""

import os
import socket
from pathlib import Path

import pytest

from app.bus.beat import Beat
from app.bus.notify import Notifier
from app.clock import NS_PER_MS, VirtualClock


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(listener):
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return messages


def test_process_is_ready_before_it_lives_and_shortens_its_watchdog_when_it_does(systemd):
    notifier = Notifier(systemd.getsockname(), 2_000)
    notifier.ready()
    notifier.pet(0)
    notifier.close()

    assert heard(systemd) == [["READY=1"], ["WATCHDOG_USEC=2000000", "WATCHDOG=1"], ["STOPPING=1"]]


def test_signs_of_life_are_passed_on_four_times_in_the_longest_silence(systemd):
    notifier = Notifier(systemd.getsockname(), 2_000)
    for at_ms in range(2_000):
        notifier.pet(at_ms * NS_PER_MS)
    notifier.close()

    assert [words[-1] for words in heard(systemd)] == ["WATCHDOG=1"] * 4 + ["STOPPING=1"]


def test_what_the_process_does_goes_with_a_sign_of_life_once(systemd):
    notifier = Notifier(systemd.getsockname(), 1)
    notifier.pet(0)
    notifier.describe("RUNNING")
    notifier.pet(NS_PER_MS)
    notifier.pet(2 * NS_PER_MS)
    notifier.close(is_safe=False)

    assert heard(systemd)[1:] == [["WATCHDOG=1", "STATUS=RUNNING"], ["WATCHDOG=1"]]


def test_beat_of_a_loop_is_a_sign_of_life(systemd, tmp_path):
    clock = VirtualClock()
    notifier = Notifier(systemd.getsockname(), 2_000, clock)
    beat = Beat(tmp_path / "x.alive", notifier)
    beat.beat()
    clock.advance_to(499 * NS_PER_MS)
    beat.beat()
    early = heard(systemd)
    clock.advance_to(500 * NS_PER_MS)
    beat.beat()
    beat.close()

    assert (len(early), heard(systemd)) == (1, [["WATCHDOG=1"]])
    notifier.close()


def test_name_without_a_path_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0takt-test-{os.getpid()}")
        notifier = Notifier(f"@takt-test-{os.getpid()}", 2_000)
        notifier.ready()
        notifier.close(is_safe=False)

        assert listener.recv(4096) == b"READY=1"


def test_environment_is_read_and_hidden_from_children(systemd):
    environ = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
    notifier = Notifier.of(environ, 2_000)
    notifier.ready()
    notifier.close(is_safe=False)

    assert heard(systemd) == [["READY=1"]]
    assert environ == {"A": "b"}


def test_what_systemd_says_to_another_process_is_not_meant(systemd):
    notifier = Notifier.of({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_PID": "1"}, 2_000)
    notifier.ready()

    assert not notifier.is_heard
    assert heard(systemd) == []


def test_without_systemd_nothing_is_opened_or_sent(monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("a system call")

    monkeypatch.setattr(socket, "socket", refuse)
    notifier = Notifier.of({}, 2_000)
    notifier.ready()
    notifier.alive()
    notifier.close()

    assert not notifier.is_heard


def test_systemd_that_does_not_listen_holds_nobody_up(systemd):
    notifier = Notifier(systemd.getsockname(), 0)
    for _ in range(5_000):
        notifier.pet(0)
    Path(systemd.getsockname()).unlink()
    notifier.pet(0)
    notifier.close()

    assert len(heard(systemd)) < 5_000
