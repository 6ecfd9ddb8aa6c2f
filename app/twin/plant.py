"""What stands along the belt: sensors, gates, chutes and the end, and what a passing part does to them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from app.clock import NS_PER_MS
from app.config import GateSettings, Line, inputs_of
from app.twin.agenda import Agenda
from app.twin.flow import GOOD_BIN, ON_BELT, Body, Flow
from app.twin.gate import Gate
from app.twin.pins import TwinFactory
from app.twin.scenario import Scenario
from app.twin.sensors import Sensor

_CHUTE_JITTER_MS = 5.0
_CHUTE_SEEN_MS = 30.0
_LEAST_CHUTE_MS = 5.0
_CHUTE_AIM = 0.45
"""Where in the chute's window a part arrives that nothing delays."""


class Plant:
    """Sensors, gates and the end of the belt. A part that lies in front of a gate which rejects falls into its bin.

    Args:
        line: Where everything is, and on which pin.
        factory: The pins.
        agenda: Where everything is entered that happens later.
        flow: The parts.
        scenario: How things jitter and bounce.
        seed: Seed of the jitter.
        read_count: Gives the encoder's count, as a perfect decoder has it.

    Attributes:
        sensors: Every input of the line by its name in `app.config.inputs_of`.
        gates: Every gate by its destination.
        left: How many parts have left the belt by its end or into a bin.
    """

    def __init__(
        self,
        line: Line,
        factory: TwinFactory,
        agenda: Agenda,
        flow: Flow,
        scenario: Scenario,
        seed: int,
        read_count: Callable[[], int],
    ) -> None:
        self._line = line
        self._agenda = agenda
        self._scenario = scenario
        self._read_count = read_count
        self._random = seeded("chute", seed)
        self.left = 0
        self.sensors = {
            name: Sensor(each, factory, agenda, seeded(name, seed), scenario.bounce_ms)
            for name, each in inputs_of(line).items()
        }
        self.gates = {
            gate.destination: Gate(gate, factory, agenda, seeded(gate.destination, seed), scenario.gate_jitter_ms)
            for gate in line.gates
        }
        for output in line.handshake.outputs.values():
            # What a controller's input does by itself, and keeps a line off whose box has died.
            factory.wire(output.pin).fit_resistor("up" if output.active_low else "down")
        length_mm = line.part.length_mm
        self._part = flow.point((0.0, length_mm), self._at_part_sensor)
        for gate in self.gates.values():
            # A diversion is decided by the part's centre.
            flow.point((gate.settings.position_mm + length_mm / 2,), self._at_gate(gate))
        end_mm = max(gate.position_mm for gate in line.gates) + length_mm
        self._exit = None
        if line.exit:
            end_mm = line.exit.position_mm
            self._exit = flow.point((end_mm, end_mm + length_mm), self._at_exit_sensor)
        flow.point((end_mm + length_mm + 1.0,), self._at_end)

    def look_again(self, now_ns: int) -> None:
        """Has the sensors see what is in front of them, after a part was put there or taken away."""
        for name, point in (("part", self._part), ("exit", self._exit)):
            sensor = self.sensors.get(name)
            if sensor is not None and point is not None:
                sensor.set(point.is_covered(), now_ns)

    def run_lamp(self, is_running: bool, now_ns: int) -> None:
        """The belt starts or stops."""
        sensor = self.sensors.get("running")
        if sensor is not None:
            sensor.set(is_running, now_ns)

    def _at_part_sensor(self, body: Body, now_ns: int) -> None:
        if body.trigger_count is None and not body.is_dropped and self._part.is_covered():
            body.trigger_count = self._read_count()
        sensor = self.sensors.get("part")
        if sensor is not None:
            sensor.set(self._part.is_covered(), now_ns)

    def _at_exit_sensor(self, body: Body, now_ns: int) -> None:
        assert self._exit is not None
        if body.is_on_belt:
            body.place = GOOD_BIN
        self.sensors["exit"].set(self._exit.is_covered(), now_ns)

    def _at_end(self, body: Body, _now_ns: int) -> None:
        if body.is_on_belt:
            body.leave(GOOD_BIN)
            self.left += 1

    def _at_gate(self, gate: Gate) -> Callable[[Body, int], None]:
        destination = gate.settings.destination
        chute = self.sensors.get(f"chute:{destination}")

        def divert(body: Body, now_ns: int) -> None:
            if body.place != ON_BELT or not gate.takes(body.index):
                return
            body.leave(destination)
            self.left += 1
            if chute is not None:
                falls_ns = round(self._fall_ms(gate.settings) * NS_PER_MS)
                self._agenda.at(now_ns + falls_ns, chute.enter)
                self._agenda.at(now_ns + falls_ns + round(_CHUTE_SEEN_MS * NS_PER_MS), chute.leave)

        return divert

    def _fall_ms(self, settings: GateSettings) -> float:
        """From the gate to the chute sensor. The window is told in mm of belt after the gate's fire point."""
        usual_ms = self._scenario.chute_ms
        if usual_ms is None:
            assert settings.chute is not None
            window_mm = settings.chute.to_mm - settings.chute.from_mm
            aim_mm = settings.chute.from_mm + _CHUTE_AIM * window_mm
            # The part is diverted half its length behind the gate; the gate was commanded a lag before its offset.
            gone_mm = self._line.part.length_mm / 2 - settings.offset_mm
            usual_ms = 1000 * (aim_mm - gone_mm) / self._scenario.speed_mm_s - settings.lag_ms
        return max(_LEAST_CHUTE_MS, usual_ms + self._random.uniform(-1, 1) * _CHUTE_JITTER_MS)


def seeded(stream: str, seed: int) -> Random:
    """A stream of random numbers of its own, so that one kind of jitter does not change another."""
    return Random(f"{stream} {seed}")  # noqa: S311 - a seeded world, not a secret
