"""Rules 6, 8 and 9 of REJECT_TRACKING on the tracker alone: gates, confirmation, the account."""

from __future__ import annotations

import pytest

from app.errors import CommandRefusedError
from app.types import EventKind
from tests.unit.reject.rig import PER_MM, Rig, pair, pusher, settings

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


def test_dwell_that_is_over_does_not_begin_again_when_the_belt_slows() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 420)
    while rig.gate != [True, False]:
        rig.step()
    rig.speed_mm_s = 100
    rig.move(20)
    assert rig.gate == [True, False]


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


def test_part_upstream_of_a_dropped_pulse_is_not_suspect() -> None:
    rig = pusher(gate__dwell_mm=22)
    bad, good = pair(rig, "reject", "pass")
    rig.move_to(bad, 415)
    rig.wait(500)
    assert rig.causes == ["GATE_TIMEOUT"]
    assert rig.of(EventKind.LATCHED)[0].data["text"].endswith("suspect: part 1")
    rig.move_to(bad, 484)
    rig.edge("chute:reject")
    rig.move_to(good, 600)
    rig.edge("exit")
    assert rig.outcomes == [("REJECTED", "SEEN"), ("PASSED", "SEEN")]


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


def test_part_at_the_exit_while_the_encoder_counts_backwards_stops_the_line() -> None:
    rig = Rig()
    at = rig.bad_part()
    rig.move_to(at, 200)
    rig.move(-380)
    rig.edge("exit")
    assert rig.causes == ["EXTRA_PART"]


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
    for words in ({"by": "Ada"}, {"reason": "fell off"}, {"by": " ", "reason": "fell off"}):
        with pytest.raises(CommandRefusedError, match="1 lost"):
            rig.tracker.close_lot("L1", **words)
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
    assert [(each.data["lot"], each.data["triggers"]) for each in rig.of(EventKind.LOT_CLOSED)] == [("L1", 1)]


def test_ended_lot_is_closed_with_its_last_part_and_the_next_one_stays_open() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.tracker.open_lot("L2")
    rig.move_to(at, 590)
    assert rig.of(EventKind.LOT_CLOSED) == []

    rig.edge("exit")
    rig.move_to(at, 700)
    closed = rig.of(EventKind.LOT_CLOSED)
    assert [(each.data["lot"], each.data["by"], each.data["lost"]) for each in closed] == [("L1", "", 0)]
    with pytest.raises(CommandRefusedError, match="not open"):
        rig.tracker.close_lot("L1")


def test_ended_lot_without_parts_is_closed_at_once() -> None:
    rig = Rig()
    rig.tracker.open_lot("L2")
    rig.step()
    assert [each.data["lot"] for each in rig.of(EventKind.LOT_CLOSED)] == ["L1"]


def test_ended_lot_with_a_lost_part_is_not_closed_by_itself() -> None:
    rig = Rig()
    at = rig.good_part()
    rig.tracker.open_lot("L2")
    rig.move_to(at, 900)
    assert rig.of(EventKind.LOT_CLOSED) == []
    assert rig.tracker.close_lot("L1", by="Ada", reason="fell off").lost == 1


def test_running_lot_cannot_be_closed_nor_opened_twice() -> None:
    rig = Rig()
    for call in (
        lambda: rig.tracker.close_lot("L1"),
        lambda: rig.tracker.open_lot("L1"),
        lambda: rig.tracker.open_lot(" "),
    ):
        with pytest.raises(CommandRefusedError):
            call()
