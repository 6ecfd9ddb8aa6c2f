"""The tracker between kernel edges and kernel outputs: every part is seen, followed, photographed, judged and rejected.

Runs in the guest: `python -m tests.hil.belt_station PARTS`. The belt's position is software: it moves from part to part
as their edges come, at a speed of its own time, so that the pace of an emulated processor does not matter.
"""

from __future__ import annotations

import select
import sys

import numpy as np

from app.clock import NS_PER_S, SystemClock
from app.config import Line
from app.reject.gpio import open_line
from app.reject.gpiod_factory import GpiodFactory
from app.reject.lineio import BeltReading, Edge
from app.reject.signals import Expose, MoveGate
from app.reject.tracking import Tracker
from app.types import Detection, EventKind, Finding, Frame, Reason, Verdict
from tests.hil.gate_station import WAIT_S, bin_of
from tests.hil.report import tell

PER_MM, SPEED_MM_S = 0.2, 500.0
STEP_COUNTS = 2
LENGTH_MM, PITCH_MM, CAMERA_MM = 60, 100, 150
GATES_MM = {"reject": 450, "rework": 600}
TIMES = {"min_on_ms": 0, "max_on_ms": 60_000}  # the belt has a time of its own: pulses are as long as they come
PICTURE = np.zeros((4, 4), np.uint8)
DEFECT = (Finding(Reason.DEFECT, "open 0.90", Detection("open", 0.9, (0.0, 0.0, 1.0, 1.0))),)


def settings():
    pins = {"reject": "GATE1", "rework": "GATE2"}
    return Line.model_validate(
        {
            "encoder": {"driver": "virtual", "counts_per_mm": PER_MM, "speed_mm_s": SPEED_MM_S},
            "belt": {"running": {"pin": "RUNNING"}, "v_min_mm_s": 100, "stop_mm": 0},
            "part": {"length_mm": LENGTH_MM, "min_pitch_mm": 90},
            "trigger": {"sensor": {"pin": "PART"}},
            "camera": [{"position_mm": CAMERA_MM}],
            "gate": [
                {"destination": name, "output": {"pin": pins[name]}, "position_mm": at_mm, **TIMES}
                for name, at_mm in GATES_MM.items()
            ],
            "stops": {"consecutive_rejects": 0, "reject_rate": 0, "repeated_alarms": 0},
        }
    )


class Belt:
    """The tracker on a belt of software, with real gates."""

    def __init__(self, line, io, clock):
        self.tracker = Tracker(line)
        self.io, self.clock = io, clock
        self.count, self.now_ns = 0, NS_PER_S
        self.judged = 0
        self.outcomes, self.causes = {}, set()
        self.tracker.start(BeltReading(0, self.now_ns), self.now_ns)
        self.tracker.reset("Ada", "lead", "start", is_cleared=True)
        self.move(2 * max(GATES_MM.values()))

    def move(self, mm):
        """The belt goes on; what is due on the way is done."""
        for _ in range(round(mm * PER_MM) // STEP_COUNTS):
            self.count += STEP_COUNTS
            self.now_ns += round(STEP_COUNTS / PER_MM / SPEED_MM_S * NS_PER_S)
            self.tracker.observe(BeltReading(self.count, self.now_ns), self.now_ns)
            self.obey()

    def edge(self, is_active):
        self.tracker.edge(Edge("part", is_active, self.now_ns, self.count))
        self.obey()

    def obey(self):
        self.tracker.tick(self.now_ns)
        while self.tracker.has_commands:
            for command in self.tracker.take_commands():
                if isinstance(command, MoveGate):
                    self.io.set_gate(command.destination, command.is_rejecting, self.clock.now_ns())
                elif isinstance(command, Expose):
                    self.judge(command)
            self.tracker.tick(self.now_ns)
        for event in self.tracker.take_events():
            if event.kind is EventKind.OUTCOME:
                name = str(event.data["outcome"])
                self.outcomes[name] = self.outcomes.get(name, 0) + 1
        self.causes |= {latch.text for latch in self.tracker.latches}

    def judge(self, command):
        """The camera shows the part at once, and the verdict sends it to the bin of its number."""
        if self.tracker.frame(Frame(PICTURE, command.exposure.camera, self.now_ns)) is None:
            return
        self.tracker.verdict(Verdict(command.part_id, bin_of(self.judged), DEFECT, decided_ns=self.now_ns))
        self.judged += 1


def serve(io, belt, parts):
    """Moves the belt on from edge to edge; until all parts have come, or none comes any more."""
    edges = 0
    while edges < 2 * parts and select.select([io], [], [], WAIT_S)[0]:
        for edge in io.edges():
            if edge.input == "part":
                edges += 1
                belt.edge(edge.is_active)
                belt.move(LENGTH_MM if edge.is_active else PITCH_MM - LENGTH_MM)
    belt.move(2 * max(GATES_MM.values()))
    return edges


def main():
    clock = SystemClock()
    factory = GpiodFactory(consumer="takt-hil", clock=clock, is_pumped=True)
    line = settings()
    io = open_line(line, clock, factory)
    belt = Belt(line, io, clock)
    tell("ready")
    edges = serve(io, belt, int(sys.argv[1]))
    tally = belt.tracker.tally
    told = {"edges": edges, "lost": io.lost_edges, "outcomes": belt.outcomes, "stops": sorted(belt.causes)}
    tell({**told, "is_balanced": tally.is_balanced, "judged": belt.judged})
    io.close()
    factory.close()


if __name__ == "__main__":
    main()
