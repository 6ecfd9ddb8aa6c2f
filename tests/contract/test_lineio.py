"""What every `LineIO` does with its outputs, its claims and its end, on every board there is."""

import warnings

import pytest
from gpiozero import BadPinFactory, Device, DigitalOutputDevice, PinFactoryFallback

from app.errors import ActuationError, ConfigError, LineError
from app.reject.gpio import open_line
from tests.contract.lineio_bench import (
    CONTACT,
    DIVERTER,
    EXIT,
    GATE,
    MS,
    PERMIT,
    PERMIT_ONLY,
    PROVEN_GATE,
    PROVEN_PERMIT,
    RELAY,
    B,
    MockBoard,
    make_line,
)

# ---- outputs ----


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("kind", ["pusher", "air", "diverter"])
def test_gate_is_without_current_at_the_start(bench, kind, active_low):
    bench.open(gate={"kind": kind, "output": {"pin": GATE, "active_low": active_low}})

    assert not bench.energised(GATE, active_low=active_low)


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("kind", ["pusher", "air"])
def test_pulse_gate_is_energised_to_reject(bench, kind, active_low):
    line = bench.open(gate={"kind": kind, "output": {"pin": GATE, "active_low": active_low}})
    line.set_gate("reject", True, 0)
    rejecting = bench.energised(GATE, active_low=active_low)
    line.set_gate("reject", False, 50 * MS)

    assert (rejecting, bench.energised(GATE, active_low=active_low)) == (True, False)


@pytest.mark.parametrize("active_low", [False, True])
def test_diverter_is_energised_to_pass(bench, active_low):
    line = bench.open(gate={**DIVERTER, "output": {"pin": GATE, "active_low": active_low}})
    line.set_gate("reject", False, 0)
    passing = bench.energised(GATE, active_low=active_low)
    line.set_gate("reject", True, 1)

    assert (passing, bench.energised(GATE, active_low=active_low)) == (True, False)


def test_pulse_shorter_than_its_minimum_is_held_until_then(bench):
    line = bench.open(gate={"min_on_ms": 10})
    line.set_gate("reject", True, 0)
    line.set_gate("reject", False, 3 * MS)
    held = bench.energised(GATE)
    due_ns = line.next_due_ns()
    faults = line.tick(10 * MS)

    assert (held, due_ns) == (True, 10 * MS)
    assert not bench.energised(GATE)
    assert not faults


def test_pulse_that_reaches_its_maximum_is_dropped_and_reported(bench):
    line = bench.open(gate={"max_on_ms": 400})
    line.set_gate("reject", True, 0)
    due_ns = line.next_due_ns()
    early = line.tick(400 * MS - 1)
    still_on = bench.energised(GATE)
    faults = line.tick(400 * MS)

    assert (due_ns, early, still_on) == (400 * MS, [], True)
    assert not bench.energised(GATE)
    assert len(faults) == 1
    assert "gate:reject was on for 400 ms, its limit is 400 ms" in faults[0]
    assert line.tick(401 * MS) == []


def test_diverter_that_is_not_refreshed_drops_to_reject_and_is_reported(bench):
    line = bench.open(gate=DIVERTER)
    line.set_gate("reject", False, 0)
    due_ns = line.next_due_ns()
    faults = line.tick(100 * MS)

    assert due_ns == 100 * MS
    assert not bench.energised(GATE)
    assert len(faults) == 1
    assert "gate:reject was not refreshed for 100 ms" in faults[0]


def test_diverter_that_is_refreshed_stays(bench):
    line = bench.open(gate=DIVERTER)
    faults = []
    for at_ns in range(0, 1000 * MS, 50 * MS):
        line.set_gate("reject", False, at_ns)
        faults += line.tick(at_ns)

    assert bench.energised(GATE)
    assert not faults


def test_diverter_that_rejects_needs_no_refresh(bench):
    line = bench.open(gate=DIVERTER)
    line.set_gate("reject", False, 0)
    line.set_gate("reject", True, 10 * MS)

    assert line.next_due_ns() is None
    assert line.tick(10_000 * MS) == []


def test_gates_are_moved_by_their_own_destination(bench):
    line = bench.open(second_gate={"destination": "rework", "output": {"pin": EXIT}})
    line.set_gate("rework", True, 0)

    assert (bench.energised(GATE), bench.energised(EXIT)) == (False, True)


def test_destination_without_a_gate_is_an_actuation_error(bench):
    line = bench.open()

    with pytest.raises(ActuationError, match="no gate serves the destination 'rework'; correct"):
        line.set_gate("rework", True, 0)


def test_gate_that_cannot_be_switched_on_raises(bench):
    line = bench.open()

    with bench.broken(GATE), pytest.raises(ActuationError, match="gate:reject on pin 19 cannot be switched on"):
        line.set_gate("reject", True, 0)


def test_gate_that_could_not_be_switched_on_is_never_switched_on_late(bench):
    line = bench.open()
    with bench.broken(GATE), pytest.raises(ActuationError):
        line.set_gate("reject", True, 0)
    line.tick(1 * MS)

    assert not bench.energised(GATE)


def test_gate_that_cannot_be_switched_off_is_reported_once_and_tried_until_it_works(bench):
    line = bench.open()
    line.set_gate("reject", True, 0)
    with bench.broken(GATE):
        faults = line.tick(400 * MS)
        later = line.tick(401 * MS)
        due_ns = line.next_due_ns()
    line.tick(402 * MS)

    assert len(faults) == 2
    assert faults[1].startswith("gate:reject on pin 19 cannot be switched off")
    assert (later, due_ns) == ([], 402 * MS)
    assert not bench.energised(GATE)
    assert line.next_due_ns() is None


# ---- read-back ----


def test_gate_whose_contact_does_not_follow_is_reported_once(bench):
    line = bench.open(gate=PROVEN_GATE)
    line.tick(bench.at(17 * MS))
    line.set_gate("reject", True, bench.at(20 * MS))
    due_ns = line.next_due_ns()
    early = line.tick(bench.at(37 * MS - 1))
    faults = line.tick(bench.at(37 * MS))

    assert (due_ns, early) == (37 * MS, [])
    assert faults == ["gate:reject is switched on but reads back off; check its supply, its wiring and the contact"]
    assert line.tick(bench.at(38 * MS)) == []


def test_gate_whose_contact_follows_is_no_fault(bench):
    line = bench.open(gate=PROVEN_GATE)
    line.set_gate("reject", True, bench.at(20 * MS))
    bench.drive(CONTACT, True, 32 * MS)
    on = line.tick(bench.at(37 * MS))
    line.set_gate("reject", False, bench.at(60 * MS))
    bench.drive(CONTACT, False, 72 * MS)
    off = line.tick(bench.at(77 * MS))

    assert (on, off) == ([], [])


def test_gate_whose_contact_is_stuck_at_the_start_is_reported(bench):
    bench.board.drive(CONTACT, True)
    line = bench.open(gate=PROVEN_GATE)

    assert line.next_due_ns() == 17 * MS
    assert "gate:reject is switched off but reads back on" in line.tick(bench.at(17 * MS))[0]


def test_contact_makes_no_edges_of_the_line(bench):
    line = bench.open(gate=PROVEN_GATE)
    bench.drive(CONTACT, True, 1 * MS)

    assert list(line.edges()) == []


# ---- permit ----


def test_permit_is_low_at_the_start_and_toggles(bench):
    line = bench.open(permit=PERMIT_ONLY)
    levels = [bench.energised(PERMIT)]
    for at_ns in (0, 20 * MS, 40 * MS):
        line.toggle_permit(at_ns)
        levels.append(bench.energised(PERMIT))

    assert levels == [False, True, False, True]


def test_dropped_permit_is_low_and_may_stay_so(bench):
    line = bench.open(permit=PERMIT_ONLY)
    line.toggle_permit(0)
    line.drop_permit()

    assert not bench.energised(PERMIT)
    assert line.next_due_ns() is None
    assert line.tick(1000 * MS) == []


def test_dropped_permit_can_be_given_again(bench):
    line = bench.open(permit=PERMIT_ONLY)
    line.toggle_permit(0)
    line.drop_permit()
    line.toggle_permit(20 * MS)

    assert bench.energised(PERMIT)


def test_toggles_that_stay_out_are_reported_but_give_the_relay_no_further_edge(bench):
    line = bench.open(permit=PERMIT_ONLY)
    line.toggle_permit(0)
    due_ns = line.next_due_ns()
    faults = line.tick(100 * MS)

    assert due_ns == 100 * MS
    assert len(faults) == 1
    assert "permit was not refreshed for 100 ms" in faults[0]
    assert bench.energised(PERMIT)


def test_permit_that_cannot_be_toggled_raises(bench):
    line = bench.open(permit=PERMIT_ONLY)

    with bench.broken(PERMIT), pytest.raises(ActuationError, match="permit on pin 21 cannot be switched on"):
        line.toggle_permit(0)


def test_relay_that_does_not_pull_in_is_reported(bench):
    line = bench.open(permit=PROVEN_PERMIT)
    for at_ns in range(0, 121 * MS, 20 * MS):
        line.toggle_permit(bench.at(at_ns))

    assert line.tick(120 * MS) == [
        "permit is switched on but reads back off; check its supply, its wiring and the contact"
    ]


def test_relay_that_does_not_drop_is_reported(bench):
    line = bench.open(permit=PROVEN_PERMIT)
    line.toggle_permit(0)
    bench.drive(RELAY, True, 10 * MS)
    line.drop_permit()
    in_time = line.tick(bench.at(130 * MS - 1))
    faults = line.tick(bench.at(130 * MS))

    assert in_time == []
    assert "permit is switched off but reads back on" in faults[0]


def test_relay_that_dropped_because_toggles_stayed_out_reads_back_right(bench):
    line = bench.open(permit=PROVEN_PERMIT)
    line.toggle_permit(0)
    bench.drive(RELAY, True, 10 * MS)
    overdue = line.tick(bench.at(100 * MS))
    bench.drive(RELAY, False, 101 * MS)

    assert len(overdue) == 1
    assert line.tick(bench.at(220 * MS)) == []


def test_line_without_a_permit_takes_permit_commands_in_silence(bench):
    line = bench.open()
    line.toggle_permit(0)
    line.drop_permit()

    assert line.tick(1000 * MS) == []


# ---- closing and claims ----


@pytest.mark.parametrize("active_low", [False, True])
def test_close_switches_outputs_off(bench, active_low):
    line = bench.open(
        gate={"output": {"pin": GATE, "active_low": active_low}},
        permit={**PERMIT_ONLY, "output": {"pin": PERMIT, "active_low": active_low}},
    )
    line.set_gate("reject", True, 0)
    line.toggle_permit(0)
    line.close()

    assert not bench.energised(GATE, active_low=active_low)
    assert not bench.energised(PERMIT, active_low=active_low)


def test_close_lets_all_pins_go_and_may_be_repeated(bench):
    settings = {"gate": PROVEN_GATE, "permit": PROVEN_PERMIT, "exit": {"sensor": {"pin": EXIT}}}
    line = bench.open(**settings)
    line.close()
    line.close()

    assert bench.open(**settings).is_active("part") is False


def test_closed_line_is_quiet_and_refuses_to_move(bench):
    line = bench.open(permit=PERMIT_ONLY)
    line.toggle_permit(0)
    line.close()
    line.drop_permit()

    assert (list(line.edges()), list(line.tick(10**12)), line.next_due_ns()) == ([], [], None)
    with pytest.raises(ActuationError, match="the line is closed"):
        line.set_gate("reject", True, 0)
    with pytest.raises(ActuationError, match="the line is closed"):
        line.toggle_permit(0)


def test_close_that_cannot_switch_off_says_so_and_lets_the_other_pins_go(bench):
    line = bench.open(permit=PERMIT_ONLY)
    line.set_gate("reject", True, 0)
    line.toggle_permit(0)
    bench.board.factory.pin(GATE).function = "input"

    with pytest.raises(ActuationError, match="gate:reject on pin 19 cannot be switched off"):
        line.close()
    assert not bench.energised(PERMIT)
    assert not bench.open().is_active("part")


def test_pin_under_two_names_is_refused_by_both_claimants_and_nothing_stays_claimed(bench):
    with pytest.raises(ConfigError, match="is claimed twice, by encoder a and by part"):
        bench.open(encoder={"a": "J8:32" if isinstance(bench.board, MockBoard) else "BOARD32", "b": B})

    assert not bench.open().is_active("part")


def test_line_that_is_refused_its_last_pin_lets_all_others_go_at_once(bench):
    stranger = DigitalOutputDevice(EXIT, pin_factory=bench.board.factory)
    with pytest.raises(ConfigError, match="pin 13 is claimed twice, by something else in this") as refusal:
        bench.open(gate=PROVEN_GATE, permit=PROVEN_PERMIT, exit={"sensor": {"pin": EXIT}})
    line = bench.open(gate=PROVEN_GATE, permit=PROVEN_PERMIT)
    stranger.close()

    assert not line.is_active("part")
    assert "by exit; give one of them another pin" in str(refusal.value)


def test_machine_without_a_way_to_its_pins_says_what_to_install(bench, monkeypatch):
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonesuch")

    with pytest.raises(LineError, match=r"gpiozero finds no way to the pins .*nonesuch.*; install the library"):
        open_line(make_line(), bench.clock)


def test_libraries_that_were_tried_in_vain_are_named(bench, monkeypatch):
    def only_warn():
        warnings.warn("Falling back from lgpio: no such module", PinFactoryFallback, stacklevel=1)
        raise BadPinFactory("Unable to load any default pin factory!")

    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr(Device, "_default_pin_factory", only_warn)

    with pytest.raises(LineError, match=r"the pins of this machine \(Falling back from lgpio: no such module\);"):
        open_line(make_line(), bench.clock)


def test_library_that_is_only_a_fallback_is_warned_of(bench, monkeypatch):
    def fall_back():
        warnings.warn("Falling back from lgpio: no such module", PinFactoryFallback, stacklevel=1)
        return bench.board.factory

    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr(Device, "_default_pin_factory", fall_back)

    with pytest.warns(PinFactoryFallback, match="Falling back from lgpio"):
        bench.line = open_line(make_line(), bench.clock)
