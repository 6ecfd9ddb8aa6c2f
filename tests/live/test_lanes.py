"""Two lanes under one roof: what becomes of one is none of the other's business."""

import os
import signal

import pytest

from app.status import State
from tests.live.audit import Witness, audit
from tests.live.box import LESS_WORK, NEVER_TIRED, Box, line_file, wait_until

MORE_PARTS = 10


@pytest.fixture
def two_lanes(tmp_path):
    lines = [
        line_file(tmp_path / f"lane{lane}", {**LESS_WORK, **NEVER_TIRED, "lane = 1": f"lane = {lane}"})
        for lane in (1, 2)
    ]
    box = Box(lines, tmp_path / "box")
    yield box
    box.close()


def triggers(box, lane):
    return box.status(lane).tally.triggers


def test_a_lane_does_not_notice_that_the_station_of_another_dies(two_lanes):
    box = two_lanes
    box.start()
    witnesses = {lane: Witness(box, lane) for lane in (1, 2)}
    for lane in (1, 2):
        box.run_on(lane)
        wait_until(lambda lane=lane: triggers(box, lane) >= MORE_PARTS, f"lane {lane} judges")
        witnesses[lane].look()
    before = triggers(box, 1)

    os.kill(box.pid("lane2-station"), signal.SIGKILL)

    def is_back():
        witnesses[1].look()
        assert box.status(1).epoch == 1
        assert box.status(1).state is State.RUNNING, box.status(1).why
        return box.status(2).epoch == 2

    wait_until(is_back, "the station of lane 2 is back")
    box.run_on(2)
    wait_until(lambda: triggers(box, 1) >= before + MORE_PARTS, "lane 1 goes on")
    witnesses[2].look()
    wait_until(lambda: witnesses[1].look() and box.status(1).tally.passed > 0, "lane 1 passes parts")
    box.stop()

    for lane in (1, 2):
        assert audit(box, witnesses[lane], lane)
    assert {each.event.epoch for each in box.entries(lane=1)} == {1}
    assert {each.event.epoch for each in box.entries(lane=2)} == {1, 2}
