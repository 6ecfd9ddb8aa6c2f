"""Whether two models say the same of the same pictures: another runtime, or another precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.detect.manifest import Kind, Precision
from app.types import Detection
from models.evaluation.judging import Judgement
from models.evaluation.matching import corners, overlaps

LEAST_SAME_VERDICT = 0.999
MOST_PX = 1.0
MOST_SCORE = 0.01
_BOUND: tuple[Precision, ...] = ("fp32", "fp16")


@dataclass(frozen=True, slots=True)
class Parity:
    """One model against its reference, on identical pictures.

    Attributes:
        name: The model and its runtime.
        reference: What it is compared with.
        pictures: Pictures that both judged.
        same_verdict: Pictures that both pass or both reject, each at its own threshold.
        compared: Findings that reach the threshold of either one and have a partner in the other.
        unmatched: Findings that reach the threshold of one and have no partner of their class in the other, of any
            score.
        distance_px: The farthest that an edge of a finding lies from its partner's.
        score_difference: The largest difference of scores between partners.
        is_bound: The model has to keep to the limits: float against float at one threshold. Rounding to 8 bits moves
            scores, and is judged by escapes and overkill.
    """

    name: str
    reference: str
    pictures: int
    same_verdict: int
    compared: int
    unmatched: int
    distance_px: float
    score_difference: float
    is_bound: bool

    @property
    def share(self) -> float:
        """The share of pictures with the same verdict."""
        return self.same_verdict / self.pictures if self.pictures else 1.0

    @property
    def is_kept(self) -> bool:
        """Within the limits: 99.9 % of verdicts, 1 px and 0.01, and no finding without its partner."""
        return (
            self.share >= LEAST_SAME_VERDICT
            and self.distance_px <= MOST_PX
            and self.score_difference <= MOST_SCORE
            and not self.unmatched
        )


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two said.

    Attributes:
        name: The model and its runtime.
        threshold: The score from which it rejects a part.
        precision: What it computes in.
        judgements: What it said, picture by picture.
    """

    name: str
    threshold: float
    precision: Precision
    judgements: Sequence[Judgement]


def compare(side: Side, reference: Side, kind: Kind) -> Parity:
    """Compares what two models said of the same pictures, in the same order.

    Of each finding that reaches its model's threshold the partner is the one of its class in the other model, of any
    score, that overlaps it most: a score that falls just short on one side is a small difference and no loss. Of
    anomaly models the scores of whole pictures are compared, as the smallest change of a map may join two regions.
    """
    same = compared = unmatched = 0
    distance = difference = 0.0
    for one, other in zip(side.judgements, reference.judgements, strict=True):
        same += (one.score >= side.threshold) == (other.score >= reference.threshold)
        if kind == "anomaly":
            compared += 1
            difference = max(difference, abs(one.score - other.score))
            continue
        for first, second, threshold in ((one, other, side.threshold), (other, one, reference.threshold)):
            reaching = [each for each in first.detections if each.score >= threshold]
            for found, partner in zip(reaching, partners(reaching, second.detections), strict=True):
                if partner is None:
                    unmatched += 1
                    continue
                compared += 1
                edges = corners([found, partner])
                distance = max(distance, float(np.abs(edges[0] - edges[1]).max()))
                difference = max(difference, abs(found.score - partner.score))
    is_bound = {side.precision, reference.precision} <= set(_BOUND)
    total = len(side.judgements)
    return Parity(side.name, reference.name, total, same, compared, unmatched, distance, difference, is_bound)


def partners(found: Sequence[Detection], others: Sequence[Detection]) -> list[Detection | None]:
    """For each finding the one of its class that overlaps it most; `None` where none of its class overlaps it."""
    if not found or not others:
        return [None] * len(found)
    table = overlaps(corners(found), corners(others))
    table[np.array([[one.label != other.label for other in others] for one in found])] = 0.0
    best = table.argmax(axis=1)
    return [others[index] if table[row, index] > 0 else None for row, index in enumerate(best)]
