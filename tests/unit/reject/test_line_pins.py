"""Claims that fail say which pin, for what, and why; writes that fail never pass in silence."""

import errno

import pytest
from gpiozero import DigitalOutputDevice
from gpiozero.pins.mock import MockFactory, MockPin
from gpiozero.pins.pi import PiPin

from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import Line
from app.errors import ActuationError, ConfigError, LineError
from app.reject.gpio import open_line
from app.reject.pins import DrivenPin, EdgePin
from app.reject.wiring import RETRY_NS

LINE = Line.model_validate(
    {
        "schema": 1,
        "encoder": {"a": 5, "b": 6},
        "trigger": {"sensor": {"pin": 12}},
        "gate": [{"output": {"pin": 7}}],
    }
)


class ShortedPin(MockPin):
    """A pin tied to ground: it takes every write and stays low."""

    def _change_state(self, value):
        return super()._change_state(False)


class NervousPin(MockPin):
    """A pin that goes high and then reports that it could not."""

    def _set_state(self, value):
        super()._set_state(value)
        if value:
            raise OSError(errno.EIO, "Input/output error")


class LatePin(MockPin):
    """A pin whose edges are reported 3 ms after they happened."""

    def _call_when_changed(self):
        PiPin._call_when_changed(self, self.factory.ticks() - 0.003, self._state)


class ClockedFactory(MockFactory):
    """A factory whose ticks count from elsewhere than the clock, and in seconds."""

    def __init__(self, clock, pin_class):
        super().__init__(pin_class=pin_class)
        self.clock = clock

    def ticks(self):
        return 5_000 + self.clock.now_ns() / NS_PER_S


class BusyPin(MockPin):
    """A pin that the kernel does not hand out."""

    error = OSError(errno.EBUSY, "Device or resource busy")

    def _set_function(self, value):
        if value == "output":
            raise self.error
        super()._set_function(value)


class ForbiddenPin(BusyPin):
    error = OSError(errno.EACCES, "Permission denied")


class BrokenPin(BusyPin):
    error = OSError(errno.EIO, "Input/output error")


def driven(factory, pin=5, is_active_low=False):
    return DrivenPin("gate:reject", pin, is_active_low=is_active_low, pin_factory=factory)


def watched(factory, pin=5, *, is_pulled_up=False, claims=()):
    return EdgePin(
        "part",
        pin,
        is_pulled_up=is_pulled_up,
        on_edge=lambda is_active, at_ns: None,
        clock=VirtualClock(),
        pin_factory=factory,
        claims=claims,
    )


def test_edge_that_is_reported_late_has_the_time_at_which_it_happened():
    clock = VirtualClock(10 * NS_PER_S)
    seen = []
    factory = ClockedFactory(clock, LatePin)
    pin = EdgePin(
        "part",
        5,
        is_pulled_up=False,
        on_edge=lambda is_active, at_ns: seen.append((is_active, at_ns)),
        clock=clock,
        pin_factory=factory,
    )
    factory.pin(5).drive_high()
    pin.close()

    assert [is_active for is_active, _ in seen] == [True]
    assert seen[0][1] == pytest.approx(10 * NS_PER_S - 3 * NS_PER_MS, abs=1_000)


def test_output_that_does_not_take_its_level_is_an_actuation_error():
    pin = driven(MockFactory(pin_class=ShortedPin))

    with pytest.raises(ActuationError, match=r"gate:reject on pin 5 did not go on; check its wiring"):
        pin.write(True)


def test_output_that_cannot_be_switched_off_still_lets_its_pin_go():
    factory = MockFactory(pin_class=ShortedPin)
    pin = driven(factory, is_active_low=True)

    with pytest.raises(ActuationError, match="did not go off"):
        pin.close()
    pin.close()
    DigitalOutputDevice(5, pin_factory=factory).close()


def test_output_that_something_else_turned_into_an_input_is_an_actuation_error():
    factory = MockFactory()
    pin = driven(factory)
    factory.pin(5).function = "input"

    with pytest.raises(ActuationError, match="gate:reject on pin 5 cannot be switched on: cannot set state"):
        pin.write(True)


def test_closed_output_refuses_to_be_switched():
    pin = driven(MockFactory())
    pin.close()

    with pytest.raises(ActuationError, match="gate:reject cannot be switched on: the line is closed; open the line"):
        pin.write(True)


@pytest.mark.parametrize(
    ("pin_class", "sentence"),
    [
        (BusyPin, "pin 5 of gate:reject is held by another program; end that program"),
        (ForbiddenPin, "pin 5 of gate:reject may not be used by this user; add the user to the group gpio"),
        (BrokenPin, r"pin 5 of gate:reject cannot be claimed: \[Errno 5\] Input/output error; check that the board"),
    ],
)
def test_pin_that_the_kernel_refuses_says_why(pin_class, sentence):
    with pytest.raises(LineError, match=sentence):
        driven(MockFactory(pin_class=pin_class))


def test_pin_whose_claim_failed_can_be_claimed_again_while_the_error_is_at_hand():
    factory = MockFactory(pin_class=BusyPin)
    with pytest.raises(LineError) as failure:
        driven(factory)

    watched(factory).close()
    assert failure.value.__cause__ is BusyPin.error


def test_pin_that_the_board_lacks_is_refused():
    with pytest.raises(ConfigError, match="pin 'GPIO99' of part does not exist on this board; correct the pin"):
        watched(MockFactory(), "GPIO99")


def test_input_whose_fixed_resistor_works_against_its_polarity_is_refused():
    with pytest.raises(ConfigError, match="pin 2 of part has a resistor that holds it at its active level; choose"):
        watched(MockFactory(), pin=2, is_pulled_up=False)


def test_pin_claimed_under_two_names_names_both_claimants():
    factory = MockFactory()
    keeper = driven(factory, "GPIO5")

    with pytest.raises(ConfigError, match=r"pin 5 is claimed twice, by gate:reject and by part; give one of them"):
        watched(factory, pin=5, claims=[("gate:reject", "GPIO5"), ("part", 5), ("exit", 6)])
    keeper.close()


def test_pin_claimed_by_a_stranger_says_so():
    factory = MockFactory()
    with DigitalOutputDevice(5, pin_factory=factory), pytest.raises(ConfigError, match="by something else in this"):
        watched(factory, pin=5, claims=[("part", 5)])


def test_gate_that_went_on_although_its_write_failed_is_switched_off_by_the_next_tick():
    factory = MockFactory(pin_class=NervousPin)
    line = open_line(LINE, VirtualClock(), factory)
    with pytest.raises(ActuationError, match="Input/output error"):
        line.set_gate("reject", True, 0)
    is_on_after_failure = factory.pin(7).state
    due_ns = line.next_due_ns()
    line.tick(due_ns)

    assert (is_on_after_failure, due_ns) == (True, RETRY_NS)
    assert not factory.pin(7).state
    line.close()
