"""The handshake lines of every `LineIO`: held outputs that say by their level how the line is."""

import pytest

from app.errors import ActuationError
from tests.contract.lineio_bench import CONTACT, GATE, MS, PERMIT, PERMIT_ONLY

READY, FAULT, STOP, BEAT, STOPPED = 23, 24, 25, 26, 27
LINES = {"ready": READY, "fault": FAULT, "line_stop": STOP, "heartbeat": BEAT}
HANDSHAKE = {**{name: {"pin": pin} for name, pin in LINES.items()}, "refresh_ms": 100}


def shaking(bench, **changes):
    return bench.open(handshake={**HANDSHAKE, **changes})


def switch_all(line, now_ns, *, is_on=True):
    for name in LINES:
        line.set_line(name, is_on, now_ns)


def energised(bench, **polarity):
    return [name for name, pin in LINES.items() if bench.energised(pin, **polarity)]


@pytest.mark.parametrize("active_low", [False, True])
def test_lines_are_without_current_at_the_start(bench, active_low):
    shaking(bench, **{name: {"pin": pin, "active_low": active_low} for name, pin in LINES.items()})

    assert energised(bench, active_low=active_low) == []


@pytest.mark.parametrize("active_low", [False, True])
def test_each_line_is_switched_by_its_own_name(bench, active_low):
    line = shaking(bench, **{name: {"pin": pin, "active_low": active_low} for name, pin in LINES.items()})
    seen = []
    for name in LINES:
        line.set_line(name, True, 0)
        seen.append(energised(bench, active_low=active_low))
        line.set_line(name, False, 1)

    assert seen == [[name] for name in LINES]
    assert energised(bench, active_low=active_low) == []


def test_line_that_is_not_refreshed_drops_and_is_reported(bench):
    line = shaking(bench)
    line.set_line("ready", True, 0)
    due_ns = line.next_due_ns()
    early = line.tick(100 * MS - 1)
    still = energised(bench)
    faults = line.tick(100 * MS)

    assert (due_ns, early, still) == (100 * MS, [], ["ready"])
    assert energised(bench) == []
    assert len(faults) == 1
    assert "ready was not refreshed for 100 ms, its limit is 100 ms" in faults[0]
    assert line.tick(200 * MS) == []


def test_lines_that_are_refreshed_stay(bench):
    line = shaking(bench)
    faults = []
    for at_ns in range(0, 1000 * MS, 50 * MS):
        switch_all(line, at_ns)
        faults += line.tick(at_ns)

    assert energised(bench) == list(LINES)
    assert faults == []


def test_line_that_is_off_needs_no_refresh(bench):
    line = shaking(bench)
    switch_all(line, 0)
    switch_all(line, 1, is_on=False)

    assert line.next_due_ns() is None
    assert line.tick(10_000 * MS) == []


def test_line_that_is_not_wired_takes_commands_in_silence(bench):
    line = bench.open()
    switch_all(line, 0)

    assert energised(bench) == []
    assert line.tick(1000 * MS) == []


@pytest.mark.parametrize("name", LINES)
def test_line_that_cannot_be_switched_on_raises_and_is_never_switched_on_late(bench, name):
    line = shaking(bench)

    with bench.broken(LINES[name]), pytest.raises(ActuationError, match=f"{name} on pin {LINES[name]} cannot be"):
        line.set_line(name, True, 0)
    line.tick(1 * MS)
    assert energised(bench) == []


def test_line_that_cannot_be_switched_off_is_tried_until_it_works(bench):
    line = shaking(bench)
    line.set_line("line_stop", True, 0)
    with bench.broken(STOP):
        faults = line.tick(100 * MS)
        later = line.tick(101 * MS)
        due_ns = line.next_due_ns()
    line.tick(102 * MS)

    assert faults[1].startswith(f"line_stop on pin {STOP} cannot be switched off")
    assert (later, due_ns) == ([], 102 * MS)
    assert energised(bench) == []


def test_line_whose_contact_does_not_follow_is_reported(bench):
    line = shaking(bench, fault={"pin": FAULT, "read_back": {"pin": CONTACT}})
    for at_ns in range(0, 101 * MS, 50 * MS):
        line.set_line("fault", True, bench.at(at_ns))

    assert line.tick(100 * MS) == [
        "fault is switched on but reads back off; check its supply, its wiring and the contact"
    ]


def test_close_switches_every_line_off(bench):
    line = shaking(bench)
    switch_all(line, 0)
    line.close()

    assert energised(bench) == []
    with pytest.raises(ActuationError, match="the line is closed"):
        line.set_line("ready", True, 1)


def test_lines_do_not_hold_up_gate_and_permit(bench):
    line = bench.open(handshake=HANDSHAKE, permit=PERMIT_ONLY)
    with bench.broken(READY), pytest.raises(ActuationError):
        line.set_line("ready", True, 0)
    line.toggle_permit(0)
    line.set_gate("reject", True, 0)

    assert bench.energised(PERMIT)
    assert bench.energised(GATE)


def test_stop_from_outside_is_an_input_of_the_line(bench):
    line = bench.open(handshake={"stopped": {"pin": STOPPED, "debounce_ms": 5}})
    bench.drive(STOPPED, True, 1 * MS)
    list(line.edges())
    bench.at(6 * MS)

    assert [(edge.input, edge.is_active) for edge in line.edges()] == [("stopped", True)]
    assert line.is_active("stopped")
