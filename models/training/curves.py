"""How a training went, as a picture: losses, scores on `val`, learning rate. Without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from models.data import Picture

Colour = tuple[int, int, int]
"""Blue, green, red."""

INK: Colour = (40, 35, 31)
QUIET: Colour = (104, 96, 87)
HAIRLINE: Colour = (214, 206, 201)
CARD: Colour = (255, 255, 255)
PAPER: Colour = (245, 243, 242)
COLOURS: tuple[Colour, ...] = ((158, 94, 28), (18, 104, 214), (84, 128, 30))

FINE = 2
"""Drawn so many times larger, and then shrunk: letters and thin lines come out smooth."""

_WIDTH, _MARGIN, _LEFT = 1200 * FINE, 32 * FINE, 84 * FINE
_HEAD, _PANEL, _GAP, _FOOT = 96 * FINE, 250 * FINE, 62 * FINE, 44 * FINE
_FONT, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_MARKED = 60  # evaluations up to which each has a dot
_MOST_MARKS = 8

_LABELS = {
    "heat_loss": "heat maps",
    "box_loss": "boxes",
    "class_loss": "classes",
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "auroc": "AUROC of pictures",
    "accuracy": "accuracy",
    "learning_rate": "learning rate",
}
_PANELS = (
    ("Loss", (), True),  # whatever the rows have that ends in _loss
    ("Scores on val", ("map50", "map50_95", "accuracy", "auroc"), False),
    ("Learning rate", ("learning_rate",), False),
)


@dataclass(frozen=True)
class Scale:
    """One axis.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        start: Pixel of the lower end.
        end: Pixel of the upper end; less than `start` where it grows upwards.
        is_log: In decades.
    """

    low: float
    high: float
    start: int
    end: int
    is_log: bool = False

    def at(self, value: float) -> int:
        """The pixel of a value; what lies beyond an end is drawn on it."""
        value = min(max(value, self.low), self.high)
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start))

    @property
    def marks(self) -> list[float]:
        """Round values with a line across."""
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [lead * 10.0**decade for decade in decades for lead in (1, 2, 5)]
        else:
            step = _round_step((self.high - self.low) / 8)
            first = math.ceil(self.low / step - 1e-9)
            values = [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        inside = [value for value in values if self.low <= value * (1 + 1e-9) and value <= self.high * (1 + 1e-9)]
        return inside[:: 1 + len(inside) // _MOST_MARKS]


def draw_curves(rows: Sequence[Mapping[str, Any]], title: str) -> Picture:
    """Draws a training.

    Args:
        rows: The log's, in order; each with `step`, `steps` and what was measured.
        title: The name of what is trained.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    height = _HEAD + len(_PANELS) * (_PANEL + _GAP) + _FOOT
    picture = np.full((height, _WIDTH, 3), PAPER, np.uint8)
    _write(picture, title, (_MARGIN, 46 * FINE), INK, 0.9, _BOLD)
    _write(picture, _summary(rows), (_MARGIN, 74 * FINE), QUIET, 0.5)
    most = max([int(row["steps"]) for row in rows] or [1])
    across = Scale(0, max(1, most), _MARGIN + _LEFT, _WIDTH - _MARGIN)
    losses = sorted({key for row in rows for key in row if key.endswith("_loss")}, reverse=True)
    for number, (name, known, is_log) in enumerate(_PANELS):
        keys = known or tuple(losses)
        _panel(picture, rows, across, _HEAD + number * (_PANEL + _GAP) + _GAP // 2, (name, keys), is_log=is_log)
    size = (_WIDTH // FINE, height // FINE)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing measured yet"
    last = rows[-1]
    words = [f"step {last['step']:,} of {last['steps']:,}"]
    for key in _PANELS[1][1]:
        points = _points(rows, key)
        if points:
            step, value = max(points, key=lambda point: point[1])
            words.append(f"best {_LABELS[key]} {value:.3f} at step {step:,.0f}")
    return "   ".join(words)


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    found = [(float(row["step"]), row.get(key)) for row in rows]
    return [(step, float(value)) for step, value in found if value is not None and math.isfinite(value)]


def _panel(
    picture: Picture,
    rows: Sequence[Mapping[str, Any]],
    across: Scale,
    top: int,
    what: tuple[str, Sequence[str]],
    *,
    is_log: bool,
) -> None:
    name, keys = what
    bottom = top + _PANEL
    curves = {key: points for key in keys if (points := _points(rows, key))}
    upwards = _upwards([value for points in curves.values() for _, value in points], bottom, top, is_log=is_log)
    cv2.rectangle(picture, (across.start, top), (across.end, bottom), CARD, cv2.FILLED)
    _write(picture, name, (across.start, top - 10 * FINE), INK, 0.55, _BOLD)
    for value in upwards.marks:
        y, label = upwards.at(value), f"{value:.4g}"
        cv2.line(picture, (across.start, y), (across.end, y), HAIRLINE, FINE)
        _write(picture, label, (across.start - _width(label, 0.45) - 8 * FINE, y + 5 * FINE), QUIET, 0.45)
    for value in across.marks:
        x, label = across.at(value), f"{value:,.0f}"
        cv2.line(picture, (x, bottom), (x, bottom + 5 * FINE), HAIRLINE, FINE)
        place = min(x - _width(label, 0.45) // 2, across.end - _width(label, 0.45))
        _write(picture, label, (place, bottom + 20 * FINE), QUIET, 0.45)
    right = across.end
    for index, (key, points) in reversed(list(enumerate(curves.items()))):
        colour = COLOURS[index % len(COLOURS)]
        _curve(picture, [(across.at(step), upwards.at(value)) for step, value in points], colour)
        label = f"{_LABELS.get(key, key)} {points[-1][1]:.4g}"
        right -= _width(label, 0.5)
        _write(picture, label, (right, top - 10 * FINE), INK, 0.5)
        cv2.rectangle(picture, (right - 22 * FINE, top - 20 * FINE), (right - 8 * FINE, top - 9 * FINE), colour, -1)
        right -= 40 * FINE


def _upwards(values: Sequence[float], bottom: int, top: int, *, is_log: bool) -> Scale:
    known = [value for value in values if value > 0] if is_log else list(values)
    if not known:
        return Scale(0.0, 1.0, bottom, top)
    if is_log:
        low, high = _round_step(min(known)), _round_step(max(known))
        below = next(low / lead for lead in (1.0, 2.0, 2.5) if low / lead <= min(known) * (1 + 1e-9))
        return Scale(below, max(high, 2 * below), bottom, top, is_log=True)
    return Scale(0.0, max(1.05 * max(known), 1e-6), bottom, top)


def _curve(picture: Picture, points: Sequence[tuple[int, int]], colour: Colour) -> None:
    cv2.polylines(
        picture, [np.array(points, np.int32)], isClosed=False, color=colour, thickness=2 * FINE, lineType=cv2.LINE_AA
    )
    if len(points) <= _MARKED:
        for point in points:
            cv2.circle(picture, point, 3 * FINE, colour, cv2.FILLED, cv2.LINE_AA)


def _round_step(step: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not less."""
    decade = 10.0 ** math.floor(math.log10(step))
    return next(lead * decade for lead in (1.0, 2.0, 5.0, 10.0) if lead * decade >= step * (1 - 1e-9))


def _write(picture: Picture, text: str, at: tuple[int, int], colour: Colour, scale: float, font: int = _FONT) -> None:
    bare = "".join(each if " " <= each <= "~" else "?" for each in text)  # what OpenCV draws in every version
    cv2.putText(picture, bare, at, font, scale * FINE, colour, round(1.2 * FINE), cv2.LINE_AA)


def _width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale * FINE, round(1.2 * FINE))[0][0])
