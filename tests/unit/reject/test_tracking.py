"""The rules of REJECT_TRACKING, one by one, on the tracker alone."""

from __future__ import annotations

import pytest
from rig import PER_MM, Rig, settings

from app.errors import CommandRefusedError
from app.types import EventKind


def pair(rig: Rig, *destinations: str) -> tuple[int, int]:
    """Two parts 95 mm apart, each judged under the camera."""
    first = rig.part()
    rig.move_to(first, 95)
    second = rig.part()
    for at, destination in zip((first, second), destinations, strict=True):
        rig.move_to(at, 151)
        rig.frame()
        rig.judge(rig.exposed[-1], destination)
    return first, second


def pusher(**changes: object) -> Rig:
    return Rig(settings(gate__kind="pusher", **changes))


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


# Rule 6: gates


def two_bins() -> Rig:
    gates = [
        {"destination": "reject", "kind": "diverter", "output": {"pin": 22}, "position_mm": 600},
        {"destination": "rework", "kind": "pusher", "output": {"pin": 23}, "position_mm": 400},
    ]
    line = settings(gate=gates, exit={"sensor": {"pin": 24}, "position_mm": 800, "tolerance_mm": 30})
    rig = Rig(line, is_ready=False)
    rig.move(720)
    rig.commands.clear()
    rig.events.clear()
    return rig


def test_verdict_names_the_gate_that_acts() -> None:
    rig = two_bins()
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    rig.judge(1, "rework")
    rig.move_to(at, 900)
    assert {str(event.data["destination"]) for event in rig.of(EventKind.GATE_ON)} == {"rework"}
    assert rig.outcomes == [("REJECTED", "UNCONFIRMED")]


def test_verdict_too_late_for_its_bin_goes_to_the_default_one() -> None:
    rig = two_bins()
    at = rig.part()
    rig.move_to(at, 420)
    assert rig.reasons == ["NO_FRAME"]
    rig.move_to(at, 700)
    assert {str(event.data["destination"]) for event in rig.of(EventKind.GATE_ON)} == {"reject"}


def test_unknown_destination_goes_to_the_default_bin() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    rig.judge(1, "nowhere")
    rig.move_to(at, 460)
    assert rig.gate == [True, False]


def test_good_neighbour_inside_a_dwell_is_recorded_as_collateral() -> None:
    rig = Rig(settings(gate__dwell_mm=130))
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 480)
    rig.edge("chute:reject")
    rig.move_to(good, 480)
    rig.edge("chute:reject")
    assert rig.outcomes == [("REJECTED", "SEEN"), ("REJECTED", "SEEN")]
    assert rig.of(EventKind.OUTCOME)[1].data["reason"] == "REJECT_COLLATERAL"
    assert rig.causes == []


def test_collateral_that_the_exit_sees_has_passed() -> None:
    rig = Rig(settings(gate__dwell_mm=130))
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 480)
    rig.edge("chute:reject")
    rig.move_to(good, 600)
    rig.edge("exit")
    assert [event.data["reason"] for event in rig.of(EventKind.REROUTED)] == ["REJECT_COLLATERAL"]
    assert rig.outcomes == [("REJECTED", "SEEN"), ("PASSED", "SEEN")]
    assert rig.causes == []


def test_overlapping_dwells_merge() -> None:
    rig = Rig(settings(gate__dwell_mm=110))
    first, second = pair(rig, "reject", "reject")
    rig.move_to(first, 490)
    rig.edge("chute:reject")
    rig.move_to(second, 530)
    assert rig.gate == [True, False]


def test_pulse_that_must_drop_inside_its_dwell_stops_the_line() -> None:
    rig = pusher(gate__max_on_ms=400)
    at = rig.bad_part()
    rig.move_to(at, 415)
    assert rig.gate == [True]
    rig.wait(500)
    assert rig.gate == [True, False]
    assert rig.causes == ["GATE_TIMEOUT"]
    rig.move_to(at, 440)
    assert rig.gate == [True, False]


def test_diverter_may_hold_its_dwell_for_ever() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 415)
    rig.wait(60_000)
    assert (rig.gate, rig.causes) == ([True], [])


def test_pulse_lasts_its_minimum() -> None:
    rig = pusher(gate__dwell_mm=2, gate__min_on_ms=50, gate__offset_mm=28)
    at = rig.bad_part()
    rig.move_to(at, 700)
    on, off = rig.of(EventKind.GATE_ON)[0].at_ns, rig.of(EventKind.GATE_OFF)[0].at_ns
    assert off - on >= 50e6
    assert off - on < 60e6


def test_bad_part_that_slipped_past_the_gate_stops_the_line() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 380)
    rig.step(80 * PER_MM)  # the station slept while the part went by
    assert rig.causes == ["BAD_NOT_REJECTED"]
    rig.move_to(at, 640)
    assert rig.outcomes == [("LOST", "MISSING")]


# Rule 7: start and purge


def test_diverter_purges_by_itself_and_keeps_the_gate_open() -> None:
    rig = Rig(is_ready=False)
    assert rig.permits == [True]
    rig.move(499)
    assert (rig.gate, rig.tracker.state.value) == ([True], "PURGING")
    rig.move(1.5)
    assert (rig.gate, rig.tracker.state.value) == ([True, False], "RUNNING")


@pytest.mark.parametrize(("after_mm", "reasons"), [(99, ["PURGED"]), (101, [])])
def test_part_that_reaches_the_gate_within_the_purge_is_rejected(after_mm: float, reasons: list[str]) -> None:
    rig = Rig(is_ready=False)
    rig.move(after_mm)
    rig.edge("part")
    assert rig.reasons == reasons


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


def test_parts_cleared_by_hand_are_accounted_for() -> None:
    rig = pusher()
    at = rig.good_part()
    rig.move_to(at, 300)
    rig.part()
    rig.tracker.stop("Ada")
    rig.tracker.reset("Ada", "lead", "jam", is_cleared=True)
    rig.take()
    assert rig.outcomes == [("REJECTED", "BY_HAND"), ("REJECTED", "BY_HAND")]
    assert rig.tracker.tally.in_flight == 0
    rig.move(800)
    assert rig.causes == []


# Rule 8: confirmation


def test_missed_reject_stops_the_line() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 404 + 120 - 1)
    assert rig.causes == []
    rig.move_to(at, 404 + 120 + 1)
    assert rig.causes == ["MISSED_REJECT"]
    assert rig.outcomes == [("LOST", "MISSING")]
    rig.move_to(at, 600)
    rig.edge("exit")
    assert rig.causes == ["MISSED_REJECT", "BAD_AT_EXIT"]
    assert rig.outcomes == [("LOST", "MISSING")]


def test_bad_part_at_the_exit_stops_a_line_without_chute_sensor() -> None:
    rig = Rig(settings(gate__chute=None))
    at = rig.bad_part()
    rig.move_to(at, 600)
    rig.edge("exit")
    assert rig.causes == ["BAD_AT_EXIT"]


def test_missed_reject_does_not_borrow_the_proof_of_its_neighbour() -> None:
    rig = Rig(settings(stops={"consecutive_rejects": 0, "reject_rate": 0}))
    for _ in range(2):
        at = rig.bad_part()
        rig.move_to(at, 484)
        rig.edge("chute:reject")
        rig.move_to(at, 700)
    _, second = pair(rig, "reject", "reject")
    rig.move_to(second, 484)
    rig.edge("chute:reject")
    assert [(e.part_id, e.data["outcome"]) for e in rig.of(EventKind.OUTCOME)][2:] == [(3, "LOST"), (4, "REJECTED")]


def test_part_that_no_trigger_announced_stops_the_line_at_the_exit() -> None:
    rig = Rig()
    rig.move(300)
    rig.edge("exit")
    assert rig.causes == ["EXTRA_PART"]


def test_part_from_before_the_start_is_an_alarm_at_the_exit() -> None:
    rig = Rig()
    rig.edge("exit")
    assert rig.causes == []
    assert rig.of(EventKind.ALARM)[0].data["alarm"] == "UNSEEN_PART"


@pytest.mark.parametrize(("at_mm", "outcomes"), [(571, [("PASSED", "SEEN")]), (630, [("PASSED", "SEEN")])])
def test_good_part_is_seen_within_the_tolerance_of_the_exit(at_mm: float, outcomes: list[tuple[str, str]]) -> None:
    rig = Rig()
    at = rig.good_part()
    rig.move_to(at, at_mm)
    rig.edge("exit")
    assert rig.outcomes == outcomes


def test_good_part_that_never_arrives_is_lost_and_an_alarm() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.move_to(at, 631)
    assert rig.outcomes == [("LOST", "MISSING")]
    assert rig.of(EventKind.ALARM)[0].data["alarm"] == "LOST_PART"
    assert rig.causes == []


def test_good_part_that_fell_into_the_chute_is_an_alarm() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.move_to(at, 480)
    rig.edge("chute:reject")
    assert rig.outcomes == [("REJECTED", "SEEN")]
    assert rig.of(EventKind.ALARM)[0].data["alarm"] == "UNEXPECTED_REJECT"
    assert rig.causes == []


def test_repeated_alarms_stop_the_line() -> None:
    rig = Rig()
    for _ in range(3):
        assert rig.causes == []
        at = rig.good_part()
        rig.move_to(at, 640)
    assert rig.causes == ["REPEATED_ALARMS"]


def test_without_sensors_outcomes_are_unconfirmed() -> None:
    rig = Rig(settings(gate__chute=None, exit=None))
    bad = rig.bad_part()
    rig.move_to(bad, 500)
    good = rig.good_part()
    rig.move_to(good, 500)
    assert rig.outcomes == [("REJECTED", "UNCONFIRMED"), ("PASSED", "UNCONFIRMED")]


# Rule 9: the account


def test_lot_with_a_lost_part_closes_only_with_name_and_reason() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.move_to(at, 640)
    rig.tracker.open_lot("L2")
    with pytest.raises(CommandRefusedError, match="1 lost"):
        rig.tracker.close_lot("L1")
    with pytest.raises(CommandRefusedError, match="1 lost"):
        rig.tracker.close_lot("L1", by="Ada")
    tally = rig.tracker.close_lot("L1", by="Ada", reason="fell off, found")
    assert (tally.lost, tally.is_balanced) == (1, True)


def test_part_counts_for_the_lot_of_its_trigger() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.tracker.open_lot("L2")
    with pytest.raises(CommandRefusedError, match="in flight"):
        rig.tracker.close_lot("L1")
    rig.move_to(at, 600)
    rig.edge("exit")
    assert rig.tracker.tally.triggers == 0
    assert rig.tracker.close_lot("L1").passed == 1


def test_running_lot_cannot_be_closed_nor_opened_twice() -> None:
    rig = Rig()
    for call in (
        lambda: rig.tracker.close_lot("L1"),
        lambda: rig.tracker.open_lot("L1"),
        lambda: rig.tracker.open_lot(" "),
    ):
        with pytest.raises(CommandRefusedError):
            call()


# Rule 12: latched stops


@pytest.mark.parametrize("rejects", [4, 5])
def test_rejects_in_a_row_stop_the_line(rejects: int) -> None:
    rig = Rig()
    for _ in range(rejects):
        at = rig.bad_part()
        rig.move_to(at, 484)
        rig.edge("chute:reject")
        rig.move_to(at, 600)
    assert rig.causes == (["CONSECUTIVE_REJECTS"] if rejects == 5 else [])


def test_good_part_ends_a_row_of_rejects() -> None:
    rig = Rig()
    for number in range(9):
        at = rig.good_part() if number == 4 else rig.bad_part()
        rig.move_to(at, 484)
        if number != 4:
            rig.edge("chute:reject")
        rig.move_to(at, 600)
        if number == 4:
            rig.edge("exit")
    assert rig.causes == []


def test_reject_rate_over_the_window_stops_the_line() -> None:
    rig = Rig(settings(stops={"consecutive_rejects": 0, "reject_rate": 0.5, "rate_window_parts": 6}))
    for number, is_bad in enumerate([True, False, True, False, True, True]):
        assert rig.causes == [], number
        at = rig.bad_part() if is_bad else rig.good_part()
        rig.move_to(at, 484)
        if is_bad:
            rig.edge("chute:reject")
        rig.move_to(at, 600)
        if not is_bad:
            rig.edge("exit")
    assert rig.causes == ["REJECT_RATE"]


@pytest.mark.parametrize(
    ("name", "cause", "where"),
    [
        ("bin_full:reject", "BIN_FULL", "gate__bin_full"),
        ("bin_open:reject", "BIN_OPEN", "gate__bin_open"),
        ("air_low", "AIR_LOW", "stops__air_low"),
    ],
)
def test_bin_and_air_stop_the_line_until_they_are_put_right(name: str, cause: str, where: str) -> None:
    rig = Rig(settings(**{where: {"pin": 9}}))
    rig.edge(name)
    assert (rig.causes, rig.permits) == ([cause], [False])
    with pytest.raises(CommandRefusedError, match=cause):
        rig.tracker.reset("Ada", "lead", "emptied")
    rig.edge(name, is_active=False)
    assert rig.causes == [cause]
    rig.tracker.reset("Ada", "lead", "emptied")
    rig.take()
    assert (rig.causes, rig.permits) == ([], [False, True])


def test_blocked_sensor_stops_the_line_until_it_is_free() -> None:
    rig = Rig()
    rig.edge("part")
    rig.move(299)
    assert rig.causes == []
    rig.move(2)
    assert rig.causes == ["SENSOR_BLOCKED"]
    with pytest.raises(CommandRefusedError, match="SENSOR_BLOCKED"):
        rig.tracker.reset("Ada", "lead", "?")
    rig.edge("part", is_active=False)
    rig.tracker.reset("Ada", "lead", "wiped")
    assert rig.causes == []


def test_encoder_still_while_the_belt_runs_stops_the_line() -> None:
    rig = Rig(settings(belt__running={"pin": 9}))
    rig.edge("running")
    rig.wait(290)
    assert rig.causes == []
    rig.wait(20)
    assert rig.causes == ["ENCODER_STILL"]


def test_encoder_may_be_still_while_the_belt_stands() -> None:
    rig = Rig(settings(belt__running={"pin": 9}))
    rig.edge("running")
    rig.edge("running", is_active=False)
    rig.wait(5000)
    assert rig.causes == []


def test_part_that_passes_without_a_count_stops_the_line() -> None:
    rig = Rig()
    rig.edge("part")
    rig.edge("part", is_active=False)
    assert rig.causes == ["ENCODER_STILL"]


def test_part_on_belt_behind_the_start_means_crossed_encoder_wires() -> None:
    rig = Rig(is_ready=False)
    rig.move(-101)
    rig.edge("part")
    assert rig.causes == ["BELT_BACKWARDS"]
    assert rig.reasons == ["PURGED"]


def test_output_fault_stops_the_line() -> None:
    rig = Rig()
    rig.tracker.fault("gate reads back otherwise")
    rig.take()
    assert (rig.causes, rig.permits) == (["OUTPUT_FAULT"], [False])


@pytest.mark.parametrize(
    ("by", "role", "reason"), [("", "lead", "x"), ("Ada", "lead", " "), ("Ada", "operator", "x"), ("Ada", "", "x")]
)
def test_reset_needs_a_name_a_role_and_a_reason(by: str, role: str, reason: str) -> None:
    rig = Rig()
    rig.tracker.stop("Ada")
    with pytest.raises(CommandRefusedError):
        rig.tracker.reset(by, role, reason)
    assert rig.causes == ["OPERATOR"]


def test_reset_without_a_stop_is_refused() -> None:
    with pytest.raises(CommandRefusedError, match="not stopped"):
        Rig().tracker.reset("Ada", "lead", "x")


def test_purge_follows_a_reset() -> None:
    rig = Rig()
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    rig.judge(1)
    rig.tracker.stop("Ada")
    rig.tracker.reset("Ada", "lead", "looked")
    rig.take()
    assert rig.tracker.state.value == "PURGING"
    rig.move_to(at, 484)
    rig.edge("chute:reject")
    assert rig.outcomes == [("REJECTED", "SEEN")]


def test_permit_is_withdrawn_once_for_several_causes() -> None:
    rig = Rig()
    rig.tracker.stop("Ada")
    rig.tracker.fault("x")
    rig.take()
    assert rig.permits == [False]
    assert rig.causes == ["OPERATOR", "OUTPUT_FAULT"]


# Rule 13: challenge test


def challenge(rig: Rig, parts: int, destination: str = "reject") -> None:
    for _ in range(parts):
        at = rig.part()
        rig.move_to(at, 151)
        rig.frame()
        rig.judge(rig.exposed[-1], destination)
        rig.move_to(at, 484)
        if destination == "reject" and rig.tracker.challenge_phase != "PROVING":
            rig.edge("chute:reject")
        rig.move_to(at, 700)


def one_part_series() -> Rig:
    rig = Rig(settings(challenge={"parts": 1}))
    rig.tracker.start_challenge("Ada")
    return rig


def test_challenge_passes_when_the_suppressed_eject_stops_the_line() -> None:
    rig = one_part_series()
    challenge(rig, 3)
    assert rig.tracker.challenge_phase == "SUPPRESSED"
    at = rig.bad_part()
    rig.move_to(at, 530)
    assert rig.gate == [True, False] * 3
    assert rig.causes == ["MISSED_REJECT"]
    rig.take()
    assert [e.data["result"] for e in rig.of(EventKind.CHALLENGE)] == ["STARTED", "PASSED"]
    rig.tracker.reset("Ada", "lead", "challenge done", is_cleared=True)
    rig.take()
    assert rig.outcomes[-1] == ("REJECTED", "BY_HAND")
    assert rig.tracker.tally.lost == 0


def test_challenge_fails_when_a_known_bad_part_is_not_found() -> None:
    rig = one_part_series()
    at = rig.part()
    rig.move_to(at, 151)
    rig.frame()
    rig.judge(1)
    rig.move_to(at, 600)
    rig.edge("exit")
    assert rig.causes == ["CHALLENGE_FAILED"]
    failed = rig.of(EventKind.CHALLENGE)[-1]
    assert (failed.data["result"], failed.data["quarantine_from"], failed.data["quarantine_to"]) == ("FAILED", 1, 1)


def test_challenge_needs_a_sensor_that_would_notice() -> None:
    rig = Rig(settings(gate__chute=None, exit=None))
    with pytest.raises(CommandRefusedError, match="sensor"):
        rig.tracker.start_challenge("Ada")


def test_challenge_needs_a_running_line() -> None:
    rig = Rig()
    rig.tracker.stop("Ada")
    with pytest.raises(CommandRefusedError, match="running"):
        rig.tracker.start_challenge("Ada")


def test_rejects_of_a_challenge_are_not_rejects_in_a_row() -> None:
    rig = Rig(settings(challenge={"parts": 6}))
    rig.tracker.start_challenge("Ada")
    challenge(rig, 6)
    assert rig.causes == []


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
