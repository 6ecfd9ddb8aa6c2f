"""How far a score means what it says: of the findings with score 0.8, are eight in ten right?

A report only: thresholds are chosen on counted escapes and overkill, and no score is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 10
_EDGE = 1e-6
_HALVINGS = 60
_COLDEST, _HOTTEST = 0.02, 50.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Findings whose scores lie in one tenth.

    Attributes:
        low: Where it begins.
        high: Where it ends.
        count: Findings in it.
        mean_score: Their mean score.
        share_right: The share of them that is right.
    """

    low: float
    high: float
    count: int
    mean_score: float
    share_right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores against what they turned out to be.

    Attributes:
        of: What the scores are of: `findings` or `pictures`.
        count: How many.
        error: Expected calibration error: the mean distance of score and share that is right, over bins, weighted by
            their count (M. P. Naeini et al., AAAI 2015).
        temperature: What the log-odds of scores have to be divided by to fit best; above 1 the model is too sure of
            itself, below 1 not sure enough.
        error_after: The error once they were divided by it, on these same scores.
        bins: The reliability table; bins without scores are left out.
    """

    of: str
    count: int
    error: float
    temperature: float
    error_after: float
    bins: tuple[Bin, ...]


def calibration(scores: Sequence[float], is_right: Sequence[bool], of: str) -> Calibration | None:
    """Compares scores with what they turned out to be.

    Args:
        scores: 0 .. 1.
        is_right: Whether each is of something that is there.
        of: What they are of, for tables.

    Returns:
        The comparison; `None` where there is no score.
    """
    if not scores:
        return None
    given, right = np.clip(np.asarray(scores, float), 0, 1), np.asarray(is_right, float)
    temperature = fitted_temperature(given, right)
    bins = reliability(given, right)
    cooled = 1 / (1 + np.exp(-_log_odds(given) / temperature))
    return Calibration(of, len(given), _error(bins), temperature, _error(reliability(cooled, right)), bins)


def reliability(scores: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> tuple[Bin, ...]:
    """The reliability table in tenths of the score.

    Args:
        scores: float64 (N,), 0 .. 1.
        right: float64 (N,), 1 where the score is of something that is there, else 0.
    """
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    found = []
    for index in range(BINS):
        mine = place == index
        if mine.any():
            means = float(scores[mine].mean()), float(right[mine].mean())
            found.append(Bin(index / BINS, (index + 1) / BINS, int(mine.sum()), *means))
    return tuple(found)


def fitted_temperature(scores: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    """Temperature scaling (C. Guo et al., arXiv:1706.04599): the temperature of the least log loss.

    The loss is convex in the reciprocal of the temperature, so that its slope is bisected. Where all scores are right
    or all are wrong there is no least, and the end of the range is returned.

    Args:
        scores: float64 (N,), 0 .. 1.
        right: float64 (N,), 0 or 1.

    Returns:
        0.02 .. 50.
    """
    odds = _log_odds(scores)
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = float((odds * (1 / (1 + np.exp(-np.clip(odds * middle, -500, 500))) - right)).sum())
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 2 / (low + high)


def _log_odds(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _error(bins: Sequence[Bin]) -> float:
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.mean_score - each.share_right) for each in bins) / max(1, total)
