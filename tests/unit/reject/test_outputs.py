"""No output outlives its limits, to the nanosecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reject.outputs import HeldOutput, PulseOutput, ReadBack

MS = 1_000_000
MIN, MAX = 10 * MS, 400 * MS
REFRESH = 100 * MS
SETTLE = 12 * MS


@pytest.fixture
def pulse():
    return PulseOutput("gate:reject", MIN, MAX)


@pytest.fixture
def held():
    return HeldOutput("gate:divert", REFRESH)


class TestPulse:
    def test_it_starts_off_with_nothing_due(self, pulse):
        assert not pulse.is_on
        assert pulse.due_ns() is None
        assert pulse.tick(0) is None

    def test_command_off_after_the_minimum_ends_it_at_once(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, MIN)

        assert not pulse.is_on
        assert pulse.due_ns() is None

    def test_command_off_before_the_minimum_is_carried_out_at_the_minimum(self, pulse):
        pulse.command(True, 5)
        pulse.command(False, 6)

        assert pulse.is_on
        assert pulse.due_ns() == 5 + MIN
        assert pulse.tick(5 + MIN - 1) is None
        assert pulse.is_on
        assert pulse.tick(5 + MIN) is None
        assert not pulse.is_on

    def test_repeated_command_off_does_not_put_the_end_off(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, 1)
        pulse.command(False, 2)

        assert pulse.due_ns() == MIN

    def test_it_is_switched_off_at_the_maximum_and_says_so(self, pulse):
        pulse.command(True, 7)

        assert pulse.due_ns() == 7 + MAX
        assert pulse.tick(7 + MAX - 1) is None
        assert pulse.is_on
        fault = pulse.tick(7 + MAX)
        assert not pulse.is_on
        assert fault == (
            "gate:reject was on for 400 ms, its limit is 400 ms, and was switched off;"
            " see why its dwell did not end in time"
        )

    def test_fault_is_told_once(self, pulse):
        pulse.command(True, 0)
        pulse.tick(MAX)

        assert pulse.tick(MAX + 1) is None

    def test_repeated_command_on_does_not_prolong_it(self, pulse):
        pulse.command(True, 0)
        pulse.command(True, MAX - 1)

        assert pulse.due_ns() == MAX

    def test_command_on_before_a_delayed_end_goes_on_with_the_same_pulse(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, 1)
        pulse.command(True, 2)

        assert pulse.tick(MIN) is None
        assert pulse.is_on
        assert pulse.due_ns() == MAX

    def test_after_the_maximum_it_stays_off_until_commanded_off(self, pulse):
        pulse.command(True, 0)
        pulse.tick(MAX)
        pulse.command(True, MAX + 1)
        stays_off = not pulse.is_on
        pulse.command(False, MAX + 2)
        pulse.command(True, MAX + 3)

        assert stays_off
        assert pulse.is_on
        assert pulse.due_ns() == 2 * MAX + 3

    def test_command_off_exactly_at_the_maximum_is_in_time(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, MAX)

        assert not pulse.is_on
        assert pulse.tick(MAX) is None

    def test_command_off_after_the_maximum_is_a_fault_even_without_a_tick_between(self, pulse):
        pulse.command(True, 30 * MS)
        pulse.command(False, MAX + 31 * MS)

        assert not pulse.is_on
        assert pulse.tick(MAX + 31 * MS).startswith("gate:reject was on for 401 ms")

    def test_tick_that_comes_late_for_a_delayed_end_is_a_fault_when_the_maximum_is_over(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, 1)

        assert pulse.tick(MAX + 1) is not None
        assert not pulse.is_on

    def test_tick_at_the_maximum_for_a_delayed_end_is_no_fault(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, 1)

        assert pulse.tick(MAX) is None
        assert not pulse.is_on

    def test_pulse_that_was_ended_late_may_be_commanded_on_again(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, MAX + 1)
        pulse.command(True, MAX + 2)

        assert pulse.is_on

    def test_minimum_equal_to_the_maximum_ends_without_a_fault(self):
        pulse = PulseOutput("gate:reject", MIN, MIN)
        pulse.command(True, 0)
        pulse.command(False, 1)

        assert pulse.tick(MIN) is None
        assert not pulse.is_on

    def test_forced_off_is_off_without_a_fault(self, pulse):
        pulse.command(True, 0)
        pulse.force_off()

        assert not pulse.is_on
        assert pulse.due_ns() is None
        assert pulse.tick(2 * MAX) is None

    def test_pulse_after_a_forced_off_knows_nothing_of_an_older_end(self, pulse):
        pulse.command(True, 0)
        pulse.command(False, 1)
        pulse.force_off()
        pulse.command(True, 2)

        assert pulse.due_ns() == 2 + MAX

    @given(st.lists(st.tuples(st.integers(0, MAX), st.booleans()), max_size=30))
    def test_ticked_when_due_it_never_stays_on_beyond_its_maximum(self, steps):
        pulse = PulseOutput("gate:reject", MIN, MAX)
        now_ns, on_since_ns, longest_ns = 0, None, 0
        for gap_ns, is_on in steps:
            end_ns = now_ns + gap_ns
            while pulse.due_ns() is not None and pulse.due_ns() <= end_ns:
                now_ns = pulse.due_ns()
                pulse.tick(now_ns)
                longest_ns = max(longest_ns, now_ns - on_since_ns)
                on_since_ns = on_since_ns if pulse.is_on else None
            now_ns = end_ns
            pulse.command(is_on, now_ns)
            if not pulse.is_on:
                on_since_ns = None
            elif on_since_ns is None:
                on_since_ns = now_ns

        assert longest_ns <= MAX


class TestHeld:
    def test_it_starts_off_with_nothing_due(self, held):
        assert not held.is_on
        assert held.due_ns() is None
        assert held.tick(10**15) is None

    def test_without_refresh_it_goes_off_at_its_limit_and_says_so(self, held):
        held.command(True, 5 * MS)

        assert held.due_ns() == 5 * MS + REFRESH
        assert held.tick(5 * MS + REFRESH - 1) is None
        assert held.is_on
        fault = held.tick(5 * MS + REFRESH)
        assert not held.is_on
        assert fault == (
            "gate:divert was not refreshed for 100 ms, its limit is 100 ms; find what holds the station up"
        )

    def test_fault_is_told_once(self, held):
        held.command(True, 0)
        held.tick(REFRESH)

        assert held.tick(2 * REFRESH) is None

    def test_refreshed_in_time_it_stays_on(self, held):
        for at_ns in range(0, 10 * REFRESH, REFRESH - 1):
            held.command(True, at_ns)

        assert held.is_on
        assert held.tick(at_ns) is None
        assert held.due_ns() == at_ns + REFRESH

    def test_refresh_exactly_at_the_limit_is_in_time(self, held):
        held.command(True, 0)
        held.command(True, REFRESH)

        assert held.is_on
        assert held.tick(REFRESH) is None

    def test_refresh_after_the_limit_is_a_fault_even_without_a_tick_between(self, held):
        held.command(True, 5 * MS)
        held.command(True, REFRESH + 6 * MS)

        assert held.is_on
        assert held.tick(REFRESH + 6 * MS).startswith("gate:divert was not refreshed for 101 ms")

    def test_command_off_ends_it_at_once(self, held):
        held.command(True, 0)
        held.command(False, 1)

        assert not held.is_on
        assert held.due_ns() is None
        assert held.tick(2 * REFRESH) is None

    def test_off_needs_no_refresh(self, held):
        held.command(True, 0)
        held.command(False, 1)
        held.command(False, 5 * REFRESH)

        assert held.tick(5 * REFRESH) is None

    def test_dropped_it_can_be_commanded_on_again(self, held):
        held.command(True, 0)
        held.tick(REFRESH)
        held.command(True, 3 * REFRESH)

        assert held.is_on
        assert held.tick(3 * REFRESH) is None

    def test_forced_off_is_off_without_a_fault(self, held):
        held.command(True, 0)
        held.force_off()

        assert not held.is_on
        assert held.tick(2 * REFRESH) is None


class TestReadBack:
    @pytest.fixture
    def read_back(self):
        return ReadBack("gate:reject", SETTLE, now_ns=0)

    def test_contact_is_not_believed_before_it_settled(self, read_back):
        read_back.expect(True, 100)

        assert read_back.check(False, 100 + SETTLE - 1) is None

    def test_output_that_does_not_come_on_is_told(self, read_back):
        read_back.expect(True, 100)

        assert read_back.check(False, 100 + SETTLE) == (
            "gate:reject is switched on but reads back off; check its supply, its wiring and the contact"
        )

    def test_output_that_does_not_go_off_is_told(self, read_back):
        read_back.expect(True, 0)
        read_back.expect(False, 100)

        assert read_back.check(True, 100 + SETTLE).startswith("gate:reject is switched off but reads back on")

    def test_output_that_is_on_before_it_was_ever_commanded_is_told(self, read_back):
        assert read_back.check(True, SETTLE) is not None

    @pytest.mark.parametrize("is_on", [True, False])
    def test_contact_that_agrees_is_no_fault(self, read_back, is_on):
        read_back.expect(is_on, 0)

        assert read_back.check(is_on, SETTLE) is None

    def test_mismatch_is_told_once(self, read_back):
        read_back.expect(True, 0)
        read_back.check(False, SETTLE)

        assert read_back.check(False, SETTLE + 1) is None

    def test_mismatch_is_told_again_after_the_next_change(self, read_back):
        read_back.expect(True, 0)
        read_back.check(False, SETTLE)
        read_back.expect(False, 20 * MS)

        assert read_back.check(True, 20 * MS + SETTLE) is not None

    def test_mismatch_is_told_again_after_the_contact_agreed(self, read_back):
        read_back.check(True, SETTLE)
        read_back.check(False, SETTLE + 1)

        assert read_back.check(True, SETTLE + 2) is not None

    def test_contact_that_breaks_long_after_the_change_is_told(self, read_back):
        read_back.expect(True, 0)
        read_back.check(True, SETTLE)

        assert read_back.check(False, 1000 * SETTLE) is not None

    def test_writing_the_same_again_does_not_start_the_settling_time_anew(self, read_back):
        read_back.expect(True, 0)
        read_back.expect(True, SETTLE)

        assert read_back.check(False, SETTLE) is not None

    def test_check_is_due_when_the_contact_has_settled(self, read_back):
        read_back.expect(True, 100)

        assert read_back.due_ns() == 100 + SETTLE

    def test_check_before_the_contact_settled_leaves_it_due(self, read_back):
        read_back.check(False, SETTLE - 1)

        assert read_back.due_ns() == SETTLE

    def test_nothing_is_due_once_checked_until_the_next_change(self, read_back):
        read_back.check(False, SETTLE)
        checked = read_back.due_ns()
        read_back.expect(True, 50 * MS)

        assert checked is None
        assert read_back.due_ns() == 50 * MS + SETTLE
