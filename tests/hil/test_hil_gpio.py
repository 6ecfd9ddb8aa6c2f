"""Kernel GPIO: the pin factory's own suite, ten thousand parts, outputs after deaths, an expander that is unplugged."""

import re

import pytest

PARTS = 10_000
SUITE_S = 500


@pytest.fixture(scope="module")
def deaths(guest):
    return guest.report("tests.hil.check_deaths", timeout_s=SUITE_S)


@pytest.fixture(scope="module")
def expander(guest):
    return guest.report("tests.hil.check_expander", timeout_s=SUITE_S)


def test_pin_factory_passes_its_suite_on_the_kernels_own_chips(guest):
    guest.must("modprobe", "gpio-sim")
    said = guest.must(
        *("python3", "-m", "pytest", "-rA", "--timeout=120", "-k", "gpio-sim", "tests/contract/test_gpiod_factory.py"),
        timeout_s=SUITE_S,
    )

    assert int(re.search(r"(\d+) passed", said)[1]) >= 50
    assert "gpio-sim]" in said


# ---- parts ----


def test_every_sensor_edge_becomes_a_gate_pulse_in_order(guest):
    report = guest.report("tests.hil.check_edges", "gate_station", PARTS, timeout_s=SUITE_S)

    assert report["station"] == {"parts": PARTS, "edges": 2 * PARTS, "disorder": 0, "lost": 0, "faults": []}
    assert (report["pulses"], report["is_in_order"]) == (PARTS, True)


def test_every_part_that_the_tracker_follows_is_rejected_into_its_bin(guest, is_long):
    parts = PARTS if is_long else PARTS // 10
    report = guest.report("tests.hil.check_edges", "belt_station", parts, timeout_s=SUITE_S * (10 if is_long else 1))

    station = report["station"]
    assert (station["edges"], station["lost"], station["stops"]) == (2 * parts, 0, [])
    assert (station["judged"], station["outcomes"], station["is_balanced"]) == (parts, {"REJECTED": parts}, True)
    assert (report["pulses"], report["is_in_order"]) == (parts, True)


# ---- deaths ----


@pytest.mark.parametrize("blow", ["killed", "stopped", "wedged", "ended"])
def test_permit_relay_drops_whatever_befalls_the_process(deaths, blow):
    after = deaths[blow]

    assert (after["rising_edges_after"], after["is_relay_on"]) == (0, False)


@pytest.mark.parametrize("blow", ["killed", "stopped", "wedged", "ended"])
def test_gate_is_claimed_off_and_then_switched_on(deaths, blow):
    assert deaths[blow]["first_gate_levels"] == [False, True]
    assert deaths[blow]["before"] == {"gate": True, "held_by": "takt-hil"}


def test_line_that_is_ended_leaves_its_outputs_off_and_free(deaths):
    after = deaths["ended"]

    assert (after["gate"], after["permit"], after["held_by"]) == (False, False, None)


def test_process_that_is_only_stopped_holds_its_outputs_as_they_were(deaths):
    """The kernel takes nothing back from a process that lives: only the permit relay makes this safe."""
    assert (deaths["stopped"]["gate"], deaths["stopped"]["held_by"]) == (True, "takt-hil")


def test_lines_of_a_killed_process_are_free_again(deaths):
    assert deaths["killed"]["held_by"] is None


# ---- an expander ----


def test_output_of_an_expander_is_claimed_off_in_one_step_and_switches(expander):
    switching = [expander[each] for each in ("is_output", "at_claim", "switched_on", "switched_off")]

    assert switching == [True, False, True, False]


def test_output_that_does_not_take_its_level_is_found_out(expander):
    assert "gate:reject on pin 0-0020:3 did not go on; check its wiring" in expander["shorted"]


def test_input_without_pull_or_interrupt_is_refused_with_the_mend(expander):
    assert "has no pull of its own; fit a resistor" in expander["no_pull"]
    assert "reports no edges: its chip has no interrupt" in expander["no_interrupt"]


def test_line_held_by_another_program_names_it(expander):
    assert "is held by 'takt-hil'" in expander["conflict"]


@pytest.mark.parametrize("when", ["gone", "closing_gone", "claiming_gone"])
def test_chip_that_vanishes_is_an_error_that_says_so(expander, when):
    assert "is gone: its chip was unplugged" in expander[when]


def test_chip_that_comes_back_can_be_used_again(expander):
    assert expander["back"] == ""


def test_expander_keeps_its_level_when_the_process_that_holds_it_is_killed(expander):
    """Why a gate's safe state hangs on the permit relay and not on the process: nobody tells the chip."""
    assert expander["killed"] == {"said": "on", "is_output": True, "level": True}
