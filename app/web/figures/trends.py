"""Counts over time as charts need them: columns of one length. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.record.figures import Tallied
from app.record.tallying import upper_us
from app.web.figures.proportions import PChart, p_chart

_US_PER_MS = 1_000.0


@dataclass(frozen=True, slots=True)
class Trend:
    """One chart's columns.

    Attributes:
        starts_us: The start of each step, in microseconds since 1970 UTC.
        tallied: The parts of each step.
        control: The p-chart of rejected parts, of the settled ones of each step.
        p50_ms: Median latency of each step; `None` where nothing was judged.
        p99_ms: The 99th percentile.
    """

    starts_us: tuple[int, ...]
    tallied: tuple[Tallied, ...]
    control: PChart
    p50_ms: tuple[float | None, ...]
    p99_ms: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a Pareto chart.

    Attributes:
        cause: A class, or the code of a reason.
        parts: Rejected parts that it counts.
        share: Of all rejected parts.
        cumulated: Share of this cause and all before it.
    """

    cause: str
    parts: int
    share: float
    cumulated: float


def trend_of(tallies: Mapping[int, Tallied], latencies: Mapping[int, Counter[int]]) -> Trend:
    """Puts counts into columns.

    Args:
        tallies: By the start of each step.
        latencies: Parts by bin of latency, by the same starts.
    """
    starts = tuple(sorted(tallies))
    counts = tuple(tallies[each] for each in starts)
    bins: Sequence[Counter[int]] = [latencies.get(each, Counter()) for each in starts]
    return Trend(
        starts,
        counts,
        p_chart([each.rejected for each in counts], [each.settled for each in counts]),
        tuple(percentile_ms(each, 0.5) for each in bins),
        tuple(percentile_ms(each, 0.99) for each in bins),
    )


def percentile_ms(bins: Mapping[int, int], at: float) -> float | None:
    """A percentile out of a histogram: the upper end of the bin that it falls in, so at most one bin (9 %) too long.

    Args:
        bins: Parts by bin of latency.
        at: Which, 0 .. 1.

    Returns:
        Milliseconds; `None` where the histogram is empty.
    """
    wanted, seen = at * sum(bins.values()), 0
    for number in sorted(bins):
        seen += bins[number]
        if seen >= wanted and bins[number]:
            return round(upper_us(number) / _US_PER_MS, 3)
    return None


def pareto_of(causes: Mapping[str, int]) -> tuple[Bar, ...]:
    """Causes from the most to the least frequent, with what they add up to.

    Args:
        causes: Rejected parts by cause.
    """
    total, before, bars = sum(causes.values()), 0, []
    for cause, parts in sorted(causes.items(), key=lambda each: (-each[1], each[0])):
        before += parts
        bars.append(Bar(cause, parts, parts / total, before / total))
    return tuple(bars)
