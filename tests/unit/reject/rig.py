"""A belt for tests of the tracker alone: it moves count by count, and every sensor edge is given by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.clock import NS_PER_MS, NS_PER_S
from app.config import Line
from app.reject.lineio import BeltReading, Edge
from app.reject.signals import Command, Expose, MoveGate, Permit
from app.reject.tracking import Tracker
from app.types import PASS, Detection, EventKind, Finding, Frame, LedgerEvent, Opening, Reason, Verdict

PER_MM = 2
PICTURE = np.zeros((4, 4), np.uint8)
DEFECT = (Finding(Reason.DEFECT, "open 0.90", Detection("open", 0.9, (0, 0, 1, 1))),)


def settings(**changes: Any) -> Line:
    """A line with a diverter at 400 mm, chute and exit sensors; nested keys are given as `gate__kind`."""
    values: dict[str, Any] = {
        "encoder": {"a": 5, "b": 6, "counts_per_mm": PER_MM},
        "belt": {"v_min_mm_s": 300, "v_max_mm_s": 1000, "stop_mm": 100},
        "part": {"length_mm": 60, "min_pitch_mm": 90},
        "trigger": {"sensor": {"pin": 4}, "blocked_mm": 300},
        "camera": [{"position_mm": 150}],
        "gate": [
            {
                "kind": "diverter",
                "output": {"pin": 22},
                "position_mm": 400,
                "chute": {"sensor": {"pin": 23}, "from_mm": 0, "to_mm": 120},
            }
        ],
        "exit": {"sensor": {"pin": 24}, "position_mm": 600, "tolerance_mm": 30},
        "stops": {"reject_rate": 0},
    }
    for path, value in changes.items():
        room, _, key = path.partition("__")
        place = values.setdefault(room, {})
        if not key:
            values[room] = value
        elif isinstance(place, list):
            place[0][key] = value
        else:
            place[key] = value
    return Line.model_validate(values)


class Rig:
    """A tracker on a belt of 500 mm/s."""

    def __init__(self, line: Line | None = None, *, is_ready: bool = True) -> None:
        self.line = line or settings()
        self.tracker = Tracker(self.line, Opening(lot="L1"))
        self.count = 0
        self.now_ns = NS_PER_S
        self.speed_mm_s = 500.0
        self.missed = 0
        self.commands: list[Command] = []
        self.events: list[LedgerEvent] = []
        self.tracker.start(BeltReading(0, self.now_ns), self.now_ns)
        self.take()
        if is_ready:
            self.make_ready()

    def make_ready(self) -> None:
        if self.tracker.latches:
            self.tracker.reset("Ada", "lead", "start", is_cleared=True)
        self.move(520)
        assert self.tracker.state.value == "RUNNING"
        self.commands.clear()
        self.events.clear()

    def take(self) -> None:
        self.commands += self.tracker.take_commands()
        self.events += self.tracker.take_events()

    def step(self, counts: int = 1, ns: int | None = None) -> None:
        """One count on, or back."""
        took = abs(counts) / (self.speed_mm_s * PER_MM) * NS_PER_S
        self.now_ns += round(took) if ns is None else ns
        self.count += counts
        self.tracker.observe(BeltReading(self.count, self.now_ns, self.missed), self.now_ns)
        self.tracker.tick(self.now_ns)
        self.take()

    def move(self, mm: float) -> None:
        for _ in range(abs(round(mm * PER_MM))):
            self.step(1 if mm > 0 else -1)

    def wait(self, ms: float) -> None:
        """Time passes and the belt stands."""
        for _ in range(max(1, round(ms / 5))):
            self.now_ns += 5 * NS_PER_MS
            self.tracker.observe(BeltReading(self.count, self.now_ns, self.missed), self.now_ns)
            self.tracker.tick(self.now_ns)
            self.take()

    def move_to(self, part: LedgerEvent | int, mm: float) -> None:
        """Moves until the leading edge of a part is at `mm` past the sensor."""
        trigger = part if isinstance(part, int) else int(part.data["trigger_count"])
        self.move(mm - (self.count - trigger) / PER_MM)

    def edge(self, name: str, is_active: bool = True) -> None:
        self.tracker.edge(Edge(name, is_active, self.now_ns, self.count))
        self.tracker.tick(self.now_ns)
        self.take()

    def part(self, *, covered_mm: float = 60) -> int:
        """A part goes under the sensor; returns its trigger count."""
        at = self.count
        self.edge("part")
        self.move(covered_mm)
        self.edge("part", is_active=False)
        return at

    def frame(self, *, age_ms: float = 0, counter: int | None = None, camera: str = "top") -> Any:
        found = self.tracker.frame(Frame(PICTURE, camera, self.now_ns - round(age_ms * NS_PER_MS), counter=counter))
        self.tracker.tick(self.now_ns)
        self.take()
        return found

    def judge(self, part_id: int, destination: str = PASS) -> None:
        found = () if destination == PASS else DEFECT
        self.tracker.verdict(Verdict(part_id, destination, found, decided_ns=self.now_ns))
        self.tracker.tick(self.now_ns)
        self.take()

    def good_part(self) -> int:
        """A part that is photographed, judged good and then left where the camera saw it."""
        return self._judged(PASS)

    def bad_part(self) -> int:
        return self._judged("reject")

    def _judged(self, destination: str) -> int:
        at = self.part()
        self.move_to(at, 151)
        part_id = self.exposed[-1]
        self.frame()
        self.judge(part_id, destination)
        return at

    # What has come out so far

    def of(self, kind: EventKind) -> list[LedgerEvent]:
        return [event for event in self.events if event.kind is kind]

    @property
    def exposed(self) -> list[int]:
        return [command.part_id for command in self.commands if isinstance(command, Expose)]

    @property
    def gate(self) -> list[bool]:
        return [command.is_rejecting for command in self.commands if isinstance(command, MoveGate)]

    @property
    def permits(self) -> list[bool]:
        return [command.is_given for command in self.commands if isinstance(command, Permit)]

    @property
    def causes(self) -> list[str]:
        return [latch.cause.value for latch in self.tracker.latches]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(str(e.data["outcome"]), str(e.data["confirmation"])) for e in self.of(EventKind.OUTCOME)]

    @property
    def reasons(self) -> list[str]:
        return [str(event.data["reasons"]) for event in self.of(EventKind.VERDICT)]


def pair(rig: Rig, *destinations: str) -> tuple[int, int]:
    """Two parts 95 mm apart, each judged under the camera."""
    first = rig.part()
    rig.move_to(first, 95)
    second = rig.part()
    for at, destination in zip((first, second), destinations, strict=True):
        rig.move_to(at, 151)
        rig.frame()
        rig.judge(rig.exposed[-1], destination)
    return first, second


def pusher(**changes: object) -> Rig:
    return Rig(settings(gate__kind="pusher", **changes))
