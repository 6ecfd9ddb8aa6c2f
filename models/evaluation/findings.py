"""Findings one by one: which are of a defect that is there, and how many defects are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.types import Detection
from models.evaluation.matching import pairs_of
from models.evaluation.truth import Truth
from models.measures.statistics import CANDIDATE_STEPS, CANDIDATES, Rate, rate


@dataclass(frozen=True, slots=True)
class FindingFigures:
    """Precision and recall of findings, pictures as they are.

    Attributes:
        right: Findings from the threshold on that are of a defect of their class, at IoU 0.5.
        found: Defects that one of these is of.
        best_threshold: The threshold with the highest F1, the harmonic mean of the two.
        best_f1: F1 there.
    """

    right: Rate
    found: Rate
    best_threshold: float
    best_f1: float


def right_findings(truth: Truth, found: Sequence[Sequence[Detection]]) -> tuple[list[float], list[bool]]:
    """The score of every finding, and whether it is of a defect of its class that no better finding is of.

    Args:
        truth: The pictures.
        found: What was found in each.
    """
    scores: list[float] = []
    is_right: list[bool] = []
    for picture, detections in zip(truth.pictures, found, strict=True):
        boxes, labels = picture.labelled.boxes, picture.labelled.labels
        for index, name in enumerate(truth.classes):
            own = [each for each in detections if each.label == name]
            scores += [each.score for each in own]
            is_right += [pair is not None for pair in pairs_of(own, boxes[labels == index])]
    return scores, is_right


def finding_figures(
    scores: Sequence[float], is_right: Sequence[bool], defects: int, threshold: float
) -> FindingFigures:
    """Counts findings.

    Args:
        scores: Of every finding.
        is_right: Whether each is of a defect.
        defects: Defects that are there.
        threshold: Findings below it do not count.
    """
    given, right = np.asarray(scores, float), np.asarray(is_right, bool)
    thresholds = CANDIDATES / CANDIDATE_STEPS
    taken = np.array([(given >= each).sum() for each in thresholds])
    hits = np.array([(given[right] >= each).sum() for each in thresholds])
    f1 = 2 * hits / np.maximum(1, taken + defects)
    best = np.flatnonzero(np.isclose(f1, f1.max()))
    middle = int(best[len(best) // 2])
    kept = given >= threshold
    return FindingFigures(
        right=rate(int((kept & right).sum()), int(kept.sum())),
        found=rate(int((kept & right).sum()), defects),
        best_threshold=float(thresholds[middle]),
        best_f1=float(f1[middle]),
    )
