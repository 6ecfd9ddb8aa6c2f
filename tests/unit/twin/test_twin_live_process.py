"""The machine in one process and a box in another: what the kernel does to either, and what the belt does then."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from gpiozero import DigitalInputDevice

from app.bus.place import Place
from app.clock import NS_PER_MS
from app.config import load_line
from app.errors import BusError, LineError
from app.twin.control import tell_twin
from app.twin.link import LinkFactory
from app.twin.live import LiveTwin

HERE = Path(__file__).parent
STOP_MM = 60.0
SPEED_MM_S = 300.0
HOLD_MS = 100
SLACK_MS = 50
"""A signal takes effect when the other processor gets to it: it may toggle once more until then."""

LINE = f"""
schema = 1
[belt]
v_min_mm_s = {SPEED_MM_S}
v_max_mm_s = 4200
stop_mm = {STOP_MM}
running = {{ pin = 17 }}
[encoder]
counts_per_mm = {{counts}}
max_counts_per_s = 0
a = 5
b = 6
[part]
length_mm = 20
min_pitch_mm = 30
[trigger]
sensor = {{{{ pin = 4 }}}}
[[camera]]
position_mm = 60
width_px = 64
height_px = 64
exposure_ms = 0.2
transfer_ms = 2.0
binding = "counter"
[[gate]]
destination = "reject"
kind = "air"
output = {{{{ pin = 22 }}}}
position_mm = 300
dwell_mm = 20
[[gate]]
destination = "rework"
kind = "air"
output = {{{{ pin = 23, active_low = true }}}}
position_mm = 400
dwell_mm = 20
[permit]
output = {{{{ pin = 27 }}}}
toggle_ms = 20
hold_ms = {HOLD_MS}
""".replace("{ pin = 17 }", "{{ pin = 17 }}")


class Shop:
    """A folder with a line, and the processes in it."""

    def __init__(self, folder, opened):
        self.place = Place(folder / "bus")
        self.file = folder / "line.toml"
        self._opened = opened
        self.write(2.0)

    def write(self, counts_per_mm):
        self.file.write_text(LINE.format(counts=counts_per_mm))

    def start(self, job, **options):
        process = subprocess.Popen(
            [sys.executable, HERE / "live_process.py", job, self.place.root, self.file, json.dumps(options)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[2])},
        )
        self._opened.callback(end, process)
        assert self.said(process) == {"state": "ready"}
        return process

    @staticmethod
    def said(process):
        return json.loads(process.stdout.readline())

    def truth(self, **details):
        return tell_twin(self.place, 1, "truth", **details)

    def until(self, is_so):
        """The machine's truth as soon as it is so."""
        gives_up_s = time.monotonic() + 20
        while not is_so(truth := self.truth()):
            assert time.monotonic() < gives_up_s, truth
            time.sleep(0.005)
        return truth


def end(process):
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    process.stdout.close()


def permit(truth):
    return truth["permit"]["is_on"]


@pytest.fixture
def shop(tmp_path):
    with ExitStack() as opened:
        yield Shop(tmp_path, opened)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_belt_stops_within_the_hold_time_when_the_box_is_struck(shop, blow):
    shop.start("twin")
    box = shop.start("box")
    shop.until(permit)
    box.send_signal(blow)
    struck_ns = time.monotonic_ns()
    dropped = shop.until(lambda truth: not permit(truth))

    assert dropped["permit"]["since_ns"] - struck_ns < (HOLD_MS + SLACK_MS) * NS_PER_MS


def test_belt_coasts_its_stopping_distance_when_the_box_dies(shop):
    shop.start("twin")
    box = shop.start("box")
    shop.until(lambda truth: truth["belt"]["speed_mm_s"] > 0.98 * SPEED_MM_S)
    box.kill()
    still = shop.until(lambda truth: truth["belt"]["is_still"])

    assert still["belt"]["mm"] - still["permit"]["since_mm"] == pytest.approx(STOP_MM, rel=0.05)


@pytest.mark.parametrize(
    ("death", "levels"), [("hold", (True, True)), ("float", (False, True)), ("low", (False, False))]
)
def test_pins_of_a_dead_box_do_what_the_scenario_says(shop, death, levels):
    shop.start("twin", death=death)
    # The first gate is energised by a high level, the second is without current at a high level.
    box = shop.start("box", gates={"reject": True, "rework": False})
    before = shop.until(permit)["outputs"]
    box.kill()
    after = shop.until(lambda truth: truth["deaths"])["outputs"]

    assert (before["gate:reject"], before["gate:rework"]) == (True, True)
    assert (after["gate:reject"], after["gate:rework"]) == levels


def test_box_that_ends_properly_has_not_died(shop):
    shop.start("twin", death="hold")
    box = shop.start("box", run_ms=200)
    assert shop.said(box)["state"] == "done"
    left = shop.until(lambda truth: not truth["box"])

    assert left["deaths"] == 0
    assert not left["outputs"]["gate:reject"]


def test_box_that_ended_properly_while_the_machine_was_held_up_has_not_died(shop):
    twin = shop.start("twin")
    box = shop.start("box")
    shop.until(permit)
    twin.send_signal(signal.SIGSTOP)
    box.terminate()
    assert shop.said(box)["state"] == "done"
    box.wait()
    twin.send_signal(signal.SIGCONT)

    assert shop.until(lambda truth: not truth["box"])["deaths"] == 0


def test_every_one_of_20_000_edges_a_second_arrives_in_order(shop):
    shop.write(5.5)
    shop.start("twin", parts_per_min=6000)
    box = shop.start("box", run_ms=3000)
    seen = shop.said(box)
    truth = shop.truth(recent=500)
    known = [part["count"] for part in truth["recent"]]

    assert truth["count"] > 10_000  # however late the box was started
    assert (seen["count"], seen["missed"], seen["lost"]) == (truth["count"], 0, [0, 0, 0])
    # The counts at the edges of the part sensor tell of the order among all edges.
    assert len(known) > 50
    assert seen["parts"] == known
    assert seen["part_ns"] == sorted(seen["part_ns"])


def test_second_box_is_refused_and_named_the_first_and_gets_the_pins_after_its_death(shop):
    shop.start("twin")
    box = shop.start("box")
    with pytest.raises(LineError, match=f"held by process {box.pid} .*; stop it first"):
        LinkFactory(shop.place)
    box.kill()
    box.wait()
    with LinkFactory(shop.place) as factory:
        assert shop.until(lambda truth: truth["box"] == os.getpid())["deaths"] == 1
        assert factory.pump() == 0


def test_stopped_box_keeps_its_pins(shop):
    shop.start("twin")
    box = shop.start("box")
    box.send_signal(signal.SIGSTOP)
    with pytest.raises(LineError, match="held by process"):
        LinkFactory(shop.place)


def test_inputs_stand_still_when_the_machine_dies_and_a_new_machine_is_a_fault(shop):
    twin = shop.start("twin")
    with LinkFactory(shop.place) as factory, DigitalInputDevice(4, pin_factory=factory):
        twin.kill()
        twin.wait()
        assert factory.pump() == 0
        shop.start("twin")
        with pytest.raises(LineError, match="the machine was started anew; start the station anew"):
            factory.pump()
        with pytest.raises(LineError, match="held by process"):
            LinkFactory(shop.place)
    with LinkFactory(shop.place) as factory:
        assert factory.pump() == 0


def test_box_without_a_machine_is_told_so(shop):
    with pytest.raises(LineError, match="cannot be had"):
        LinkFactory(shop.place)


def test_box_at_a_machine_that_hangs_is_told_so_and_lets_the_pins_go(shop):
    twin = shop.start("twin")
    twin.send_signal(signal.SIGSTOP)
    with pytest.raises(LineError, match="no machine answers; start the twin"):
        LinkFactory(shop.place, answers_within_s=0.05)
    twin.send_signal(signal.SIGCONT)
    with LinkFactory(shop.place) as factory:
        assert factory.pump() == 0


def test_second_machine_of_a_lane_is_refused(shop):
    twin = shop.start("twin")
    with pytest.raises(BusError, match=f"process {twin.pid}"):
        LiveTwin(load_line(shop.file), shop.place, [])


def test_machine_that_was_held_up_makes_up_for_it_and_loses_no_edge(shop):
    twin = shop.start("twin", parts_per_min=600)
    box = shop.start("box", run_ms=1200)
    shop.until(permit)
    twin.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    twin.send_signal(signal.SIGCONT)
    seen = shop.said(box)
    truth = shop.truth()

    assert (seen["count"], seen["missed"]) == (truth["count"], 0)
    assert truth["late_ms"] > 100


def test_two_lanes_are_two_machines(shop, tmp_path):
    shop.start("twin")
    other = Shop(tmp_path, shop._opened)
    other.file = tmp_path / "line2.toml"
    other.file.write_text(LINE.format(counts=2.0) + "[line]\nlane = 2\n")
    other.start("twin")
    with LinkFactory(shop.place, 1) as first, LinkFactory(shop.place, 2) as second:
        assert (first.pump(), second.pump()) == (0, 0)
        assert tell_twin(shop.place, 2, "truth")["box"] == os.getpid()
