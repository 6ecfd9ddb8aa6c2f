"""Where on a board each kind of defect can be, and what it looks like."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.twin.artwork import SIZE_PX, Artwork
from app.types import Image

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
"""The defects of a bare board, named as in the DeepPCB data set."""

_EDGE_PX = 28
"""No defect closer than this to the border of the picture."""
_GAP_PX = (8, 42)
"""Shorts bridge gaps of this width."""
_REACH_PX = 20
"""How far a spur needs free ground."""

Numbers = NDArray[np.float64]


class Sites:
    """Every place of one board where a defect of each class can be.

    Args:
        artwork: The board.
    """

    def __init__(self, artwork: Artwork) -> None:
        self._artwork = artwork
        copper = artwork.copper
        self._inside = cv2.distanceTransform(copper, cv2.DIST_L2, 5)
        self._outside = cv2.distanceTransform(1 - copper, cv2.DIST_L2, 5)
        self._labels = cv2.connectedComponents(copper, connectivity=8)[1]
        self._rims, self._normals = self._edge()
        self._on_track = self._opens()
        self._bites = self._free(self._depth_behind() >= 9)  # noqa: PLR2004 - px, so that a bite does not cut through
        self._spurs = self._free(self._ahead(_REACH_PX) >= 0.8 * _REACH_PX)
        self._bridges = self._shorts()
        self._ground = self._deep(self._outside, 20)
        self._copper = self._deep(self._inside, 13)

    def draw(self, label: str, copper: Image, random: np.random.Generator) -> None:
        """Puts one defect on a board.

        Args:
            label: One of `CLASSES`.
            copper: uint8 (640, 640), 1 where there is copper; changed.
            random: What the defect is drawn from.

        Raises:
            ValueError: There is no place for it.
        """
        {
            "open": self._draw_open,
            "short": self._draw_short,
            "mousebite": self._draw_bite,
            "spur": self._draw_spur,
            "copper": self._draw_copper,
            "pin-hole": self._draw_hole,
        }[label](copper, random)

    def _edge(self) -> tuple[Numbers, Numbers]:
        """Points on the copper's rim, and the direction from each to the ground."""
        height = cv2.GaussianBlur(np.asarray(self._outside - self._inside, np.float32), (0, 0), 2)
        slope_x, slope_y = cv2.Sobel(height, cv2.CV_32F, 1, 0), cv2.Sobel(height, cv2.CV_32F, 0, 1)
        rows, columns = np.nonzero((self._inside > 0) & (self._inside <= 1.5))  # noqa: PLR2004 - the outermost pixel
        normals = np.stack([slope_x[rows, columns], slope_y[rows, columns]], axis=1).astype(float)
        lengths = np.linalg.norm(normals, axis=1)
        # Where opposite slopes cancel there is no rim with a side, such as in a corner.
        clear = (lengths > 4) & _within(columns, rows)  # noqa: PLR2004
        points = np.stack([columns, rows], axis=1).astype(float)
        return points[clear], normals[clear] / lengths[clear, None]

    def _sample(self, field: NDArray[Any], points: Numbers) -> Numbers:
        cells = np.clip(np.rint(points).astype(int), 0, SIZE_PX - 1)
        return np.asarray(field[cells[:, 1], cells[:, 0]], float)

    def _ahead(self, way_px: float) -> Numbers:
        """How much free ground there is around the point so far in front of each rim point."""
        return self._sample(self._outside, self._rims + way_px * self._normals)

    def _depth_behind(self) -> Numbers:
        """Half the width of the copper behind each rim point."""
        depths = [self._sample(self._inside, self._rims - way * self._normals) for way in (4, 7, 10, 14)]
        return np.asarray(np.max(depths, axis=0))

    def _free(self, chosen: NDArray[np.bool_]) -> Numbers:
        return np.hstack([self._rims[chosen], self._normals[chosen]])

    def _deep(self, field: NDArray[Any], depth_px: float) -> Numbers:
        rows, columns = np.nonzero(field >= depth_px)
        inside = _within(columns, rows)
        return np.stack([columns[inside], rows[inside]], axis=1).astype(float)

    def _opens(self) -> Numbers:
        """Middle, direction and width of each trace piece that can be cut: those without a pad at either end."""
        found = []
        for track in self._artwork.tracks:
            start, end = np.array(track.start, float), np.array(track.end, float)
            middle = (start + end) / 2
            widths = self._sample(self._inside, np.stack([start, middle, end]))
            if widths.max() <= track.width_px / 2 + 3 and _within(middle[:1], middle[1:])[0]:
                found.append([*middle, *((end - start) / np.linalg.norm(end - start)), track.width_px])
        return np.array(found, float).reshape(-1, 5)

    def _shorts(self) -> Numbers:
        """Rim points from which another net can be reached straight ahead, and how far it is."""
        mine = self._sample(self._labels, self._rims)
        gaps = np.zeros(len(self._rims))
        is_open = np.ones(len(self._rims), bool)
        for way in range(2, _GAP_PX[1] + 1):
            there = self._sample(self._labels, self._rims + way * self._normals)
            hits = is_open & (there > 0)
            gaps[hits & (there != mine)] = way
            is_open &= ~hits
        ends = self._rims + gaps[:, None] * self._normals
        chosen = (gaps >= _GAP_PX[0]) & _within(ends[:, 0], ends[:, 1])
        return np.hstack([self._free(chosen), gaps[chosen, None]])

    def _draw_open(self, copper: Image, random: np.random.Generator) -> None:
        x, y, along_x, along_y, width = _one(self._on_track, random)
        slide = random.uniform(-8, 8)
        middle = np.array([x + slide * along_x, y + slide * along_y])
        across = np.array([-along_y, along_x])
        tilt = random.uniform(-0.45, 0.45) * np.array([along_x, along_y])
        reach = width / 2 + 3
        _stroke(
            copper,
            middle - reach * (across + tilt),
            middle + reach * (across + tilt),
            random,
            int(random.integers(5, 10)),
            0,
        )

    def _draw_short(self, copper: Image, random: np.random.Generator) -> None:
        x, y, normal_x, normal_y, gap = _one(self._bridges, random)
        start, normal = np.array([x, y]), np.array([normal_x, normal_y])
        _stroke(copper, start - 2 * normal, start + (gap + 2) * normal, random, int(random.integers(5, 9)), 1)

    def _draw_bite(self, copper: Image, random: np.random.Generator) -> None:
        x, y, normal_x, normal_y = _one(self._bites, random)
        rim, normal = np.array([x, y]), np.array([normal_x, normal_y])
        side = random.uniform(-0.7, 0.7) * np.array([-normal_y, normal_x])
        depth = random.uniform(6, 9)
        _stroke(copper, rim + 2 * normal, rim - depth * (normal + side), random, int(random.integers(6, 10)), 0)

    def _draw_spur(self, copper: Image, random: np.random.Generator) -> None:
        x, y, normal_x, normal_y = _one(self._spurs, random)
        rim, normal = np.array([x, y]), np.array([normal_x, normal_y])
        side = random.uniform(-0.6, 0.6) * np.array([-normal_y, normal_x])
        length = random.uniform(8, 14)
        _stroke(copper, rim - 2 * normal, rim + length * (normal + side), random, int(random.integers(5, 9)), 1)

    def _draw_copper(self, copper: Image, random: np.random.Generator) -> None:
        self._draw_blob(copper, self._ground, random, (6, 11), 1)

    def _draw_hole(self, copper: Image, random: np.random.Generator) -> None:
        self._draw_blob(copper, self._copper, random, (2, 5), 0)

    def _draw_blob(
        self,
        copper: Image,
        places: Numbers,
        random: np.random.Generator,
        reach_px: tuple[int, int],
        value: int,
    ) -> None:
        middle = _one(places, random)
        turn = random.uniform(0, np.pi)
        way = random.uniform(*reach_px) * np.array([np.cos(turn), np.sin(turn)])
        _stroke(copper, middle - way, middle + way, random, int(random.integers(6, 9)), value)


def _within(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    last = SIZE_PX - _EDGE_PX
    return np.asarray((x >= _EDGE_PX) & (x < last) & (y >= _EDGE_PX) & (y < last))


def _one(places: Numbers, random: np.random.Generator) -> Numbers:
    if not len(places):
        raise ValueError("this design has no room for such a defect: take a design of another seed")
    row: Numbers = places[random.integers(len(places))]
    return row


def _stroke(
    copper: Image,
    start: Numbers,
    end: Numbers,
    random: np.random.Generator,
    width_px: int,
    value: int,
) -> None:
    """An uneven stroke: a polyline that wavers, of uneven width."""
    steps = max(3, int(np.linalg.norm(end - start) / 5))
    shares = np.linspace(0, 1, steps)[:, None]
    points = start + shares * (end - start)
    points[1:-1] += random.normal(0, 1.3, (steps - 2, 2))
    cells = np.rint(points).astype(np.int32)
    for before, after in pairwise(cells):
        width = max(2, width_px + int(random.integers(-2, 2)))
        cv2.line(copper, _xy(before), _xy(after), value, width)
    lump = cells[random.integers(len(cells))] if value else cells[len(cells) // 2]
    cv2.circle(copper, _xy(lump), max(2, width_px // 2 + int(random.integers(-1, 2))), value, cv2.FILLED)


def _xy(cell: NDArray[np.int32]) -> tuple[int, int]:
    return int(cell[0]), int(cell[1])
