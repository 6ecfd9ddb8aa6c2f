"""Both ends of the pin board in one process, step by step."""

import os

import pytest
from gpiozero import LED, DigitalInputDevice, InputDevice

from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.errors import LineError
from app.twin.board import QUEUE_CHANGES
from app.twin.host import PinHost, readable_of
from app.twin.link import LinkFactory
from tests.contract.linked_board import LinkedBoard, linked


class Bench(LinkedBoard):
    """A machine and a box whose pins 5 and 6 are an encoder's."""

    def __init__(self, folder):
        self.place = Place(folder)
        self.clock = VirtualClock(NS_PER_S)
        self.host = PinHost(self.place, 1, self.clock, quiet=(5, 6))
        self.factory = linked(self.host, self.place, self.clock)

    def is_rung(self):
        return bool(readable_of([self.factory.fileno()]))

    def at(self, at_ms):
        self.clock.advance_to(NS_PER_S + at_ms * NS_PER_MS)

    def listen(self, pin, seen):
        """Has the times in ms and levels of the pin's edges noted, as they are reported."""
        device = InputDevice(pin, pin_factory=self.factory)

        def changed(ticks, state):
            seen.append((pin, round((ticks - 1) * 1000, 6), bool(state)))

        device.pin.when_changed = changed
        return device, changed


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "bus")
    yield bench
    bench.close()


def test_edges_wait_until_they_are_pumped_and_carry_the_times_at_which_they_were(bench):
    seen = []
    with bench.listen(4, seen)[0], bench.listen(5, seen)[0]:
        keep = [bench.listen(17, seen), bench.listen(18, seen)]
        for at_ms, pin, level in ((1, 17, True), (2, 18, True), (3, 17, False), (9, 17, True)):
            bench.at(at_ms)
            bench.host.drive(pin, level)
        bench.at(50)
        before = list(seen)
        assert bench.factory.pump() == 4

    assert before == []
    assert seen == [(17, 1, True), (18, 2, True), (17, 3, False), (17, 9, True)]
    for device, _ in keep:
        device.close()


def test_age_of_an_edge_is_how_long_it_has_waited(bench):
    ages = []

    def changed(ticks, state):
        ages.append(bench.factory.ticks_diff(bench.factory.ticks(), ticks))

    with InputDevice(17, pin_factory=bench.factory) as device:
        device.pin.when_changed = changed
        bench.at(3)
        bench.host.drive(17, True)
        bench.at(10)
        bench.factory.pump()

    assert ages == pytest.approx([0.007])


def test_bell_rings_for_a_sensor_and_not_for_the_encoder(bench):
    bench.host.drive(5, True)
    bench.host.ring()
    for_encoder = bench.is_rung()
    bench.host.drive(4, True)
    bench.host.ring()
    for_sensor = bench.is_rung()
    bench.factory.pump()

    assert (for_encoder, for_sensor, bench.is_rung()) == (False, True, False)


def test_machine_obeys_at_the_time_of_each_write(bench):
    obeyed, moved = [], []
    bench.host.watch(22, lambda is_high, at_ns: obeyed.append((is_high, at_ns)))
    with LED(22, pin_factory=bench.factory) as led:
        for at_ms in (5, 8, 13):
            bench.at(at_ms)
            led.toggle()
        bench.host.serve([], moved.append)

    assert [is_high for is_high, _ in obeyed] == [True, False, True]
    assert [round((at_ns - NS_PER_S) / NS_PER_MS) for at_ns in moved[-3:]] == [5, 8, 13]


def test_write_of_what_is_there_already_is_not_sent(bench):
    with LED(22, initial_value=True, pin_factory=bench.factory) as led:
        bench.serve()
        moved = []
        led.on()
        bench.host.serve([], moved.append)

    assert moved == []


def test_edges_that_find_the_queue_full_are_counted_and_the_levels_are_right_again(bench):
    seen = []
    with DigitalInputDevice(4, pin_factory=bench.factory) as other:
        device, _changed = bench.listen(17, seen)
        for number in range(QUEUE_CHANGES + 6):
            bench.host.drive(17, number % 2 == 0)
        bench.host.drive(4, True)
        bench.factory.pump()
        assert (bench.factory.lost_edges, bench.host.lost) == (7, 7)
        assert len(seen) == QUEUE_CHANGES
        assert (device.value, other.value) == (0, 1)
        bench.host.drive(17, True)
        bench.factory.pump()
        assert (device.value, bench.factory.lost_edges) == (1, 7)
        device.close()


def test_writes_that_find_the_queue_full_are_counted_and_the_machine_knows_the_levels(bench):
    with LED(22, pin_factory=bench.factory) as led:
        for _ in range(QUEUE_CHANGES + 6):
            led.toggle()
        led.on()
        lost = bench.factory.lost_writes
        assert bench.level(22)
        led.off()
        assert not bench.level(22)

    assert lost > 0


def test_edge_that_the_box_never_hears_of_changes_the_level_alone(bench):
    seen = []
    device, _changed = bench.listen(17, seen)
    bench.host.wire(17).drive_unseen(True)
    bench.factory.pump()

    assert (device.value, seen) == (1, [])
    device.close()


def test_handler_that_fails_leaves_the_later_edges_for_the_next_time(bench):
    seen = []

    def changed(ticks, state):
        seen.append(bool(state))
        if len(seen) == 1:
            raise RuntimeError("the handler failed")

    with InputDevice(17, pin_factory=bench.factory) as device:
        device.pin.when_changed = changed
        bench.host.drive(17, True)
        bench.host.drive(17, False)
        with pytest.raises(RuntimeError, match="the handler failed"):
            bench.factory.pump()
        bench.factory.pump()

    assert seen == [True, False]
    assert bench.factory.ticks() == bench.clock.now_ns() / NS_PER_S


def test_level_from_before_the_box_is_there_at_the_claim(tmp_path):
    place, clock = Place(tmp_path / "bus"), VirtualClock()
    host = PinHost(place, 1, clock)
    host.drive(17, True)
    host.wire(18).fit_resistor("up")
    with linked(host, place, clock) as factory, DigitalInputDevice(17, pin_factory=factory) as sensor:
        assert sensor.is_active
        assert factory.level(18)
    host.close()


def test_machine_that_is_replaced_is_a_fault_at_the_next_pump(bench):
    bench.host.close()
    bench.host = PinHost(bench.place, 1, bench.clock)
    with pytest.raises(LineError, match="started anew"):
        bench.factory.pump()


def test_second_box_is_refused(bench):
    with pytest.raises(LineError, match=f"the pins of lane 1 .* held by process {os.getpid()}"):
        LinkFactory(bench.place, 1, bench.clock)


def test_box_may_come_again_when_it_has_let_go(bench):
    bench.host.wire(22).fit_resistor("down")
    LED(22, initial_value=True, pin_factory=bench.factory)
    bench.factory.close()
    bench.factory.close()
    bench.serve()
    assert (bench.host.box, bench.host.deaths, bench.level(22)) == (0, 0, False)
    bench.factory = linked(bench.host, bench.place, bench.clock)
    assert bench.host.box == os.getpid()
