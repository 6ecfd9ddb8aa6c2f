"""A wall clock that is set while the line runs: the record stays whole, in the order in which things happened."""

from datetime import timedelta

import pytest

from app.record.readers import Records
from app.record.verify import verify
from tests.live.shift import Shift

PARTS = 40
JUMPS = (timedelta(hours=-3), timedelta(days=400), timedelta(days=-800), timedelta(seconds=-1))


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_jump_of_the_wall_clock_leaves_ledger_and_line_whole(tmp_path, jump):
    shift, wall = Shift(tmp_path), []
    told = shift.clock.wall
    shift.clock.wall = lambda: told() + sum(wall, timedelta())

    def jump_once(triggers):
        if triggers >= PARTS and not wall:
            wall.append(jump)

    try:
        shift.run(2 * PARTS, jump_once)
        status = shift.station.status()
    finally:
        shift.close()

    records = Records(tmp_path / "state" / "ledger")
    try:
        events = [each.event for each in records.entries(1)]
    finally:
        records.close()
    found = verify(tmp_path / "state" / "ledger")
    assert found.is_sound, found.problems
    assert found.lanes[0].tallies == {"a day": status.tally}
    assert not status.latches
    assert [each.sequence for each in events] == list(range(len(events)))
    assert [each.at_ns for each in events] == sorted(each.at_ns for each in events)
