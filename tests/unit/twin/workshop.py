"""A small machine for tests, and hands to move it: no box is attached, the tests set the outputs themselves."""

from __future__ import annotations

import numpy as np
from gpiozero import DigitalInputDevice, DigitalOutputDevice

from app.clock import NS_PER_MS, VirtualClock
from app.config import Line
from app.twin.machine import Machine
from app.twin.motion import NEVER_NS
from app.twin.parts import Piece
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario

PER_MM = 2
GATE_MM = 400.0
EXIT_MM = 600.0
LENGTH_MM = 60.0
LEAD_MM = 100.0
PINS = {"part": 4, "running": 7, "chute:reject": 23, "exit": 24, "air_low": 25, "bin_full:reject": 26}


def line(**changes):
    """A pusher at 400 mm, chute and exit sensors, no permit; nested keys are given as `gate__kind`."""
    values = {
        "encoder": {"a": 5, "b": 6, "counts_per_mm": PER_MM},
        "belt": {"v_min_mm_s": 300, "v_max_mm_s": 1000, "stop_mm": 100, "running": {"pin": 7}},
        "part": {"length_mm": LENGTH_MM, "min_pitch_mm": 90},
        "trigger": {"sensor": {"pin": 4}, "blocked_mm": 300},
        "camera": [{"position_mm": 150}],
        "gate": [
            {
                "kind": "pusher",
                "output": {"pin": 22, "read_back": {"pin": 21}},
                "position_mm": GATE_MM,
                "chute": {"sensor": {"pin": 23}},
                "bin_full": {"pin": 26},
            }
        ],
        "exit": {"sensor": {"pin": 24}, "position_mm": EXIT_MM, "tolerance_mm": 30},
        "stops": {"air_low": {"pin": 25}},
    }
    for path, value in changes.items():
        room, _, key = path.partition("__")
        if not key:
            values[room] = value
        else:
            target = values[room][0] if isinstance(values[room], list) else values[room]
            target[key] = value
    return Line.model_validate(values)


class Pieces:
    """Parts without pictures; those with a number in `bad` are bad."""

    def __init__(self, count, bad=()):
        self._count = count
        self._bad = set(bad)

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        grey = np.full((32, 32), index % 200, np.uint8)
        return Piece(f"part-{index}.png", index in self._bad, lambda: grey)


class Workshop:
    """A machine, its clock and pins, and what its sensors have shown."""

    def __init__(self, parts=5, *, bad=(), settings=None, seed=1, **scenario):
        steady = {"pitch_jitter_mm": 0.0, "speed_jitter": 0.0, "gate_jitter_ms": 0.0, "lead_in_mm": LEAD_MM}
        self.line = settings or line()
        self.clock = VirtualClock()
        self.factory = TwinFactory(self.clock)
        self.scenario = Scenario(**{**steady, **scenario})
        self.machine = Machine(self.line, self.factory, self.clock, Pieces(parts, bad), self.scenario, seed)
        self.seen = []
        self.inputs = {}
        for name, pin in PINS.items():
            self._listen(name, pin)
        self.edges = 0
        self.count = self.missed = 0
        self._quarter = [False, False]
        self.phases = [self._phase(0, 5), self._phase(1, 6)]

    def output(self, pin):
        return DigitalOutputDevice(pin, pin_factory=self.factory)

    def run_one_event(self):
        due_ns = self.machine.next_event_ns()
        assert due_ns < NEVER_NS, "the machine stands for ever"
        self.clock.advance_to(due_ns)
        self.machine.step()

    def run_to_mm(self, belt_mm):
        while self.machine.belt_mm < belt_mm:
            self.run_one_event()

    def run_to_ms(self, at_ms):
        while not self._advance(round(at_ms * NS_PER_MS)):
            pass

    def run_to_end(self):
        while not self.machine.is_done:
            self.run_one_event()

    def times(self, name, *, is_active=True):
        """Belt positions at which an input took a state."""
        return [at_mm for what, state, at_mm in self.seen if what == name and state is is_active]

    def place(self, index):
        return next(body.place for body in self.machine.bodies if body.index == index)

    def _advance(self, until_ns):
        due_ns = min(self.machine.next_event_ns(), until_ns)
        self.clock.advance_to(due_ns)
        self.machine.step()
        return due_ns == until_ns

    def _listen(self, name, pin):
        device = DigitalInputDevice(pin, pin_factory=self.factory)
        device.when_activated = lambda: self.seen.append((name, True, self.machine.belt_mm))
        device.when_deactivated = lambda: self.seen.append((name, False, self.machine.belt_mm))
        self.inputs[name] = device

    def _phase(self, number, pin):
        device = DigitalInputDevice(pin, pin_factory=self.factory)

        def changed(ticks, is_high):
            steps = {(0, 0): 0, (1, 0): 1, (1, 1): 2, (0, 1): 3}
            old = steps[self._quarter[0], self._quarter[1]]
            self._quarter[number] = bool(is_high)
            step = (steps[self._quarter[0], self._quarter[1]] - old) % 4
            self.edges += 1
            self.count += {1: 1, 3: -1}.get(step, 0)
            self.missed += step in (0, 2)

        device.pin.when_changed = changed
        return device, changed
