"""What other thresholds would have done to the parts that people have labelled. Pure.

The ledger has what was found on each part, with score and box, down to the floor of the model. So the verdict at any
threshold above that floor is known without the model, by the same rule as the station's; of findings below it nothing
is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recipe import DefaultRule, Recipe
from app.types import PASS, Detection
from app.web.figures.proportions import Share, share
from app.web.figures.truth import Accuracy, accuracy_of
from app.weigh import is_large_enough, weigh

NOTHING = -1.0
"""The score of a class that was not found on a part: below every threshold."""

CURVE_STEPS = 50


@dataclass(frozen=True, slots=True)
class Labelled:
    """A part that somebody has labelled.

    Attributes:
        is_bad: It has a defect.
        found: What was found on it, in all its pictures.
    """

    is_bad: bool
    found: tuple[Detection, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict, as far as thresholds decide it."""

    destination: str = PASS
    is_flagged: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Labelled parts with what was found on them, held against a recipe.

    Attributes:
        parts: The parts.
        rules: The rule of each class, by its name, in order.
        flag_margin: How far below its threshold a finding still flags a part.
        seen: Whether a class was found on a part at all, however small: bool (parts, classes).
        tops: Highest score of a finding that is large enough, `NOTHING` where there is none: float64 (parts, classes).
        now: The verdict on each part at the recipe's own thresholds.
    """

    parts: tuple[Labelled, ...]
    rules: Mapping[str, DefaultRule]
    flag_margin: float
    seen: NDArray[np.bool_]
    tops: NDArray[np.float64]
    now: tuple[Told, ...]

    @property
    def is_bad(self) -> NDArray[np.bool_]:
        """Of each part, whether it has a defect: bool (parts,)."""
        return np.asarray([each.is_bad for each in self.parts], np.bool_)

    @property
    def least_score(self) -> float | None:
        """The lowest score that was recorded on any of them; `None` where nothing was found."""
        return min((one.score for each in self.parts for one in each.found), default=None)

    @property
    def thresholds(self) -> dict[str, float]:
        """The recipe's own thresholds, of the classes that are not ignored."""
        return {label: rule.threshold for label, rule in self.rules.items() if rule.policy != "ignore"}


@dataclass(frozen=True, slots=True)
class Support:
    """What a class rests on: labelled parts, each counted once.

    Attributes:
        bad: With a defect, on which it was found.
        good: Without one, on which it was found.
        small: On which it was found only smaller than its rule wants.
    """

    bad: int
    good: int
    small: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What each threshold of one class would do while the others stay.

    Attributes:
        thresholds: 0 .. 1, in order.
        escapes: Bad parts that would pass at each.
        overkill: Good parts that would be rejected at each.
    """

    thresholds: tuple[float, ...]
    escapes: tuple[int, ...]
    overkill: tuple[int, ...]


def collect(parts: Sequence[Labelled], recipe: Recipe) -> Evidence:
    """Holds labelled parts against a recipe.

    Args:
        parts: The parts.
        recipe: Its classes count although nothing of them was found.
    """
    labels = sorted({one.label for each in parts for one in each.found} | set(recipe.classes))
    rules = {label: recipe.rule(label) for label in labels}
    seen = np.zeros((len(parts), len(labels)), np.bool_)
    tops = np.full(seen.shape, NOTHING, np.float64)
    place = {label: index for index, label in enumerate(labels)}
    for row, each in enumerate(parts):
        for one in each.found:
            at = row, place[one.label]
            seen[at] = True
            if is_large_enough(one, rules[one.label]):
                tops[at] = max(one.score, tops[at])
    now = tuple(_told(each, rules, recipe.flag_margin) for each in parts)
    return Evidence(tuple(parts), rules, recipe.flag_margin, seen, tops, now)


def judge(evidence: Evidence, thresholds: Mapping[str, float]) -> tuple[Told, ...]:
    """The verdict on each part at other thresholds.

    Args:
        evidence: The parts.
        thresholds: By class; classes that are not named keep the recipe's.
    """
    rules = dict(evidence.rules)
    for label, threshold in thresholds.items():
        if label in rules and rules[label].threshold != threshold:
            rules[label] = rules[label].model_copy(update={"threshold": threshold})
    moved = np.asarray([rules[label] is not rule for label, rule in evidence.rules.items()], np.bool_)
    told = list(evidence.now)
    for row in np.flatnonzero((evidence.tops[:, moved] >= 0).any(axis=1)).tolist():
        told[row] = _told(evidence.parts[row], rules, evidence.flag_margin)
    return tuple(told)


def outcome_of(evidence: Evidence, told: Sequence[Told]) -> Accuracy:
    """Escapes and overkill of verdicts on the parts."""
    return accuracy_of((each.is_bad, said.destination != PASS) for each, said in zip(evidence.parts, told, strict=True))


def flagged_of(told: Sequence[Told]) -> Share:
    """Parts that a person should look at, of all."""
    return share(sum(each.is_flagged for each in told), len(told))


def changed(before: Sequence[Told], after: Sequence[Told]) -> int:
    """How many parts would be sent elsewhere."""
    return sum(one.destination != other.destination for one, other in zip(before, after, strict=True))


def curve_of(evidence: Evidence, thresholds: Mapping[str, float], label: str) -> Curve:
    """What moving one class would do while the others stay where they are.

    Args:
        evidence: The parts.
        thresholds: Of all classes.
        label: The class that moves; one that rejects.
    """
    steps = np.arange(CURVE_STEPS + 1) / CURVE_STEPS
    others, column = np.zeros(len(evidence.parts), np.bool_), evidence.tops[:, :0].max(axis=1, initial=NOTHING)
    for index, (name, rule) in enumerate(evidence.rules.items()):
        if name == label:
            column = evidence.tops[:, index]
        elif rule.policy == "reject":
            others |= _reaches(evidence.tops[:, index], thresholds.get(name, rule.threshold))
    is_bad, escapes, overkill = evidence.is_bad, [], []
    for step in steps.tolist():
        rejected = others | _reaches(column, step)
        escapes.append(int(np.count_nonzero(is_bad & ~rejected)))
        overkill.append(int(np.count_nonzero(~is_bad & rejected)))
    return Curve(tuple(steps.tolist()), tuple(escapes), tuple(overkill))


def support_of(evidence: Evidence) -> dict[str, Support]:
    """On how many parts each class was found."""
    is_bad, large = evidence.is_bad, evidence.tops >= 0
    bad, good = large[is_bad].sum(axis=0), large[~is_bad].sum(axis=0)
    small = (evidence.seen & ~large).sum(axis=0)
    return {label: Support(int(bad[at]), int(good[at]), int(small[at])) for at, label in enumerate(evidence.rules)}


def _told(part: Labelled, rules: Mapping[str, DefaultRule], flag_margin: float) -> Told:
    if not part.found:
        return _PASSED
    weighed = weigh(part.found, rules.__getitem__, flag_margin)
    return Told(weighed.destination, weighed.is_flagged)


def _reaches(scores: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    return (scores >= 0) & (scores >= threshold)


_PASSED = Told()
