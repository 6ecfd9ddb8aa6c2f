"""Rules 12 and 13 of REJECT_TRACKING on the tracker alone: latched stops and the challenge test."""

from __future__ import annotations

import pytest

from app.clock import NS_PER_MS, NS_PER_S
from app.errors import CommandRefusedError
from app.reject.lineio import BeltReading, Edge
from app.types import EventKind
from tests.unit.reject.rig import Rig, settings

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


def test_encoder_that_is_still_still_forbids_the_reset() -> None:
    rig = Rig(settings(belt__running={"pin": 9}))
    rig.edge("running")
    rig.wait(310)
    with pytest.raises(CommandRefusedError, match=r"still present: ENCODER_STILL \(encoder\)"):
        rig.tracker.reset("Ada", "lead", "?")
    rig.move(1)
    rig.tracker.reset("Ada", "lead", "coupling tightened")
    assert rig.causes == []


def test_belt_may_go_back_by_the_stretch_that_is_watched_and_no_farther() -> None:
    rig = Rig()
    rig.move(-500)
    assert rig.causes == []
    rig.move(-0.5)
    (latch,) = rig.tracker.latches
    assert latch.cause.value == "BELT_BACKWARDS"
    assert latch.text == (
        "the belt has gone back by 500 mm; if it runs forward, swap the wires A and B of the encoder, or change"
        " encoder.reverse"
    )


def test_belt_that_runs_at_the_start_already_is_watched() -> None:
    rig = Rig(settings(belt__running={"pin": 9}), is_ready=False)
    rig.tracker.start(BeltReading(0, rig.now_ns), rig.now_ns, ["running"])
    rig.wait(290)
    assert rig.causes == []
    rig.wait(20)
    assert rig.causes == ["ENCODER_STILL"]


def test_still_encoder_is_timed_from_the_edge_that_started_the_belt() -> None:
    rig = Rig(settings(belt__running={"pin": 9}))
    rig.wait(400)
    rig.tracker.edge(Edge("running", True, rig.now_ns - 200 * NS_PER_MS, rig.count))
    rig.wait(90)
    assert rig.causes == []
    rig.wait(15)
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
    (latch,) = rig.tracker.latches
    assert latch.cause.value == "ENCODER_STILL"
    assert (latch.text, latch.part_id) == ("a part went by and the encoder counted nothing", 1)


def test_two_parts_at_one_count_stop_the_line() -> None:
    rig = Rig()
    rig.edge("part")
    rig.edge("part")
    (latch,) = rig.tracker.latches
    assert latch.cause.value == "ENCODER_STILL"
    assert (latch.text, latch.part_id) == ("two parts came and the encoder counted nothing", 2)


def test_serial_that_is_known_at_the_trigger_is_recorded_with_it() -> None:
    rig = Rig()
    rig.tracker.trigger(rig.now_ns, rig.count, serial="SN-9")
    rig.take()
    assert rig.of(EventKind.TRIGGER)[0].data["serial"] == "SN-9"


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


@pytest.mark.parametrize("proven", [0, 3])
def test_challenge_that_somebody_stopped_and_cleared_by_hand_has_failed_and_says_so(proven) -> None:
    rig = one_part_series()
    challenge(rig, proven)
    rig.part()
    rig.tracker.stop("Ada")
    rig.tracker.reset("Ada", "lead", "cleared", is_cleared=True)
    rig.take()
    failed = rig.of(EventKind.CHALLENGE)[-1]

    assert failed.data["result"] == "FAILED"
    assert failed.data["text"] == (
        f"the test was cut off: somebody cleared known-bad part {proven + 1} off the belt by hand"
    )
    assert rig.causes == ["CHALLENGE_FAILED"]
    assert rig.permits[-1] is False

    rig.tracker.reset("Ada", "lead", "known-bad parts are off the belt", is_cleared=True)
    rig.take()
    assert (rig.causes, rig.permits[-1]) == ([], True)


def test_challenge_needs_a_sensor_that_would_notice() -> None:
    rig = Rig(settings(gate__chute=None, exit=None))
    with pytest.raises(CommandRefusedError, match=r"^no chute or exit sensor could notice a missing reject; fit one$"):
        rig.tracker.start_challenge("Ada")


def test_exit_sensor_alone_can_prove_the_stop() -> None:
    rig = Rig(settings(gate__chute=None))
    rig.tracker.start_challenge("Ada")
    assert rig.tracker.challenge_phase == "SPACED"


def test_challenge_is_due_again_after_its_interval() -> None:
    rig = Rig(settings(challenge={"parts": 1, "interval_h": 1}))
    assert rig.tracker.is_challenge_due()
    rig.tracker.start_challenge("Ada")
    assert not rig.tracker.is_challenge_due()
    challenge(rig, 3)
    at = rig.bad_part()
    rig.move_to(at, 530)
    assert not rig.tracker.is_challenge_due()
    rig.now_ns += 3600 * NS_PER_S
    rig.wait(5)
    assert rig.tracker.is_challenge_due()


def test_challenge_of_the_lot_is_due_where_the_station_begins_within_the_lot() -> None:
    asked, unasked = (Rig(settings(challenge={"at_lot_start": each})) for each in (True, False))

    assert asked.tracker.lot
    assert asked.tracker.is_challenge_due()
    assert not unasked.tracker.is_challenge_due()


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
