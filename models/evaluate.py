"""How good a model is: mean average precision, and escapes and overkill per part.

Whole test boards carry some six defects each, so that nearly every one is rejected for one of them. The honest parts
are therefore made by mending: each board once per defect with all others repaired from its golden sample, and each
board with every defect repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.types import Detection, Image
from models.augment import Board, repair
from models.data import LabelledPicture, LabelledSet, read_pair
from models.precision import Found, Precision, average_precision
from models.statistics import Rate, choose_threshold, escapes, overkill, rate

Infer = Callable[[Image, "Image | None"], Sequence[Detection]]
"""A model: picture and golden sample in, detections of every score out."""

Align = Callable[[Image, Image], Image]
"""Picture and golden sample in, the golden sample laid over the picture out."""


@dataclass(frozen=True, eq=False)
class PartScores:
    """What a model said of parts that carry one defect, or none.

    Attributes:
        bad: The highest score on each part with one defect.
        touched: The highest score among the detections that overlap that defect.
        labels: int64, the class of that defect.
        good: The highest score on each part without a defect.
    """

    bad: tuple[float, ...]
    touched: tuple[float, ...]
    labels: tuple[int, ...]
    good: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """A model's figures on one split.

    Attributes:
        pictures: Pictures in the split.
        threshold: The score from which a part is rejected.
        precision: Mean average precision on the pictures as they are.
        whole_escapes: Defective pictures, as they are, that pass.
        single_escapes: Parts with one defect that pass.
        single_missed: Parts with one defect on which no detection overlaps it, whatever else was found.
        overkill: Parts with no defect that are rejected.
        escapes_by_class: `single_escapes` by the class of the one defect.
        best_threshold: The threshold with the fewest escapes and overkill on these parts.
    """

    pictures: int
    threshold: float
    precision: Precision
    whole_escapes: Rate
    single_escapes: Rate
    single_missed: Rate
    overkill: Rate
    escapes_by_class: dict[str, Rate]
    best_threshold: float


def evaluate(
    labelled: LabelledSet,
    infer: Infer,
    threshold: float,
    *,
    align: Align | None = None,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Evaluation:
    """Runs a model over a split and counts.

    Args:
        labelled: The split; its golden samples make the mended parts. Without them only pictures as they are count.
        infer: The model; it should return scores far below `threshold`, or the mean average precision suffers.
        threshold: The score from which a part is rejected.
        align: Registers a golden sample to its picture; without it both are taken as they lie.
        on_step: Told pictures done and to do.

    Raises:
        DataError: A picture cannot be read or used.
        MissingDriverError: pycocotools is not installed.
    """
    found: list[Found] = []
    bad: list[float] = []
    touched: list[float] = []
    good: list[float] = []
    labels: list[int] = []
    for number, picture in enumerate(labelled.pictures):
        image, golden = read_pair(picture)
        if golden is not None and align is not None:
            golden = align(image, golden)
        found.append(as_found(infer(image, golden), labelled.classes))
        for part, label in parts_of(picture, image, golden):
            detections = infer(part.part, golden)
            score = max((d.score for d in detections), default=0.0)
            if label is None:
                good.append(score)
            else:
                bad.append(score)
                labels.append(label)
                touched.append(max((d.score for d in detections if _overlaps(d, part.boxes[0])), default=0.0))
        on_step(number + 1, len(labelled.pictures))
    return _count(labelled, found, PartScores(tuple(bad), tuple(touched), tuple(labels), tuple(good)), threshold)


def parts_of(picture: LabelledPicture, image: Image, golden: Image | None) -> Iterator[tuple[Board, int | None]]:
    """Makes the parts that a picture stands for.

    Yields:
        A part with at most one defect, and that defect's class or None. Without a golden sample nothing can be
        mended, and the picture itself is yielded if it carries one defect or none.
    """
    board = Board(image, image if golden is None else golden, picture.boxes, picture.labels)
    count = len(board.boxes)
    if golden is None:
        if count <= 1:
            yield board, int(board.labels[0]) if count else None
        return
    for index in range(count):
        yield repair(board, np.arange(count) == index), int(board.labels[index])
    yield repair(board, np.zeros(count, bool)), None


def as_found(detections: Sequence[Detection], classes: Sequence[str]) -> Found:
    """Turns detections into the arrays that `models.precision` takes."""
    boxes = np.array([d.box_px for d in detections], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    scores = np.array([d.score for d in detections], np.float32)
    return Found(boxes, scores, np.array([classes.index(d.label) for d in detections], np.int64))


def _count(labelled: LabelledSet, found: Sequence[Found], parts: PartScores, threshold: float) -> Evaluation:
    whole = [
        float(one.scores.max(initial=0.0))
        for one, picture in zip(found, labelled.pictures, strict=True)
        if len(picture.boxes)
    ]
    missed = sum(score < threshold for score in parts.touched)
    by_class = {
        name: escapes([s for s, label in zip(parts.bad, parts.labels, strict=True) if label == index], threshold)
        for index, name in enumerate(labelled.classes)
    }
    return Evaluation(
        pictures=len(labelled.pictures),
        threshold=threshold,
        precision=average_precision(labelled.pictures, found, labelled.classes),
        whole_escapes=escapes(whole, threshold),
        single_escapes=escapes(parts.bad, threshold),
        single_missed=rate(missed, len(parts.touched)),
        overkill=overkill(parts.good, threshold),
        escapes_by_class=by_class,
        best_threshold=choose_threshold(parts.bad, parts.good),
    )


def _overlaps(detection: Detection, box: np.ndarray) -> bool:
    x, y, width, height = detection.box_px
    x1, y1, x2, y2 = (float(value) for value in box)
    return x < x2 and x + width > x1 and y < y2 and y + height > y1
