"""The machine before a station of another process: parts by the thousand, and what the gates did about them.

Runs in the guest: `python -m tests.hil.check_edges STATION PARTS`, with gate_station or belt_station. Parts come no
faster than the gates are seen to follow: only so many may be under way. The kernel's trace watches the gates, not the
station.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from tests.hil.belt_station import GATES_MM, PITCH_MM
from tests.hil.gate_station import bin_of
from tests.hil.gpio_sim import GpioSim, Witness
from tests.hil.report import tell

LINES = ("PART", "RUNNING", "GATE1", "GATE2", "PERMIT")
GATES = {"reject": "GATE1", "rework": "GATE2"}
AHEAD = {"gate_station": 6, "belt_station": 14}
PATIENCE_S = 60.0


def order_of(station, parts):
    """The bins in the order in which the gates must fire: as parts come, or as they reach their gates."""
    bins = [bin_of(part) for part in range(parts)]
    if station == "gate_station":
        return bins
    places = sorted((part * PITCH_MM + GATES_MM[name], name) for part, name in enumerate(bins))
    return [name for _, name in places]


def feed(sim, witness, parts, ahead):
    """Sends the parts; what the gates did, in order."""
    levels, sent = [], 0
    heard_s = time.monotonic()
    while len(levels) < 2 * parts and time.monotonic() - heard_s < PATIENCE_S:
        if sent < parts and sent - len(levels) // 2 < ahead:
            sim.drive("PART", True)
            sim.drive("PART", False)
            sent += 1
            new = witness.levels()
        else:
            new = witness.levels(wait_s=1.0)
        levels += new
        if new:
            heard_s = time.monotonic()
    return levels


def main():
    station, parts = sys.argv[1], int(sys.argv[2])
    sim = GpioSim(LINES)
    command = [sys.executable, "-m", f"tests.hil.{station}", str(parts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "ready"
        witness = Witness(sim, ("GATE1", "GATE2"))
        began_s = time.monotonic()
        levels = feed(sim, witness, parts, AHEAD[station])
        took_s = time.monotonic() - began_s
        told = json.loads(process.stdout.readline())
    levels += witness.levels()
    wanted = [(GATES[name], is_high) for name in order_of(station, parts) for is_high in (True, False)]
    seen = [(level.name, level.is_high) for level in levels]
    report = {
        "station": told,
        "pulses": sum(is_high for _, is_high in seen),
        "is_in_order": seen[: len(wanted)] == wanted,
        "took_s": round(took_s, 1),
    }
    witness.close()
    sim.close()
    tell(report)


if __name__ == "__main__":
    main()
