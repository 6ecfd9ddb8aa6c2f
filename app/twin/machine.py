"""The machine: belt, parts, sensors, gates and relay, moved from event to event at their exact times."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random

from app.clock import VirtualClock
from app.config import GateSettings, Line, inputs_of
from app.errors import ConfigError
from app.twin.agenda import Action, Agenda
from app.twin.breakdown import Breakdown
from app.twin.flow import BY_HAND, GOOD_BIN, ON_BELT, Body, Flow, Point
from app.twin.gate import Gate
from app.twin.motion import NEVER_NS, Motion
from app.twin.parts import PartSource, Piece
from app.twin.pins import TwinFactory
from app.twin.quadrature import Quadrature, RunningCount
from app.twin.relay import PermitRelay
from app.twin.scenario import Scenario
from app.twin.sensors import Sensor
from app.twin.truth import Truth

_CHUTE_JITTER_MS = 8.0
_CHUTE_SEEN_MS = 30.0
_LEAST_CHUTE_MS = 5.0


class Machine:
    """A line with parts on its belt, seen from the pins.

    Build it before the box claims its pins, as a machine is there before the box is switched on. The truth about a
    part: it is diverted if and only if a gate's metal stands in the reject state at the moment when the part's centre
    passes the gate.

    Args:
        line: Where everything is, and on which pin.
        factory: The pins.
        clock: The clock of the pins, which `run` advances.
        parts: What lies on the belt.
        scenario: How the belt runs and what breaks.
        seed: Seed of all jitter.

    Raises:
        ConfigError: Parts would lie on top of each other.
    """

    def __init__(
        self,
        line: Line,
        factory: TwinFactory,
        clock: VirtualClock,
        parts: PartSource,
        scenario: Scenario | None = None,
        seed: int = 0,
    ) -> None:
        self.line = line
        self.scenario = scenario or Scenario()
        self._clock = clock
        self._seed = seed
        self._agenda = Agenda()
        self._flow = Flow(_laid(line, self.scenario, parts, seed), line.part.length_mm)
        self._left = len(self._flow.bodies)
        self._last_left_mm = 0.0
        self._sensors = {
            name: Sensor(each, factory, self._agenda, self._random(name), self.scenario.bounce_ms)
            for name, each in inputs_of(line).items()
        }
        self._gates = {
            gate.destination: Gate(
                gate, factory, self._agenda, self._random(gate.destination), self.scenario.gate_jitter_ms
            )
            for gate in line.gates
        }
        self._chute_random = self._random("chute")
        self._points()
        self.relay = PermitRelay(line.permit, factory, self._agenda, self._permit) if line.permit else None
        self._motion = Motion(
            self.scenario.phases,
            stop_mm=line.belt.stop_mm,
            ripple=self.scenario.speed_jitter,
            seed=seed,
            start_ns=clock.now_ns(),
            is_powered=self.relay is None,
        )
        self.encoder, self._running = self._encoders(line, factory)
        self.breakdown = Breakdown(self, self.scenario, parts)
        self._edge_ns = self._due_ns = NEVER_NS
        self._next_point: Point | None = None
        self._new_segment()

    @property
    def is_done(self) -> bool:
        """Every part has left the belt, and the belt has run on for `lead_out_mm`."""
        return not self._left and self.belt_mm >= self._last_left_mm + self.scenario.lead_out_mm

    @property
    def is_still(self) -> bool:
        """The belt stands, and nothing but the box can start it."""
        return not self._motion.is_powered and not self._motion.segment.direction

    @property
    def now_ns(self) -> int:
        """The clock's time."""
        return self._clock.now_ns()

    @property
    def belt_mm(self) -> float:
        """How far the belt has run."""
        return self._motion.position_mm(self._clock.now_ns())

    @property
    def speed_mm_s(self) -> float:
        """How fast the belt runs; negative backwards."""
        return self._motion.speed_mm_s(self._clock.now_ns())

    @property
    def bodies(self) -> tuple[Body, ...]:
        """All parts, whether on the belt, before it or gone."""
        return tuple(self._flow.bodies)

    @property
    def motion(self) -> Motion:
        """The drive."""
        return self._motion

    def truth(self) -> Truth:
        """What has happened to each part so far."""
        return Truth(self._flow.bodies)

    def sensor(self, name: str) -> Sensor | None:
        """An input by its name in `app.config.inputs_of`, if it is wired."""
        return self._sensors.get(name)

    def gate(self, destination: str = "") -> Gate:
        """The gate of a destination, or the first.

        Raises:
            KeyError: No gate serves the destination.
        """
        return self._gates[destination or self.line.default_gate.destination]

    def at(self, at_ns: int, action: Action) -> None:
        """Has something done at a time; to the loop it counts as a change."""
        self._agenda.at(at_ns, action)
        self._due_ns = min(self._due_ns, at_ns)

    def under(self, position_mm: float, tolerance_mm: float) -> Body | None:
        """The part whose leading edge is now at a position of the belt, give or take the tolerance."""
        return self._flow.at(position_mm, self.belt_mm, tolerance_mm)

    def next_event_ns(self) -> int:
        """When `step` has something to do; `NEVER_NS` when only the box can change that."""
        return min(self._edge_ns, self._due())

    def step(self) -> bool:
        """Does everything that is due by now.

        Returns:
            Whether anything but the encoder may have changed.
        """
        now_ns = self._clock.now_ns()
        has_changed = False
        while True:
            due_ns = self._due()
            if self._edge_ns <= now_ns and self._edge_ns <= due_ns:
                self._edge()
            elif due_ns <= now_ns:
                has_changed |= self._event(due_ns)
            else:
                return has_changed

    def run(self, until_ns: int) -> bool:
        """Advances the clock from event to event, no further than `until_ns` and not past the first change.

        The same as advancing to `next_event_ns` and calling `step` again and again, and faster.

        Returns:
            Whether anything but the encoder may have changed; the clock then stands where it did.
        """
        advance = self._clock.advance_to
        while True:
            due_ns = self._due()
            edge_ns = self._edge_ns
            if edge_ns <= due_ns:
                if edge_ns > until_ns:
                    break
                advance(edge_ns)
                self._edge()
            else:
                if due_ns > until_ns:
                    break
                advance(max(due_ns, self._clock.now_ns()))
                if self._event(due_ns):
                    return True
        advance(max(until_ns, self._clock.now_ns()))
        return False

    def clear_stretch(self) -> int:
        """A person takes every part off the belt that lies between the part sensor and the last gate's coasting end.

        Returns:
            How many there were.
        """
        reach_mm = max(gate.position_mm for gate in self.line.gates) + self.line.belt.stop_mm
        taken = [body for body in self._flow.between(self.belt_mm, 0.0, reach_mm) if body.place == ON_BELT]
        for body in taken:
            self.take(body, BY_HAND)
        return len(taken)

    def take(self, body: Body, place: str) -> None:
        """A part leaves the belt to somewhere else than its end."""
        if body.is_on_belt:
            body.leave(place)
            self._left -= 1
            self._last_left_mm = max(self._last_left_mm, self.belt_mm)
            self._look_again()

    def drop(self, piece: Piece) -> bool:
        """Somebody lays a part on the belt between the part sensor and the first gate, if there is room."""
        to_mm = min(gate.position_mm for gate in self.line.gates) - self.line.part.length_mm
        place_mm = self._flow.room_mm(self.belt_mm, to_mm)
        if place_mm is None:
            return False
        body = Body(len(self._flow.bodies), self.belt_mm - place_mm, piece, is_dropped=True)
        self._flow.drop(body, self.belt_mm)
        self._left += 1
        self._look_again()
        self.replan()
        return True

    def replan(self) -> None:
        """Works out anew what comes next, after the belt's motion or the parts on it have changed."""
        segment = self._motion.segment
        direction = segment.direction
        self._edge_ns = segment.reaches_ns(self.encoder.next_mm(direction)) if self._is_driven else NEVER_NS
        self._find_point()

    def _due(self) -> int:
        # The agenda may have got an earlier entry from the box since `_due_ns` was worked out.
        return min(self._due_ns, self._agenda.next_ns)

    def _edge(self) -> None:
        segment = self._motion.segment
        encoder = self.encoder
        direction = segment.direction
        encoder.step(direction)
        self._edge_ns = segment.reaches_ns(encoder.next_mm(direction))

    def _event(self, due_ns: int) -> bool:
        """Does the one thing that is due; what it does may make others due at the same time."""
        if self._agenda.next_ns <= due_ns:
            self._agenda.do_next()
            self._find_point()
            return True
        segment = self._motion.segment
        if segment.end_ns <= due_ns and self._motion.advance(due_ns):
            return self._new_segment()
        point = self._next_point
        assert point is not None
        point.cross(segment.direction, due_ns)
        self._find_point()
        return True
