"""Statistics of shares: how sure one is, and whether a process is under control. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

Z_95 = 1.959964
"""Two-sided 95 % of the normal distribution."""

SIGMAS = 3.0
RUN = 8
"""So many points in a row on one side of the centre do not come about by chance (about 1 in 128)."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a number of parts, and how sure it is.

    Attributes:
        hits: Parts that it counts.
        of: Parts in all.
        value: The share, 0 .. 1; `None` where there are no parts.
        low: Lower end of the 95 % interval.
        high: Its upper end.
    """

    hits: int
    of: int
    value: float | None
    low: float
    high: float


def share(hits: int, of: int, z: float = Z_95) -> Share:
    """A share with its score interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): it keeps within
    0 .. 1 and is right also for few parts, or none that counts, where the textbook interval is not.

    Args:
        hits: Parts that count.
        of: Parts in all.
        z: Quantile of the normal distribution.

    Raises:
        ValueError: There are fewer parts than count, or a number is negative.
    """
    if not 0 <= hits <= of or not isfinite(z):
        raise ValueError(f"{hits} of {of} is no share")
    if of == 0:
        return Share(0, 0, None, 0.0, 1.0)
    value, square = hits / of, z * z
    centre = (value + square / (2 * of)) / (1 + square / of)
    half = z * sqrt(value * (1 - value) / of + square / (4 * of * of)) / (1 + square / of)
    # At the ends the formula is exact and its rounding is not.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == of else min(1.0, centre + half)
    return Share(hits, of, value, low, high)


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of a p-chart.

    Attributes:
        share: Share of nonconforming parts; `None` for a sample without parts.
        low: Lower control limit of a sample of this size.
        high: Upper control limit.
        is_out: The share lies beyond a limit.
        is_run: It ends a run of `RUN` or more points on one side of the centre.
    """

    share: float | None
    low: float
    high: float
    is_out: bool
    is_run: bool


@dataclass(frozen=True, slots=True)
class PChart:
    """A control chart for the share of nonconforming parts.

    Attributes:
        centre: Mean share over all samples; `None` where there are no parts.
        points: One per sample.
    """

    centre: float | None
    points: tuple[Point, ...]


def p_chart(rejects: Sequence[int], sizes: Sequence[int]) -> PChart:
    """Control limits for samples of different sizes, each with limits of its own: p +- 3 sqrt(p (1 - p) / n).

    Montgomery, "Introduction to Statistical Quality Control", 7.3.2, variable sample size; NIST/SEMATECH e-Handbook
    6.3.3.2. The rule of runs is the fourth of the Western Electric handbook (1956).

    Args:
        rejects: Nonconforming parts of each sample.
        sizes: Parts of each sample.

    Raises:
        ValueError: The two are not of one length.
    """
    total = sum(sizes)
    centre = sum(rejects) / total if total else None
    points: list[Point] = []
    side, length = 0, 0
    for hits, size in zip(rejects, sizes, strict=True):
        if not size or centre is None:
            points.append(Point(None, 0.0, 1.0, is_out=False, is_run=False))
            continue
        value, half = hits / size, SIGMAS * sqrt(centre * (1 - centre) / size)
        low, high = max(0.0, centre - half), min(1.0, centre + half)
        now = (value > centre) - (value < centre)
        length = length + 1 if now and now == side else int(bool(now))
        side = now
        points.append(Point(value, low, high, is_out=not low <= value <= high, is_run=length >= RUN))
    return PChart(centre, tuple(points))
