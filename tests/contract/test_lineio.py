"""What every `LineIO` does, on the twin's pins and on gpiozero's own mock pins.

The machine's side sees levels only: high and low. Each test wires a line of its own.
"""

from dataclasses import dataclass

import pytest
from gpiozero import Device, DigitalOutputDevice
from gpiozero.pins.mock import MockFactory, MockPin
from gpiozero.pins.pi import PiPin

from app.clock import NS_PER_S, VirtualClock
from app.config import Line
from app.errors import ActuationError, ConfigError, LineError
from app.reject.gpio import QUEUE_EDGES, open_line
from app.reject.lineio import Edge
from app.twin.pins import TwinFactory

MS = 1_000_000
A, B, PART, EXIT, RUNNING, GATE, CONTACT, PERMIT, RELAY = 5, 6, 12, 13, 16, 19, 20, 21, 22


class TwinBoard:
    """The machine's side of the twin's pins."""

    def __init__(self, clock):
        self.factory = TwinFactory(clock)

    def drive(self, pin, is_high):
        self.factory.drive(pin, is_high)

    def level(self, pin):
        return self.factory.level(pin)


class ClockedPin(MockPin):
    """A mock pin that dates its edges by the board's clock instead of the machine's."""

    def _call_when_changed(self):
        PiPin._call_when_changed(self, self.factory.ticks(), self._state)


class MockBoard(MockFactory):
    """The machine's side of gpiozero's mock pins, on an injected clock."""

    def __init__(self, clock):
        super().__init__(pin_class=ClockedPin)
        self.clock = clock
        self.factory = self

    def ticks(self):
        return self.clock.now_ns() / NS_PER_S

    def drive(self, pin, is_high):
        mock = self.pin(pin)
        mock.drive_high() if is_high else mock.drive_low()

    def level(self, pin):
        return bool(self.pin(pin).state)


@dataclass
class Bench:
    """A board, a clock and the line that is tested."""

    clock: VirtualClock
    board: object
    line: object = None

    def open(self, **settings):
        self.line = open_line(make_line(**settings), self.clock, self.board.factory)
        return self.line

    def at(self, at_ns):
        self.clock.advance_to(at_ns)
        return at_ns

    def drive(self, pin, is_high, at_ns):
        self.at(at_ns)
        self.board.drive(pin, is_high)

    def energised(self, pin, *, active_low=False):
        return self.board.level(pin) is not active_low


@pytest.fixture(params=[TwinBoard, MockBoard], ids=["twin", "gpiozero-mock"])
def bench(request):
    clock = VirtualClock()
    bench = Bench(clock, request.param(clock))
    yield bench
    if bench.line:
        bench.line.close()
    bench.board.factory.close()


def make_line(*, gate=None, permit=None, part=None, encoder=None, **others):
    return Line.model_validate(
        {
            "schema": 1,
            "encoder": encoder or {"a": A, "b": B},
            "trigger": {"sensor": {"pin": PART, **(part or {})}},
            "gate": [{"output": {"pin": GATE}, **(gate or {})}],
            **({"permit": permit} if permit else {}),
            **others,
        }
    )


DIVERTER = {"kind": "diverter", "refresh_ms": 100}
ACTIVE_LOW_GATE = {"output": {"pin": GATE, "active_low": True}}
PROVEN_GATE = {"output": {"pin": GATE, "read_back": {"pin": CONTACT}}, "lag_ms": 12, "margin_ms": 5}
PERMIT_ONLY = {"output": {"pin": PERMIT}, "toggle_ms": 20, "hold_ms": 100}
PROVEN_PERMIT = {**PERMIT_ONLY, "output": {"pin": PERMIT, "read_back": {"pin": RELAY}}}
VIRTUAL = {
    "encoder": {"driver": "virtual", "counts_per_mm": 2, "speed_mm_s": 500},
    "belt": {"running": {"pin": RUNNING, "debounce_ms": 5}},
}


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
    line = bench.open(gate=[], exit=None, **{})if False else bench.open_two_gates() if False else open_two_gates(bench)
    line.set_gate("rework", True, 0)

    assert (bench.energised(GATE), bench.energised(EXIT)) == (False, True)


def open_two_gates(bench):
    line = Line.model_validate(
        {
            "schema": 1,
            "encoder": {"a": A, "b": B},
            "trigger": {"sensor": {"pin": PART}},
            "gate": [{"output": {"pin": GATE}}, {"destination": "rework", "output": {"pin": EXIT}}],
        }
    )
    bench.line = open_line(line, bench.clock, bench.board.factory)
    return bench.line


def test_destination_without_a_gate_is_an_actuation_error(bench):
    line = bench.open()

    with pytest.raises(ActuationError, match="no gate serves the destination 'rework'; correct"):
        line.set_gate("rework", True, 0)


def test_gate_that_cannot_be_switched_on_raises(bench):
    line = bench.open()
    bench.board.factory.pin(GATE).function = "input"

    with pytest.raises(ActuationError, match="gate:reject on pin 19 cannot be switched on"):
        line.set_gate("reject", True, 0)


def test_gate_that_could_not_be_switched_on_is_never_switched_on_late(bench):
    line = bench.open()
    bench.board.factory.pin(GATE).function = "input"
    with pytest.raises(ActuationError):
        line.set_gate("reject", True, 0)
    bench.board.factory.pin(GATE).function = "output"
    line.tick(1 * MS)

    assert not bench.energised(GATE)


def test_gate_that_cannot_be_switched_off_is_reported_once_and_tried_until_it_works(bench):
    line = bench.open(gate={"max_on_ms": 400})
    line.set_gate("reject", True, 0)
    bench.board.factory.pin(GATE).function = "input"
    at_limit = line.tick(400 * MS)
    later = line.tick(401 * MS)
    due_ns = line.next_due_ns()
    bench.board.factory.pin(GATE).function = "output"
    line.tick(402 * MS)

    assert [fault.split(",")[0] for fault in at_limit] == [
        "gate:reject was on for 400 ms",
        "gate:reject on pin 19 cannot be switched off: " + at_limit[1].split("off: ")[1].split(",")[0],
    ]
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
    line = bench.open(gate={**PROVEN_GATE, "output": {"pin": GATE, "read_back": {"pin": CONTACT, "active_low": True}}})
    bench.board.drive(CONTACT, False)

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
    bench.board.factory.pin(PERMIT).function = "input"

    with pytest.raises(ActuationError, match="permit on pin 21 cannot be switched on"):
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


def test_line_without_a_permit_takes_permit_commands_in_silence(bench):
    line = bench.open()
    line.toggle_permit(0)
    line.drop_permit()

    assert line.tick(1000 * MS) == []


# ---- inputs ----


@pytest.mark.parametrize("active_low", [False, True])
def test_edges_tell_input_state_time_and_count(bench, active_low):
    line = bench.open(part={"active_low": active_low})
    for at_ns, pin in ((1 * MS, A), (2 * MS, B)):
        bench.drive(pin, False, at_ns)
    bench.drive(PART, not active_low, 3 * MS)
    bench.drive(A, True, 4 * MS)
    bench.drive(PART, active_low, 5 * MS)

    assert list(line.edges()) == [Edge("part", True, 3 * MS, 2), Edge("part", False, 5 * MS, 3)]


@pytest.mark.parametrize("active_low", [False, True])
def test_open_input_reads_inactive(bench, active_low):
    line = bench.open(part={"active_low": active_low})

    assert not line.is_active("part")


def test_edges_are_told_once(bench):
    line = bench.open()
    bench.drive(PART, True, 1 * MS)
    line.edges()

    assert list(line.edges()) == []


def test_debounced_edge_comes_when_due_with_time_and_count_of_its_first_contact(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    bench.drive(A, False, 1 * MS)
    bench.drive(PART, False, 1 * MS + 100_000)
    bench.drive(PART, True, 1 * MS + 200_000)
    line.tick(bench.at(2 * MS))
    due_ns = line.next_due_ns()
    too_early = list(line.edges())
    bench.at(due_ns)

    assert (due_ns, too_early) == (3 * MS + 200_000, [])
    assert list(line.edges()) == [Edge("part", True, 1 * MS, 0)]


def test_state_follows_the_debounced_edge(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    line.tick(bench.at(2 * MS))
    before = line.is_active("part")
    line.tick(bench.at(3 * MS))

    assert (before, line.is_active("part")) == (False, True)


def test_glitches_make_no_edge_and_are_counted_by_input(bench):
    line = bench.open(part={"debounce_ms": 2})
    bench.drive(PART, True, 1 * MS)
    bench.drive(PART, False, 2 * MS)
    bench.at(9 * MS)

    assert list(line.edges()) == []
    assert line.glitches == {"part": 1}


def test_edges_of_different_inputs_come_oldest_first(bench):
    line = bench.open(part={"debounce_ms": 5}, exit={"sensor": {"pin": EXIT}})
    bench.drive(PART, True, 1 * MS)
    bench.drive(EXIT, True, 2 * MS)
    bench.at(6 * MS)

    assert [edge.input for edge in line.edges()] == ["part", "exit"]


def test_raw_edge_that_waits_is_due_at_once(bench):
    line = bench.open()
    bench.drive(PART, True, 5 * MS)

    assert line.next_due_ns() == 5 * MS


def test_input_that_is_active_at_the_start_makes_no_edge_but_says_so(bench):
    open_line(make_line(), bench.clock, bench.board.factory).close()
    bench.board.drive(PART, False)
    line = bench.open(part={"active_low": True}) if isinstance(bench.board, TwinBoard) else None
    if line is None:
        pytest.skip("a mock pin forgets what drives it when it is claimed")

    assert line.is_active("part")
    assert list(line.edges()) == []


def test_input_that_is_not_wired_is_inactive(bench):
    assert not bench.open().is_active("air_low")


def test_edges_that_find_the_queue_full_are_counted_and_reported(bench):
    line = bench.open()
    for at_ns in range(QUEUE_EDGES + 3):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
    faults = line.tick(bench.clock.now_ns())

    assert line.lost_edges == 3
    assert faults == ["3 edges of inputs were lost, the queue was full; find a sensor that chatters"]
    assert line.tick(bench.clock.now_ns()) == []


def test_after_lost_edges_the_state_is_read_afresh(bench):
    line = bench.open()
    for at_ns in range(QUEUE_EDGES + 1):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
    line.edges()
    line.tick(bench.clock.now_ns())

    assert line.is_active("part")


def test_confirmed_edges_that_nobody_fetches_are_bounded(bench):
    line = bench.open()
    for at_ns in range(3 * QUEUE_EDGES):
        bench.drive(PART, at_ns % 2 == 0, at_ns)
        line.tick(at_ns)

    assert line.lost_edges == QUEUE_EDGES


# ---- encoder ----


def test_virtual_encoder_is_fed_by_the_running_input_at_its_first_contact(bench):
    line = bench.open(**VIRTUAL)
    bench.drive(RUNNING, True, 10 * MS)
    bench.drive(PART, True, 110 * MS)
    bench.drive(RUNNING, False, 210 * MS)

    assert line.encoder.read(bench.at(900 * MS)).count == 200
    assert list(line.edges()) == [
        Edge("running", True, 10 * MS, 0),
        Edge("part", True, 110 * MS, 100),
        Edge("running", False, 210 * MS, 200),
    ]


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
        bench.open(encoder={"a": "BOARD32" if isinstance(bench.board, TwinBoard) else "J8:32", "b": B})

    assert not bench.open().is_active("part")


def test_pin_that_something_else_holds_is_refused(bench):
    with DigitalOutputDevice(PART, pin_factory=bench.board.factory):
        with pytest.raises(ConfigError, match="pin 12 is claimed twice, by something else in this program and by part"):
            bench.open()
    assert not bench.open().is_active("part")


def test_machine_without_a_way_to_its_pins_says_what_to_install(bench, monkeypatch):
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "nonesuch")

    with pytest.raises(LineError, match="gpiozero finds no way to the pins .*nonesuch.*; install the library"):
        open_line(make_line(), bench.clock)
