"""Lays out the copper of a bare board: pads, vias, polygons and the traces between them.

Everything lies on a coarse grid whose nodes belong to one net each, so that two nets never come closer than the grid
allows, whatever is drawn. Traces find their way from node to node, straight or at 45 degrees, as a router lays them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise
from random import Random

import cv2
import numpy as np

from app.types import Image

SIZE_PX = 640
PITCH_PX = 32
_NODES = SIZE_PX // PITCH_PX
_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))
_WIDTHS_PX = (9, 11, 13, 15, 17)
_LEAST_WAY = 3
_BEND_COST = 0.6
_DIAGONAL_COST = 1.4

Node = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Track:
    """One straight piece of a trace, in pixels."""

    start: tuple[int, int]
    end: tuple[int, int]
    width_px: int


@dataclass(slots=True)
class Artwork:
    """The copper of a board.

    Attributes:
        copper: uint8 (640, 640), 1 where there is copper.
        tracks: The straight pieces of its traces.
    """

    copper: Image
    tracks: list[Track] = field(default_factory=list)


class Layout:
    """Draws one board.

    Args:
        seed: Which board.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(f"artwork {seed}")  # noqa: S311 - a seeded world, not a secret
        self._owner: dict[Node, int] = {}
        self._diagonals: set[Node] = set()
        self._terminals: list[Node] = []
        self._holes: list[Node] = []
        self._nets = 0
        self.artwork = Artwork(np.zeros((SIZE_PX, SIZE_PX), np.uint8))

    def draw(self) -> Artwork:
        """Lays out the whole board."""
        for _ in range(2):
            self._pour()
        for _ in range(2):
            self._bus()
        for _ in range(6):
            self._footprint()
        for _ in range(60):
            self._via()
        self._random.shuffle(self._terminals)
        for terminal in self._terminals:
            self._route(terminal)
        self._drill()
        return self.artwork

    def _claim(self, nodes: list[Node]) -> int | None:
        """Takes free nodes for a new net."""
        if any(node in self._owner for node in nodes):
            return None
        self._nets += 1
        self._owner.update(dict.fromkeys(nodes, self._nets))
        return self._nets

    def _block(self, wide: int, high: int) -> list[Node] | None:
        left, top = self._random.randrange(_NODES - wide + 1), self._random.randrange(_NODES - high + 1)
        nodes = [(left + x, top + y) for x in range(wide) for y in range(high)]
        return None if any(node in self._owner for node in nodes) else nodes

    def _pour(self) -> None:
        """A polygon with a cut corner."""
        nodes = self._block(self._random.randint(3, 5), self._random.randint(2, 4))
        if nodes is None:
            return
        self._claim(nodes)
        (left, top), (right, bottom) = _centre(nodes[0]), _centre(nodes[-1])
        grow, cut = 11, self._random.choice((16, 24, 32))
        corners = [
            (left - grow + cut, top - grow),
            (right + grow, top - grow),
            (right + grow, bottom + grow - cut),
            (right + grow - cut, bottom + grow),
            (left - grow, bottom + grow),
            (left - grow, top - grow + cut),
        ]
        cv2.fillPoly(self.artwork.copper, [np.array(corners, np.int32)], 1)
        self._holes.extend(self._random.sample(nodes[1:-1], 2))
        self._terminals.append(self._random.choice(nodes))

    def _bus(self) -> None:
        """A trace across the board, as power rails are."""
        row = self._random.randrange(_NODES)
        is_lying = self._random.random() < 0.5  # noqa: PLR2004 - a coin
        bend = self._random.randrange(4, _NODES - 4)
        after = min(_NODES - 1, max(0, row + self._random.choice((-1, 1))))
        nodes = [(i, row if i < bend else after) for i in range(_NODES)]
        nodes = nodes if is_lying else [(y, x) for x, y in nodes]
        if self._claim(nodes) is not None:
            self._trace(nodes, self._random.choice((16, 20, 22)))

    def _footprint(self) -> None:
        """Two rows of pads, as of a chip, or two pads of a resistor."""
        pins = self._random.choice((1, 3, 4))
        nodes = self._block(3, pins)
        if nodes is None:
            return
        half_wide, half_high = self._random.choice(((10, 8), (11, 9), (9, 11)))
        for node in nodes:
            if (node[0] - nodes[0][0]) % 2:
                continue
            self._claim([node])
            x, y = _centre(node)
            top_left, bottom_right = (x - half_wide, y - half_high), (x + half_wide, y + half_high)
            cv2.rectangle(self.artwork.copper, top_left, bottom_right, 1, cv2.FILLED)
            self._terminals.append(node)

    def _via(self) -> None:
        node = (self._random.randrange(1, _NODES - 1), self._random.randrange(1, _NODES - 1))
        around = [(node[0] + dx, node[1] + dy) for dx, dy in _STEPS]
        if any(other in self._owner for other in around) or self._claim([node]) is None:
            return
        cv2.circle(self.artwork.copper, _centre(node), self._random.choice((14, 15)), 1, cv2.FILLED)
        if self._random.random() < 0.7:  # noqa: PLR2004 - the rest are test pads without a hole
            self._holes.append(node)
        self._terminals.append(node)

    def _route(self, terminal: Node) -> None:
        """Connects a terminal with the nearest terminal of another net, and makes them one net."""
        path = self._way(terminal)
        if not path:
            return
        net, other = self._owner[terminal], self._owner[path[-1]]
        for node in path[:-1]:
            self._owner[node] = net
        for node, owner in self._owner.items():
            if owner == other:
                self._owner[node] = net
        self._trace(path, self._random.choice(_WIDTHS_PX))

    def _way(self, start: Node) -> list[Node]:
        """The cheapest free way to a terminal of another net, bends and diagonals costing extra; empty if none."""
        targets = set(self._terminals)
        came: dict[tuple[Node, Node], tuple[Node, Node]] = {}
        heap: list[tuple[float, Node, Node, tuple[Node, Node]]] = [(0.0, start, (0, 0), (start, (0, 0)))]
        while heap:
            cost, node, heading, before = heappop(heap)
            if (node, heading) in came:
                continue
            came[node, heading] = before
            owner = self._owner.get(node)
            is_far = max(abs(node[0] - start[0]), abs(node[1] - start[1])) >= _LEAST_WAY
            if is_far and owner not in (None, self._owner[start]) and node in targets:
                return _back(came, (node, heading))
            if owner is not None and node != start:
                continue
            for after in self._neighbours(node):
                step = (after[0] - node[0], after[1] - node[1])
                bend = _BEND_COST * (abs(step[0] - heading[0]) + abs(step[1] - heading[1])) if node != start else 0.0
                length = _DIAGONAL_COST if step[0] and step[1] else 1.0
                heappush(heap, (cost + length + bend, after, step, (node, heading)))
        return []

    def _neighbours(self, node: Node) -> Iterator[Node]:
        for dx, dy in _STEPS:
            x, y = node[0] + dx, node[1] + dy
            crosses = dx and dy and (min(node[0], x), min(node[1], y)) in self._diagonals
            squeezes = dx and dy and (self._owner.get((x, node[1])) or self._owner.get((node[0], y)))
            if 0 <= x < _NODES and 0 <= y < _NODES and not crosses and not squeezes:
                yield x, y

    def _trace(self, nodes: list[Node], width_px: int) -> None:
        for before, after in pairwise(nodes):
            if before[0] != after[0] and before[1] != after[1]:
                self._diagonals.add((min(before[0], after[0]), min(before[1], after[1])))
                # A diagonal passes close by the two nodes beside it: nobody else may use them.
                for beside in ((before[0], after[1]), (after[0], before[1])):
                    self._owner.setdefault(beside, self._owner[before])
            start, end = _centre(before), _centre(after)
            cv2.line(self.artwork.copper, start, end, 1, width_px)
            cv2.circle(self.artwork.copper, end, width_px // 2, 1, cv2.FILLED)
            self.artwork.tracks.append(Track(start, end, width_px))

    def _drill(self) -> None:
        for node in self._holes:
            cv2.circle(self.artwork.copper, _centre(node), self._random.choice((7, 8)), 0, cv2.FILLED)


def _centre(node: Node) -> tuple[int, int]:
    return node[0] * PITCH_PX + PITCH_PX // 2, node[1] * PITCH_PX + PITCH_PX // 2


def _back(came: dict[tuple[Node, Node], tuple[Node, Node]], end: tuple[Node, Node]) -> list[Node]:
    path = [end]
    while came[path[-1]] != path[-1]:
        path.append(came[path[-1]])
    return [node for node, _ in reversed(path)]
