"""Rules 1 to 5 and 7 of REJECT_TRACKING on the tracker alone: position, exposure, cut-off, queue, purge."""

from __future__ import annotations

import pytest

from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading
from app.reject.tracking import Tracker
from app.types import EventKind, Opening
from tests.unit.reject.rig import PER_MM, Rig, pusher, settings

# Rule 1: position, never time


def test_good_part_passes_and_is_confirmed_at_the_exit() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.move_to(at, 600)
    rig.edge("exit")
    assert (rig.outcomes, rig.gate, rig.causes) == ([("PASSED", "SEEN")], [], [])
    assert rig.tracker.tally.is_balanced


def test_bad_part_is_taken_by_the_gate_and_confirmed_in_the_chute() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 500)
    rig.edge("chute:reject")
    rig.move_to(at, 700)
    assert (rig.outcomes, rig.gate, rig.causes) == ([("REJECTED", "SEEN")], [True, False], [])


def test_stopped_belt_holds_everything() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 380)
    rig.wait(60_000)
    assert (rig.gate, rig.outcomes, rig.causes) == ([], [], [])
    rig.move_to(at, 500)
    assert rig.gate == [True, False]


def test_reversing_belt_holds_until_the_count_is_back() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 380)
    rig.move(-200)
    rig.move(200)
    assert rig.gate == []
    rig.move_to(at, 480)
    assert rig.gate == [True, False]


def test_part_seen_again_after_a_reversal_makes_no_second_record() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 70)
    rig.move(-10)  # its trailing edge covers the sensor backwards
    rig.edge("part")
    rig.move(-70)
    rig.edge("part", is_active=False)
    rig.move(10)
    rig.edge("part")
    assert rig.tracker.tally.triggers == 1
    assert len(rig.of(EventKind.TRIGGER_REPEAT)) == 2


def test_new_part_after_a_reversal_is_recorded() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 70)
    rig.move(-20)
    rig.move_to(at, 100)
    rig.part()
    assert rig.tracker.tally.triggers == 2
    assert rig.reasons == []


def test_jitter_of_one_count_does_not_hide_a_touching_part() -> None:
    rig = Rig()
    at = rig.part(covered_mm=20)
    rig.step(-1)
    rig.move_to(at, 64)
    rig.edge("part")
    assert rig.tracker.tally.triggers == 2
    assert rig.reasons == ["TOUCHING", "TOUCHING"]


# Rule 2: trigger and exposure


def test_part_is_exposed_under_the_camera_and_not_before() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 149.5)
    assert rig.exposed == []
    rig.step()
    assert rig.exposed == [1]


def test_part_without_frame_is_rejected() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    rig.wait(45)
    assert rig.reasons == ["NO_FRAME"]
    rig.move_to(at, 450)
    assert rig.gate == [True, False]


def test_part_that_the_camera_missed_by_a_quarter_is_rejected() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 140)
    rig.step(26 * PER_MM)  # the station slept
    assert rig.exposed == []
    assert rig.reasons == ["NO_FRAME"]


def test_part_that_the_camera_missed_by_less_is_exposed() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 140)
    rig.step(25 * PER_MM)
    assert rig.exposed == [1]


def test_frame_taken_before_its_trigger_belongs_to_nobody() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    assert rig.frame(age_ms=10) is None
    assert rig.frame() is not None


def test_late_frame_of_a_part_given_up_is_not_given_to_the_next() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 40}]))
    first = rig.part()
    rig.move_to(first, 100)
    rig.part()
    rig.move_to(first, 151)
    taken_ns = rig.now_ns
    rig.wait(45)
    rig.move_to(first, 252)
    age_ms = (rig.now_ns - taken_ns) / 1e6
    assert rig.exposed == [1, 2]
    assert rig.frame(age_ms=age_ms) is None
    assert rig.frame().part_id == 2


def test_camera_that_is_still_busy_leaves_the_next_part_without_frame() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 1000}]))
    first = rig.part()
    rig.move_to(first, 95)
    rig.part()
    rig.move_to(first, 250)
    assert rig.exposed == [1]
    assert rig.reasons == ["NO_FRAME"]


def test_counter_binds_frames_that_come_late() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 400, "binding": "counter", "window_ms": 20}]))
    first = rig.part()
    rig.move_to(first, 151)
    first_ns = rig.now_ns
    assert rig.frame(counter=70).part_id == 1
    rig.move_to(first, 200)
    second = rig.part()
    rig.move_to(second, 151)
    second_age = rig.now_ns
    rig.wait(10)
    assert rig.frame(counter=71, age_ms=(rig.now_ns - second_age) / 1e6).part_id == 2
    assert rig.frame(counter=70, age_ms=(rig.now_ns - first_ns) / 1e6) is None
    assert rig.reasons == []


def test_counter_mismatch_rejects_every_part_in_flight() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 400, "binding": "counter", "window_ms": 20}]))
    first = rig.part()
    rig.move_to(first, 151)
    rig.frame(counter=70)
    rig.judge(1)
    rig.move_to(first, 200)
    second = rig.part()
    rig.move_to(second, 151)
    rig.frame(counter=90)
    assert rig.reasons == ["", "COUNTER_MISMATCH"]
    assert [event.part_id for event in rig.of(EventKind.REROUTED)] == [1]


def test_camera_that_missed_a_trigger_is_found_by_time() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 900, "binding": "counter", "window_ms": 20}]))
    first = rig.part()
    rig.move_to(first, 151)
    rig.frame(counter=1)
    rig.judge(1)
    rig.move_to(first, 200)
    second = rig.part()
    rig.move_to(first, 300)
    rig.part()
    rig.move_to(second, 252)  # both are exposed; the camera overheard the trigger of the second
    assert rig.frame(counter=2) is None
    assert rig.reasons == ["", "COUNTER_MISMATCH", "COUNTER_MISMATCH"]


def test_frame_without_counter_is_a_mismatch() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "binding": "counter"}]))
    at = rig.part()
    rig.move_to(at, 151)
    assert rig.frame(counter=None) is None
    assert rig.reasons == ["COUNTER_MISMATCH"]


def test_time_window_binds_one_and_rejects_two() -> None:
    camera = {"position_mm": 150, "frame_timeout_ms": 900, "binding": "timestamp_window", "window_ms": 5}
    rig = Rig(settings(camera=[camera]))
    at = rig.part()
    rig.move_to(at, 151)
    assert rig.frame(age_ms=20) is None
    assert rig.frame(age_ms=2).part_id == 1
    wide = Rig(settings(camera=[{**camera, "window_ms": 500}]))
    first = wide.part()
    wide.move_to(first, 100)
    wide.part()
    wide.move_to(first, 252)
    assert wide.frame() is None
    assert wide.reasons == ["AMBIGUOUS_FRAME", "AMBIGUOUS_FRAME"]


def test_part_of_two_exposures_is_complete_with_both() -> None:
    cameras = [{"name": "top", "position_mm": 150}, {"name": "side", "position_mm": 200}]
    rig = Rig(settings(camera=cameras))
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    assert not rig.tracker.is_complete(1)
    rig.move_to(at, 201)
    assert rig.exposed == [1, 1]
    rig.frame(camera="side")
    assert rig.tracker.is_complete(1)


@pytest.mark.parametrize(("pitch_mm", "reasons"), [(89.5, ["TOUCHING", "TOUCHING"]), (90, [])])
def test_edges_closer_than_the_least_pitch_reject_both(pitch_mm: float, reasons: list[str]) -> None:
    rig = Rig()
    first = rig.part()
    rig.move_to(first, pitch_mm)
    rig.edge("part")
    assert rig.reasons == reasons


def test_good_part_that_is_then_touched_is_rejected() -> None:
    rig = Rig(settings(camera=[{"position_mm": 62}]))
    first = rig.part()
    rig.move_to(first, 63)
    rig.frame()
    rig.judge(1)
    rig.move_to(first, 80)
    rig.part()
    assert [event.part_id for event in rig.of(EventKind.REROUTED)] == [1]


def test_two_parts_without_a_gap_are_rejected_together() -> None:
    rig = Rig()
    at = rig.part(covered_mm=120)
    assert rig.reasons == ["TOUCHING"]
    rig.move_to(at, 620)
    ons = rig.of(EventKind.GATE_ON)[0].count
    offs = rig.of(EventKind.GATE_OFF)[0].count
    assert (offs - ons) / PER_MM == pytest.approx(40 + 60, abs=1)


@pytest.mark.parametrize(("covered_mm", "reasons"), [(75, []), (76, ["TOUCHING"])])
def test_part_longer_than_one_by_half_the_gap_touches(covered_mm: float, reasons: list[str]) -> None:
    rig = Rig()
    rig.part(covered_mm=covered_mm)
    assert rig.reasons == reasons


# Rules 3 and 4: fire point and cut-off


@pytest.mark.parametrize("speed_mm_s", [300, 500, 1000])
def test_gate_fires_earlier_by_speed_times_lag(speed_mm_s: float) -> None:
    rig = Rig()
    rig.speed_mm_s = speed_mm_s
    at = rig.bad_part()
    rig.move_to(at, 700)
    fired_mm = (float(rig.of(EventKind.GATE_ON)[0].data["position"]) - at) / PER_MM
    assert fired_mm == pytest.approx(400 + 10 - speed_mm_s * 0.012, abs=0.5)
    ended_mm = (float(rig.of(EventKind.GATE_OFF)[0].data["position"]) - at) / PER_MM
    assert ended_mm - fired_mm == pytest.approx(40, abs=0.5)


def test_part_without_verdict_at_the_cut_off_is_rejected() -> None:
    rig = Rig(settings(camera=[{"position_mm": 150, "frame_timeout_ms": 5000}]))
    at = rig.part()
    cut_mm = 400 + 10 - 500 * 0.012 - 500 * 0.005
    rig.move_to(at, cut_mm - 1)
    assert rig.reasons == []
    rig.move_to(at, cut_mm + 1)
    assert rig.reasons == ["DEADLINE"]
    rig.move_to(at, 460)
    assert rig.gate == [True, False]


def test_first_verdict_wins() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.judge(1)
    assert len(rig.of(EventKind.VERDICT_LATE)) == 1
    rig.move_to(at, 460)
    assert rig.gate == [True, False]


def test_verdict_on_an_unknown_part_is_only_logged() -> None:
    rig = Rig()
    rig.judge(99, "reject")
    assert len(rig.of(EventKind.VERDICT_LATE)) == 1
    assert rig.tracker.tally.triggers == 0


# Rule 5: queue


def test_queue_overflow_stops_the_line_and_loses_nothing_in_silence() -> None:
    rig = Rig(settings(stops={"consecutive_rejects": 0, "reject_rate": 0}))
    for _ in range(9):
        rig.edge("part")
        rig.move(3)
    assert rig.causes == []
    rig.edge("part")
    assert rig.causes == ["QUEUE_OVERFLOW"]
    assert rig.tracker.tally.triggers == 10
    assert rig.tracker.tally.lost == 1
    assert rig.tracker.tally.is_balanced


# Rule 7: start and purge


def test_diverter_purges_by_itself_and_keeps_the_gate_open() -> None:
    rig = Rig(is_ready=False)
    assert rig.permits == [True]
    rig.move(499)
    assert (rig.gate, rig.tracker.state.value) == ([True], "PURGING")
    rig.move(1.5)
    assert (rig.gate, rig.tracker.state.value) == ([True, False], "RUNNING")


@pytest.mark.parametrize(("after_mm", "reasons"), [(0, ["PURGED"]), (99, ["PURGED"]), (100, ["PURGED"]), (101, [])])
def test_part_that_reaches_the_gate_within_the_purge_is_rejected(after_mm: float, reasons: list[str]) -> None:
    rig = Rig(is_ready=False)
    rig.move(after_mm)
    rig.edge("part")
    assert rig.reasons == reasons
    assert rig.causes == []


def test_pusher_waits_until_a_person_has_cleared_the_belt() -> None:
    rig = Rig(settings(gate__kind="pusher"), is_ready=False)
    assert (rig.causes, rig.permits) == (["NOT_CLEARED"], [False])
    with pytest.raises(CommandRefusedError, match="cannot purge"):
        rig.tracker.reset("Ada", "lead", "start")
    rig.tracker.reset("Ada", "lead", "start", is_cleared=True)
    rig.take()
    assert (rig.causes, rig.permits) == ([], [False, True])


def test_skipped_encoder_state_stops_the_line_and_rejects_what_is_in_flight() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    rig.judge(1)
    rig.missed = 1
    rig.step()
    assert rig.causes == ["ENCODER_FAULT"]
    assert [event.part_id for event in rig.of(EventKind.REROUTED)] == [1]
    rig.move_to(at, 450)
    assert rig.gate == [True]


def test_part_without_verdict_is_rejected_when_the_belt_position_is_lost() -> None:
    rig = Rig()
    rig.part()
    rig.missed = 1
    rig.step()
    (verdict,) = rig.of(EventKind.VERDICT)
    assert (verdict.data["reasons"], verdict.data["text"]) == ("PURGED", "on belt that was not watched all the way")


def test_parts_cleared_by_hand_are_accounted_for() -> None:
    rig = pusher()
    at = rig.good_part()
    rig.move_to(at, 300)
    rig.part()
    rig.tracker.stop("Ada")
    rig.tracker.reset("Ada", "lead", "jam", is_cleared=True)
    rig.take()
    assert rig.outcomes == [("REJECTED", "BY_HAND"), ("REJECTED", "BY_HAND")]
    assert [event.data["text"] for event in rig.of(EventKind.VERDICT)] == ["", "taken off the belt by hand"]
    assert rig.tracker.tally.in_flight == 0
    rig.move(800)
    assert rig.causes == []


def test_part_after_a_cleared_one_is_measured_against_it() -> None:
    rig = pusher()
    rig.part()
    rig.tracker.stop("Ada")
    rig.tracker.reset("Ada", "lead", "jam", is_cleared=True)
    rig.move(20)
    rig.edge("part")
    assert rig.reasons == ["PURGED", "TOUCHING"]


def test_part_that_covers_the_sensor_at_the_start_is_no_part_of_ours() -> None:
    rig = Rig(is_ready=False)
    rig.tracker.start(BeltReading(0, rig.now_ns), rig.now_ns, ["part"])
    rig.move(20)
    rig.edge("part", is_active=False)
    assert (rig.tracker.tally.triggers, rig.causes) == (0, [])


def test_sensor_that_stays_covered_from_the_start_on_is_blocked() -> None:
    rig = Rig(is_ready=False)
    rig.tracker.start(BeltReading(0, rig.now_ns), rig.now_ns, ["part"])
    rig.move(299)
    assert rig.causes == []
    rig.move(2)
    assert rig.causes == ["SENSOR_BLOCKED"]


def test_events_carry_lane_and_epoch_and_are_numbered_without_gaps() -> None:
    tracker = Tracker(settings(), Opening(epoch=7, lot="L1"))
    tracker.start(BeltReading(0, 0), 0)
    events = tracker.take_events()
    assert {(event.lane, event.epoch) for event in events} == {(1, 7)}
    assert [event.sequence for event in events] == list(range(len(events)))


def test_part_laid_before_the_sensor_of_a_standing_belt_is_a_part() -> None:
    rig = Rig()
    rig.wait(60_000)
    rig.edge("part")
    assert (rig.tracker.tally.triggers, rig.causes, rig.reasons) == (1, [], [])


# Waking


def test_next_wake_is_the_time_of_the_next_position() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 100)
    wake_ns = rig.tracker.next_wake_ns(rig.now_ns)
    assert wake_ns is not None
    assert wake_ns - rig.now_ns == pytest.approx(50 / 500 * 1e9, rel=0.02)


def test_standing_belt_wakes_nobody() -> None:
    rig = Rig()
    rig.wait(500)
    assert rig.tracker.next_wake_ns(rig.now_ns) is None


def test_serial_may_arrive_late() -> None:
    rig = Rig()
    rig.part()
    rig.tracker.serial(1, "SN-7")
    rig.take()
    assert rig.of(EventKind.SERIAL)[0].data["serial"] == "SN-7"
