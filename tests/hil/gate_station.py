"""A station's line on kernel GPIO: every part that the sensor sees is rejected, into the bin that its number says.

Runs in the guest: `python -m tests.hil.gate_station PARTS`. It waits on the line's descriptor as the station does, says
`ready`, and at the end one JSON object.
"""

from __future__ import annotations

import select
import sys

from app.clock import SystemClock
from app.config import Line
from app.reject.gpio import open_line
from app.reject.gpiod_factory import GpiodFactory
from tests.hil.report import tell

BINS = ("reject", "rework")
WAIT_S = 60.0


def bin_of(part):
    """The bin of a part: a sequence without a period that a mistake could hide in."""
    return BINS[(part * 2654435761 >> 16) & 1]


def settings():
    return Line.model_validate(
        {
            "encoder": {"driver": "virtual", "counts_per_mm": 2, "speed_mm_s": 500},
            "belt": {"running": {"pin": "RUNNING"}},
            "trigger": {"sensor": {"pin": "PART"}},
            "gate": [
                {"destination": "reject", "output": {"pin": "GATE1"}, "position_mm": 450, "min_on_ms": 0},
                {"destination": "rework", "output": {"pin": "GATE2"}, "position_mm": 600, "min_on_ms": 0},
            ],
            "permit": {"output": {"pin": "PERMIT"}},
        }
    )


def serve(line, clock, parts):
    """Answers every part with a pulse of the gate of its bin; until all have come, or none comes any more."""
    seen = edges = disorder = 0
    last_ns = 0
    faults = []
    while seen < parts and select.select([line], [], [], WAIT_S)[0]:
        for edge in line.edges():
            if edge.input != "part":
                continue
            edges += 1
            disorder += edge.at_ns < last_ns
            last_ns = edge.at_ns
            if edge.is_active:
                line.set_gate(bin_of(seen), True, clock.now_ns())
                line.set_gate(bin_of(seen), False, clock.now_ns())
                seen += 1
        faults += line.tick(clock.now_ns())
    return {"parts": seen, "edges": edges, "disorder": disorder, "lost": line.lost_edges, "faults": faults}


def main():
    clock = SystemClock()
    factory = GpiodFactory(consumer="takt-hil", clock=clock, is_pumped=True)
    line = open_line(settings(), clock, factory)
    tell("ready")
    told = serve(line, clock, int(sys.argv[1]))
    line.close()
    factory.close()
    tell(told)


if __name__ == "__main__":
    main()
