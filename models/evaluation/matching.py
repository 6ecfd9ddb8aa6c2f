"""Which finding is of which defect: pairs of boxes, and the table of classes taken for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.types import Detection
from models.data import Boxes

IOU_OF_A_PAIR = 0.5

Overlaps = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Which classes are taken for which.

    Attributes:
        classes: Names of the rows and columns.
        counts: One row per class of the truth and a last one for nothing; one column per class found and a last one
            for nothing found. Of detections: defects, in pictures as they are. Else: pictures.
        threshold: Findings below it do not count.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    threshold: float

    @property
    def worst(self) -> tuple[str, str, int] | None:
        """The class most often taken for another, that other class and how often; `None` where none is."""
        pairs = [
            (count, true, found)
            for true, row in enumerate(self.counts[:-1])
            for found, count in enumerate(row[:-1])
            if true != found and count
        ]
        if not pairs:
            return None
        count, true, found = max(pairs)
        return self.classes[true], self.classes[found], count


def overlaps(first: Boxes, second: Boxes) -> Overlaps:
    """Intersection over union of each pair of boxes.

    Args:
        first: float (N, 4), x1, y1, x2, y2.
        second: float (M, 4).

    Returns:
        float64 (N, M), 0 .. 1.
    """
    one, two = np.asarray(first, float)[:, None], np.asarray(second, float)[None]
    sides = np.clip(np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2]), 0, None)
    shared = sides[..., 0] * sides[..., 1]
    areas = [((each[..., 2:] - each[..., :2]).clip(0)).prod(-1) for each in (one, two)]
    total = areas[0] + areas[1] - shared
    return np.asarray(np.divide(shared, total, out=np.zeros_like(shared), where=total > 0), np.float64)


def corners(detections: Sequence[Detection]) -> Boxes:
    """The boxes of detections: float32 (N, 4), x1, y1, x2, y2."""
    boxes = np.array([each.box_px for each in detections], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def pairs_of(found: Sequence[Detection], boxes: Boxes, least: float = IOU_OF_A_PAIR) -> list[int | None]:
    """Gives each finding, best first, the free box of the truth that it overlaps most, whatever their classes.

    Args:
        found: The findings.
        boxes: float (N, 4) of the truth, x1, y1, x2, y2.
        least: Intersection over union of a pair.

    Returns:
        For each finding the number of its box, or `None`.
    """
    paired: list[int | None] = [None] * len(found)
    if not found or not len(boxes):
        return paired
    table = overlaps(corners(found), boxes)
    for row in sorted(range(len(found)), key=lambda index: -found[index].score):
        best = int(table[row].argmax())
        if table[row, best] >= least:
            paired[row] = best
            table[:, best] = 0.0
    return paired


def confusion_of_boxes(
    found: Sequence[Sequence[Detection]],
    truths: Sequence[tuple[Boxes, npt.NDArray[np.int64]]],
    classes: tuple[str, ...],
    threshold: float,
) -> Confusion:
    """Counts which class the defects of whole pictures are found as.

    Args:
        found: Per picture its findings.
        truths: Per picture the true boxes, float (N, 4), and their classes, (N,).
        classes: Class names.
        threshold: Findings below it do not count.
    """
    nothing = len(classes)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    for detections, (boxes, labels) in zip(found, truths, strict=True):
        taken = [each for each in detections if each.score >= threshold]
        paired = pairs_of(taken, boxes)
        for detection, box in zip(taken, paired, strict=True):
            counts[nothing if box is None else int(labels[box]), classes.index(detection.label)] += 1
        for index in set(range(len(boxes))) - set(paired):
            counts[int(labels[index]), nothing] += 1
    return Confusion(classes, _rows(counts), threshold)


def confusion_of_pictures(
    found: Sequence[Sequence[Detection]], labels: Sequence[str], classes: tuple[str, ...], threshold: float
) -> Confusion:
    """Counts which class whole pictures are taken for.

    Args:
        found: Per picture its findings; the best one that reaches the threshold names its class.
        labels: Per picture its true class; empty for a good one.
        classes: Class names.
        threshold: Findings below it do not count.
    """
    nothing = len(classes)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    for detections, label in zip(found, labels, strict=True):
        best = max((each for each in detections if each.score >= threshold), key=lambda d: d.score, default=None)
        column = nothing if best is None else classes.index(best.label)
        counts[classes.index(label) if label else nothing, column] += 1
    return Confusion(classes, _rows(counts), threshold)


def _rows(counts: npt.NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(each) for each in row) for row in counts)
