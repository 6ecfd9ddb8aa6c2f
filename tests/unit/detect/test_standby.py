"""What a standby holds of a line's speed, and how it is timed."""

import pytest

from app.clock import NS_PER_MS, NS_PER_S, SystemClock
from app.config import Line
from app.detect.curtain import Shown
from app.detect.standby import hold_of, picture_ms_of, slowest_of
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_model import blank


def line_with(**changes):
    values = {
        "encoder": {"a": 5, "b": 6},
        "trigger": {"sensor": {"pin": 4}},
        "gate": [{"output": {"pin": 22}, "kind": "diverter"}],
        "permit": {"output": {"pin": 27}},
        **changes,
    }
    return Line.model_validate(values)


def test_standby_that_judges_within_the_gap_between_parts_holds_full_speed():
    hold = hold_of(line_with(), 4 * NS_PER_MS)
    assert (hold.is_enough, hold.speed_mm_s) == (True, 1000)
    assert hold.text == "the standby holds 1000 mm/s, and the line runs at 1000 at most"


def test_speed_is_held_at_which_parts_come_no_faster_than_they_are_judged():
    hold = hold_of(line_with(), 180 * NS_PER_MS)
    assert (hold.is_enough, hold.speed_mm_s) == (False, pytest.approx(500))
    assert hold.text == (
        "the standby holds 500 mm/s and the line runs at up to 1000: a picture takes 180.0 ms, and at full speed a part"
        " comes every 90.0"
    )


def test_two_cameras_halve_it():
    cameras = [{"name": each, "driver": "twin"} for each in ("left", "right")]
    assert hold_of(line_with(camera=cameras), 90 * NS_PER_MS).speed_mm_s == pytest.approx(500)


def test_close_gate_limits_it_before_the_gap_does():
    line = line_with(part={"length_mm": 20, "min_pitch_mm": 500}, gate=[close_gate(100)])
    hold = hold_of(line, 90 * NS_PER_MS)
    assert not hold.is_enough
    assert "from camera 'top' to gate 'reject' a verdict takes" in hold.because


def close_gate(away_mm):
    return {"output": {"pin": 22}, "kind": "diverter", "position_mm": 150 + away_mm, "offset_mm": 0, "dwell_mm": 40}


@pytest.mark.parametrize("changes", [{}, {"part": {"length_mm": 20, "min_pitch_mm": 500}, "gate": [close_gate(100)]}])
def test_longest_time_that_full_speed_leaves_is_where_it_is_just_held(changes):
    line = line_with(**changes)
    limit_ns = round(picture_ms_of(line) * NS_PER_MS)
    assert hold_of(line, limit_ns - 1000).is_enough
    assert not hold_of(line, limit_ns + 1000).is_enough


def test_slowest_is_a_time_of_the_quietest_round():
    detector = ScriptedDetector()
    taken_ns = slowest_of(detector, (Shown(None, blank(), None),), SystemClock(), samples=2, rounds=3)
    assert 0 < taken_ns < 10 * NS_PER_S
    assert len(detector.seen) == 6
