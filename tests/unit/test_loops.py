"""The two threads: they wake for what is due, and neither can die in silence."""

from __future__ import annotations

import os
import select
import threading
import time

from app.clock import NS_PER_MS, SystemClock
from app.loops import Alarm, LineLoop, VerdictLoop


class Fake:
    """A station that counts what is asked of it, and can be told to stop after so many steps."""

    def __init__(self, steps: int = 5) -> None:
        self.clock = SystemClock()
        self.read, self.write = os.pipe()
        self.steps = 0
        self.last = steps
        self.served: list[str] = []
        self.breaks: Exception | None = None
        self.sleep_ms = 1.0

    def start(self) -> None:
        self.steps = 0

    def step_line(self) -> None:
        if select.select([self.read], [], [], 0)[0]:
            os.read(self.read, 1)
        self.steps += 1

    def next_wake_ns(self) -> int:
        return self.clock.now_ns() + round(self.sleep_ms * NS_PER_MS)

    def fileno(self) -> int:
        return self.read

    def serve(self, name: str) -> bool:
        self.served.append(name)
        if self.breaks:
            raise self.breaks
        return False


class FakeDesk:
    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.served = 0

    def fileno(self) -> int:
        return self.read

    def serve(self) -> None:
        os.read(self.read, 1)
        self.served += 1


def test_line_steps_until_it_is_stopped_and_tells_its_last_status() -> None:
    station, published = Fake(), []
    loop = LineLoop(station, FakeDesk(), Alarm(), station.clock, lambda: published.append(station.steps))
    loop.run(lambda: station.steps >= 5)
    assert station.steps == 5
    assert published[-1] == 5


def test_edge_request_and_alarm_each_wake_the_line_from_a_long_sleep() -> None:
    station, desk, alarm = Fake(), FakeDesk(), Alarm()
    station.sleep_ms = 60_000
    loop = LineLoop(station, desk, alarm, station.clock, lambda: None)
    thread = threading.Thread(target=loop.run, args=(lambda: station.steps >= 4,), daemon=True)
    thread.start()
    deadline_s = time.monotonic() + 30
    for steps, wake in (
        (1, alarm.ring),
        (2, lambda: os.write(desk.write, b"!")),
        (3, lambda: os.write(station.write, b"!")),
    ):
        while station.steps < steps and time.monotonic() < deadline_s:
            time.sleep(0.001)
        wake()
    while station.steps < 4 and time.monotonic() < deadline_s:
        time.sleep(0.001)
    alarm.ring()  # as a signal does that asks it to end
    thread.join(30)
    assert not thread.is_alive()
    assert desk.served == 1


def test_full_alarm_never_blocks() -> None:
    alarm = Alarm()
    for _ in range(100_000):
        alarm.ring()
    alarm.silence()
    alarm.close()


def test_verdict_thread_serves_every_camera_and_enters_its_priority_first() -> None:
    station, entered = Fake(), []
    loop = VerdictLoop(station, {"top": object(), "side": object()}, lambda: None)
    loop.start(lambda: entered.append(len(station.served)))
    deadline_s = time.monotonic() + 30
    while len(station.served) < 4 and time.monotonic() < deadline_s:
        time.sleep(0.001)
    loop.stop()
    assert entered == [0]
    assert station.served[:2] == ["top", "side"]
    assert loop.failure is None


def test_verdict_thread_that_dies_wakes_the_line_with_its_failure() -> None:
    station, ended = Fake(), threading.Event()
    station.breaks = RuntimeError("broken")
    loop = VerdictLoop(station, {"top": object()}, ended.set)
    loop.start(lambda: None)
    assert ended.wait(30)
    loop.stop()
    assert loop.has_ended
    assert isinstance(loop.failure, RuntimeError)
