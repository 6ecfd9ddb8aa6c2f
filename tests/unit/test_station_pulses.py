"""Outputs that somebody tries: only on a line that stands, recorded before the pin moves, and over at once."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import NS_PER_MS
from app.errors import ActuationError, CommandRefusedError
from app.reject.lineio import BeltReading, Edge
from app.reject.pulsing import PulseWish
from app.status import InputStatus, OutputStatus, decode_status, encode_status
from app.types import EventKind
from tests.unit.test_station import Bench, Io

GATE = "gate:reject"
LINES = {name: {"pin": pin} for pin, name in enumerate(("ready", "line_stop", "heartbeat", "lamp_red", "stopped"), 10)}
PUSHER = [{"output": {"pin": 22}, "kind": "pusher", "max_on_ms": 200}]


class WatchedIo(Io):
    """Remembers when each output was at which level, and what had been recorded then."""

    def __init__(self, bench) -> None:
        super().__init__()
        self.bench = bench
        self.moves = []

    def set_gate(self, destination, is_rejecting, now_ns):
        super().set_gate(destination, is_rejecting, now_ns)
        self._note(f"gate:{destination}", is_rejecting)

    def set_line(self, name, is_on, now_ns):
        super().set_line(name, is_on, now_ns)
        self._note(name, is_on)

    def _note(self, name, level):
        level_before = next((each[1] for each in reversed(self.moves) if each[0] == name), None)
        if level != level_before:
            self.moves.append((name, level, self.bench.clock.now_ns(), len(self.bench.events(EventKind.PULSE))))


class Stand(Bench):
    """A line that somebody has stopped, whose belt has stood for long."""

    def __init__(self, **changes) -> None:
        super().__init__(handshake=LINES, **changes)
        self.io = self.station._io = self.station._hands._io = WatchedIo(self)
        self.station.stop("Ada")
        self.wait(1500)
        self.io.moves.clear()

    def rest(self, ms: int) -> None:
        for _ in range(ms):
            self.clock.advance_to(self.clock.now_ns() + NS_PER_MS)
            self.station.step()

    def move(self, mm: float) -> None:
        """At one go: nothing lies on this belt."""
        self.rest(1)
        self.count(round(mm * 2))
        self.station.step()

    def wait(self, ms: int) -> None:
        """The same in larger steps, where nothing is tried."""
        end_ns = self.clock.now_ns() + ms * NS_PER_MS
        while self.clock.now_ns() < end_ns:
            step_ms = 1 if self.station._hands.tried else 50
            self.clock.advance_to(min(end_ns, self.clock.now_ns() + step_ms * NS_PER_MS))
            self.station.step()

    def count(self, by: int = 1) -> None:
        self.belt.reading = BeltReading(self.belt.reading.count + by, self.clock.now_ns())

    def pulse(self, output=GATE, pulse_ms=50, by="Ada", role="technician", reason="wires") -> int:
        return self.station.pulse(PulseWish(output, pulse_ms, by, role, reason))

    def reset(self) -> None:
        self.station.reset("Ada", "lead", "go on", is_cleared=True)

    @property
    def now_ms(self) -> int:
        return self.clock.now_ns() // NS_PER_MS

    def edges_of(self, name) -> list:
        """Each change of an output: its level, and when it came, in ms."""
        return [(level, at_ns // NS_PER_MS) for each, level, at_ns, _ in self.io.moves if each == name]

    def told(self) -> list:
        return [event.data["result"] for event in self.events(EventKind.PULSE)]

    def output(self, name) -> OutputStatus:
        return next(each for each in self.station.status().outputs if each.name == name)


def test_pulse_moves_the_gate_and_puts_it_back_at_its_time() -> None:
    bench = Stand(gate=PUSHER)
    began = bench.now_ms
    bench.pulse()
    assert bench.output(GATE) == OutputStatus(GATE, is_on=True, is_pulsed=True, least_ms=10, most_ms=190)
    bench.rest(200)
    assert bench.edges_of(GATE) == [(True, began), (False, began + 50)]
    assert bench.output(GATE) == OutputStatus(GATE, is_on=False, is_pulsed=False, least_ms=10, most_ms=190)
    assert bench.told() == ["STARTED"]


def test_who_what_how_long_and_why_are_recorded_before_the_pin_moves() -> None:
    bench = Stand(gate=PUSHER)
    sequence = bench.pulse()
    [event] = bench.events(EventKind.PULSE)
    said = {"output": GATE, "result": "STARTED", "pulse_ms": 50, "by": "Ada", "role": "technician", "why": "wires"}
    assert (dict(event.data), event.sequence) == (said, sequence)
    assert bench.io.moves[0][3] == 1


def test_held_gate_goes_back_to_what_it_held_and_is_refreshed_meanwhile() -> None:
    bench = Stand()
    before = bench.station._hands._rejecting["reject"]
    began = bench.now_ms
    bench.pulse(pulse_ms=1000)
    bench.io.gates.clear()
    bench.rest(900)
    assert len(bench.io.gates) >= 40
    assert set(bench.io.gates) == {not before}
    bench.rest(200)
    assert bench.edges_of(GATE) == [(not before, began), (before, began + 1000)]


def test_handshake_line_shows_its_other_level_and_then_what_it_said_before() -> None:
    bench = Stand()
    began = bench.now_ms
    bench.pulse("lamp_red", 200)
    bench.rest(150)
    assert bench.edges_of("lamp_red") == [(False, began)]
    bench.rest(100)
    [_, (is_on, at)] = bench.edges_of("lamp_red")
    assert is_on
    assert 200 <= at - began <= 220  # with the heartbeat, like every line that is energised

    bench.pulse("ready")
    bench.rest(100)
    assert [level for level, _ in bench.edges_of("ready")][-2:] == [True, False]


@pytest.mark.parametrize("output", ["permit", "line_stop", "gate:other", "stopped"])
def test_permit_and_what_is_no_output_are_refused_and_leave_no_trace(output) -> None:
    bench = Stand()
    with pytest.raises(CommandRefusedError):
        bench.pulse(output)
    assert (bench.io.moves, bench.told()) == ([], [])


@pytest.mark.parametrize("said", [{"by": " "}, {"reason": ""}, {"role": "lead"}, {"pulse_ms": 5}, {"pulse_ms": 2001}])
def test_pulse_without_name_reason_role_or_a_sound_time_is_refused(said) -> None:
    bench = Stand()
    with pytest.raises(CommandRefusedError):
        bench.pulse(**said)
    assert (bench.io.moves, bench.told()) == ([], [])


def test_running_line_refuses_every_pulse() -> None:
    bench = Stand()
    bench.reset()
    bench.rest(1500)
    with pytest.raises(CommandRefusedError, match="not stopped"):
        bench.pulse()
    assert bench.station.status().pulse_bar == "RUNNING"


def test_belt_that_coasts_refuses_pulses_until_it_has_stood_for_a_second() -> None:
    bench = Stand()
    bench.count()
    bench.rest(1)
    assert bench.station.status().pulse_bar == "MOVING"
    with pytest.raises(CommandRefusedError, match="stood still"):
        bench.pulse()
    bench.rest(1000)
    assert bench.station.status().pulse_bar == ""
    bench.pulse()


def test_belt_that_has_moved_since_the_last_step_refuses() -> None:
    bench = Stand()
    bench.count()
    with pytest.raises(CommandRefusedError, match="stood still"):
        bench.pulse()


def test_driven_belt_refuses_and_cuts_short() -> None:
    bench = Stand(belt={"running": {"pin": 17}})
    bench.pulse(pulse_ms=500)
    bench.io.queue.append(Edge("running", True, bench.clock.now_ns(), bench.belt.reading.count))
    bench.rest(1)
    assert bench.told() == ["STARTED", "CUT_SHORT"]
    assert bench.station.status().pulse_bar == "DRIVEN"


def test_second_pulse_waits_for_the_first() -> None:
    bench = Stand()
    bench.pulse()
    with pytest.raises(CommandRefusedError, match="another pulse"):
        bench.pulse("ready")
    bench.rest(50)
    bench.pulse("ready")


def test_reset_cuts_a_pulse_short_before_the_permit_is_given() -> None:
    bench = Stand(gate=PUSHER)
    bench.pulse(pulse_ms=150)
    bench.rest(10)
    bench.io.toggles = 0
    bench.reset()
    assert bench.edges_of(GATE)[-1] == (False, bench.now_ms)
    assert bench.io.toggles == 0
    assert bench.events(EventKind.PULSE)[-1].data["text"] == "the line was reset"


@pytest.mark.parametrize("by", [1, -1])
def test_first_count_of_the_belt_cuts_a_pulse_short(by) -> None:
    bench = Stand(gate=PUSHER)
    bench.pulse(pulse_ms=150)
    bench.rest(10)
    bench.count(by)
    bench.station.step()
    assert bench.edges_of(GATE)[-1] == (False, bench.now_ms)
    assert bench.events(EventKind.PULSE)[-1].data["text"] == "the belt moves"


def test_new_cause_of_a_stop_cuts_a_pulse_short() -> None:
    bench = Stand(gate=PUSHER)
    bench.pulse(pulse_ms=150)
    bench.io.queue.append(Edge("stopped", True, bench.clock.now_ns(), bench.belt.reading.count))
    bench.rest(1)
    assert bench.edges_of(GATE)[-1] == (False, bench.now_ms)
    assert bench.events(EventKind.PULSE)[-1].data["text"] == "a fault came up"


def test_fault_of_an_output_cuts_a_pulse_short_even_where_that_cause_is_latched_already() -> None:
    bench = Stand(gate=PUSHER)
    bench.io.faults = ["lamp_red reads back otherwise"]
    bench.rest(1)
    bench.pulse(pulse_ms=150)
    bench.io.faults = ["ready reads back otherwise"]
    bench.rest(1)
    assert bench.told() == ["STARTED", "CUT_SHORT"]
    assert bench.edges_of(GATE)[-1][0] is False


def test_output_that_refuses_latches_a_stop_and_the_pulse_is_over() -> None:
    bench = Stand(gate=PUSHER)
    bench.io.refuses = True
    with pytest.raises(ActuationError, match="gate:reject did not take its level"):
        bench.pulse()
    assert [each.cause for each in bench.station.status().latches] == ["NOT_CLEARED", "OPERATOR", "OUTPUT_FAULT"]
    assert bench.told() == ["STARTED", "CUT_SHORT"]
    assert bench.output(GATE).is_pulsed is False


def test_pulse_that_cannot_be_recorded_does_not_begin() -> None:
    bench = Stand(gate=PUSHER)
    bench.book.takes = 0
    with pytest.raises(CommandRefusedError, match="takes no events"):
        bench.pulse()
    assert bench.io.moves == []
    assert bench.station.status().pulse_bar == "UNRECORDED"
    bench.book.takes = 1000
    bench.rest(1)
    assert bench.told() == ["STARTED", "CUT_SHORT"]


def test_end_of_the_station_cuts_a_pulse_short() -> None:
    bench = Stand(gate=PUSHER)
    bench.pulse(pulse_ms=150)
    bench.station.close(is_wanted=True)
    bench.station.close(is_wanted=True)
    assert bench.told() == ["STARTED", "CUT_SHORT"]


def test_line_wakes_for_the_end_of_a_pulse() -> None:
    bench = Stand(gate=PUSHER)
    bench.rest(3)
    while bench.station.next_wake_ns() - bench.clock.now_ns() < 15 * NS_PER_MS:
        bench.rest(1)
    bench.pulse(pulse_ms=11)
    assert bench.station.next_wake_ns() == bench.clock.now_ns() + 11 * NS_PER_MS


def test_status_counts_the_edges_of_every_input() -> None:
    bench = Stand()
    at_ns = bench.clock.now_ns()
    bench.io.queue += [Edge("part", level, at_ns, bench.belt.reading.count) for level in (True, False, True)]
    bench.rest(1)
    status = bench.station.status()
    assert status.inputs == (InputStatus("part", True, 3, at_ns), InputStatus("stopped"))
    assert [each.name for each in status.outputs] == [GATE, "permit", "ready", "line_stop", "heartbeat", "lamp_red"]
    assert [each.most_ms for each in status.outputs] == [2000, 0, 2000, 0, 2000, 2000]
    assert decode_status(encode_status(status)) == status


def test_status_of_the_largest_line_fits_its_block() -> None:
    def gate(number):
        contact = {"pin": 100 + 10 * number}
        return {
            "destination": f"{number}{'x' * 39}",
            "position_mm": 450 + number,
            "output": {"pin": 101 + 10 * number},
            "bin_full": {"pin": 102 + 10 * number},
            "bin_open": {"pin": 103 + 10 * number},
            "chute": {"sensor": contact},
        }

    bench = Bench(gate=[gate(number) for number in range(8)], handshake=LINES)
    status = bench.station.status()
    assert len(status.inputs) == 26
    assert len(encode_status(status)) < 12 * 1024


class Trial:
    """Whatever somebody does: the output that is tried is so for no longer than asked, and never on a moving belt."""

    def __init__(self) -> None:
        self.bench = Stand(gate=PUSHER)
        self.ends_ms = 0

    def pulse(self, output, pulse_ms) -> None:
        with contextlib.suppress(CommandRefusedError):
            self.bench.pulse(output, pulse_ms)
            self.ends_ms = self.bench.now_ms + pulse_ms

    def wait(self, ms) -> None:
        self.bench.wait(ms)

    def count(self) -> None:
        self.bench.count()
        self.bench.station.step()
        assert self.bench.station._hands.tried == ""

    def stop(self) -> None:
        self.bench.station.stop("Ada")

    def reset(self) -> None:
        with contextlib.suppress(CommandRefusedError):
            self.bench.reset()
        assert not (self.bench.station._hands.tried and self.bench.station._hands.is_permitted)

    def check(self) -> None:
        assert self.bench.now_ms < self.ends_ms or not self.bench.station._hands.tried
        is_on = self.bench.edges_of(GATE)[-1:] and self.bench.edges_of(GATE)[-1][0]
        assert bool(is_on) is (self.bench.station._hands.tried == GATE)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pulse"), st.sampled_from([GATE, GATE, "ready", "permit"]), st.integers(10, 190)),
        st.tuples(st.just("wait"), st.sampled_from([1, 40, 200, 1100])),
        st.tuples(st.sampled_from(["count", "reset", "stop"])),
    ),
    max_size=12,
)


@given(STEPS)
def test_nothing_is_on_for_a_pulse_while_the_belt_moves_or_for_longer_than_asked(steps) -> None:
    trial = Trial()
    for name, *said in steps:
        getattr(trial, name)(*said)
        trial.check()
    trial.wait(200)
    trial.check()
