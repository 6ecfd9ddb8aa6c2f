"""The machine in real time, moved by hand: what a person at it can do and see."""

import os
import socket
import time

import pytest
from gpiozero import DigitalOutputDevice
from workshop import line

from app.bus.place import Place
from app.errors import LineError
from app.twin.control import ControlServer, control_path, tell_twin
from app.twin.host import readable_of
from app.twin.live import LiveTwin, live_parts, live_scenario
from app.twin.parts import Piece
from app.twin.scenario import Scenario
from tests.contract.linked_board import linked

FAST = Scenario(pitch_jitter_mm=0.0, speed_jitter=0.0, lead_in_mm=20.0, pitch_mm=100.0)


class Blank:
    """Parts without pictures; every second one is bad."""

    def __getitem__(self, index):
        return Piece(f"part-{index}.png", index % 2 == 1, lambda: None)


class Bench:
    """A machine without a loop: it turns when it is told to."""

    def __init__(self, folder, **settings):
        self.place = Place(folder)
        self.twin = LiveTwin(line(**settings), self.place, Blank(), FAST)
        self.own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.own.bind("")
        self.own.settimeout(5)

    def turn_until(self, is_so):
        gives_up_s = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < gives_up_s
            self.twin.turn(readable_of(self.twin._descriptors(), 0.002))

    def send(self, text):
        """The answer to a datagram."""
        self.own.sendto(text, os.fspath(control_path(self.place, 1)))
        self.twin.turn([self.twin._control.fileno()])
        return self.own.recv(200_000).decode()

    def close(self):
        self.own.close()
        self.twin.close()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path / "bus")
    yield bench
    bench.close()


def test_truth_tells_of_belt_outputs_and_parts(bench):
    bench.turn_until(lambda: bench.twin.machine.belt_mm > 130)
    truth = bench.twin.truth(recent=10)

    assert truth["belt"]["speed_mm_s"] == 500
    assert (truth["permit"], truth["outputs"], truth["box"]) == (None, {"gate:reject": False}, 0)
    assert [(part["index"], part["is_bad"]) for part in truth["recent"]] == [(0, False), (1, True)]
    assert truth["places"] == {"on belt": 2}


def test_truth_without_recent_parts_is_short(bench):
    assert len(bench.send(b'{"command": "truth"}')) < 1000


def test_person_clears_the_stretch(bench):
    bench.turn_until(lambda: bench.twin.machine.belt_mm > 130)
    assert bench.send(b'{"command": "clear"}') == '{"ok": true, "taken": 2}'
    assert bench.twin.truth()["places"] == {"by hand": 2}


def test_belt_speed_is_set(bench):
    bench.send(b'{"command": "speed", "speed_mm_s": 800}')
    bench.turn_until(lambda: bench.twin.machine.speed_mm_s == 800)


def test_fault_breaks_and_mends(bench):
    gate = bench.twin.machine.plant.gates["reject"]
    bench.send(b'{"command": "fault", "kind": "GATE_STUCK_ON"}')
    stuck = gate.is_rejecting
    bench.send(b'{"command": "mend", "kind": "GATE_STUCK_ON"}')

    assert (stuck, gate.is_rejecting) == (True, False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff\x00", "no order"),
        (b"{}", "command"),
        (b'{"command": "explode"}', "command"),
        (b'{"command": "fault"}', "fault needs a kind"),
        (b'{"command": "speed"}', "speed needs speed_mm_s"),
        (b'{"command": "speed", "speed_mm_s": NaN}', "speed_mm_s"),
        (b'{"command": "truth", "recent": 501}', "recent"),
        (b'{"command": "clear", "by": "me"}', "by"),
        (b"[" * 3000, "no order"),
    ],
)
def test_nonsense_is_answered_with_what_is_wrong(bench, text, why):
    answer = bench.send(text)

    assert '"ok": false' in answer
    assert why in answer


def test_orders_without_a_sender_hurt_nobody(bench):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nobody:
        nobody.sendto(b'{"command": "truth"}', os.fspath(control_path(bench.place, 1)))
    bench.twin.turn([bench.twin._control.fileno()])
    assert bench.send(b'{"command": "clear"}').startswith('{"ok": true')


def test_asking_a_machine_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(LineError, match=r"no machine answers at .*twin1.control; start the twin"):
        tell_twin(Place(tmp_path), 1, "truth")


def test_asking_a_machine_that_hangs_is_an_error(tmp_path):
    server = ControlServer(control_path(Place(tmp_path / "bus"), 1))
    with pytest.raises(LineError, match="did not answer within"):
        tell_twin(Place(tmp_path / "bus"), 1, "truth", timeout_s=0.01)
    server.close()


def test_belt_waits_for_the_permit_and_stops_without_it(tmp_path):
    bench = Bench(tmp_path / "bus", permit={"output": {"pin": 27}, "hold_ms": 100})
    twin = bench.twin
    factory = linked(twin._host, bench.place, None)
    permit = DigitalOutputDevice(27, pin_factory=factory)
    bench.turn_until(lambda: twin._clock.now_ns() > time.monotonic_ns() - 10**8)
    before_mm = twin.machine.belt_mm
    for _ in range(3):
        permit.toggle()
    bench.turn_until(lambda: twin.machine.relay.is_on)
    bench.turn_until(lambda: not twin.machine.relay.is_on)
    bench.turn_until(lambda: twin.machine.is_still)

    assert before_mm == 0
    assert twin.machine.belt_mm > 0
    permit.close()
    factory.close()
    bench.close()


def test_default_scenario_brings_300_parts_a_minute_over_the_default_line():
    scenario = live_scenario(line())

    assert (scenario.pitch_mm, scenario.speed_mm_s, scenario.pitch_jitter_mm) == (110.0, 550.0, 5.0)


@pytest.mark.parametrize(("parts_per_min", "speed_mm_s"), [(10, 300), (6000, 1000)])
def test_default_scenario_stays_within_the_speeds_of_the_line(parts_per_min, speed_mm_s):
    scenario = live_scenario(line(), parts_per_min)

    assert scenario.speed_mm_s == speed_mm_s
    assert scenario.pitch_mm - 2 * scenario.pitch_jitter_mm >= 90


def test_default_parts_are_bad_as_often_as_asked():
    parts, boards = live_parts(1, 0.1)
    bad = sum(parts[index].is_bad for index in range(2000))

    assert 140 < bad < 260
    assert boards.design.golden.shape == parts[0].image.shape


def test_default_parts_without_a_defect_are_good():
    parts, _ = live_parts(1, 0.0)
    assert not any(parts[index].is_bad for index in range(100))
