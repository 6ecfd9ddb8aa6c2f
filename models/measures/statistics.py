"""Escapes and overkill as counted rates with intervals. Pure: numbers in, numbers out.

An escape is a defective part that passes; overkill is a good part that is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CANDIDATE_STEPS = 1000
CANDIDATES = np.arange(50, 1000)
"""Thresholds that are tried, in thousandths."""

_ROUNDING = 1e-9

Z_95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Rate:
    """A proportion that was counted.

    Attributes:
        count: Events.
        trials: Chances for one.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    count: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The proportion; 0 where there was no trial."""
        return self.count / self.trials if self.trials else 0.0


def wilson_interval(count: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212).

    Args:
        count: Events, 0 to trials.
        trials: Chances; with none the interval is (0, 1).
        z: Normal quantile of the confidence, 1.96 for 95 %.

    Raises:
        ValueError: `count` is not between 0 and `trials`.
    """
    if not 0 <= count <= trials:
        raise ValueError(f"{count} events in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    share, spread = count / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    low = 0.0 if count == 0 else max(0.0, middle - reach)
    high = 1.0 if count == trials else min(1.0, middle + reach)
    return low, high


def rate(count: int, trials: int) -> Rate:
    """A counted proportion with its 95 % Wilson interval."""
    return Rate(count, trials, *wilson_interval(count, trials))


def escapes(worst_scores: Sequence[float], threshold: float) -> Rate:
    """Counts defective parts that pass.

    Args:
        worst_scores: The highest score found on each defective part, 0 where nothing was found.
        threshold: A part is rejected from this score on.
    """
    return rate(sum(score < threshold for score in worst_scores), len(worst_scores))


def overkill(worst_scores: Sequence[float], threshold: float) -> Rate:
    """Counts good parts that are rejected; arguments as for `escapes`, of good parts."""
    return rate(sum(score >= threshold for score in worst_scores), len(worst_scores))


@dataclass(frozen=True, slots=True)
class Auroc:
    """Area under the ROC curve: the chance that a defective part scores higher than a good one.

    Attributes:
        value: 0 .. 1; a half is guessing.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def auroc(bad: Sequence[float], good: Sequence[float]) -> Auroc | None:
    """Area under the ROC curve with its interval (J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29-36).

    Args:
        bad: The highest score on each defective part.
        good: The highest score on each good part.

    Returns:
        The area, ties counted as half; `None` where there are no parts of either kind.
    """
    if not bad or not good:
        return None
    lows, ordered = np.sort(np.asarray(good, float)), np.asarray(bad, float)
    below, upto = np.searchsorted(lows, ordered, "left"), np.searchsorted(lows, ordered, "right")
    area = float((below + upto).sum()) / (2 * len(bad) * len(good))
    by_bad, by_good = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (len(bad) - 1) * (by_bad - area**2) + (len(good) - 1) * (by_good - area**2)
    reach = Z_95 * math.sqrt(max(0.0, spread) / (len(bad) * len(good)))
    return Auroc(area, max(0.0, area - reach), min(1.0, area + reach))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all values does not exceed; 0 where there is none.

    Args:
        values: Measurements, in any order.
        share: 0.5 for the median, 0.99 for p99. Taken is one of the values, never one between two.
    """
    if not values:
        return 0.0
    return float(sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1 if share > 0 else 0)])


@dataclass(frozen=True, slots=True)
class Wish:
    """What a threshold shall keep to.

    Attributes:
        max_escapes: The largest share of defective parts that may pass; `None` where it is left open.
        max_overkill: The largest share of good parts that may be rejected; `None` where it is left open.
    """

    max_escapes: float | None = None
    max_overkill: float | None = None

    @property
    def words(self) -> str:
        """The wish as it stands in tables."""
        parts = (("escapes", self.max_escapes), ("overkill", self.max_overkill))
        said = [f"{name} <= {limit:.2%}" for name, limit in parts if limit is not None]
        return ", ".join(said) or "fewest escapes and overkill"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold that was chosen.

    Attributes:
        value: Parts with a score from here on are rejected.
        is_reached: Whether the wish is kept on the parts it was chosen on; else it is the nearest there is.
    """

    value: float
    is_reached: bool


def choose(bad: Sequence[float], good: Sequence[float], wish: Wish) -> Threshold:
    """Chooses the threshold that keeps to a wish, as counted; candidates are the thousandths from 0.05 to 0.999.

    Among the thresholds that keep to the wish it takes the one with the least overkill where only escapes are wished
    for, with the fewest escapes where only overkill is, and else with the smallest sum of the two rates; of equals the
    middle one, which is farthest from either mistake. Where none keeps to it, it chooses in the same way among those
    that exceed the wished rates by the smallest sum.

    Args:
        bad: The highest score on each defective part.
        good: The highest score on each good part.
        wish: What it shall keep to.
    """
    thresholds = CANDIDATES / CANDIDATE_STEPS
    escaping = _share(np.searchsorted(np.sort(np.asarray(bad, float)), thresholds, "left"), len(bad))
    passing = np.searchsorted(np.sort(np.asarray(good, float)), thresholds, "left")
    killing = _share(len(good) - passing, len(good))
    limits = (wish.max_escapes, wish.max_overkill)
    excess = sum(
        (
            np.maximum(0.0, rates - limit)
            for rates, limit in zip((escaping, killing), limits, strict=True)
            if limit is not None
        ),
        np.zeros(len(thresholds)),
    )
    allowed = np.isclose(excess, excess.min())
    if limits[1] is None and limits[0] is not None:
        cost = killing
    elif limits[0] is None and limits[1] is not None:
        cost = escaping
    else:
        cost = escaping + killing
    best = np.flatnonzero(allowed & np.isclose(cost, cost[allowed].min()))
    return Threshold(float(thresholds[best[len(best) // 2]]), bool(excess.min() <= _ROUNDING))


def choose_threshold(bad: Sequence[float], good: Sequence[float]) -> float:
    """The threshold with the smallest sum of escape rate and overkill rate; see `choose`."""
    return choose(bad, good, Wish()).value


def _share(counts: np.ndarray, trials: int) -> np.ndarray:
    return counts / max(1, trials)
