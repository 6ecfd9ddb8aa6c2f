"""The machine: belt, parts, sensors, gates and relay, moved from event to event at their exact times."""

from __future__ import annotations

import math
from typing import Any

from app.clock import VirtualClock
from app.config import Line
from app.errors import LineError
from app.twin.agenda import Action, Agenda
from app.twin.breakdown import Breakdown, Fabric
from app.twin.flow import BY_HAND, ON_BELT, Body, Flow, Point
from app.twin.laying import laying
from app.twin.motion import NEVER_NS, Motion, Phase
from app.twin.parts import PartSupply, Piece
from app.twin.pins import TwinFactory
from app.twin.plant import Plant
from app.twin.quadrature import Quadrature, RunningCount
from app.twin.relay import PermitRelay
from app.twin.scenario import OF_A_PART, Fault, FaultKind, Scenario
from app.twin.truth import Archive, Counts, Truth

LAID_AHEAD_MM = 5000.0
"""How far ahead of the part sensor parts are laid where not all are there from the start."""

RETIRED_AT_ONCE = 16


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
        recent: With a number, parts are laid as the belt comes to them and forgotten when they have left it, so that a
            run of any length takes the same memory; `truth` then tells of so many of those that have left, and
            `counts` of all. Without one, every part is there from the start and to the end, as a run needs that
            is held against its whole ledger.

    Attributes:
        plant: Sensors and gates.
        relay: The permit relay, where the line has one.
        permit_ns: When the relay last changed.
        permit_mm: Where the belt was then.

    Raises:
        ConfigError: Parts would lie on top of each other.
    """

    def __init__(
        self,
        line: Line,
        factory: TwinFactory,
        clock: VirtualClock,
        parts: PartSupply,
        scenario: Scenario | None = None,
        seed: int = 0,
        *,
        recent: int | None = None,
    ) -> None:
        self._line = line
        self._clock = clock
        self._scenario = scenario or Scenario()
        self._agenda = Agenda()
        supply = laying(line, self._scenario, parts, seed)
        self._is_rolling = recent is not None
        self._flow = (
            Flow([], line.part.length_mm, supply) if self._is_rolling else Flow(list(supply), line.part.length_mm)
        )
        self._flow.lay(LAID_AHEAD_MM)
        self._archive = Archive(recent or 0)
        self._drops = 0
        self._taken = 0
        self.permit_ns = clock.now_ns()
        self.permit_mm = 0.0
        self._end_mm: float | None = None
        self.plant = Plant(line, factory, self._agenda, self._flow, self._scenario, seed, self._count)
        self._encoder = _encoder(line, factory, self._scenario)
        self._running = _running_count(line)
        self.relay = PermitRelay(line.permit, factory, self._agenda, self._permit) if line.permit else None
        self._motion = Motion(
            self._scenario.phases,
            stop_mm=line.belt.stop_mm,
            ripple=self._scenario.speed_jitter,
            seed=seed,
            start_ns=clock.now_ns(),
            is_powered=self.relay is None,
        )
        self._breakdown = Breakdown(self._scenario, self._fabric())
        self._edge_ns = self._due_ns = NEVER_NS
        self._next_point: Point | None = None
        self._new_segment()

    @property
    def line(self) -> Line:
        """The settings."""
        return self._line

    @property
    def is_done(self) -> bool:
        """Every part has left the belt, and the belt has run on for `lead_out_mm`."""
        return self._end_mm is not None and self.belt_mm >= self._end_mm

    @property
    def is_still(self) -> bool:
        """The belt stands without permit: nothing but the box can start it."""
        return not self._motion.is_powered and not self._motion.segment.direction

    @property
    def belt_mm(self) -> float:
        """How far the belt has run."""
        return self._motion.position_mm(self._clock.now_ns())

    @property
    def speed_mm_s(self) -> float:
        """How fast the belt runs; negative backwards."""
        return self._motion.speed_mm_s(self._clock.now_ns())

    @property
    def count(self) -> int:
        """The encoder's count, as a decoder that misses nothing has it."""
        return self._count()

    @property
    def bodies(self) -> tuple[Body, ...]:
        """All parts, whether on the belt, before it or gone."""
        return tuple(self._flow.bodies)

    def truth(self) -> Truth:
        """What has happened to each part so far, or to each of the recent ones."""
        return Truth(self._flow.bodies, self._archive.recent, is_whole=self._archive.is_whole)

    def counts(self) -> Counts:
        """What has become of all parts so far."""
        return self._archive.counts(self._flow.bodies)

    def at(self, at_ns: int, action: Action) -> None:
        """Has something done at a time; to the loop it counts as a change."""
        self._agenda.at(at_ns, action)

    def under(self, position_mm: float, tolerance_mm: float) -> Body | None:
        """The part whose leading edge is now at a position of the belt, give or take the tolerance."""
        return self._flow.at(position_mm, self.belt_mm, tolerance_mm)

    def picture_fault(self, body: Body | None) -> Fault | None:
        """The fault that befalls the picture of a part, or of the empty belt, taken now."""
        return self._breakdown.picture_fault(body)

    def next_event_ns(self) -> int:
        """When `step` has something to do; `NEVER_NS` when only the box can change that."""
        return min(self._edge_ns, self._due_ns, self._agenda.next_ns)

    def next_change_ns(self) -> int:
        """When `step` has something to do other than an edge of the encoder."""
        return min(self._due_ns, self._agenda.next_ns)

    def step(self) -> bool:
        """Does everything that is due by now.

        Returns:
            Whether anything but the encoder may have changed.
        """
        now_ns = self._clock.now_ns()
        has_changed = False
        while True:
            due_ns = min(self._due_ns, self._agenda.next_ns)
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
        advance, agenda = self._clock.advance_to, self._agenda
        while True:
            edge_ns, due_ns = self._edge_ns, self._due_ns
            due_ns = min(due_ns, agenda.next_ns)
            if edge_ns <= due_ns:
                if edge_ns > until_ns:
                    break
                advance(edge_ns)
                self._edge()
            else:
                if due_ns > until_ns:
                    break
                advance(due_ns)
                if self._event(due_ns):
                    return True
        advance(max(until_ns, self._clock.now_ns()))
        return False

    def befall(self, kind: FaultKind, **details: Any) -> Fault:
        """A fault that no scenario knows of happens now, or to the next part that comes to the sensor.

        Args:
            kind: What.
            **details: Duration, amount and gate, as in `Fault`.

        Returns:
            The fault.

        Raises:
            LineError: It needs parts that are yet to come, and there are none.
        """
        belt_mm = self.belt_mm
        coming = self._flow.coming(belt_mm)[:2]
        if kind not in OF_A_PART:
            fault = Fault(kind, at_mm=belt_mm, **details)
        elif len(coming) < 2:  # noqa: PLR2004 - parts that touch are two
            raise LineError(
                f"fault {kind.value} befalls parts that are yet to come, and there are none", "send more parts"
            )
        else:
            fault = Fault(kind, at_part=coming[0].index, **details)
        if kind is FaultKind.TOUCHING:
            coming[1].start_mm = coming[0].start_mm + self._line.part.length_mm + max(0.1, fault.size)
            self._find_point()
        else:
            self._breakdown.befall(fault, coming, self._clock.now_ns())
        return fault

    def mend(self, kind: FaultKind) -> None:
        """Ends every fault of a kind that `befall` has begun."""
        self._breakdown.mend(kind, self._clock.now_ns())

    def drive_at(self, speed_mm_s: float) -> None:
        """The drive runs at this speed from now on."""
        self._motion.follow((Phase(speed_mm_s),), self._clock.now_ns())
        self._new_segment()

    def clear_stretch(self) -> int:
        """A person takes every part off the belt that lies between the part sensor and the last gate's coasting end.

        Returns:
            How many there were.
        """
        reach_mm = max(gate.position_mm for gate in self._line.gates) + self._line.belt.stop_mm
        taken = [body for body in self._flow.between(self.belt_mm, 0.0, reach_mm) if body.place == ON_BELT]
        for body in taken:
            self.take(body, BY_HAND)
        return len(taken)

    def take(self, body: Body, place: str) -> None:
        """A part leaves the belt for `place`; nothing happens to one that has left it already."""
        if body.is_on_belt:
            body.leave(place)
            self._taken += 1
            self._look_for_end()
            self._find_point()
            self.plant.look_again(self._clock.now_ns())

    def drop(self, piece: Piece) -> bool:
        """Somebody lays a part on the belt between the part sensor and the first gate.

        Returns:
            Whether there was room for it.
        """
        belt_mm = self.belt_mm
        place_mm = self._flow.room_mm(belt_mm, min(gate.position_mm for gate in self._line.gates))
        if place_mm is None:
            return False
        self._drops += 1
        index = -self._drops if self._is_rolling else len(self._flow.bodies)
        self._flow.drop(Body(index, belt_mm - place_mm, piece, is_dropped=True), belt_mm)
        self._look_for_end()
        self.plant.look_again(self._clock.now_ns())
        self._find_point()
        return True

    def _edge(self) -> None:
        segment, encoder = self._motion.segment, self._encoder
        assert encoder is not None
        direction = segment.direction
        encoder.step(direction)
        self._edge_ns = segment.reaches_ns(encoder.next_mm(direction))

    def _event(self, due_ns: int) -> bool:
        """Does the one thing that is due first; returns whether it can be seen from the pins."""
        if self._agenda.next_ns <= due_ns:
            self._agenda.do_next()
            return True
        if self._motion.segment.end_ns <= due_ns:
            was_running = self._motion.segment.direction
            self._motion.advance(due_ns)
            self._new_segment()
            return was_running != self._motion.segment.direction
        if self._next_point is None:
            self._breakdown.cross(due_ns)
        else:
            self._next_point.cross(self._motion.segment.direction, due_ns)
            if self._is_rolling:
                self._roll()
        self._look_for_end()
        self._find_point()
        return True

    def _roll(self) -> None:
        """Lays the parts that come next, and forgets those that are gone."""
        for body in self._flow.lay(self.belt_mm + LAID_AHEAD_MM):
            self._breakdown.laid(body)
        retired = self._flow.retire(RETIRED_AT_ONCE)
        if retired:
            self._archive.take(retired)

    def _look_for_end(self) -> None:
        """Sets the end of the run as soon as no part is left to wait for."""
        if self._flow.laid > self.plant.left + self._taken:
            self._end_mm = None
        elif self._end_mm is None:
            self._end_mm = self.belt_mm + self._scenario.lead_out_mm
            self._breakdown.mark(self._end_mm, lambda _: None)

    def _new_segment(self) -> None:
        """Works out anew what comes next, after the belt's motion has changed."""
        segment, now_ns = self._motion.segment, self._clock.now_ns()
        direction = segment.direction
        self.plant.run_lamp(bool(direction), now_ns)
        if self._running is not None:
            self._running.run(bool(direction), now_ns)
        self._edge_ns = NEVER_NS if self._encoder is None else segment.reaches_ns(self._encoder.next_mm(direction))
        self._find_point()

    def _find_point(self) -> None:
        """Finds the place on the belt where something happens next, or that the motion changes before."""
        segment = self._motion.segment
        direction = segment.direction
        nearest_mm, self._next_point = self._breakdown.next_mm if direction > 0 else math.inf, None
        for point in self._flow.points:
            at_mm = point.next_mm(direction)
            if at_mm < math.inf and (nearest_mm == math.inf or (at_mm - nearest_mm) * direction < 0):
                nearest_mm, self._next_point = at_mm, point
        self._due_ns = min(segment.end_ns, segment.reaches_ns(nearest_mm))

    def _permit(self, is_given: bool, now_ns: int) -> None:
        self._motion.power(is_given, now_ns)
        self.permit_ns, self.permit_mm = now_ns, self._motion.position_mm(now_ns)
        self._new_segment()

    def _count(self) -> int:
        if self._encoder is not None:
            return self._encoder.count
        return self._running.count(self._clock.now_ns()) if self._running is not None else 0

    def _fabric(self) -> Fabric:
        return Fabric(
            plant=self.plant,
            motion=self._motion,
            encoder=self._encoder,
            relay=self.relay,
            flow=self._flow,
            at=self.at,
            belt_mm=lambda: self.belt_mm,
            take=self.take,
            drop=self.drop,
            replan=self._new_segment,
        )


def _encoder(line: Line, factory: TwinFactory, scenario: Scenario) -> Quadrature | None:
    settings = line.encoder
    if settings.driver == "virtual" or settings.a is None or settings.b is None:
        return None
    return Quadrature(factory.wire(settings.a), factory.wire(settings.b), settings.counts_per_mm, scenario.slip)


def _running_count(line: Line) -> RunningCount | None:
    settings = line.encoder
    if settings.driver != "virtual" or settings.speed_mm_s is None:
        return None
    return RunningCount(settings.counts_per_mm, settings.speed_mm_s)
