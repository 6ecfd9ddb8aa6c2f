"""Escapes and overkill as counted rates with intervals. Pure: numbers in, numbers out.

An escape is a defective part that passes; overkill is a good part that is rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def choose_threshold(bad: Sequence[float], good: Sequence[float]) -> float:
    """Chooses the threshold with the smallest sum of escape rate and overkill rate.

    Among equals it takes the middle one, which is farthest from either mistake. Thresholds are hundredths.

    Args:
        bad: The highest score on each defective part.
        good: The highest score on each good part.
    """
    candidates = np.arange(5, 96)
    cost = [escapes(bad, c / 100).value + overkill(good, c / 100).value for c in candidates]
    best = candidates[np.isclose(cost, min(cost))]
    return float(best[len(best) // 2]) / 100
