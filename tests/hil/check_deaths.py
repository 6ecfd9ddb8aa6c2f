"""What becomes of the outputs when the process that holds them is killed, stopped, wedged or ended.

Runs in the guest: `python -m tests.hil.check_deaths`. The permit relay is a model: it drops `HOLD_MS` after the last
rising edge that the kernel set, and whatever level stays on the pin does not hold it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import gpiod

from tests.hil.gpio_sim import GpioSim, Witness
from tests.hil.permit_station import HOLD_MS
from tests.hil.report import tell

LINES = ("PART", "RUNNING", "GATE1", "PERMIT")
NS_PER_MS = 1_000_000
WARM_TOGGLES = 10
PATIENCE_S = 60.0
QUIET_S = 5 * HOLD_MS / 1000
BLOWS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP, "wedged": signal.SIGUSR1, "ended": signal.SIGTERM}


class Relay:
    """The permit relay, from the levels that the kernel set: it follows rising edges and nothing else."""

    def __init__(self):
        self.pulled_ns = None

    def take(self, levels):
        for level in levels:
            if level.name == "PERMIT" and level.is_high:
                self.pulled_ns = level.at_ns

    def is_on(self, at_ns):
        return self.pulled_ns is not None and at_ns - self.pulled_ns < HOLD_MS * NS_PER_MS


def await_toggles(witness, relay):
    levels = []
    while sum(level.name == "PERMIT" for level in levels) < WARM_TOGGLES:
        new = witness.levels(wait_s=PATIENCE_S)
        assert new, "the permit is not toggled"
        relay.take(new)
        levels += new
    return levels


def suffer(sim, witness, blow):
    """One station from its start to its end."""
    process = subprocess.Popen([sys.executable, "-m", "tests.hil.permit_station"])
    relay = Relay()
    try:
        gate = [level.is_high for level in await_toggles(witness, relay) if level.name == "GATE1"]
        before = {"gate": sim.level("GATE1"), "held_by": held_by(sim)}
        os.kill(process.pid, blow)
        if blow in (signal.SIGKILL, signal.SIGTERM):
            process.wait(PATIENCE_S)
        else:
            relay.take(witness.quiet(HOLD_MS / 1000))  # what was on its way
        struck_ns = time.monotonic_ns()
        late = witness.quiet(QUIET_S)
        rising = [level for level in late if level.name == "PERMIT" and level.is_high and level.at_ns > struck_ns]
        relay.take(late)
        return {
            "first_gate_levels": gate[:2],
            "before": before,
            "rising_edges_after": len(rising),
            "is_relay_on": relay.is_on(struck_ns + round(QUIET_S * 1e9)),
            "gate": sim.level("GATE1"),
            "permit": sim.level("PERMIT"),
            "is_gate_output": sim.is_output("GATE1"),
            "held_by": held_by(sim),
        }
    finally:
        process.kill()
        process.wait()


def held_by(sim):
    with gpiod.Chip(f"/dev/{sim.chip}") as chip:
        return chip.get_line_info("GATE1").consumer


def main():
    sim = GpioSim(LINES)
    witness = Witness(sim, LINES)
    report = {name: suffer(sim, witness, blow) for name, blow in BLOWS.items()}
    witness.close()
    sim.close()
    tell(report)


if __name__ == "__main__":
    main()
