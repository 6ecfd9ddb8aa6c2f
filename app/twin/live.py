"""The machine as a process of its own, in real time: it does not wait for the box and knows nothing of it but its pins.

Its clock is the system's monotonic clock, so that its edges carry the times that a kernel would give them. Between two
events it sleeps; whatever it comes to late happens at its exact time all the same, and how late is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S, VirtualClock
from app.config import Line, outputs_of
from app.errors import LineError
from app.twin.control import Asked, ControlServer, control_path
from app.twin.eye import Eye
from app.twin.host import PinHost, readable_of
from app.twin.machine import Machine
from app.twin.motion import Phase
from app.twin.parts import PartSupply, PooledParts, RenderedParts
from app.twin.pins import Death
from app.twin.scenario import Scenario

PARTS_PER_MIN = 300.0
DEFECT_RATE = 0.1
POOL = 64
RECENT = 1_000
"""The truth is kept of so many parts that have left the belt."""

_SPARE = 1.22
"""How much wider than the smallest pitch the parts lie that nobody asked to lie otherwise."""

EDGES_NS = 333_000
"""Edges of the encoder that follow each other more quickly than this are delivered together."""

_LONGEST_NS = 50 * NS_PER_MS


def live_scenario(line: Line, parts_per_min: float = PARTS_PER_MIN) -> Scenario:
    """Parts at a comfortable distance, at the speed that brings so many per minute, within what the line allows."""
    pitch_mm = float(round(_SPARE * line.part.min_pitch_mm))
    speed_mm_s = min(max(pitch_mm * parts_per_min / 60, line.belt.v_min_mm_s), line.belt.v_max_mm_s)
    pitch_mm = max(pitch_mm, speed_mm_s * 60 / parts_per_min)
    jitter_mm = min(5.0, (pitch_mm - line.part.min_pitch_mm) / 4)
    return Scenario(phases=(Phase(speed_mm_s),), pitch_mm=pitch_mm, pitch_jitter_mm=jitter_mm)


def live_parts(seed: int, defect_rate: float = DEFECT_RATE) -> tuple[PooledParts, RenderedParts]:
    """Rendered boards without end, and what they were made of, whose design has the golden sample."""
    boards = RenderedParts(seed, POOL, max(defect_rate, 0.25) if defect_rate else 0.0)
    return PooledParts(boards, defect_rate=defect_rate, seed=seed, most=POOL), boards


class LiveTwin:
    """A machine that runs in real time.

    Args:
        line: Where everything is, and on which pin. Its lane names the machine.
        place: Where the box finds its pins and cameras.
        parts: What lies on the belt.
        scenario: How the belt runs and what breaks; by default `live_scenario`.
        seed: Seed of all jitter.
        death: What the box's pins do when its process dies.
        recent: The truth is kept of so many parts that have left the belt.

    Attributes:
        machine: The machine.
        late_ms: How late it was at most with anything that it had to do at a time.

    Raises:
        BusError: Another machine runs here, or the place cannot be used.
        ConfigError: Parts would lie on top of each other.
    """

    def __init__(
        self,
        line: Line,
        place: Place,
        parts: PartSupply,
        scenario: Scenario | None = None,
        *,
        seed: int = 0,
        death: Death = "float",
        recent: int = RECENT,
    ) -> None:
        lane = line.line.lane
        self._line = line
        self._clock = VirtualClock(time.monotonic_ns())
        self.late_ms = 0.0
        self._planned_ns = self._turned_ns = self._clock.now_ns()
        with ExitStack() as opened:
            phases = [pin for pin in (line.encoder.a, line.encoder.b) if pin is not None]
            self._host = PinHost(place, lane, self._clock, quiet=phases, death=death)
            opened.callback(self._host.close)
            self.machine = Machine(
                line, self._host, self._clock, parts, scenario or live_scenario(line), seed, recent=recent
            )
            self._eyes: list[Eye] = []
            for camera in line.cameras:
                if camera.driver == "twin":
                    self._eyes.append(Eye(camera, self.machine, self._clock, place, lane))
                    opened.callback(self._eyes[-1].close)
            self._control = ControlServer(control_path(place, lane))
            opened.callback(self._control.close)
            self._opened = opened.pop_all()

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Runs until it is told to stop, which it looks for at least 20 times a second."""
        while not is_stopping():
            self.turn(readable_of(self._descriptors(), self._sleep_s()))

    def turn(self, readable: Iterable[int]) -> None:
        """Does everything that is due by now.

        Args:
            readable: Descriptors that have something to say.
        """
        now_ns = time.monotonic_ns()
        self.late_ms = max(self.late_ms, (now_ns - self._planned_ns) / NS_PER_MS)
        self._turned_ns = now_ns
        ready = set(readable)
        self._host.gather()
        self._host.serve(ready, self._advance)
        for eye in self._eyes:
            if eye.fileno() in ready:
                eye.receive()
        self._advance(now_ns)
        for eye in self._eyes:
            eye.deliver()
        self._host.ring()
        if self._control.fileno() in ready:
            for asked in self._control.receive():
                self._obey(asked)

    def close(self) -> None:
        """Takes the machine away. Idempotent; to the box it is as if the machine had lost its power."""
        self._opened.close()

    def truth(self, recent: int = 0) -> dict[str, Any]:
        """How the machine is, and what has become of the parts.

        Args:
            recent: Tell of so many of the last parts that reached the part sensor.
        """
        machine, host = self.machine, self._host
        counts = machine.counts()
        relay = machine.relay
        return {
            "at_ns": self._clock.now_ns(),
            "belt": {"mm": machine.belt_mm, "speed_mm_s": machine.speed_mm_s, "is_still": machine.is_still},
            "count": machine.count,
            "permit": None
            if relay is None
            else {"is_on": relay.is_on, "since_ns": machine.permit_ns, "since_mm": machine.permit_mm},
            "outputs": {name: host.level(each.pin) for name, each in outputs_of(self._line).items()},
            "box": host.box,
            "deaths": host.deaths,
            "late_ms": round(self.late_ms, 3),
            "lost_changes": host.lost,
            "frames_dropped": sum(eye.dropped for eye in self._eyes),
            "parts": counts.parts,
            "bad": counts.bad,
            "escapes": counts.escapes,
            "overkill": counts.overkill,
            "places": dict(counts.places),
            "recent": [
                {"index": part.index, "name": part.name, "is_bad": part.is_bad, "count": part.trigger_count}
                | {"place": part.place, "is_dropped": part.is_dropped}
                for part in (machine.truth().parts[-recent:] if recent else ())
            ],
        }

    def _descriptors(self) -> list[int]:
        return [*self._host.waits_for(), self._control.fileno(), *(eye.fileno() for eye in self._eyes)]

    def _sleep_s(self) -> float:
        """Until what comes next; not for every edge of an encoder that runs fast, or that nobody listens to."""
        wake_ns = self.machine.next_change_ns()
        if self._host.box:
            wake_ns = min(wake_ns, max(self.machine.next_event_ns(), self._turned_ns + EDGES_NS))
        now_ns = time.monotonic_ns()
        self._planned_ns = min(wake_ns, now_ns + _LONGEST_NS)
        return max(0, self._planned_ns - now_ns) / NS_PER_S

    def _advance(self, at_ns: int) -> None:
        while self.machine.run(at_ns):
            pass

    def _obey(self, asked: Asked) -> None:
        order, machine = asked.order, self.machine
        try:
            if order.command == "clear":
                self._control.answer(asked, {"taken": machine.clear_stretch()})
            elif order.command == "truth":
                self._control.answer(asked, self.truth(order.recent))
            else:
                if order.command == "speed" and order.speed_mm_s is not None:
                    machine.drive_at(order.speed_mm_s)
                elif order.command == "mend" and order.kind is not None:
                    machine.mend(order.kind)
                elif order.kind is not None:
                    machine.befall(order.kind, gate=order.gate, amount=order.amount, duration_ms=order.duration_ms)
                self._control.answer(asked, {})
        except LineError as error:
            self._control.refuse(asked, error)
