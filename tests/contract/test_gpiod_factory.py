"""The pin factory on libgpiod does what gpiozero expects of one, on chips of software and on the kernel's gpio-sim."""

import errno
import gc
import select
import threading
import time

import pytest
from gpiozero import LED, PWMLED, Button, DigitalInputDevice, DigitalOutputDevice, InputDevice, RotaryEncoder, exc

from app.clock import SystemClock
from app.errors import ActuationError, ConfigError, LineError
from app.reject.gpiod_claim import EVENTS
from app.reject.pins import DrivenPin, EdgePin
from tests.contract.gpio_benches import BENCHES, LABEL, PATIENCE_S

A, B, PIN, OTHER = "takt-0", "takt-1", "takt-2", "takt-3"


@pytest.fixture(params=BENCHES)
def bench(request):
    bench = BENCHES[request.param]()
    yield bench
    bench.close()


@pytest.fixture
def factory(bench):
    """A factory whose edges the test fetches."""
    return bench.make_factory(is_pumped=True, consumer="takt-lane1")


@pytest.fixture
def plain(bench):
    """A factory as a plain gpiozero program has it."""
    return bench.make_factory()


def listening(pin):
    """The edges that a pin reports from now on: time in ns and level."""
    edges = []
    pin.heard = lambda at_ns, is_high: edges.append((at_ns, is_high))
    pin.when_changed = pin.heard
    return edges


# ---- devices ----


def test_input_follows_the_wire(bench, factory):
    with DigitalInputDevice(PIN, pin_factory=factory) as device:
        before = device.is_active
        bench.drive(PIN, True)
        assert (before, device.is_active) == (False, True)


def test_pull_holds_an_open_wire(bench, factory):
    with InputDevice(PIN, pull_up=True, pin_factory=factory) as up, InputDevice(OTHER, pin_factory=factory) as down:
        assert (up.pin.state, down.pin.state) == (1, 0)
        assert (up.pin.pull, down.pin.pull) == ("up", "down")


def test_output_follows_the_device(bench, factory):
    with LED(PIN, pin_factory=factory) as led:
        levels = [bench.level(PIN)]
        for command in (led.on, led.toggle, led.on, led.off):
            command()
            levels.append(bench.level(PIN))
    assert levels == [False, True, False, True, False]


def test_output_blinks_from_its_own_thread(bench, factory):
    with LED(PIN, pin_factory=factory) as led:
        led.blink(on_time=0.001, off_time=0.001, n=3, background=False)
        assert not led.is_lit


def test_active_low_output_starts_without_current(bench, factory):
    with DigitalOutputDevice(PIN, active_high=False, pin_factory=factory) as device:
        assert bench.level(PIN)
        device.on()
        assert not bench.level(PIN)


def test_output_without_an_initial_value_keeps_what_it_finds(bench, factory):
    bench.drive(PIN, True)
    with DigitalOutputDevice(PIN, initial_value=None, pin_factory=factory) as device:
        assert device.is_active


def test_button_reports_presses_by_itself(bench, plain):
    pressed = threading.Event()
    with Button(PIN, pin_factory=plain) as button:
        button.when_pressed = pressed.set
        bench.drive(PIN, False)
        assert pressed.wait(PATIENCE_S)
        assert button.is_pressed


def test_waiting_for_an_input_ends_when_it_changes(bench, plain):
    with DigitalInputDevice(PIN, pin_factory=plain) as device:
        bench.drive(PIN, True)
        assert device.wait_for_active(PATIENCE_S)


@pytest.mark.parametrize(("order", "steps"), [((A, B), 1), ((B, A), -1)])
def test_rotary_encoder_counts_in_the_direction_of_turning(bench, factory, order, steps):
    with RotaryEncoder(A, B, pin_factory=factory) as encoder:
        for level in (False, True):
            for pin in order:
                bench.drive(pin, level)
                bench.pump(factory, 1)
        assert encoder.steps == steps


def test_rotary_encoder_turns_in_a_plain_program(bench, plain):
    turned = threading.Event()
    with RotaryEncoder(A, B, pin_factory=plain) as encoder:
        encoder.when_rotated = turned.set
        for level in (False, True):
            for pin in (A, B):
                bench.drive(pin, level)
                time.sleep(0.001)
        assert turned.wait(PATIENCE_S)


# ---- edges ----


def test_edges_carry_the_time_of_the_kernel(bench, factory):
    with InputDevice(PIN, pin_factory=factory) as device:
        edges = listening(device.pin)
        before_ns = time.monotonic_ns()
        bench.drive(PIN, True)
        bench.pump(factory, 1)
        after_ns = time.monotonic_ns()
    ((at_ns, is_high),) = edges
    assert is_high
    assert before_ns <= at_ns <= after_ns
    assert factory.ticks_diff(at_ns + 1_500_000_000, at_ns) == 1.5


def test_edges_of_two_lines_come_in_the_order_of_their_times(bench, factory):
    with InputDevice(A, pin_factory=factory) as first, InputDevice(B, pin_factory=factory) as second:
        heard = []
        on_first = lambda at_ns, is_high: heard.append((A, is_high))  # noqa: E731 - a pin holds its handler weakly
        on_second = lambda at_ns, is_high: heard.append((B, is_high))  # noqa: E731
        first.pin.when_changed, second.pin.when_changed = on_first, on_second
        driven = [(pin, level) for level in (True, False) * 20 for pin in (A, B)]
        for pin, level in driven:
            bench.drive(pin, level)
            select.select([factory.fileno()], [], [], PATIENCE_S)
            time.sleep(0.0005)
        bench.pump(factory, len(driven))
    assert heard == driven


def test_descriptor_is_readable_until_the_edges_are_fetched(bench, factory):
    with InputDevice(PIN, pin_factory=factory) as device:
        edges = listening(device.pin)
        quiet, _, _ = select.select([factory.fileno()], [], [], 0)
        bench.drive(PIN, True)
        ready, _, _ = select.select([factory.fileno()], [], [], PATIENCE_S)
        factory.pump()
        after, _, _ = select.select([factory.fileno()], [], [], 0)
    assert (quiet, bool(ready), after) == ([], True, [])
    assert len(edges) == 1


def test_edges_that_nobody_fetches_are_counted_as_lost(bench, factory):
    with InputDevice(PIN, pin_factory=factory) as device:
        edges = listening(device.pin)
        bench.drive(PIN, True)
        bench.pump(factory, 1)
        for number in range(EVENTS + 100):
            bench.drive(PIN, bool(number % 2))
        bench.pump(factory, EVENTS)
    assert len(edges) == 1 + EVENTS
    assert factory.lost_edges == 100


def test_only_the_edges_that_are_wanted_are_reported(bench, factory):
    with InputDevice(PIN, pin_factory=factory) as device:
        device.pin.edges = "falling"
        edges = listening(device.pin)
        for level in (True, False, True, False):
            bench.drive(PIN, level)
        bench.pump(factory, 2)
    assert [is_high for _, is_high in edges] == [False, False]


def test_bounce_time_is_the_kernels_business(bench, factory):
    with DigitalInputDevice(PIN, bounce_time=0.002, pin_factory=factory) as device:
        during = bench.info(PIN).debounce_period.total_seconds()
        assert (device.pin.bounce, during) == (0.002, 0.002)


def test_closed_input_is_heard_no_more(bench, factory):
    device = InputDevice(PIN, pin_factory=factory)
    edges = listening(device.pin)
    bench.drive(PIN, True)
    select.select([factory.fileno()], [], [], PATIENCE_S)
    device.close()
    factory.pump()
    assert edges == []


def test_dropped_device_does_not_live_on_in_its_pin(bench, factory):
    device = DigitalInputDevice(PIN, pin_factory=factory)
    pin = device.pin
    del device
    gc.collect()
    assert pin.when_changed is None


# ---- threads ----


def edge_threads():
    return [each for each in threading.enumerate() if each.name == "gpiod-edges"]


def test_factory_that_is_pumped_starts_no_thread(bench, factory):
    with DigitalInputDevice(PIN, pin_factory=factory):
        assert edge_threads() == []


def test_plain_factory_has_one_thread_until_somebody_waits_on_its_descriptor(bench, plain):
    with DigitalInputDevice(PIN, pin_factory=plain) as device, DigitalInputDevice(OTHER, pin_factory=plain):
        before = len(edge_threads())
        edges = listening(device.pin)
        plain.fileno()
        after = len(edge_threads())
        bench.drive(PIN, True)
        bench.pump(plain, 1)
    assert (before, after, len(edges)) == (1, 0, 1)


def test_thread_ends_with_the_factory(bench, plain):
    with DigitalInputDevice(PIN, pin_factory=plain):
        plain.close()
    assert edge_threads() == []


def test_handler_that_raises_is_told_of_and_does_not_silence_the_other_pins(bench, plain, monkeypatch):
    heard, told = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda failure: told.set())

    def fail():
        raise ValueError("a defect in somebody's handler")

    with DigitalInputDevice(A, pin_factory=plain) as broken, DigitalInputDevice(B, pin_factory=plain) as sound:
        broken.when_activated, sound.when_activated = fail, heard.set
        bench.drive(A, True)
        bench.drive(B, True)
        assert heard.wait(PATIENCE_S)
        assert told.wait(PATIENCE_S)


# ---- claims ----


def test_line_is_held_under_the_consumers_name(bench, factory):
    with LED(PIN, pin_factory=factory):
        info = bench.info(PIN)
        assert (info.used, info.consumer) == (True, "takt-lane1")
    assert not bench.info(PIN).used


def test_line_that_is_held_names_its_holder(bench, factory):
    with bench.held_by("spi0 CS0", PIN), pytest.raises(OSError, match=r"takt-2, line 2 of .* is held by 'spi0 CS0'"):
        LED(PIN, pin_factory=factory)
    with LED(PIN, pin_factory=factory) as led:
        assert not led.is_lit


def test_conflict_reaches_the_line_with_the_holders_name(bench, factory):
    sentence = "pin takt-2 of gate:reject cannot be had: takt-2, .* is held by 'relay-daemon'; end what holds it"
    with bench.held_by("relay-daemon", PIN), pytest.raises(LineError, match=sentence):
        DrivenPin("gate:reject", "takt-2", is_active_low=False, pin_factory=factory)


def test_second_device_on_a_line_is_refused_and_both_are_named(bench, factory):
    with LED(PIN, pin_factory=factory), pytest.raises(exc.GPIOPinInUse, match=r"takt-2 .*LED.*DigitalInputDevice"):
        DigitalInputDevice("takt-2", pin_factory=factory)


def test_line_is_free_again_after_close(bench, factory):
    LED(PIN, pin_factory=factory).close()
    with Button(PIN, pin_factory=factory) as button:
        assert not button.is_pressed
    with LED(PIN, pin_factory=factory) as led:
        led.on()
        assert bench.level(PIN)


def test_factory_can_be_closed_and_another_opened(bench, factory):
    with LED(PIN, pin_factory=factory):
        factory.close()
        factory.close()
        with LED(PIN, pin_factory=bench.make_factory()) as led:
            led.on()
            assert bench.level(PIN)


def test_pin_may_be_used_again_the_other_way(bench, factory):
    pin = factory.pin(PIN)
    pin.output_with_state(1)
    high = bench.level(PIN)
    pin.input_with_pull("down")
    bench.drive(PIN, False)
    assert (high, pin.function, pin.state) == (True, "input", 0)
    pin.function = "output"
    assert (pin.function, bench.level(PIN)) == ("output", False)


def test_open_drain_output_is_one_to_the_kernel(bench, factory):
    with LED("takt-2,open-drain", pin_factory=factory) as led:
        led.on()
        assert bench.info(PIN).drive.name == "OPEN_DRAIN"


# ---- names ----


def test_every_name_of_a_line_means_the_same_pin(bench, factory):
    names = [PIN, f"{bench.chip_name}:2", f"{LABEL}:2", f"{LABEL}:takt-2", f"{bench.path}:2"]
    assert len({factory.pin(name) for name in names}) == 1
    assert repr(factory.pin(names[0])) == "takt-2"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("takt-9", "no line of this machine is called 'takt-9'; there is takt-"),
        (f"{LABEL}:8", "has no line 8: its last is 7"),
        (f"{LABEL}:PAC.06", "has no line 'PAC.06'"),
        ("gpiochip99:1", "no line of this machine is called"),
        ("BOARD7", "this board is not known"),
        ("takt-2,open-dran", "unknown option 'open-dran'; there are: open-drain, open-source, external-pull"),
        ("", "no line of this machine"),
        (f"{LABEL}:", "has no line ''"),
        (-1, "no line of this machine"),
        ("2 ", "no line of this machine"),
        (999, "999|takt-test"),
    ],
)
def test_name_of_no_line_is_refused_and_says_why(factory, name, why):
    with pytest.raises(exc.PinInvalidPin, match=why):
        factory.pin(name)


# ---- what cannot be ----


def test_pwm_is_refused(factory):
    with pytest.raises(exc.PinPWMUnsupported, match="has no PWM, a GPIO line only switches"):
        PWMLED(PIN, pin_factory=factory)


def test_input_cannot_be_set(factory):
    with InputDevice(PIN, pin_factory=factory) as device, pytest.raises(exc.PinSetInput):
        device.pin.state = 1


def test_output_has_no_pull(factory):
    with LED(PIN, pin_factory=factory) as led, pytest.raises(exc.PinFixedPull):
        led.pin.pull = "up"


@pytest.mark.parametrize(
    ("attribute", "value", "error"),
    [
        ("function", "spi", exc.PinInvalidFunction),
        ("pull", "sideways", exc.PinInvalidPull),
        ("edges", "some", exc.PinInvalidEdges),
        ("bounce", -1, exc.PinInvalidBounce),
    ],
)
def test_setting_that_makes_no_sense_is_refused(factory, attribute, value, error):
    with pytest.raises(error):
        setattr(factory.pin(PIN), attribute, value)


def test_output_takes_two_levels_only(factory):
    with LED(PIN, pin_factory=factory) as led, pytest.raises(exc.PinInvalidState):
        led.pin.state = 0.5


# ---- a chip that goes ----


def test_chip_that_vanishes_is_told_to_whoever_fetches_edges(bench, factory):
    with DigitalInputDevice(PIN, pin_factory=factory):
        bench.unplug()
        with pytest.raises(LineError, match=r"takt-2, .* is gone: its chip was unplugged.*; plug it in again"):
            bench.pump(factory, 1)


def test_chip_that_vanishes_faults_its_outputs(bench, factory):
    pin = DrivenPin("gate:reject", "takt-2", is_active_low=False, pin_factory=factory)
    bench.unplug()
    with pytest.raises(ActuationError, match=r"gate:reject on pin takt-2 cannot be switched on: .* is gone"):
        pin.write(True)
    with pytest.raises(ActuationError, match="cannot be switched off"):
        pin.close()


def test_chip_that_vanishes_does_not_hold_up_closing(bench, factory):
    device = DigitalInputDevice(PIN, pin_factory=factory)
    bench.unplug()
    with pytest.raises(LineError):
        bench.pump(factory, 1)
    device.close()
    assert factory.pump() == 0


def test_chip_that_has_gone_cannot_be_claimed(bench, factory):
    factory.pin(PIN)
    bench.unplug()
    with pytest.raises(OSError, match="is gone") as refusal:
        factory.pin(PIN).output_with_state(0)
    assert refusal.value.errno == errno.ENODEV


def test_edge_pin_on_a_line_without_a_name_is_a_mistake_in_the_settings(factory):
    with pytest.raises(
        ConfigError, match=r"pin 'PAC.06' of part does not exist on this board; correct the pin: no line"
    ):
        EdgePin("part", "PAC.06", is_pulled_up=True, on_edge=print, clock=SystemClock(), pin_factory=factory)
