"""The parts on the belt, and the places where something notices them.

A part's place is told by one number: the belt position at which its leading edge is at the part sensor. Everything else
follows from it by adding distances, forwards and backwards alike.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.twin.parts import Piece

GOOD_BIN = "good bin"
BY_HAND = "by hand"
ON_BELT = "on belt"


@dataclass(slots=True)
class Body:
    """A part as a thing.

    Attributes:
        index: Its number; parts dropped on the belt are numbered after the others.
        start_mm: Belt position at which its leading edge is at the part sensor.
        piece: What it is.
        place: Where it is: `ON_BELT`, `GOOD_BIN`, `BY_HAND` or the destination whose bin holds it.
        trigger_count: The encoder's count when its leading edge first came to the part sensor.
        is_dropped: It was put on the belt behind the part sensor.
        is_on_belt: The belt still carries it; a part over the exit sensor is bound for the good bin, and carried yet.
    """

    index: int
    start_mm: float
    piece: Piece
    place: str = ON_BELT
    trigger_count: int | None = None
    is_dropped: bool = False
    is_on_belt: bool = True

    def leave(self, place: str) -> None:
        """It leaves the belt."""
        self.place = place
        self.is_on_belt = False


OnCross = Callable[[Body, int], None]
"""Called with the part and the time in ns."""


@dataclass(slots=True)
class Point:
    """A place on the belt that each part passes with one or several of its edges.

    Attributes:
        bodies: All parts, in the order in which they pass.
        offsets_mm: Way from a part's `start_mm` to each crossing, ascending, all within the length of a part.
        on_cross: Called at each crossing.
        passed: How many crossings lie behind.
    """

    bodies: list[Body]
    offsets_mm: tuple[float, ...]
    on_cross: OnCross
    passed: int = field(default=0)

    def next_mm(self, direction: int) -> float:
        """Belt position of the next crossing; infinite when there is none."""
        crossing = self.passed if direction > 0 else self.passed - 1
        count = len(self.offsets_mm)
        if not direction or not 0 <= crossing < count * len(self.bodies):
            return math.inf
        return self.bodies[crossing // count].start_mm + self.offsets_mm[crossing % count]

    def cross(self, direction: int, now_ns: int) -> None:
        """The next crossing happens."""
        crossing = self.passed if direction > 0 else self.passed - 1
        self.passed += direction
        self.on_cross(self.bodies[crossing // len(self.offsets_mm)], now_ns)

    def insert(self, body: Body, at_mm: float) -> None:
        """A part has been put among `bodies` while the belt stands at `at_mm`."""
        self.passed += sum(body.start_mm + offset <= at_mm for offset in self.offsets_mm)

    def is_covered(self) -> bool:
        """A part lies between its first and its last crossing, and is still there."""
        index, within = divmod(self.passed, len(self.offsets_mm))
        return within > 0 and self.bodies[index].is_on_belt


class Flow:
    """The parts of a run: all of them from the start, or those that lie about the belt now.

    Args:
        bodies: The parts, in the order in which they pass.
        length_mm: Length of a part.
        supply: Parts that follow those, to be laid as the belt comes to them.

    Attributes:
        bodies: The parts; changed only by `drop`, `lay` and `retire`.
        points: Where they are noticed.
        laid: How many parts there have been so far.
    """

    def __init__(self, bodies: list[Body], length_mm: float, supply: Iterator[Body] | None = None) -> None:
        self.bodies = bodies
        self.points: list[Point] = []
        self.laid = len(bodies)
        self._length_mm = length_mm
        self._supply = supply

    def point(self, offsets_mm: tuple[float, ...], on_cross: OnCross) -> Point:
        """A new place where parts are noticed."""
        point = Point(self.bodies, offsets_mm, on_cross)
        self.points.append(point)
        return point

    def at(self, way_mm: float, belt_mm: float, tolerance_mm: float) -> Body | None:
        """The part whose leading edge is `way_mm` behind the part sensor, give or take the tolerance."""
        start_mm = belt_mm - way_mm
        index = bisect_right(self.bodies, start_mm, key=_start)
        near = [b for b in self.bodies[max(0, index - 1) : index + 1] if b.is_on_belt]
        found = min(near, key=lambda body: abs(body.start_mm - start_mm), default=None)
        return found if found and abs(found.start_mm - start_mm) <= tolerance_mm else None

    def between(self, belt_mm: float, from_mm: float, to_mm: float) -> list[Body]:
        """The parts on the belt whose leading edge lies between two distances behind the part sensor."""
        first = bisect_left(self.bodies, belt_mm - to_mm, key=_start)
        last = bisect_right(self.bodies, belt_mm - from_mm, key=_start)
        return [body for body in self.bodies[first:last] if body.is_on_belt]

    def coming(self, belt_mm: float) -> list[Body]:
        """The parts that are yet to come to the part sensor, the next one first."""
        return self.bodies[bisect_right(self.bodies, belt_mm, key=_start) :]

    def room_mm(self, belt_mm: float, to_mm: float) -> float | None:
        """Where behind the part sensor another part can be laid, as the place of its leading edge; `None`: nowhere."""
        spare = 2.0
        end = 0.0
        for body in reversed(self.between(belt_mm, 0.0, to_mm + self._length_mm)):
            lead = belt_mm - body.start_mm
            if lead - self._length_mm - end >= self._length_mm + 2 * spare:
                break
            end = max(end, lead)
        place = end + spare + self._length_mm
        return place if place <= to_mm else None

    def drop(self, body: Body, belt_mm: float) -> None:
        """Lays a part on the belt."""
        self.bodies.insert(bisect_right(self.bodies, body.start_mm, key=_start), body)
        self.laid += 1
        for point in self.points:
            point.insert(body, belt_mm)

    def lay(self, until_mm: float) -> list[Body]:
        """Lays parts of the supply until the last one lies beyond `until_mm`; returns those that were laid."""
        laid: list[Body] = []
        while self._supply is not None and (not self.bodies or self.bodies[-1].start_mm < until_mm):
            body = next(self._supply, None)
            if body is None:
                self._supply = None
                break
            self.bodies.append(body)
            laid.append(body)
        self.laid += len(laid)
        return laid

    def retire(self, least: int) -> list[Body]:
        """Forgets the parts that every point lies behind, if there are at least so many; returns them."""
        gone = min(point.passed // len(point.offsets_mm) for point in self.points)
        if gone < least:
            return []
        retired = self.bodies[:gone]
        del self.bodies[:gone]
        for point in self.points:
            point.passed -= gone * len(point.offsets_mm)
        return retired


def _start(body: Body) -> float:
    return body.start_mm
