"""A line without a part sensor: its camera runs freely and sees parts come, on the whole station in virtual time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from belt import Log

from app.capture.watched import WatchedCamera, spotter_for
from app.clock import VirtualClock
from app.config import Line
from app.detect.detector import Result, Timed
from app.main import build_station
from app.recipe import Recipe
from app.rehearsal import Rehearsal
from app.setup import Setup
from app.twin.camera import TwinCamera
from app.twin.machine import Machine
from app.twin.motion import Phase
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from app.types import Detection, EventKind, Opening

PX = 0.5


def line(motion):
    width_px, height_px = (400, 160) if motion == "right" else (160, 400)
    return Line.model_validate(
        {
            "belt": {"v_min_mm_s": 100, "v_max_mm_s": 600, "stop_mm": 60},
            "encoder": {"a": 5, "b": 6, "counts_per_mm": 2},
            "part": {"length_mm": 60, "min_pitch_mm": 63},
            "trigger": {"source": "vision", "vision": {"mm_per_px": PX, "line_share": 0.6, "motion": motion}},
            "camera": [
                {
                    "driver": "twin",
                    "trigger": "free",
                    "position_mm": 150,
                    "width_px": width_px,
                    "height_px": height_px,
                },
            ],
            "gate": [
                {
                    "kind": "diverter",
                    "output": {"pin": 22},
                    "position_mm": 450,
                    "chute": {"sensor": {"pin": 23}, "from_mm": 0, "to_mm": 150},
                }
            ],
            "exit": {"sensor": {"pin": 24}, "position_mm": 650, "tolerance_mm": 30},
            "stops": {"consecutive_rejects": 0, "reject_rate": 0},
        }
    )


def picture(index):
    """A part's surface: light, with marks of its own."""
    random = np.random.default_rng(index)
    image = np.full((120, 120), 190, np.uint8)
    for _ in range(6):
        row, column = random.integers(8, 100, 2)
        image[row : row + 12, column : column + 12] = random.integers(90, 250)
    return image


@dataclass
class Parts:
    count: int

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return Piece(f"part-{index}", index % 7 == 3, lambda: picture(index))


class Oracle(Timed):
    """Knows each part by the name of its picture."""

    def inspect(self, image, name):
        is_bad = int(name.removeprefix("part-")) % 7 == 3
        return Result((Detection("open", 0.9, (0.0, 0.0, 8.0, 8.0)),) if is_bad else ())


def run(scenario, parts, motion="right"):
    settings = line(motion)
    clock = VirtualClock()
    factory = TwinFactory(clock)
    machine = Machine(settings, factory, clock, Parts(parts), scenario)
    camera = settings.cameras[0]
    log = Log()
    station = build_station(
        Setup(settings, Recipe.model_validate({"flag_margin": 0}), Path()),
        clock=clock,
        pin_factory=factory,
        cameras={"top": WatchedCamera(TwinCamera(camera, machine, clock), spotter_for(settings, camera))},
        judge=Oracle(),
        recorder=log,
        opening=Opening(lot="L"),
    )
    rehearsal = Rehearsal(station, machine, clock, log)
    rehearsal.run(60 + 2 * parts, lambda status: None)
    try:
        return rehearsal.compare(), station.status().tally, log
    finally:
        station.close()
        factory.close()


@pytest.mark.parametrize("pitch_mm", [65, 120])
@pytest.mark.parametrize("motion", ["right", "up"])
def test_every_part_is_seen_once_and_goes_where_it_should(pitch_mm, motion):
    scenario = Scenario(phases=(Phase(300.0),), pitch_mm=pitch_mm, pitch_jitter_mm=0.5)

    comparison, tally, log = run(scenario, 40, motion)

    assert tally.triggers == 40
    assert tally.is_balanced
    assert log.stops == []
    assert comparison.escapes == 0
    assert comparison.unaccounted == 0


def test_belt_that_stops_and_turns_back_makes_no_part_twice():
    there, back = Phase(300.0, 4300.0), Phase(-80.0, 900.0)
    phases = (there, Phase(0.0, 700.0), back, Phase(0.0, 500.0), Phase(300.0))
    scenario = Scenario(pitch_mm=90, phases=phases)

    comparison, tally, log = run(scenario, 30)

    assert tally.triggers == 30
    assert comparison.escapes == 0
    assert [event for event in log.ledger if event.kind is EventKind.LATCHED] == []
