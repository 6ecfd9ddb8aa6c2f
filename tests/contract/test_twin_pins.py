"""gpiozero's devices behave on the twin's pins as on gpiozero's own, and the machine's side behaves like wiring."""

import gc

import pytest
from gpiozero import LED, PWMLED, Button, DigitalInputDevice, DigitalOutputDevice, InputDevice, RotaryEncoder, exc
from gpiozero.pins.mock import MockFactory

from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.errors import LineError
from app.twin.pins import TwinFactory
from tests.contract.linked_board import LinkedBoard, linked


class MockSide:
    """The machine's side of gpiozero's own mock pins."""

    def __init__(self, folder):
        self.factory = MockFactory()

    def drive(self, pin, is_high):
        mock = self.factory.pin(pin)
        mock.drive_high() if is_high else mock.drive_low()

    def level(self, pin):
        return bool(self.factory.pin(pin).state)


class TwinSide:
    """The machine's side of the twin's pins."""

    def __init__(self, folder, clock=None):
        self.factory = self.machine = TwinFactory(clock or VirtualClock())

    def drive(self, pin, is_high):
        self.factory.drive(pin, is_high)

    def level(self, pin):
        return self.factory.level(pin)

    def settle(self):
        pass

    def die(self, how):
        self.factory.die(how)


class LinkSide(LinkedBoard):
    """The machine's side of pins that a box in another process holds."""

    def __init__(self, folder, clock=None):
        super().__init__(clock or VirtualClock(), folder)
        self.folder = folder
        self.machine = self.host

    def settle(self):
        self.serve()
        self.factory.pump()

    def die(self, how):
        """What the kernel does to a process that dies: its lock is free and nobody rings."""
        self.serve()
        self.host.death = how
        self.factory._opened.close()
        self.factory._is_open = False
        self.factory = linked(self.host, Place(self.folder), self.clock)


@pytest.fixture(params=[TwinSide, LinkSide, MockSide], ids=["twin", "link", "gpiozero-mock"])
def side(request, tmp_path):
    side = request.param(tmp_path / "bus")
    yield side
    side.factory.close()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture(params=[TwinSide, LinkSide], ids=["twin", "link"])
def twin(request, clock, tmp_path):
    """Pins of ours, with both their sides."""
    twin = request.param(tmp_path / "bus", clock)
    yield twin
    twin.factory.close()


def test_input_follows_the_machine_and_calls_back_at_once(side):
    seen = []
    with DigitalInputDevice(17, pin_factory=side.factory) as device:
        device.when_activated = lambda: seen.append("on")
        device.when_deactivated = lambda: seen.append("off")
        side.drive(17, True)
        assert device.is_active
        assert seen == ["on"]
        side.drive(17, False)
        assert not device.is_active
        assert seen == ["on", "off"]


def test_repeated_level_is_no_edge(side):
    seen = []
    with DigitalInputDevice(17, pin_factory=side.factory) as device:
        device.when_activated = lambda: seen.append("on")
        side.drive(17, True)
        side.drive(17, True)
    assert seen == ["on"]


def test_pulled_up_input_is_active_when_low(side):
    with DigitalInputDevice(17, pull_up=True, pin_factory=side.factory) as device:
        assert not device.is_active
        side.drive(17, False)
        assert device.is_active


def test_floating_input_takes_its_polarity_from_the_device(side):
    with DigitalInputDevice(17, pull_up=None, active_state=False, pin_factory=side.factory) as device:
        side.drive(17, True)
        assert not device.is_active
        side.drive(17, False)
        assert device.is_active


@pytest.mark.parametrize(("edges", "expected"), [("both", [1, 0]), ("rising", [1]), ("falling", [0]), ("none", [])])
def test_only_the_wanted_edges_are_reported(side, edges, expected):
    seen = []

    def changed(ticks, state):
        seen.append(int(state))

    with InputDevice(17, pin_factory=side.factory) as device:
        device.pin.edges = edges
        device.pin.when_changed = changed
        side.drive(17, True)
        side.drive(17, False)
    assert seen == expected


def test_output_starts_as_told_and_switches(side):
    with DigitalOutputDevice(18, initial_value=True, pin_factory=side.factory) as device:
        assert side.level(18)
        device.off()
        assert not side.level(18)
        assert device.value == 0


def test_active_low_output_is_inverted_at_the_pin(side):
    with DigitalOutputDevice(18, active_high=False, pin_factory=side.factory) as device:
        assert side.level(18)
        device.on()
        assert not side.level(18)


def test_output_without_initial_value_keeps_the_level(side):
    with DigitalOutputDevice(18, active_high=False, initial_value=None, pin_factory=side.factory) as device:
        assert device.value == 1


def test_led_toggles(side):
    with LED("GPIO18", pin_factory=side.factory) as led:
        led.toggle()
        assert led.is_lit
        assert side.level(18)


def test_button_reports_presses(side):
    seen = []
    with Button(4, pin_factory=side.factory) as button:
        button.when_pressed = lambda: seen.append("pressed")
        side.drive(4, False)
        assert button.is_pressed
    assert seen == ["pressed"]


@pytest.mark.parametrize(("order", "steps"), [((20, 21), 1), ((21, 20), -1)])
def test_rotary_encoder_counts_in_the_direction_of_turning(side, order, steps):
    first, second = order
    with RotaryEncoder(20, 21, pin_factory=side.factory) as encoder:
        for level in (False, True):
            side.drive(first, level)
            side.drive(second, level)
        assert encoder.steps == steps


def test_second_device_on_a_pin_is_refused(side):
    with LED(17, pin_factory=side.factory), pytest.raises(exc.GPIOPinInUse, match="GPIO17"):
        Button(17, pin_factory=side.factory)


def test_pin_is_free_again_after_close(side):
    LED(17, pin_factory=side.factory).close()
    with Button(17, pin_factory=side.factory) as button:
        assert not button.is_pressed


def test_pwm_is_refused(side):
    with pytest.raises(exc.PinPWMUnsupported):
        PWMLED(17, pin_factory=side.factory)


def test_input_cannot_be_set(side):
    with InputDevice(17, pin_factory=side.factory) as device, pytest.raises(exc.PinSetInput):
        device.pin.state = 1


def test_output_has_no_pull(side):
    with LED(17, pin_factory=side.factory) as led, pytest.raises(exc.PinFixedPull):
        led.pin.pull = "up"


@pytest.mark.parametrize("name", ["GND", "BOARD1", "GPIO", "1000", -1, "5V", "", "17 "])
def test_name_of_no_pin_is_refused(side, name):
    with pytest.raises(exc.PinInvalidPin):
        side.factory.pin(name)


@pytest.mark.parametrize("name", [17, "17", "GPIO17", "BCM17", "BOARD11"])
def test_every_name_of_a_pin_means_the_same_pin(side, name):
    assert side.factory.pin(name) is side.factory.pin("GPIO17")


def test_dropped_device_does_not_live_on_in_its_pin(side):
    device = DigitalInputDevice(17, pin_factory=side.factory)
    pin = device.pin
    del device
    gc.collect()
    assert pin.when_changed is None


def test_conflict_names_both_claimants(twin):
    with LED(17, pin_factory=twin.factory), pytest.raises(exc.GPIOPinInUse, match=r"LED.*DigitalInputDevice"):
        DigitalInputDevice("BOARD11", pin_factory=twin.factory)


def test_line_names_of_other_boards_are_pins(twin):
    with LED("PQ.05", pin_factory=twin.factory) as led:
        led.on()
        assert twin.level("pq.05")
        with pytest.raises(exc.GPIOPinInUse):
            Button("PQ.05", pin_factory=twin.factory)


def test_numbers_beyond_the_header_are_pins(twin):
    with LED(492, pin_factory=twin.factory) as led:
        led.on()
        assert twin.level("GPIO492")


def test_ticks_are_the_clock_to_the_nanosecond(twin, clock):
    stamps = []

    def changed(ticks, state):
        stamps.append(round(ticks * NS_PER_S))

    with InputDevice(17, pin_factory=twin.factory) as device:
        device.pin.when_changed = changed
        clock.advance_to(86_400 * NS_PER_S + 123_456_789)
        twin.drive(17, True)
    assert stamps == [86_400 * NS_PER_S + 123_456_789]
    assert twin.factory.ticks_diff(2.5, 1.0) == 1.5


def test_time_in_a_state_follows_the_clock(twin, clock):
    with DigitalInputDevice(17, pin_factory=twin.factory) as device:
        twin.drive(17, True)
        clock.advance_to(250 * NS_PER_MS)
        assert device.active_time == pytest.approx(0.25)


def test_changes_within_the_bounce_time_do_not_fire(twin, clock):
    seen = []

    def changed(ticks, state):
        seen.append((round(ticks * 1000), state))

    with InputDevice(17, pin_factory=twin.factory) as device:
        device.pin.bounce = 0.005
        device.pin.when_changed = changed
        for at_ms, level in ((1, True), (2, False), (3, True), (5, False), (6, True), (20, False)):
            clock.advance_to(at_ms * NS_PER_MS)
            twin.drive(17, level)
    assert seen == [(1, True), (6, True), (20, False)]


def test_watcher_sees_every_change_of_an_output_with_its_time(twin, clock):
    seen = []
    twin.machine.watch(18, lambda is_high, at_ns: seen.append((is_high, at_ns)))
    with LED(18, pin_factory=twin.factory) as led:
        clock.advance_to(5)
        led.on()
        led.on()
        twin.settle()
        clock.advance_to(7)
        led.off()
        twin.settle()
    assert seen == [(True, 5), (False, 7)]


def test_driving_an_output_is_a_wiring_fault(twin):
    with LED(18, pin_factory=twin.factory), pytest.raises(LineError, match="GPIO18"):
        twin.drive(18, True)


def test_level_that_stands_before_the_claim_is_read_after_it(twin):
    twin.drive(17, True)
    with DigitalInputDevice(17, pin_factory=twin.factory) as device:
        assert device.is_active


def test_wire_that_the_machine_lets_go_falls_to_its_pull(twin):
    with DigitalInputDevice(17, pull_up=True, pin_factory=twin.factory) as device:
        twin.drive(17, False)
        assert device.is_active
        twin.machine.wire(17).let_go()
        twin.settle()
        assert not device.is_active


def test_external_resistor_beats_the_internal_pull(twin):
    twin.machine.wire(17).fit_resistor("up")
    with InputDevice(17, pull_up=False, pin_factory=twin.factory) as device:
        twin.settle()
        assert device.pin.state == 1


def test_closed_output_goes_to_its_resistor(twin):
    twin.machine.wire(18).fit_resistor("up")
    LED(18, pin_factory=twin.factory).close()
    assert twin.level(18)


@pytest.mark.parametrize(("how", "expected"), [("hold", True), ("float", False), ("low", False)])
def test_outputs_of_a_dead_process(twin, how, expected):
    twin.machine.wire(18).fit_resistor("down")
    led = LED(18, initial_value=True, pin_factory=twin.factory)
    twin.die(how)
    assert twin.level(18) is expected
    led.off()
    assert twin.level(18) is expected, "an orphan reaches no wire"


def test_float_goes_to_the_resistor_and_low_does_not(twin):
    for pin in (18, 19):
        twin.machine.wire(pin).fit_resistor("up")
    leds = [LED(pin, pin_factory=twin.factory) for pin in (18, 19)]
    twin.die("float")
    assert twin.level(18)
    del leds


def test_dead_process_hears_nothing_and_its_pins_can_be_claimed_again(twin):
    seen = []
    orphan = DigitalInputDevice(17, pin_factory=twin.factory)
    orphan.when_activated = lambda: seen.append("orphan")
    twin.die("hold")
    with DigitalInputDevice(17, pin_factory=twin.factory) as device:
        device.when_activated = lambda: seen.append("new")
        twin.drive(17, True)
        orphan.close()
        assert device.is_active
    assert seen == ["new"]


def test_held_output_can_be_taken_over_without_a_dip(twin):
    seen = []
    orphan = LED(18, initial_value=True, pin_factory=twin.factory)
    twin.die("hold")
    twin.machine.watch(18, lambda is_high, at_ns: seen.append(is_high))
    with LED(18, initial_value=None, pin_factory=twin.factory) as led:
        assert led.is_lit
        assert seen == []
    orphan.close()


def test_held_output_becomes_an_input_when_claimed_as_one(twin):
    orphan = LED(18, initial_value=True, pin_factory=twin.factory)
    twin.die("hold")
    with InputDevice(18, pull_up=None, active_state=True, pin_factory=twin.factory):
        twin.drive(18, False)
        assert not twin.level(18)
    orphan.close()


def test_factory_needs_no_arguments_for_the_entry_point():
    with TwinFactory() as factory:
        assert factory.ticks_diff(factory.ticks(), factory.ticks()) <= 0
        assert list(factory.board_info.find_pin("BOARD40"))
