"""The software trigger: every position once, at the right place on the belt."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.capture.trigger import MOST_AT_ONCE, SoftwareTrigger
from app.errors import LineError


@pytest.fixture
def trigger():
    """A trigger per 100 counts on a belt that stands at 0."""
    trigger = SoftwareTrigger(100)
    assert trigger.due(0) == ()
    return trigger


def test_first_reading_is_the_origin():
    trigger = SoftwareTrigger(100)
    assert trigger.due(1234) == ()
    assert trigger.due(1333) == ()
    assert trigger.due(1334) == (1334,)


def test_trigger_has_its_position_not_that_of_the_reading(trigger):
    assert trigger.due(130) == (100,)
    assert trigger.due(200) == (200,)


def test_fast_belt_makes_up_for_what_it_passed(trigger):
    assert trigger.due(350) == (100, 200, 300)


def test_reversing_belt_triggers_nothing_twice(trigger):
    trigger.due(150)
    assert trigger.due(-500) == ()
    assert trigger.due(199) == ()
    assert trigger.due(200) == (200,)


def test_standing_belt_triggers_nothing(trigger):
    trigger.due(100)
    assert trigger.due(100) == ()


def test_distance_that_is_no_whole_number_of_counts_does_not_drift():
    trigger = SoftwareTrigger(33.4)
    trigger.due(0)
    positions = [position for count in range(0, 3341, 10) for position in trigger.due(count)]
    assert positions[:3] == [34, 67, 101]
    assert positions[-1] == 3340


def test_jump_of_the_position_is_an_error(trigger):
    assert len(trigger.due(100 * MOST_AT_ONCE)) == MOST_AT_ONCE
    with pytest.raises(LineError, match="belt position jumped to 12900, past 64 triggers at once"):
        trigger.due(100 * (2 * MOST_AT_ONCE + 1))


def test_command_triggers_where_the_belt_is_at_the_next_reading(trigger):
    trigger.fire()
    assert trigger.due(42) == (42,)
    assert trigger.due(43) == ()


def test_command_leaves_the_positions_as_they_are(trigger):
    trigger.fire()
    assert trigger.due(142) == (100, 142)
    assert trigger.due(200) == (200,)


def test_command_at_a_position_is_one_trigger(trigger):
    trigger.fire()
    assert trigger.due(100) == (100,)


def test_command_triggers_at_the_origin_too():
    trigger = SoftwareTrigger(100)
    trigger.fire()
    assert trigger.due(7) == (7,)


def test_without_a_distance_only_commands_trigger():
    trigger = SoftwareTrigger()
    assert trigger.due(0) == trigger.due(10**9) == ()
    trigger.fire()
    assert trigger.due(5) == (5,)


@pytest.mark.parametrize("every", [0, -1, 0.5, math.nan])
def test_distance_below_one_count_is_refused(every):
    with pytest.raises(ValueError, match="must be at least 1"):
        SoftwareTrigger(every)


@given(every=st.integers(10, 100), steps=st.lists(st.integers(-200, 500), max_size=30))
def test_every_position_up_to_the_farthest_triggers_once(every, steps):
    trigger, place, farthest, seen = SoftwareTrigger(every), 0, 0, []
    trigger.due(0)
    for step in steps:
        place += step
        farthest = max(farthest, place)
        seen += trigger.due(place)
    assert seen == list(range(every, farthest + 1, every))
