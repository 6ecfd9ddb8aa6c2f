"""How good a model is: mean average precision, and escapes and overkill per part.

Everything is counted from what a model said once of each picture (`models.evaluation.judging`), so that any number of
thresholds costs nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.detect.manifest import Kind
from app.types import Detection, Image
from models.data import Boxes, LabelledSet
from models.evaluation.calibration_curve import Calibration, calibration
from models.evaluation.findings import FindingFigures, finding_figures, right_findings
from models.evaluation.judging import Candidate, Judged, Judgement, Presentation, judge
from models.evaluation.matching import Confusion, confusion_of_boxes, confusion_of_pictures, corners
from models.evaluation.parts import Item
from models.evaluation.truth import Truth, known
from models.measures.precision import Found, Precision, average_precision
from models.measures.statistics import Auroc, Rate, auroc, choose_threshold, escapes, overkill, rate

Infer = Callable[[Image, "Image | None"], "Sequence[Detection]"]
"""A model: picture and registered golden sample in, detections of every score out."""


@dataclass(frozen=True, slots=True)
class PartFigures:
    """Escapes and overkill on parts of one making.

    Attributes:
        escapes: Defective parts that pass.
        overkill: Good parts that are rejected.
        missed: Defective parts on which no finding overlaps the defect, whatever else was found; `None` where the
            model gives no boxes.
        unregistered: Parts rejected because their golden sample could not be registered; they count as rejected in
            the other figures too.
    """

    escapes: Rate
    overkill: Rate
    missed: Rate | None
    unregistered: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on one split.

    Attributes:
        pictures: Pictures in the split.
        threshold: The score from which a part is rejected.
        precision: Mean average precision on the pictures as they are; only of detections.
        findings: Precision and recall of findings at the threshold; only of detections.
        as_they_are: The pictures as they are.
        every_defect_once: Parts mended down to one defect, one part per defect, and parts mended wholly; `None` where
            nothing was mended.
        one_per_board: Of these, one defective and one good part per board; which defect, is chosen by chance.
        escapes_by_class: Of `every_defect_once` where parts were mended, else of the pictures as they are, by class.
        best_threshold: The threshold with the smallest sum of escape and overkill rates on these very parts.
        auroc: Area under the ROC curve of the pictures as they are; `None` where all are defective or none is.
        confusion: Which classes are taken for which at the threshold, on pictures as they are; not of anomalies.
        calibration: How far scores mean what they say, on pictures as they are.
    """

    pictures: int
    threshold: float
    precision: Precision | None
    findings: FindingFigures | None
    as_they_are: PartFigures
    every_defect_once: PartFigures | None
    one_per_board: PartFigures | None
    escapes_by_class: dict[str, Rate]
    best_threshold: float
    auroc: Auroc | None
    confusion: Confusion | None
    calibration: Calibration | None

    @property
    def parts(self) -> PartFigures:
        """The figures that a threshold is chosen by: of mended parts where there are any."""
        return self.every_defect_once or self.as_they_are

    @property
    def whole_escapes(self) -> Rate:
        """Defective pictures, as they are, that pass."""
        return self.as_they_are.escapes

    @property
    def single_escapes(self) -> Rate:
        """Defective parts that pass."""
        return self.parts.escapes

    @property
    def overkill(self) -> Rate:
        """Good parts that are rejected."""
        return self.parts.overkill


def evaluate(
    labelled: LabelledSet,
    infer: Infer,
    threshold: float,
    *,
    register_px: float = 0.0,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Evaluation:
    """Runs a detection model over a split and counts.

    Args:
        labelled: The split; its golden samples make the mended parts. Without them only pictures as they are count.
        infer: The model; it should return scores far below `threshold`, or the mean average precision suffers.
        threshold: The score from which a part is rejected.
        register_px: Golden samples are registered to each part within so many pixels; 0: as they lie.
        on_step: Told pictures done and to do.

    Raises:
        DataError: A picture cannot be read or used.
        MissingDriverError: pycocotools is not installed.
    """
    truth = known(labelled, {})
    candidate = Candidate("the model", 1, truth.has_golden, lambda image, golden: Judgement.of(infer(image, golden)))
    judged = judge(truth, [candidate], Presentation(register_px), on_step)
    return count(truth, judged, 0, threshold, "detection")


def count(truth: Truth, judged: Judged, candidate: int, threshold: float, kind: Kind) -> Evaluation:
    """Counts what one candidate said.

    Args:
        truth: The split.
        judged: What was said of it.
        candidate: The candidate's number.
        threshold: The score from which a part is rejected.
        kind: What its outputs mean.

    Raises:
        MissingDriverError: pycocotools is not installed; only for detections.
    """
    said = list(zip(judged.items, judged.by_candidate[candidate], strict=True))
    whole = [row for row in said if not row[0].is_mended]
    found = [each.detections for _, each in whole]
    parts = [row for row in said if row[0].is_mended] or whole
    as_they_are, every_defect_once, one_per_board = figures_at(truth, judged, candidate, threshold, kind)
    precision = findings = None
    scores, is_right, of = [each.rank for _, each in whole], [item.is_defective for item, _ in whole], "pictures"
    if kind == "detection":
        precision = _precision(truth, found)
        (scores, is_right), of = right_findings(truth, found), "findings"
        findings = finding_figures(
            scores, is_right, sum(len(each.labelled.boxes) for each in truth.pictures), threshold
        )
    return Evaluation(
        pictures=len(truth.pictures),
        threshold=threshold,
        precision=precision,
        findings=findings,
        as_they_are=as_they_are,
        every_defect_once=every_defect_once,
        one_per_board=one_per_board,
        escapes_by_class=_by_class(truth, parts, threshold),
        best_threshold=choose_threshold(*bad_and_good(parts)),
        auroc=auroc(
            [each.rank for item, each in whole if item.is_defective],
            [each.rank for item, each in whole if not item.is_defective],
        ),
        confusion=_confusion(truth, whole, threshold, kind),
        calibration=calibration(scores, is_right, of),
    )


def figures_at(
    truth: Truth, judged: Judged, candidate: int, threshold: float, kind: Kind
) -> tuple[PartFigures, PartFigures | None, PartFigures | None]:
    """Escapes and overkill of a candidate at any threshold.

    Returns:
        Of the pictures as they are, of every defect once, and of one defective and one good part per board; the last
        two are `None` where nothing was mended.
    """
    said = list(zip(judged.items, judged.by_candidate[candidate], strict=True))
    whole, mended = ([row for row in said if row[0].is_mended == is_mended] for is_mended in (False, True))
    chosen = [row for row in mended if row[0].is_chosen]
    has_boxes = kind == "detection"
    first, *others = (_figures(truth, each, threshold, has_boxes=has_boxes) for each in (whole, mended, chosen))
    return first, *(others if mended else (None, None))


def scores_of(judged: Judged, candidate: int) -> tuple[list[float], list[float]]:
    """The scores that a candidate's threshold is chosen by: of mended parts where there are any.

    Returns:
        Those of defective parts and those of good ones.
    """
    said = list(zip(judged.items, judged.by_candidate[candidate], strict=True))
    return bad_and_good([row for row in said if row[0].is_mended] or said)


def bad_and_good(said: Sequence[tuple[Item, Judgement]]) -> tuple[list[float], list[float]]:
    """The scores of defective parts and those of good ones."""
    bad = [each.score for item, each in said if item.is_defective]
    return bad, [each.score for item, each in said if not item.is_defective]


def as_found(detections: Sequence[Detection], classes: Sequence[str]) -> Found:
    """Turns detections into the arrays that `models.measures.precision` takes."""
    scores = np.array([d.score for d in detections], np.float32)
    labels = np.array([classes.index(d.label) for d in detections], np.int64)
    return Found(corners(detections), scores, labels)


def overlaps_defect(detection: Detection, boxes: Boxes) -> bool:
    """Whether a finding shares any pixel with one of the boxes, float (N, 4)."""
    x, y, width, height = detection.box_px
    across = (boxes[:, 0] < x + width) & (boxes[:, 2] > x)
    return bool((across & (boxes[:, 1] < y + height) & (boxes[:, 3] > y)).any())


def _precision(truth: Truth, found: Sequence[Sequence[Detection]]) -> Precision:
    pictures = [each.labelled for each in truth.pictures]
    return average_precision(pictures, [as_found(each, truth.classes) for each in found], truth.classes)


def _figures(truth: Truth, said: Sequence[tuple[Item, Judgement]], threshold: float, *, has_boxes: bool) -> PartFigures:
    bad, good = bad_and_good(said)
    missed = None
    if has_boxes:
        seen = [_touched(truth, item, each) >= threshold for item, each in said if item.is_defective]
        missed = rate(seen.count(False), len(seen))
    unregistered = sum(not each.is_registered for _, each in said)
    return PartFigures(escapes(bad, threshold), overkill(good, threshold), missed, unregistered)


def _touched(truth: Truth, item: Item, judgement: Judgement) -> float:
    """The highest score among the findings that overlap a defect of the part."""
    boxes = truth.pictures[item.picture].labelled.boxes
    if item.defect is not None:
        boxes = boxes[item.defect : item.defect + 1]
    return max((each.score for each in judgement.detections if overlaps_defect(each, boxes)), default=0.0)


def _by_class(truth: Truth, said: Sequence[tuple[Item, Judgement]], threshold: float) -> dict[str, Rate]:
    scores: dict[str, list[float]] = {name: [] for name in truth.classes}
    for item, each in said:
        if item.is_defective and item.label:
            scores[item.label].append(each.score)
    return {name: escapes(each, threshold) for name, each in scores.items()}


def _confusion(truth: Truth, whole: Sequence[tuple[Item, Judgement]], threshold: float, kind: Kind) -> Confusion | None:
    found = [each.detections for _, each in whole]
    if kind == "detection":
        truths = [(each.labelled.boxes, each.labelled.labels) for each in truth.pictures]
        return confusion_of_boxes(found, truths, truth.classes, threshold)
    if kind == "classification":
        return confusion_of_pictures(found, [item.label for item, _ in whole], truth.classes, threshold)
    return None
