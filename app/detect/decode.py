"""Outputs of a model that are tables -> detections. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import DetectorError
from app.types import Detection

SCORE_FLOOR = 0.05

SCORE_PLACES = 6
SCORE_STEP = 10**-SCORE_PLACES
"""Scores are told in these steps; what lies less than one below a floor may round up to it."""
_SUM_TOLERANCE = 0.01
_NOT_FINITE = "numbers that are not finite"

Indices = NDArray[np.int32] | NDArray[np.int64]
_Row = tuple[float, int, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """How a box of the model's input lies in the picture: `picture = input * scale + offset`.

    Attributes:
        scale_x: Picture pixels per input pixel, across.
        scale_y: Picture pixels per input pixel, down.
        offset_x_px: Where the input's left edge lies in the picture.
        offset_y_px: Where its upper edge lies.
        limit_px: Width and height of the picture, where boxes are cut off at its edges.
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x_px: float = 0.0
    offset_y_px: float = 0.0
    limit_px: tuple[float, float] | None = None


def decode_peaks(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: Indices,
    labels: Sequence[str],
    placement: Placement,
    floor: float = SCORE_FLOOR,
) -> tuple[Detection, ...]:
    """Reads the layout `takt-peaks`.

    Scores are rounded to six places: 0.35 in float32 is 0.34999999 in Python, and a recipe's threshold of 0.35 has to
    include it.

    Args:
        boxes: float32 (1, K, 4), x1, y1, x2, y2 in pixels of the model's input.
        scores: float32 (1, K), 0 .. 1.
        classes: int32 or int64 (1, K), index into `labels`.
        labels: Class names by index.
        placement: From the model's input to the picture.
        floor: Scores below are dropped.

    Returns:
        The detections, best first, boxes in pixels of the picture. Equal scores go by class, then from left to right
        and from above.

    Raises:
        DetectorError: Shapes do not fit together, a number is not finite, a score is outside 0 .. 1, a class has no
            name, or a box is turned inside out.
    """
    check_table(boxes, scores, classes)
    # A table has few rows worth keeping: plain Python is faster on them than a chain of small arrays.
    least = floor - SCORE_STEP
    chosen = [
        (row, rounded)
        for row, score in enumerate(scores[0].tolist())
        # Rounding costs more than all the rest, and rounds few scores up to the floor.
        if score >= least and (rounded := round(score, SCORE_PLACES)) >= floor
    ]
    return decode_rows(boxes, classes, labels, placement, chosen)


def decode_rows(
    boxes: NDArray[np.float32],
    classes: Indices,
    labels: Sequence[str],
    placement: Placement,
    chosen: Sequence[tuple[int, float]],
) -> tuple[Detection, ...]:
    """Reads the rows of a table that were chosen, and no others.

    Args:
        boxes: As for `decode_peaks`, checked by `check_table`.
        classes: The same.
        labels: Class names by index.
        placement: From the model's input to the picture.
        chosen: Which rows, each with its score as `score_as_told` gives it.

    Returns:
        As `decode_peaks`.

    Raises:
        DetectorError: A class of theirs has no name, or a box is turned inside out.
    """
    rows: list[_Row] = [(-score, int(classes[0, row]), *boxes[0, row].tolist()) for row, score in chosen]
    # Runtimes order equal scores as they please; a replay must not depend on that.
    rows.sort()
    indices = [row[1] for row in rows]
    if indices and not (min(indices) >= 0 and max(indices) < len(labels)):
        raise _nonsense(f"class indices from {min(indices)} to {max(indices)} where there are {len(labels)} classes")
    return tuple(_detection(row, labels, placement) for row in rows)


def decode_probabilities(
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
    good: Collection[str],
    size_px: tuple[int, int],
    floor: float = SCORE_FLOOR,
) -> tuple[tuple[Detection, ...], float | None]:
    """Reads what a classifier says: each class that means something is wrong, found on the whole picture.

    Args:
        probabilities: float32 (1, C), 0 .. 1, one in all.
        labels: Class names by index.
        good: Those that mean nothing is wrong.
        size_px: Width and height of the picture.
        floor: Probabilities below are dropped.

    Returns:
        The detections, best first, equal ones by class; and one less the probability of the good classes, `None`
        where no class is good.

    Raises:
        DetectorError: The shape is another, a number is not finite or outside 0 .. 1, or they are not one in all.
    """
    if probabilities.shape != (1, len(labels)):
        raise DetectorError(
            f"the model gave probabilities {probabilities.shape} for {len(labels)} classes", "export the model again"
        )
    shares = [float(each) for each in probabilities[0].tolist()]
    total = math.fsum(shares)
    if not math.isfinite(total):
        raise _nonsense(_NOT_FINITE)
    if min(shares) < -_SUM_TOLERANCE or max(shares) > 1 + _SUM_TOLERANCE:
        raise _nonsense(f"probabilities from {min(shares):g} to {max(shares):g}, outside 0 .. 1")
    if abs(total - 1) > _SUM_TOLERANCE:
        raise _nonsense(f"probabilities that are {total:.4g} in all, and not 1")
    box = (0.0, 0.0, float(size_px[0]), float(size_px[1]))
    rounded = [(-score_as_told(share), index) for index, share in enumerate(shares) if labels[index] not in good]
    found = tuple(Detection(labels[index], -share, box) for share, index in sorted(rounded) if -share >= floor)
    if not good:
        return found, None
    return found, score_as_told(
        1 - math.fsum(share for share, label in zip(shares, labels, strict=True) if label in good)
    )


def check_table(boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: Indices) -> None:
    """Refuses a table of candidates that means nothing.

    Args:
        boxes: float32 (1, K, 4).
        scores: float32 (1, K).
        classes: int32 or int64 (1, K).

    Raises:
        DetectorError: Shapes do not fit together, a number is not finite, or a score is outside 0 .. 1.
    """
    _check_shapes(boxes, scores, classes)
    if scores.size:
        _check_numbers(boxes, scores)


def score_as_told(share: float) -> float:
    """A score as detections tell it: within 0 .. 1, at six places."""
    return round(min(max(share, 0.0), 1.0), SCORE_PLACES)


def _detection(row: _Row, labels: Sequence[str], placement: Placement) -> Detection:
    negative, index, left, top, right, bottom = row
    if right < left or bottom < top:
        raise _nonsense("boxes whose right or lower edge lies before the left or upper one")
    across, down = placement.scale_x, placement.scale_y
    x, y = left * across + placement.offset_x_px, top * down + placement.offset_y_px
    width, height = (right - left) * across, (bottom - top) * down
    if placement.limit_px:
        x, width = _cut(x, width, placement.limit_px[0])
        y, height = _cut(y, height, placement.limit_px[1])
    return Detection(labels[index], -negative, (x, y, width, height))


def _cut(start: float, extent: float, limit: float) -> tuple[float, float]:
    first, last = (min(max(each, 0.0), limit) for each in (start, start + extent))
    return first, last - first


def _check_numbers(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    lowest, highest = float(scores.min()), float(scores.max())
    # The extremes of numbers of which one is not finite are not finite either.
    ends = (lowest, highest, float(boxes.min()), float(boxes.max()))
    if not all(map(math.isfinite, ends)):
        raise _nonsense(_NOT_FINITE)
    if not (lowest >= 0 and highest <= 1):
        raise _nonsense(f"scores from {lowest:g} to {highest:g}, outside 0 .. 1")


def _check_shapes(boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: Indices) -> None:
    count = scores.shape[-1] if scores.ndim else 0
    if boxes.shape != (1, count, 4) or scores.shape != (1, count) or classes.shape != (1, count):
        raise DetectorError(
            f"the model gave boxes {boxes.shape}, scores {scores.shape} and classes {classes.shape} where (1, K, 4),"
            " (1, K) and (1, K) were due",
            "export the model again with the layout takt-peaks",
        )


def _nonsense(what: str) -> DetectorError:
    return DetectorError(f"the model gave {what}", "prove the package on this runtime, or use another one")
