"""The kernel's counter subsystem: our encoder on a real driver, whose registers a test moves."""

import pytest


@pytest.fixture(scope="module")
def counter(guest):
    return guest.report("tests.hil.check_counter")


def test_counter_is_set_to_four_counts_a_cycle_and_started(counter):
    count = counter["count"]

    assert (count["function"], count["enable"], count["ceiling"]) == ("quadrature x4", "1", "9999")


def test_counter_that_may_count_to_nought_is_given_all_its_room(counter):
    """As its registers are after a reset."""
    assert counter["count"]["fresh"] == str(2**32 - 1)


def test_belt_count_goes_on_where_the_hardware_wraps_and_comes_back(counter):
    assert counter["count"]["counts"] == [1, 400, 4_000, 8_000, 9_999, 10_000, 10_002, 9_998]
    assert counter["count"]["missed"] == 0


def test_reversed_counter_counts_down(counter):
    assert counter["count"]["reversed"] == [-10, -20]


def test_count_that_something_else_sets_is_told(counter):
    assert "jumped by +3,980 counts: something else sets it" in counter["count"]["jump"]


def test_counter_that_is_not_there_is_refused_with_those_that_are(counter):
    assert counter["count"]["absent"].startswith("there is no encoder.counter 'counter9/count0'; name one of counter")


def test_events_of_the_kernel_are_read_as_it_writes_them(counter):
    assert counter["events"]["wraps"] == [0, 1, 2, 3]
    assert counter["events"]["is_stamp_monotonic"]


def test_driver_that_does_not_tell_both_directions_of_a_wrap_is_used_without_its_events(counter):
    """104-quad-8 can watch one event of a channel, not two."""
    assert counter["events"]["both_ways"] is False
    assert counter["events"]["function"] == "quadrature x4"
