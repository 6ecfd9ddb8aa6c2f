"""The real station on the twin with a detector that knows the truth: what the properties of the belt are tried on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.clock import NS_PER_S, VirtualClock
from app.config import Line
from app.detect.detector import Result, Timed
from app.errors import DetectorError
from app.main import build_station
from app.recipe import Recipe
from app.rehearsal import Notebook, Rehearsal
from app.setup import Setup
from app.twin.camera import TwinCamera
from app.twin.machine import Machine
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from app.types import Detection, EventKind, LedgerEvent, Opening, Outcome

BAD, GOOD = 255, 0


def picture(value: int) -> np.ndarray:
    return np.full((16, 16), value, np.uint8)


@dataclass
class Parts:
    """Parts that are bad as given; the picture of a bad one is white."""

    is_bad: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.is_bad)

    def __getitem__(self, index: int) -> Piece:
        bad = self.is_bad[index]
        return Piece(f"part-{index}.png", bad, lambda: picture(BAD if bad else GOOD))


class Oracle(Timed):
    """A judge that is always right; every `fails_every`-th frame it cannot judge."""

    def __init__(self, fails_every: int = 0) -> None:
        self._fails_every = fails_every
        self._frames = 0

    def inspect(self, image: np.ndarray, name: str) -> Result:
        self._frames += 1
        if self._fails_every and self._frames % self._fails_every == 0:
            raise DetectorError("inference failed", "try again")
        # Anything but the black of a good part is a defect; so is the grey of an empty belt.
        found = (Detection("open", 0.9, (0.0, 0.0, 8.0, 8.0)),) if image.mean() > GOOD else ()
        return Result(found)


@dataclass
class Log(Notebook):
    """Keeps every event."""

    ledger: list[LedgerEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(pictures=0)

    def take(self, events) -> int:
        self.ledger.extend(events)
        return super().take(events)


class Run:
    """One scenario from start to end, watched at the pins."""

    def __init__(
        self, line: Line, scenario: Scenario, is_bad: tuple[bool, ...], seed: int = 0, fails_every: int = 0
    ) -> None:
        self.line = line
        self.clock = VirtualClock()
        self.factory = TwinFactory(self.clock)
        self.machine = Machine(line, self.factory, self.clock, Parts(is_bad), scenario, seed)
        self.log = Log()
        self.longest_on_ns: dict[str, int] = {}
        for gate in line.gates:
            if gate.is_pulse:
                self._watch(gate.destination, gate.output.pin)
        cameras = {camera.name: TwinCamera(camera, self.machine, self.clock) for camera in line.cameras}
        self.station = build_station(
            Setup(line, Recipe.model_validate({"flag_margin": 0}), Path()),
            clock=self.clock,
            pin_factory=self.factory,
            cameras=cameras,
            judge=Oracle(fails_every),
            recorder=self.log,
            opening=Opening(lot="L"),
        )
        self.rehearsal = Rehearsal(self.station, self.machine, self.clock, self.log)
        self.was_always_balanced = True

    def __enter__(self):
        seconds = 60 + 5 * len(self.machine.bodies)
        self.rehearsal.run(seconds, lambda status: self._check(status.tally.is_balanced))
        return self

    def __exit__(self, *exc: object) -> None:
        self.station.close()
        self.factory.close()

    def _check(self, is_balanced: bool) -> None:
        self.was_always_balanced &= is_balanced

    def _watch(self, name: str, pin: object) -> None:
        since: list[int] = []

        def note(is_high: bool, at_ns: int) -> None:
            if is_high:
                since[:] = [at_ns]
            elif since:
                self.longest_on_ns[name] = max(self.longest_on_ns.get(name, 0), at_ns - since.pop())

        self.factory.watch(pin, note)

    # What can be asked of a finished run

    def of(self, kind: EventKind) -> list[LedgerEvent]:
        return [event for event in self.log.ledger if event.kind is kind]

    @property
    def tally(self):
        return self.station.status().tally

    @property
    def stops(self) -> list[str]:
        return self.log.stops

    def escapes_without_a_stop(self) -> list[str]:
        """Bad parts in the good bin although no stop was latched from when they passed the part sensor on."""
        stopped_ns = [event.at_ns for event in self.of(EventKind.LATCHED)]
        told = []
        trigger_ns = {
            int(event.data["trigger_count"]): int(event.data["trigger_ns"]) for event in self.of(EventKind.TRIGGER)
        }
        for part in self.machine.truth().parts:
            if part.is_bad and part.place == "good bin":
                since_ns = trigger_ns.get(part.trigger_count, 0) if part.trigger_count is not None else 0
                if not any(at_ns >= since_ns for at_ns in stopped_ns):
                    told.append(f"part {part.index} triggered at {since_ns / NS_PER_S:.3f} s")
        return told

    def verdicts_per_part(self) -> dict[int, int]:
        counts = {event.part_id: 0 for event in self.of(EventKind.TRIGGER)}
        for event in self.of(EventKind.VERDICT):
            counts[event.part_id] += 1
        return counts

    def outcomes_per_part(self) -> dict[int, list[Outcome]]:
        outcomes: dict[int, list[Outcome]] = {event.part_id: [] for event in self.of(EventKind.TRIGGER)}
        for event in self.of(EventKind.OUTCOME):
            outcomes[event.part_id].append(Outcome(event.data["outcome"]))
        return outcomes
