"""The belt position: quadrature to the last edge, and a virtual count that never drifts."""

from fractions import Fraction

import pytest
from gpiozero.pins.mock import MockFactory, MockPin
from hypothesis import given
from hypothesis import strategies as st

from app.clock import NS_PER_S, VirtualClock
from app.errors import ConfigError
from app.reject.encoder import GpioEncoder, VirtualEncoder, quadrature_step
from app.reject.lineio import BeltReading
from app.twin.pins import TwinFactory

A_PIN, B_PIN = 5, 6
FORWARD = (0b00, 0b10, 0b11, 0b01)
MS = 1_000_000


class Belt:
    """The machine's side: turns the encoder by quarter cycles."""

    def __init__(self):
        self.clock = VirtualClock(1000 * MS)
        self.factory = TwinFactory(self.clock)
        self.position = 0
        self.show()

    def show(self):
        state = FORWARD[self.position % 4]
        self.factory.drive(A_PIN, bool(state & 0b10))
        self.factory.drive(B_PIN, bool(state & 0b01))

    def turn(self, steps, after_ns=MS):
        for _ in range(abs(steps)):
            self.clock.advance_to(self.clock.now_ns() + after_ns)
            self.position += 1 if steps > 0 else -1
            self.show()

    def encoder(self):
        return GpioEncoder(A_PIN, B_PIN, clock=self.clock, pin_factory=self.factory)


@pytest.fixture
def belt():
    belt = Belt()
    yield belt
    belt.factory.close()


@pytest.mark.parametrize("position", range(4))
def test_step_in_the_order_of_a_before_b_is_forward(position):
    assert quadrature_step(FORWARD[position], FORWARD[(position + 1) % 4]) == 1


def test_reversed_encoder_counts_the_other_way_and_misses_the_same(belt):
    ahead = belt.encoder()
    belt.turn(+5)
    forward = ahead.read(0)
    ahead.close()
    reverse = GpioEncoder(A_PIN, B_PIN, clock=belt.clock, pin_factory=belt.factory, is_reversed=True)
    belt.turn(+5)

    assert (forward.count, reverse.read(0).count, reverse.read(0).missed) == (5, -5, 0)
    reverse.close()


@pytest.mark.parametrize("position", range(4))
def test_step_in_the_order_of_b_before_a_is_backward(position):
    assert quadrature_step(FORWARD[position], FORWARD[position - 1]) == -1


@pytest.mark.parametrize("state", FORWARD)
def test_same_state_is_no_step(state):
    assert quadrature_step(state, state) == 0


@pytest.mark.parametrize("position", range(4))
def test_change_of_both_phases_at_once_is_a_skipped_state(position):
    assert quadrature_step(FORWARD[position], FORWARD[(position + 2) % 4]) is None


def test_encoder_counts_four_to_the_cycle(belt):
    encoder = belt.encoder()
    belt.turn(+40)

    assert encoder.read(belt.clock.now_ns()) == BeltReading(count=40, at_ns=belt.clock.now_ns())


def test_belt_that_runs_backward_counts_down(belt):
    encoder = belt.encoder()
    belt.turn(+3)
    belt.turn(-10)

    assert encoder.read(0).count == -7


def test_exchanged_phases_show_as_a_negative_count(belt):
    encoder = GpioEncoder(B_PIN, A_PIN, clock=belt.clock, pin_factory=belt.factory)
    belt.turn(+8)

    assert encoder.read(0).count == -8


@pytest.mark.parametrize("start", range(4))
def test_encoder_starts_at_zero_wherever_it_stands(belt, start):
    belt.turn(start)
    encoder = belt.encoder()
    at_start = encoder.read(0)
    belt.turn(+1)

    assert (at_start.count, encoder.read(0).count, encoder.read(0).missed) == (0, 1, 0)


def test_reading_tells_when_the_count_last_changed(belt):
    encoder = belt.encoder()
    belt.turn(+1)
    changed_ns = belt.clock.now_ns()
    belt.clock.advance_to(changed_ns + 500 * MS)

    assert encoder.read(belt.clock.now_ns()).at_ns == changed_ns


def test_reading_before_the_first_count_has_the_time_of_the_start(belt):
    started_ns = belt.clock.now_ns()
    encoder = belt.encoder()
    belt.clock.advance_to(started_ns + 500 * MS)

    assert encoder.read(belt.clock.now_ns()).at_ns == started_ns


class DeafSide:
    """A board that loses the falling edges of phase A, as an input that is too slow does."""

    def __init__(self):
        self.factory = MockFactory()
        self.a, self.b = self.factory.pin(A_PIN), self.factory.pin(B_PIN)


@pytest.fixture
def deaf():
    side = DeafSide()
    side.encoder = GpioEncoder(A_PIN, B_PIN, clock=VirtualClock(7), pin_factory=side.factory)
    side.a.edges = "rising"
    yield side
    side.factory.close()


def test_lost_edge_is_counted_as_missed(deaf):
    deaf.a.drive_low()
    deaf.a.drive_high()

    assert deaf.encoder.read(0) == BeltReading(count=0, at_ns=7, missed=1)


def test_counting_goes_on_after_a_lost_edge(deaf):
    deaf.a.drive_low()
    deaf.a.drive_high()
    deaf.b.drive_low()

    assert (deaf.encoder.read(0).count, deaf.encoder.read(0).missed) == (-1, 1)


class RestlessPin(MockPin):
    """A pin that changes just when its edges begin to be watched, as on a belt that runs."""

    def _set_when_changed(self, value):
        super()._set_when_changed(value)
        if value is not None:
            self.drive_low()
            self.drive_high()
            self.drive_low()


def test_encoder_that_is_opened_on_a_running_belt_starts_at_zero():
    with MockFactory(pin_class=RestlessPin) as factory:
        encoder = GpioEncoder(A_PIN, B_PIN, clock=VirtualClock(7), pin_factory=factory)
        at_start = encoder.read(7)
        factory.pin(A_PIN).drive_high()

        assert at_start == BeltReading(count=0, at_ns=7, missed=0)
        assert (abs(encoder.read(7).count), encoder.read(7).missed) == (1, 0)


def test_closed_encoder_lets_its_pins_go_and_keeps_its_count(belt):
    encoder = belt.encoder()
    belt.turn(+5)
    encoder.close()
    encoder.close()
    successor = belt.encoder()
    belt.turn(+1)

    assert (encoder.read(0).count, successor.read(0).count) == (5, 1)


def test_encoder_with_one_pin_for_both_phases_is_refused(belt):
    with pytest.raises(ConfigError, match=r"pin 5 is claimed twice, by encoder a and by encoder b; give one of them"):
        GpioEncoder(
            A_PIN,
            A_PIN,
            clock=belt.clock,
            pin_factory=belt.factory,
            claims=[("encoder a", A_PIN), ("encoder b", A_PIN)],
        )


def test_encoder_whose_second_pin_is_refused_lets_the_first_go(belt):
    with pytest.raises(ConfigError, match=r"pin 'nonsense!' of encoder b does not exist"):
        GpioEncoder(A_PIN, "nonsense!", clock=belt.clock, pin_factory=belt.factory)

    assert belt.encoder().read(0).count == 0


@given(steps=st.lists(st.integers(-9, 9), max_size=20))
def test_count_is_where_the_belt_is(steps):
    belt = Belt()
    encoder = belt.encoder()
    for step in steps:
        belt.turn(step)

    assert (encoder.read(0).count, encoder.read(0).missed) == (sum(steps), 0)


def test_virtual_count_stands_still_until_the_belt_runs():
    encoder = VirtualEncoder(2.0, 500)

    assert encoder.read(10 * NS_PER_S) == BeltReading(count=0, at_ns=0)


def test_virtual_count_is_running_time_at_constant_speed():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 3 * NS_PER_S)

    assert encoder.read(3 * NS_PER_S).count == 0
    assert encoder.read(3 * NS_PER_S + 1 * MS - 1).count == 0
    assert encoder.read(3 * NS_PER_S + 1 * MS).count == 1
    assert encoder.read(4 * NS_PER_S).count == 1000


def test_virtual_count_holds_while_the_belt_stands():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    encoder.on_running(False, 1 * NS_PER_S)

    assert encoder.read(9 * NS_PER_S).count == 1000


def test_repeated_running_state_changes_nothing():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    encoder.on_running(True, 1 * NS_PER_S)
    encoder.on_running(False, 2 * NS_PER_S)
    encoder.on_running(False, 3 * NS_PER_S)

    assert encoder.read(4 * NS_PER_S).count == 2000


def test_virtual_reading_tells_when_the_count_was_reached():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 10 * MS)

    assert encoder.read(15 * MS + MS // 2) == BeltReading(count=5, at_ns=15 * MS)


def test_virtual_reading_remembers_a_count_reached_at_the_very_stop():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    encoder.on_running(False, 5 * MS)
    encoder.on_running(True, 100 * MS)

    assert encoder.read(100 * MS) == BeltReading(count=5, at_ns=5 * MS)


def test_virtual_reading_remembers_a_count_reached_before_a_stop():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    encoder.on_running(False, 5 * MS + MS // 2)
    encoder.on_running(True, 100 * MS)

    assert encoder.read(100 * MS) == BeltReading(count=5, at_ns=5 * MS)
    assert encoder.read(100 * MS + MS // 2) == BeltReading(count=6, at_ns=100 * MS + MS // 2)


@given(now_ns=st.integers(0, 10**10), counts_per_mm=st.sampled_from([0.3, 3.0, 7.77]))
def test_virtual_reading_has_the_first_nanosecond_of_its_count(now_ns, counts_per_mm):
    def count(at_ns):
        fresh = VirtualEncoder(counts_per_mm, 700)
        fresh.on_running(True, 0)
        return fresh.read(at_ns)

    reading = count(now_ns)

    assert count(reading.at_ns).count == reading.count
    assert reading.count == 0 or count(reading.at_ns - 1).count == reading.count - 1


def test_belt_travels_nothing_before_it_starts():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    encoder.on_running(False, 1 * MS - 1)
    encoder.on_running(True, 50 * MS)

    assert [encoder.read(at_ns).count for at_ns in (40 * MS, 50 * MS, 50 * MS + 1)] == [0, 0, 1]


def test_stop_that_is_reported_late_holds_the_count_until_the_belt_has_caught_up():
    encoder = VirtualEncoder(2.0, 500)
    encoder.on_running(True, 0)
    before = encoder.read(10 * MS).count
    encoder.on_running(False, 4 * MS)
    held = encoder.read(20 * MS).count
    encoder.on_running(True, 20 * MS)

    assert (before, held) == (10, 10)
    assert encoder.read(26 * MS) == BeltReading(count=10, at_ns=10 * MS)
    assert encoder.read(27 * MS).count == 11


def test_speed_and_resolution_are_taken_by_their_decimal_digits():
    encoder = VirtualEncoder(0.1, 0.1)
    encoder.on_running(True, 0)

    assert encoder.read(100 * NS_PER_S - 1).count == 0
    assert encoder.read(100 * NS_PER_S).count == 1


@given(
    counts_per_mm=st.sampled_from([0.1, 0.3, 2.0, 7.77, 100.0]),
    speed_mm_s=st.sampled_from([0.7, 333.3, 1000.0]),
    stretches=st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**10)), max_size=30),
)
def test_virtual_count_never_drifts_and_never_falls(counts_per_mm, speed_mm_s, stretches):
    encoder = VirtualEncoder(counts_per_mm, speed_mm_s)
    now_ns = run_ns = 0
    readings = []
    for running_ns, standing_ns in stretches:
        encoder.on_running(True, now_ns)
        readings.append(encoder.read(now_ns + running_ns // 2))
        encoder.on_running(False, now_ns + running_ns)
        now_ns += running_ns + standing_ns
        run_ns += running_ns
        readings.append(encoder.read(now_ns))

    exact = Fraction(str(counts_per_mm)) * Fraction(str(speed_mm_s)) * run_ns / NS_PER_S
    assert encoder.read(now_ns).count == int(exact)
    assert readings == sorted(readings, key=lambda reading: (reading.count, reading.at_ns))
