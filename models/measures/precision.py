"""Mean average precision by pycocotools, from detections however they were made."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data import Boxes, LabelledPicture, Labels
from models.extras import require

_IOU_50 = 0


@dataclass(frozen=True, eq=False)
class Found:
    """Detections in one picture.

    Attributes:
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels.
        scores: float32 (N,).
        labels: int64 (N,), index into the class names.
    """

    boxes: Boxes
    scores: np.ndarray
    labels: Labels


@dataclass(frozen=True)
class Precision:
    """Mean average precision over classes, in [0, 1].

    Attributes:
        map50: At IoU 0.5.
        map50_95: Mean over IoU 0.5 to 0.95.
        per_class50: Average precision of each class at IoU 0.5.
        per_class50_95: The same over IoU 0.5 to 0.95.
    """

    map50: float
    map50_95: float
    per_class50: Mapping[str, float]
    per_class50_95: Mapping[str, float]


def average_precision(pictures: Sequence[LabelledPicture], found: Sequence[Found], classes: Sequence[str]) -> Precision:
    """Scores detections against the truth.

    Args:
        pictures: The labelled pictures; only boxes and labels are used.
        found: Detections in the same order, down to low scores.
        classes: Class names.

    Raises:
        MissingDriverError: pycocotools is not installed.
    """
    coco = require("pycocotools.coco", "evaluation", "evaluate")
    cocoeval = require("pycocotools.cocoeval", "evaluation", "evaluate")

    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = _truth_as_coco(pictures, classes)
        truth.createIndex()
        rows = _found_as_coco(found)
        if not rows:
            nothing = dict.fromkeys(classes, 0.0)
            return Precision(0.0, 0.0, nothing, nothing)
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU, recall, class, area range "all", 100 detections); -1 where a class has no truth.
    table = evaluation.eval["precision"][:, :, :, 0, -1]
    per50 = {name: _mean(table[_IOU_50, :, index]) for index, name in enumerate(classes)}
    per50_95 = {name: _mean(table[:, :, index]) for index, name in enumerate(classes)}
    return Precision(_mean(table[_IOU_50]), _mean(table), per50, per50_95)


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else 0.0


def _truth_as_coco(pictures: Sequence[LabelledPicture], classes: Sequence[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures):
        for (x1, y1, x2, y2), label in zip(picture.boxes.tolist(), picture.labels.tolist(), strict=True):
            box, area = [x1, y1, x2 - x1, y2 - y1], (x2 - x1) * (y2 - y1)
            row = {"id": len(rows) + 1, "image_id": number, "category_id": label, "bbox": box, "area": area}
            rows.append(row | {"iscrowd": 0})
    return {
        "info": {},
        "images": [{"id": number} for number in range(len(pictures))],
        "annotations": rows,
        "categories": [{"id": index, "name": name} for index, name in enumerate(classes)],
    }


def _found_as_coco(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [
        {"image_id": number, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for number, one in enumerate(found)
        for (x1, y1, x2, y2), score, label in zip(
            one.boxes.tolist(), one.scores.tolist(), one.labels.tolist(), strict=True
        )
    ]
