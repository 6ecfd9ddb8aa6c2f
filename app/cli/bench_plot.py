"""The figures of a bench as a picture: how each stage is spread, and how the run went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from app.bench.tape import LEADING, Times
from app.cli.bench_tables import STAGES
from app.cli.lettering import CARD, HAIRLINE, INK, PAPER, QUIET, Colour, Letters
from app.cli.pictures import canvas
from app.types import Image

if TYPE_CHECKING:
    from app.bench.run import Run

CALM: Colour = (158, 94, 28)
BUSY: Colour = (18, 104, 214)
GATE: Colour = (84, 128, 30)
BUDGET: Colour = (30, 38, 179)
SHADE: Colour = (226, 236, 250)

FINE = 2
"""Drawn so many times larger, and then shrunk: letters and thin lines come out smooth."""

WIDTH, MARGIN = 1500 * FINE, 36 * FINE
ROW, TIMELINE, HEAD = 74 * FINE, 330 * FINE, 118 * FINE
NAME, NUMBERS = 250 * FINE, 300 * FINE
BINS = 110
_LEAST_MS, _MOST_MS = 0.003, 1000.0
_SHARES = ("p50", "p99", "max")


@dataclass(frozen=True, slots=True)
class Scale:
    """A logarithmic scale in ms, in decades.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        start: Pixel of the lower end.
        end: Pixel of the upper end; less than `start` where it grows upwards.
    """

    low: float
    high: float
    start: int
    end: int

    @classmethod
    def around(cls, times_ms: Times, start: int, end: int) -> Scale:
        """A scale of whole decades that holds these times."""
        known = np.clip(times_ms, _LEAST_MS, _MOST_MS) if len(times_ms) else np.array([0.1, 10.0])
        low = 10.0 ** math.floor(math.log10(float(known.min())))
        high = 10.0 ** math.ceil(math.log10(float(known.max()) * 1.01))
        return cls(low, max(high, 10 * low), start, end)

    def at(self, ms: Times | float) -> Any:
        """The pixels of times; what lies beyond an end is drawn on it."""
        share = np.log(np.clip(ms, self.low, self.high) / self.low) / math.log(self.high / self.low)
        return np.round(self.start + share * (self.end - self.start)).astype(int)

    @property
    def decades(self) -> list[float]:
        """The marks with a number."""
        count = round(math.log10(self.high / self.low))
        return [self.low * 10**number for number in range(count + 1)]


def draw(run: Run) -> Image:
    """Draws a run.

    Args:
        run: The run, gone through to its end.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    tape, figures = run.course.tape, run.figures
    assert tape is not None
    calm, busy = (run.plan.numbers(is_loaded=loaded) for loaded in (False, True))
    stages = [stage for stage in tape.stages if len(tape.times_ms(stage, [*calm, *busy]))]
    height = HEAD + ROW * len(stages) + TIMELINE + 122 * FINE
    picture = canvas(WIDTH, height, PAPER)
    _head(picture, figures, is_loaded=bool(busy))
    everything = np.concatenate([tape.times_ms(stage, [*calm, *busy]) for stage in stages])
    scale = Scale.around(everything, MARGIN + NAME, WIDTH - MARGIN - NUMBERS)
    _grid(picture, scale, HEAD, HEAD + ROW * len(stages), figures["budget_ms"])
    for number, stage in enumerate(stages):
        sides = (("stages", tape.times_ms(stage, calm), CALM), ("stages_with_load", tape.times_ms(stage, busy), BUSY))
        rows = [(figures[key][stage], times, colour) for key, times, colour in sides if len(times)]
        _row(picture, scale, HEAD + ROW * number, stage, rows)
    _timeline(picture, run, HEAD + ROW * len(stages) + 62 * FINE)
    size = (WIDTH // FINE, height // FINE)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _head(picture: Image, figures: Mapping[str, Any], *, is_loaded: bool) -> None:
    geometry, device = figures["geometry"], figures["device"]
    title = f"{figures['parts']:,} parts at {geometry['parts_per_min']:g} per minute"
    Letters(0.95 * FINE, is_bold=True).write(picture, title, (MARGIN, 50 * FINE), INK)
    text = Letters(0.48 * FINE)
    runtime = figures["versions"].get("runtime", figures["runtime"])
    load = ", ".join(f"{each:g}" for each in figures["load_average"]["after"])
    lines = (
        f"{figures['package']} on {runtime}, takt {figures['versions']['takt']}, {figures['scheduling']}",
        f"{device['cpu']}, {device['cores']} cores, load average {load}",
    )
    for number, line in enumerate(lines):
        shown = text.fitted(line, WIDTH - 2 * MARGIN)
        text.write(picture, shown, (MARGIN, (76 + 22 * number) * FINE), QUIET)
    if is_loaded:
        names = f"with load ({', '.join(figures['loads'])})"
        x = WIDTH - MARGIN - text.width_px(names)
        _key(picture, (x, 50 * FINE), names, BUSY)
        _key(picture, (x - text.width_px("without load") - 60 * FINE, 50 * FINE), "without load", CALM)


def _key(picture: Image, at: tuple[int, int], words: str, colour: Colour) -> None:
    x, y = at
    cv2.rectangle(picture, (x - 22 * FINE, y - 11 * FINE), (x - 8 * FINE, y + FINE), colour, cv2.FILLED)
    Letters(0.48 * FINE).write(picture, words, (x, y), INK)


def _grid(picture: Image, scale: Scale, top: int, bottom: int, budget_ms: float) -> None:
    cv2.rectangle(picture, (scale.start, top), (scale.end, bottom), CARD, cv2.FILLED)
    text = Letters(0.45 * FINE)
    for decade in scale.decades:
        x = int(scale.at(decade))
        cv2.line(picture, (x, top), (x, bottom), HAIRLINE, FINE)
        label = f"{decade:g} ms"
        text.write(picture, label, (x - text.width_px(label) // 2, bottom + 20 * FINE), QUIET)
    x = int(scale.at(budget_ms))
    _dashed(picture, (x, top), (x, bottom), BUDGET)
    label = f"budget {budget_ms:g}"
    text.write(picture, label, (x - text.width_px(label) // 2, bottom + 38 * FINE), BUDGET)


def _row(
    picture: Image, scale: Scale, top: int, stage: str, rows: Sequence[tuple[Mapping[str, float], Times, Colour]]
) -> None:
    """One stage: its name, its histogram without load upwards in the row, and its figures."""
    bottom = top + ROW
    cv2.line(picture, (MARGIN, bottom), (WIDTH - MARGIN, bottom), HAIRLINE, FINE)
    name = Letters(0.5 * FINE, is_bold=stage == LEADING)
    name.write(picture, name.fitted(STAGES[stage], NAME - 10 * FINE), (MARGIN, top + 30 * FINE), INK)
    lane = ROW // len(rows)
    for number, (figures, times, colour) in enumerate(rows):
        base = top + lane * (number + 1) - 1
        _histogram(picture, scale, times, base, lane - 6 * FINE, colour)
        x = scale.end + 16 * FINE
        text = Letters(0.42 * FINE)
        shown = "   ".join(f"{share} {_short(figures[share])}" for share in _SHARES)
        text.write(picture, shown, (x, base - (lane - text.height_px) // 2), colour if len(rows) > 1 else INK)


def _histogram(picture: Image, scale: Scale, times: Times, base: int, height: int, colour: Colour) -> None:
    edges = np.geomspace(scale.low, scale.high, BINS + 1)
    counts, _ = np.histogram(np.clip(times, scale.low, scale.high), edges)
    # The root lets the rare slow ones be seen beside the many quick ones.
    tall = np.sqrt(counts / max(1, counts.max()))
    for number in np.flatnonzero(counts):
        left, right = int(scale.at(edges[number])), int(scale.at(edges[number + 1]))
        top = base - max(2 * FINE, round(float(tall[number]) * height))
        cv2.rectangle(picture, (left, top), (max(left + 1, right - FINE), base), colour, cv2.FILLED)


def _timeline(picture: Image, run: Run, top: int) -> None:
    tape, spans = run.course.tape, run.course.spans_s
    assert tape is not None
    numbers = list(range(len(run.plan.blocks)))
    text = Letters(0.48 * FINE)
    left, right, bottom = MARGIN + 70 * FINE, WIDTH - MARGIN, top + TIMELINE
    verdicts, gates = (tape.timeline(stage, numbers) for stage in (LEADING, "gate"))
    scale = Scale.around(np.concatenate([verdicts[1], gates[1], [run.figures["budget_ms"]]]), bottom, top)
    since, until = spans[0][0], max(spans[-1][1], spans[0][0] + 0.1)

    def across(at_s: Any) -> Any:
        return np.round(left + (np.asarray(at_s) - since) / (until - since) * (right - left)).astype(int)

    cv2.rectangle(picture, (left, top), (right, bottom), CARD, cv2.FILLED)
    for number, (begin, end) in enumerate(spans):
        if run.plan.blocks[number].is_loaded:
            corners = (int(across(begin)), top), (int(across(end)), bottom)
            cv2.rectangle(picture, *corners, SHADE, cv2.FILLED)
    for decade in scale.decades:
        y = int(scale.at(decade))
        cv2.line(picture, (left, y), (right, y), HAIRLINE, FINE)
        label = f"{decade:g} ms"
        text.write(picture, label, (left - text.width_px(label) - 8 * FINE, y + text.height_px // 2), QUIET)
    for (at_s, took_ms), colour, radius in ((gates, GATE, 3), (verdicts, CALM, 2)):
        for x, y in zip(across(at_s), scale.at(took_ms), strict=True):
            cv2.circle(picture, (int(x), int(y)), radius * FINE, colour, cv2.FILLED, cv2.LINE_AA)
    y = int(scale.at(run.figures["budget_ms"]))
    _dashed(picture, (left, y), (right, y), BUDGET)
    _seconds(picture, since, until, across, bottom)
    _key(picture, (left + 22 * FINE, top - 8 * FINE), STAGES[LEADING], CALM)
    x = left + 70 * FINE + text.width_px(STAGES[LEADING])
    _key(picture, (x, top - 8 * FINE), STAGES["gate"], GATE)
    x += 50 * FINE + text.width_px(STAGES["gate"])
    _key(picture, (x, top - 8 * FINE), f"budget {run.figures['budget_ms']:g} ms", BUDGET)


def _seconds(picture: Image, since: float, until: float, across: Any, bottom: int) -> None:
    text = Letters(0.45 * FINE)
    step = next(each for each in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600, 36_000) if (until - since) / each <= 12)  # noqa: PLR2004
    for number in range(int((until - since) / step) + 1):
        x, label = int(across(since + number * step)), f"{number * step} s"
        text.write(picture, label, (x - text.width_px(label) // 2, bottom + 20 * FINE), QUIET)


def _dashed(picture: Image, start: tuple[int, int], end: tuple[int, int], colour: Colour) -> None:
    along = np.hypot(end[0] - start[0], end[1] - start[1])
    dashes = max(1, int(along / (12 * FINE)))
    for number in range(dashes):
        shares = number / dashes, (number + 0.6) / dashes
        points = [tuple(round(a + (b - a) * share) for a, b in zip(start, end, strict=True)) for share in shares]
        cv2.line(picture, points[0], points[1], colour, round(1.5 * FINE))


def _short(ms: float) -> str:
    return f"{ms:.3f}" if ms < 1 else f"{ms:.2f}" if ms < 100 else f"{ms:.0f}"  # noqa: PLR2004
