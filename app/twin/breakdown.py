"""Makes the faults of a scenario happen at their place on the belt, and end again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from heapq import heappop, heappush

from app.clock import NS_PER_MS
from app.twin.flow import BY_HAND, Body, Flow
from app.twin.gate import Gate
from app.twin.motion import Motion, Phase
from app.twin.parts import Piece
from app.twin.plant import Plant
from app.twin.quadrature import Quadrature
from app.twin.relay import PermitRelay
from app.twin.scenario import CAMERA_KINDS, Fault, FaultKind, Scenario
from app.twin.sensors import Sensor

MOST_SUDDEN = 32
"""So many faults that no scenario knows of are remembered: pictures may still fall to the oldest of them."""

Switch = Callable[[Fault, bool, int], None]
"""Begins (`True`) or ends a fault at a time in ns."""


@dataclass(frozen=True, slots=True)
class Fabric:
    """What can break.

    Attributes:
        plant: Sensors and gates.
        motion: The drive.
        encoder: The encoder, where there is one.
        relay: The permit relay, where there is one.
        flow: The parts.
        at: Enters an action at a time in ns.
        belt_mm: Gives the belt's position.
        take: Takes a part off the belt.
        drop: Lays a part on the belt.
        replan: Works out anew what comes next.
    """

    plant: Plant
    motion: Motion
    encoder: Quadrature | None
    relay: PermitRelay | None
    flow: Flow
    at: Callable[[int, Callable[[int], None]], None]
    belt_mm: Callable[[], float]
    take: Callable[[Body, str], None]
    drop: Callable[[Piece], bool]
    replan: Callable[[], None]


class Breakdown:
    """The faults of one run.

    Args:
        scenario: What goes wrong.
        fabric: What it happens to.
    """

    def __init__(self, scenario: Scenario, fabric: Fabric) -> None:
        self._scenario = scenario
        self._fabric = fabric
        self._entered = 0
        self._marks: list[tuple[float, int, Callable[[int], None]]] = []
        self._sudden: deque[Fault] = deque(maxlen=MOST_SUDDEN)
        self._awaited = {fault.at_part for fault in scenario.faults}
        self._starts = {body.index: body.start_mm for body in fabric.flow.bodies if body.index in self._awaited}
        for fault in scenario.faults:
            self._plan(fault)

    @property
    def next_mm(self) -> float:
        """Belt position at which the next fault begins or ends; infinite when none does."""
        return self._marks[0][0] if self._marks else math.inf

    def cross(self, now_ns: int) -> None:
        """The belt has come to `next_mm`."""
        _, _, act = heappop(self._marks)
        act(now_ns)

    def laid(self, body: Body) -> None:
        """One more part lies before the part sensor: the faults that wait for it can be planned."""
        if body.index in self._awaited:
            self._starts[body.index] = body.start_mm
            for fault in self._scenario.faults:
                if fault.at_part == body.index:
                    self._plan(fault)

    def picture_fault(self, body: Body | None) -> Fault | None:
        """The fault that befalls the picture of a part, or of an empty belt, taken now."""
        belt_mm = self._fabric.belt_mm()
        for fault in (*self._scenario.faults, *self._sudden):
            if fault.kind in CAMERA_KINDS and self._hits(fault, body, belt_mm):
                return fault
        return None

    def befall(self, fault: Fault, coming: Sequence[Body], now_ns: int) -> None:
        """A fault that no scenario knows of.

        Args:
            fault: What.
            coming: Parts that are yet to come, one of which it may befall.
            now_ns: When it begins, unless it is a fault of a picture.
        """
        self._sudden.append(fault)
        self._starts.update((body.index, body.start_mm) for body in coming if body.index == fault.at_part)
        if fault.kind not in CAMERA_KINDS:
            self._begin(fault, now_ns)

    def mend(self, kind: FaultKind, now_ns: int) -> None:
        """Ends the faults of a kind that no scenario knows of."""
        for fault in [each for each in self._sudden if each.kind is kind]:
            self._sudden.remove(fault)
            if kind not in CAMERA_KINDS:
                self._switch(fault)(fault, False, now_ns)

    def _plan(self, fault: Fault) -> None:
        start_mm = self._start_mm(fault)
        if fault.kind in CAMERA_KINDS or fault.kind is FaultKind.TOUCHING or start_mm is None:
            return
        self.mark(start_mm, lambda now_ns: self._begin(fault, now_ns))

    def _hits(self, fault: Fault, body: Body | None, belt_mm: float) -> bool:
        start_mm = self._start_mm(fault)
        if start_mm is None:
            return False
        # A camera's fault goes by where the part lay when it came to the sensor, not by where the picture is taken.
        is_known = body is not None and not body.is_dropped and fault.at_part is not None
        at_mm = body.start_mm if body is not None and is_known else belt_mm
        lasts_mm = fault.lasts_mm
        if fault.lasts_ms is not None:
            lasts_mm = self._scenario.speed_mm_s * fault.lasts_ms / 1000
        if not lasts_mm and lasts_mm is not None:
            return body is not None and body.index == fault.at_part
        return start_mm <= at_mm and (lasts_mm is None or at_mm < start_mm + lasts_mm)

    def _start_mm(self, fault: Fault) -> float | None:
        return fault.at_mm if fault.at_part is None else self._starts.get(fault.at_part)

    def mark(self, at_mm: float, act: Callable[[int], None]) -> None:
        """Has something done when the belt comes to a position."""
        heappush(self._marks, (at_mm, self._entered, act))
        self._entered += 1

    def _begin(self, fault: Fault, now_ns: int) -> None:
        switch = self._switch(fault)
        switch(fault, True, now_ns)
        if fault.lasts_ms is not None:
            self._fabric.at(now_ns + round(fault.lasts_ms * NS_PER_MS), lambda at_ns: switch(fault, False, at_ns))
        elif fault.lasts_mm:
            self.mark(self._fabric.belt_mm() + fault.lasts_mm, lambda at_ns: switch(fault, False, at_ns))

    def _switch(self, fault: Fault) -> Switch:
        for prefix, switch in (
            ("BELT", self._belt),
            ("ENCODER", self._encoder),
            ("GATE", self._gate),
            ("READ_BACK", self._gate),
            ("PERMIT", self._permit),
            ("EXTRA_PART", self._hand),
            ("PART_TAKEN", self._hand),
        ):
            if fault.kind.value.startswith(prefix):
                return switch
        return self._sensor

    def _belt(self, fault: Fault, is_on: bool, now_ns: int) -> None:
        if not is_on:
            return
        share = {FaultKind.BELT_STOP: 0.0, FaultKind.BELT_SLOW: fault.size}.get(fault.kind, -fault.size)
        speed = share * self._scenario.speed_mm_s
        lasts_ms = fault.lasts_ms
        if lasts_ms is None:
            assert fault.lasts_mm is not None
            lasts_ms = 1000 * fault.lasts_mm / (abs(speed) or self._scenario.speed_mm_s)
        self._fabric.motion.insert((Phase(speed, lasts_ms),), now_ns)
        self._fabric.replan()

    def _encoder(self, fault: Fault, is_on: bool, _now_ns: int) -> None:
        encoder, at_mm = self._fabric.encoder, self._fabric.belt_mm()
        if encoder is None:
            return
        if fault.kind is FaultKind.ENCODER_DEAD:
            encoder.fail(at_mm, is_dead=is_on)
        elif fault.kind is FaultKind.ENCODER_REVERSED:
            encoder.fail(at_mm, is_reversed=is_on)
        elif fault.kind is FaultKind.ENCODER_SLIP:
            encoder.fail(at_mm, slip=fault.size if is_on else self._scenario.slip)
        elif is_on:
            encoder.skip()
        self._fabric.replan()

    def _gate(self, fault: Fault, is_on: bool, _now_ns: int) -> None:
        gate = self._gate_of(fault)
        if fault.kind is FaultKind.GATE_SLOW:
            gate.slow(fault.size if is_on else 0.0)
        elif fault.kind is FaultKind.READ_BACK_WRONG:
            gate.lie(is_lying=is_on)
        elif fault.kind is FaultKind.GATE_WEAK:
            assert fault.at_part is not None
            gate.miss(fault.at_part)
        else:
            gate.stick(fault.kind is FaultKind.GATE_STUCK_ON if is_on else None)

    def _permit(self, _fault: Fault, is_on: bool, _now_ns: int) -> None:
        if self._fabric.relay is not None:
            self._fabric.relay.is_ignoring = is_on

    def _hand(self, fault: Fault, is_on: bool, _now_ns: int) -> None:
        if not is_on:
            return
        fabric = self._fabric
        if fault.kind is FaultKind.EXTRA_PART:
            like = fabric.flow.bodies[0].piece
            fabric.drop(replaced(like, name=f"dropped {like.name}", is_bad=fault.size > 0))
            return
        body = next(body for body in fabric.flow.bodies if body.index == fault.at_part)
        self.mark(body.start_mm + fault.size, lambda _: fabric.take(body, BY_HAND))

    def _sensor(self, fault: Fault, is_on: bool, now_ns: int) -> None:
        sensor = self._sensor_of(fault)
        if sensor is None:
            return
        if fault.kind is FaultKind.PART_BOUNCING:
            sensor.chatter(fault.size if is_on else 0.0)
        elif fault.kind is FaultKind.PART_GLITCH:
            if is_on:
                sensor.flash(fault.size, now_ns)
        else:
            stuck = fault.kind not in (FaultKind.PART_DEAD, FaultKind.CHUTE_DEAD, FaultKind.EXIT_DEAD)
            sensor.stick(stuck if is_on else None)

    def _sensor_of(self, fault: Fault) -> Sensor | None:
        name = fault.kind.value.split("_")[0].lower()
        if fault.kind in (FaultKind.AIR_LOW, FaultKind.BIN_FULL, FaultKind.BIN_OPEN):
            name = fault.kind.value.lower()
        if name in ("chute", "bin_full", "bin_open"):
            name = f"{name}:{self._gate_of(fault).settings.destination}"
        return self._fabric.plant.sensors.get(name)

    def _gate_of(self, fault: Fault) -> Gate:
        gates = self._fabric.plant.gates
        return gates[fault.gate] if fault.gate in gates else next(iter(gates.values()))
