"""Each kind of fault, seen from the pins and from where the parts end."""

from pathlib import Path

import pytest
from gpiozero import DigitalInputDevice
from workshop import EXIT_MM, GATE_MM, LEAD_MM, LENGTH_MM, PER_MM, Workshop, line

from app.twin.flow import BY_HAND, GOOD_BIN
from app.twin.motion import Phase
from app.twin.scenario import Fault, FaultKind

PITCH = 200.0
SECOND_AT = LEAD_MM + PITCH
"""Belt position at which part 1 comes to the part sensor."""


def shop_with(kind, *, parts=4, settings=None, **fault):
    if "at_mm" not in fault:
        fault.setdefault("at_part", 1)
    return Workshop(parts, settings=settings, faults=(Fault(kind, **fault),))


def divert_all(shop):
    """A gate that is on all the time."""
    gate = shop.output(22)
    gate.on()
    return gate


def test_belt_stop_lasts_its_time_and_shifts_nothing_on_the_belt():
    shop = shop_with(FaultKind.BELT_STOP, duration_ms=300.0)
    shop.run_to_end()
    stops = shop.times("running", is_active=False)
    assert len(stops) == 1
    # The drive brakes at its usual rate: v * v / 2a behind the place of the fault.
    assert stops[0] == pytest.approx(SECOND_AT + 500**2 / 8000, abs=0.1)
    assert len(shop.times("exit")) == 4


def test_slow_belt_takes_its_share_of_the_speed():
    shop = shop_with(FaultKind.BELT_SLOW, amount=0.5, duration_mm=200.0)
    shop.run_to_mm(SECOND_AT + 100)
    assert shop.machine.speed_mm_s == pytest.approx(250)
    shop.run_to_mm(SECOND_AT + 300)
    assert shop.machine.speed_mm_s == pytest.approx(500)


def test_reversal_brings_parts_back_and_counts_down():
    shop = shop_with(FaultKind.BELT_REVERSE, amount=1.0, duration_ms=500.0)
    highest = 0
    while shop.machine.speed_mm_s >= 0:
        shop.run_one_event()
        highest = max(highest, shop.count)
    shop.run_to_ms(shop.clock.now_ns() / 1e6 + 200)
    assert shop.count < highest - 50
    shop.run_to_end()
    back_mm = LEAD_MM + LENGTH_MM
    expected = [LEAD_MM, SECOND_AT, back_mm, SECOND_AT, SECOND_AT + PITCH, SECOND_AT + 2 * PITCH]
    assert shop.times("part") == pytest.approx(expected, abs=1e-3), "part 0 looks back in, part 1 comes twice"


def test_dead_encoder_shows_no_edge_while_the_belt_runs():
    shop = shop_with(FaultKind.ENCODER_DEAD, duration_mm=100.0)
    shop.run_to_mm(SECOND_AT + 1)
    stuck = shop.count
    shop.run_to_mm(SECOND_AT + 99)
    assert shop.count == stuck
    shop.run_to_mm(SECOND_AT + 300)
    assert shop.count == pytest.approx((SECOND_AT + 200) * PER_MM, abs=2)


def test_slipping_encoder_misses_its_share_of_the_way():
    shop = shop_with(FaultKind.ENCODER_SLIP, amount=0.25, duration_mm=200.0)
    shop.run_to_mm(SECOND_AT + 300)
    assert shop.count == pytest.approx((SECOND_AT + 250) * PER_MM, abs=2)
    assert shop.missed == 0


def test_encoder_that_always_slips_counts_less():
    shop = Workshop(1, slip=0.02)
    shop.run_to_mm(500)
    assert shop.count == pytest.approx(500 * PER_MM * 0.98, abs=1)


def test_skipped_state_is_an_edge_that_the_box_never_hears_of():
    whole, skipped = Workshop(4), shop_with(FaultKind.ENCODER_SKIP)
    whole.run_to_mm(SECOND_AT + 50)
    skipped.run_to_mm(SECOND_AT + 50)
    assert skipped.edges == whole.edges - 1
    assert skipped.missed > 0


def test_reversed_encoder_counts_down_while_the_belt_runs_forwards():
    shop = shop_with(FaultKind.ENCODER_REVERSED, duration_mm=100.0)
    shop.run_to_mm(SECOND_AT + 100)
    assert shop.count == pytest.approx((SECOND_AT - 100) * PER_MM, abs=2)
    assert shop.missed == 0


def test_dead_part_sensor_does_not_see_the_parts_of_its_stretch():
    shop = shop_with(FaultKind.PART_DEAD, duration_mm=PITCH + LENGTH_MM + 10)
    shop.run_to_end()
    assert shop.times("part") == pytest.approx([LEAD_MM, LEAD_MM + 3 * PITCH], abs=1e-3)


def test_blocked_part_sensor_stays_active_for_its_stretch():
    shop = shop_with(FaultKind.PART_BLOCKED, at_mm=250.0, duration_mm=350.0)
    shop.run_to_end()
    assert shop.times("part")[1] == pytest.approx(250, abs=1e-3)
    assert shop.times("part", is_active=False)[1] == pytest.approx(600, abs=1e-3)


def test_bouncing_part_sensor_chatters_although_it_has_no_debounce():
    shop = shop_with(FaultKind.PART_BOUNCING, amount=4.0, duration_mm=10.0)
    shop.run_to_end()
    edges = [at_mm for at_mm in shop.times("part") if SECOND_AT - 1 < at_mm < SECOND_AT + LENGTH_MM - 1]
    assert len(edges) > 1
    assert max(edges) <= SECOND_AT + 4.0 * 0.5 + 1e-3


def test_glitch_is_a_short_signal_without_a_part():
    shop = shop_with(FaultKind.PART_GLITCH, at_mm=250.0, amount=2.0)
    shop.run_to_end()
    assert shop.times("part")[1] == pytest.approx(250, abs=1e-3)
    assert shop.times("part", is_active=False)[1] == pytest.approx(250 + 0.002 * 500, abs=1e-2)


@pytest.mark.parametrize(("kind", "seen"), [(FaultKind.CHUTE_DEAD, 1), (FaultKind.CHUTE_STUCK, 2)])
def test_chute_sensor_fails(kind, seen):
    shop = shop_with(kind, at_mm=LEAD_MM + GATE_MM + 150)
    gate = divert_all(shop)
    shop.run_to_end()
    assert len(shop.times("chute:reject")) == seen
    assert [shop.place(i) for i in range(4)] == ["reject"] * 4
    assert shop.inputs["chute:reject"].is_active is (kind is FaultKind.CHUTE_STUCK)
    gate.close()


@pytest.mark.parametrize(("kind", "seen"), [(FaultKind.EXIT_DEAD, 1), (FaultKind.EXIT_STUCK, 2)])
def test_exit_sensor_fails(kind, seen):
    shop = shop_with(kind, at_mm=LEAD_MM + EXIT_MM + 100)
    shop.run_to_end()
    assert len(shop.times("exit")) == seen
    assert [shop.place(i) for i in range(4)] == [GOOD_BIN] * 4


def test_gate_stuck_off_takes_nothing_and_its_read_back_knows_nothing_of_it():
    shop = shop_with(FaultKind.GATE_STUCK_OFF, at_mm=0.0)
    gate = divert_all(shop)
    contact = DigitalInputDevice(21, pin_factory=shop.factory)
    shop.run_to_end()
    assert contact.is_active
    assert [shop.place(i) for i in range(4)] == [GOOD_BIN] * 4
    gate.close()


def test_gate_stuck_on_takes_everything():
    shop = shop_with(FaultKind.GATE_STUCK_ON, at_mm=0.0)
    shop.run_to_end()
    assert [shop.place(i) for i in range(4)] == ["reject"] * 4


def test_gate_works_again_when_the_fault_ends():
    shop = shop_with(FaultKind.GATE_STUCK_ON, at_mm=0.0, duration_mm=LEAD_MM + GATE_MM + PITCH)
    shop.run_to_end()
    assert [shop.place(i) for i in range(4)] == ["reject"] + [GOOD_BIN] * 3


def test_weak_gate_misses_its_one_part():
    shop = shop_with(FaultKind.GATE_WEAK)
    gate = divert_all(shop)
    shop.run_to_end()
    assert [shop.place(i) for i in range(4)] == ["reject", GOOD_BIN, "reject", "reject"]
    gate.close()


def test_slow_gate_comes_too_late():
    shop = shop_with(FaultKind.GATE_SLOW, at_mm=0.0, amount=100.0, parts=1)
    gate = shop.output(22)
    shop.run_to_mm(LEAD_MM + GATE_MM)
    gate.on()
    shop.run_to_end()
    assert shop.place(0) == GOOD_BIN


def test_wrong_read_back_contradicts_the_output():
    shop = shop_with(FaultKind.READ_BACK_WRONG, at_mm=50.0)
    contact = DigitalInputDevice(21, pin_factory=shop.factory)
    gate = divert_all(shop)
    assert contact.is_active
    shop.run_to_mm(60)
    assert not contact.is_active
    gate.close()


@pytest.mark.parametrize(("kind", "name"), [(FaultKind.AIR_LOW, "air_low"), (FaultKind.BIN_FULL, "bin_full:reject")])
def test_plant_reports_its_trouble_for_its_time(kind, name):
    shop = shop_with(kind, duration_ms=100.0)
    shop.run_to_end()
    assert shop.times(name) == pytest.approx([SECOND_AT], abs=1e-3)
    assert shop.times(name, is_active=False) == pytest.approx([SECOND_AT + 50], abs=1e-2)


def test_open_bin_is_reported():
    settings = line(gate__bin_open={"pin": 20})
    shop = shop_with(FaultKind.BIN_OPEN, settings=settings)
    contact = DigitalInputDevice(20, pin_factory=shop.factory)
    shop.run_to_end()
    assert contact.is_active


def test_stop_from_outside_is_reported():
    settings = line(handshake={"stopped": {"pin": 20}})
    shop = shop_with(FaultKind.STOPPED, settings=settings)
    contact = DigitalInputDevice(20, pin_factory=shop.factory)
    shop.run_to_end()
    assert contact.is_active


def test_touching_part_follows_at_the_gap_it_was_given():
    shop = shop_with(FaultKind.TOUCHING, amount=3.0)
    shop.run_to_end()
    assert shop.times("part")[1] == pytest.approx(LEAD_MM + LENGTH_MM + 3, abs=1e-3)
    assert len(shop.times("part")) == 4


def test_extra_part_is_seen_at_the_exit_only():
    shop = shop_with(FaultKind.EXTRA_PART)
    shop.run_to_end()
    assert len(shop.times("part")) == 4
    assert len(shop.times("exit")) == 5
    assert [part.is_bad for part in shop.machine.truth().parts if part.is_dropped] == [True]


def test_taken_part_never_comes_to_the_exit():
    shop = shop_with(FaultKind.PART_TAKEN, amount=250.0)
    shop.run_to_end()
    assert len(shop.times("part")) == 4
    assert len(shop.times("exit")) == 3
    assert shop.place(1) == BY_HAND


def test_part_taken_from_under_the_part_sensor_uncovers_it():
    shop = shop_with(FaultKind.PART_TAKEN, amount=20.0)
    shop.run_to_end()
    assert shop.times("part", is_active=False)[1] == pytest.approx(SECOND_AT + 20, abs=1e-3)


def test_relay_that_ignores_its_toggles_drops():
    settings = line(permit={"output": {"pin": 27}, "hold_ms": 100})
    shop = shop_with(FaultKind.PERMIT_IGNORED, settings=settings, at_mm=50.0, duration_ms=1000.0)
    permit = shop.output(27)
    for at_ms in range(0, 1000, 40):
        shop.run_to_ms(at_ms)
        permit.toggle()
    assert shop.machine.is_still
    for at_ms in range(1000, 2000, 40):
        shop.run_to_ms(at_ms)
        permit.toggle()
    assert shop.machine.relay.is_on


def test_fault_at_a_part_that_does_not_come_never_happens():
    shop = shop_with(FaultKind.PART_DEAD, at_part=99)
    shop.run_to_end()
    assert len(shop.times("part")) == 4


def test_every_kind_but_the_cameras_has_a_test_here():
    text = Path(__file__).read_text(encoding="utf-8")
    told = {name for name in FaultKind.__members__ if f"FaultKind.{name}" in text}
    cameras = {name for name in FaultKind.__members__ if name.startswith(("CAMERA", "FRAME", "COUNTER"))}
    assert told | cameras == set(FaultKind.__members__)


@pytest.mark.parametrize("wrong", [{}, {"at_part": 1, "at_mm": 5.0}])
def test_fault_needs_exactly_one_place(wrong):
    with pytest.raises(ValueError, match="at_part"):
        Fault(FaultKind.PART_DEAD, **wrong)


def test_fault_with_two_durations_is_refused():
    with pytest.raises(ValueError, match="duration"):
        Fault(FaultKind.PART_DEAD, at_part=1, duration_mm=5.0, duration_ms=5.0)


def test_fault_of_one_part_needs_that_part():
    with pytest.raises(ValueError, match="at_part"):
        Fault(FaultKind.GATE_WEAK, at_mm=5.0)


def test_stop_in_a_profile_is_a_phase():
    shop = Workshop(1, phases=(Phase(500, 400), Phase(0, 300)))
    shop.run_to_end()
    assert len(shop.times("running", is_active=False)) >= 1
