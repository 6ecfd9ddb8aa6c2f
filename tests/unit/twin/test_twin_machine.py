import pytest
from gpiozero import DigitalInputDevice
from workshop import GATE_MM, LEAD_MM, LENGTH_MM, PER_MM, PINS, Workshop, line

from app.clock import NS_PER_MS
from app.errors import ConfigError
from app.twin.flow import BY_HAND, GOOD_BIN, ON_BELT
from app.twin.motion import NEVER_NS, Phase
from app.twin.parts import Piece

PITCH = 200.0
CENTRE_AT_GATE = LEAD_MM + GATE_MM + LENGTH_MM / 2
"""Belt position at which the first part's centre passes the gate."""


def test_each_part_passes_the_part_sensor_edge_by_edge():
    shop = Workshop(3)
    shop.run_to_end()
    assert shop.times("part") == pytest.approx([LEAD_MM, LEAD_MM + PITCH, LEAD_MM + 2 * PITCH], abs=1e-3)
    assert shop.times("part", is_active=False) == pytest.approx(
        [LEAD_MM + i * PITCH + LENGTH_MM for i in range(3)], abs=1e-3
    )


def test_part_that_nobody_rejects_passes_the_exit_into_the_good_bin():
    shop = Workshop(1)
    shop.run_to_end()
    assert shop.times("exit") == pytest.approx([LEAD_MM + 600], abs=1e-3)
    assert shop.place(0) == GOOD_BIN


def test_encoder_shows_every_count_forwards():
    shop = Workshop(1)
    shop.run_to_mm(500)
    assert shop.count == shop.machine.count == pytest.approx(500 * PER_MM, abs=1)
    assert shop.missed == 0


def test_encoder_counts_back_when_the_belt_runs_backwards():
    shop = Workshop(1, phases=(Phase(500, 1000), Phase(-250, 1000)))
    shop.run_to_ms(1000)
    highest = shop.count
    shop.run_to_ms(1900)
    assert shop.count < highest - 100
    assert shop.count == pytest.approx(shop.machine.belt_mm * PER_MM, abs=1)
    assert shop.missed == 0


def test_trigger_count_in_the_truth_is_the_count_that_a_box_reads_at_the_edge():
    shop = Workshop(4, speed_jitter=0.02, pitch_jitter_mm=20.0)
    counts = []
    shop.inputs["part"].when_activated = lambda: counts.append(shop.count)
    shop.run_to_end()
    assert [part.trigger_count for part in shop.machine.truth().parts] == counts


def test_part_is_diverted_when_the_gate_rejects_as_its_centre_passes():
    shop = Workshop(2)
    gate = shop.output(22)
    shop.run_to_mm(CENTRE_AT_GATE - 20)
    gate.on()
    shop.run_to_mm(CENTRE_AT_GATE + 20)
    gate.off()
    shop.run_to_end()
    assert shop.place(0) == "reject"
    assert shop.place(1) == GOOD_BIN
    assert len(shop.times("chute:reject")) == 1
    assert len(shop.times("exit")) == 1


@pytest.mark.parametrize(("ahead_ms", "expected"), [(14, "reject"), (10, GOOD_BIN)])
def test_gate_acts_a_lag_after_its_command(ahead_ms, expected):
    shop = Workshop(1)
    gate = shop.output(22)
    shop.run_to_mm(CENTRE_AT_GATE - 0.5 * ahead_ms)
    gate.on()
    shop.run_to_mm(CENTRE_AT_GATE + 30)
    gate.off()
    shop.run_to_end()
    assert shop.place(0) == expected


def test_gate_lets_go_a_lag_after_its_command():
    shop = Workshop(1)
    gate = shop.output(22)
    shop.run_to_mm(CENTRE_AT_GATE - 50)
    gate.on()
    shop.run_to_mm(CENTRE_AT_GATE - 3)
    gate.off()
    shop.run_to_end()
    assert shop.place(0) == "reject"


def test_diverter_without_current_rejects_and_with_current_lets_pass():
    shop = Workshop(2, settings=line(gate__kind="diverter"))
    gate = shop.output(22)
    shop.run_to_mm(CENTRE_AT_GATE + 50)
    gate.on()
    shop.run_to_end()
    assert shop.place(0) == "reject"
    assert shop.place(1) == GOOD_BIN


def test_active_low_output_rejects_when_low():
    shop = Workshop(1, settings=line(gate__output={"pin": 22, "active_low": True}))
    gate = shop.output(22)
    gate.off()
    shop.run_to_end()
    assert shop.place(0) == "reject"


def test_floating_active_low_output_rests_at_its_resistor():
    shop = Workshop(1, settings=line(gate__output={"pin": 22, "active_low": True}))
    assert shop.factory.level(22)
    shop.run_to_end()
    assert shop.place(0) == GOOD_BIN


def test_active_low_sensor_shows_parts_as_low():
    shop = Workshop(1, settings=line(trigger__sensor={"pin": 4, "active_low": True}))
    shop.run_to_mm(LEAD_MM - 5)
    assert shop.factory.level(4)
    shop.run_to_mm(LEAD_MM + 5)
    assert not shop.factory.level(4)


def test_read_back_follows_the_output_at_once():
    shop = Workshop(1)
    gate, contact = shop.output(22), DigitalInputDevice(21, pin_factory=shop.factory)
    gate.on()
    assert contact.is_active
    gate.off()
    assert not contact.is_active


def test_contact_with_debounce_bounces_and_settles_within_it():
    shop = Workshop(20, settings=line(trigger__sensor={"pin": 4, "debounce_ms": 2}), bounce_ms=5.0)
    shop.run_to_mm(LEAD_MM + 19.5 * PITCH)
    starts = [LEAD_MM + i * PITCH for i in range(20)]
    edges = shop.times("part")
    assert len(edges) > 25
    assert all(
        min(abs(at_mm - start) for start in [*starts, *(s + LENGTH_MM for s in starts)]) <= 0.5 * 2 for at_mm in edges
    )


def test_electronic_sensor_does_not_bounce():
    shop = Workshop(5, bounce_ms=5.0)
    shop.run_to_end()
    assert len(shop.times("part")) == 5


def test_running_shows_that_the_belt_moves():
    shop = Workshop(1, phases=(Phase(500, 500), Phase(0, 500)))
    shop.run_to_ms(400)
    assert shop.inputs["running"].is_active
    shop.run_to_ms(950)
    assert not shop.inputs["running"].is_active


def test_part_that_goes_back_and_forth_over_the_sensor_keeps_its_first_count():
    shop = Workshop(1, phases=(Phase(300, 500, 1e6), Phase(-300, 250, 1e6), Phase(300, None, 1e6)))
    shop.run_to_end()
    assert len(shop.times("part")) == 2
    assert shop.machine.truth().parts[0].trigger_count == LEAD_MM * PER_MM


def test_person_clears_what_lies_between_sensor_and_coasting_end():
    shop = Workshop(5)
    shop.run_to_mm(LEAD_MM + 2 * PITCH + 30)
    assert shop.inputs["part"].is_active
    assert shop.machine.clear_stretch() == 3
    assert not shop.inputs["part"].is_active
    assert [shop.place(i) for i in range(5)] == [BY_HAND] * 3 + [ON_BELT] * 2
    shop.run_to_end()
    assert len(shop.times("exit")) == 2


def test_dropped_part_is_seen_by_the_exit_and_not_by_the_part_sensor():
    shop = Workshop(1)
    shop.run_to_mm(LEAD_MM + LENGTH_MM + 100)
    assert shop.machine.drop(Piece("stray.png", is_bad=True, load=lambda: None))
    shop.run_to_end()
    assert len(shop.times("part")) == 1
    assert len(shop.times("exit")) == 2
    assert [(part.name, part.trigger_count, part.is_dropped) for part in shop.machine.truth().parts if part.is_bad] == [
        ("stray.png", None, True)
    ]


def test_no_part_can_be_dropped_on_another():
    shop = Workshop(20, pitch_mm=100.0)
    shop.run_to_mm(1500)
    assert not shop.machine.drop(Piece("stray.png", is_bad=True, load=lambda: None))


def test_relay_holds_while_it_is_toggled_and_drops_after_its_hold_time():
    shop = Workshop(1, settings=line(permit={"output": {"pin": 27}, "hold_ms": 100}))
    permit = shop.output(27)
    shop.run_to_ms(50)
    assert shop.machine.belt_mm == 0
    for at_ms in range(60, 500, 40):
        shop.run_to_ms(at_ms)
        permit.toggle()
    assert shop.machine.relay.is_on
    shop.run_to_ms(460 + 99)
    assert shop.machine.relay.is_on
    shop.run_to_ms(460 + 101)
    assert not shop.machine.relay.is_on


def test_belt_coasts_its_stopping_distance_when_the_relay_drops():
    shop = Workshop(1, settings=line(permit={"output": {"pin": 27}, "hold_ms": 100}))
    permit = shop.output(27)
    for at_ms in range(0, 800, 40):
        shop.run_to_ms(at_ms)
        permit.toggle()
    shop.run_to_ms(720 + 100)  # the last edge to the energised level
    at_mm = shop.machine.belt_mm
    shop.run_to_ms(5000)
    assert shop.machine.is_still
    assert shop.machine.belt_mm - at_mm == pytest.approx(100, abs=1e-3)
    assert shop.machine.next_event_ns() == NEVER_NS


def test_single_edge_does_not_start_the_belt():
    shop = Workshop(1, settings=line(permit={"output": {"pin": 27}, "hold_ms": 100}))
    permit = shop.output(27)
    permit.on()
    shop.run_to_ms(1000)
    assert shop.machine.belt_mm == 0


@pytest.mark.parametrize("how", ["hold", "float", "low"])
def test_belt_stops_when_the_box_dies_whatever_its_pins_do(how):
    shop = Workshop(1, settings=line(permit={"output": {"pin": 27}, "hold_ms": 100}))
    permit = shop.output(27)
    for at_ms in range(0, 500, 40):
        shop.run_to_ms(at_ms)
        permit.toggle()
    shop.run_to_ms(480 + 90)  # the pins of a process that is killed are let go only when all of it is gone
    shop.factory.die(how)
    shop.run_to_ms(480 + 101)
    assert not shop.machine.relay.is_on


def test_run_gives_the_same_world_as_step():
    stepped, ran = Workshop(6, speed_jitter=0.02, seed=5), Workshop(6, speed_jitter=0.02, seed=5)
    stepped.run_to_end()
    while not ran.machine.is_done:
        ran.machine.run(ran.clock.now_ns() + 7 * NS_PER_MS)
    stepped_seen = [(name, state, round(at_mm, 6)) for name, state, at_mm in stepped.seen]
    assert [(name, state, round(at_mm, 6)) for name, state, at_mm in ran.seen] == stepped_seen
    assert ran.machine.truth().parts == stepped.machine.truth().parts


def test_run_stops_at_the_first_change_and_at_its_limit():
    shop = Workshop(1)
    assert not shop.machine.run(100 * NS_PER_MS)
    assert shop.clock.now_ns() == 100 * NS_PER_MS
    assert shop.machine.run(NEVER_NS)
    assert shop.machine.belt_mm == pytest.approx(LEAD_MM, abs=1e-3)


def test_same_seed_gives_the_same_run_and_another_seed_another():
    def seen(seed):
        shop = Workshop(8, seed=seed, speed_jitter=0.02, pitch_jitter_mm=20.0)
        shop.run_to_end()
        return shop.seen

    assert seen(3) == seen(3)
    assert seen(3) != seen(4)


def test_parts_that_would_overlap_are_refused():
    with pytest.raises(ConfigError, match="on top of each other"):
        Workshop(2, pitch_mm=70.0, pitch_jitter_mm=10.0)


def test_default_lead_in_is_longer_than_a_start_up_purge():
    shop = Workshop(1, lead_in_mm=None)
    assert shop.machine.bodies[0].start_mm > GATE_MM + shop.line.belt.stop_mm


def test_line_without_exit_ends_behind_the_last_gate():
    shop = Workshop(1, settings=line(exit=None))
    del shop.inputs["exit"]
    shop.run_to_end()
    assert shop.place(0) == GOOD_BIN


def test_virtual_encoder_truth_counts_running_time():
    settings = line(encoder={"driver": "virtual", "speed_mm_s": 500, "counts_per_mm": PER_MM})
    shop = Workshop(1, settings=settings, phases=(Phase(500, None, 1e9),))
    shop.run_to_end()
    assert shop.machine.truth().parts[0].trigger_count == pytest.approx(LEAD_MM * PER_MM, abs=1)


def test_every_input_is_listened_to():
    assert set(PINS) <= set(Workshop(1).machine.plant.sensors)
