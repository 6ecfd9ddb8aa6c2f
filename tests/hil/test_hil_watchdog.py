"""The kernel's watchdog on a real driver (i6300esb of QEMU): it resets a box whose station does not live, and no other.

Each of its resets is real: what comes afterwards finds a guest that has started anew.
"""

import json
import signal

import pytest

TIMEOUT_S = 10
PATIENCE_S = 120
DEVICE = "/dev/watchdog"
MAKE_CHIP = "from tests.hil.gpio_sim import GpioSim; from tests.hil.check_deaths import LINES; GpioSim(LINES)"


class Petting:
    """A process that pets the watchdog as the station does."""

    def __init__(self, guest):
        self.guest = guest
        guest.must("modprobe", "i6300esb")
        guest.forget_events()
        self.pid, file = guest.start("python3", "-m", "tests.hil.watchdog_petter", DEVICE, str(TIMEOUT_S))
        said = guest.await_text(file, "is_petting")
        self.said = json.loads(said.splitlines()[0])

    def strike(self, number):
        self.guest.must("sh", "-c", f"kill -{int(number)} {self.pid}")

    def is_reset_within(self, seconds):
        return self.guest.await_event("WATCHDOG", seconds)


@pytest.fixture
def unarmed(guest):
    """QEMU only says when the watchdog fires, so that a test that finds this wrongly leaves a guest to the others."""
    guest.order("watchdog-set-action", action="none")
    yield guest
    guest.order("watchdog-set-action", action="reset")


def test_box_that_is_petted_is_not_reset_and_neither_is_one_that_ended_properly(unarmed):
    petting = Petting(unarmed)
    while_petted = petting.is_reset_within(2 * TIMEOUT_S)
    petting.strike(signal.SIGTERM)

    assert petting.said["timeout_s"] == TIMEOUT_S
    assert "i6300ESB" in petting.said["name"]
    assert not while_petted
    assert not petting.is_reset_within(2 * TIMEOUT_S)


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGUSR1], ids=["stopped", "wedged"])
def test_box_whose_station_is_stopped_or_wedged_is_reset(guest, blow):
    petting = Petting(guest)
    petting.strike(blow)

    assert petting.is_reset_within(PATIENCE_S)
    guest.await_boot()


def held_lines(guest):
    """What the kernel says of the lines that somebody holds."""
    return guest.must("cat", "/sys/kernel/debug/gpio")


def test_box_whose_station_is_killed_starts_anew_and_no_output_is_on(guest):
    guest.must("python3", "-c", MAKE_CHIP)
    _, said = guest.start("python3", "-m", "tests.hil.permit_station")
    guest.must("sh", "-c", f"until grep -q 'GATE1.*out hi' /sys/kernel/debug/gpio; do sleep 0.2; done; cat {said}")
    petting = Petting(guest)
    petting.strike(signal.SIGKILL)
    assert petting.is_reset_within(PATIENCE_S)
    guest.await_boot()
    guest.must("python3", "-c", MAKE_CHIP)

    assert "GATE1" in held_lines(guest)
    assert " out " not in held_lines(guest)
