"""Outputs of a model -> detections. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import DetectorError
from app.types import Detection

SCORE_FLOOR = 0.05

_PLACES = 6

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
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x_px: float = 0.0
    offset_y_px: float = 0.0


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
    _check_shapes(boxes, scores, classes)
    if not scores.size:
        return ()
    _check_numbers(boxes, scores)
    # A table has few rows worth keeping: plain Python is faster on them than a chain of small arrays.
    rows: list[_Row] = []
    least = floor - 10**-_PLACES
    for row, score in enumerate(scores[0].tolist()):
        # Rounding costs more than all the rest, and rounds few scores up to the floor.
        if score >= least and (rounded := round(score, _PLACES)) >= floor:
            rows.append((-rounded, int(classes[0, row]), *boxes[0, row].tolist()))
    # Runtimes order equal scores as they please; a replay must not depend on that.
    rows.sort()
    indices = [row[1] for row in rows]
    if indices and not (min(indices) >= 0 and max(indices) < len(labels)):
        raise _nonsense(f"class indices from {min(indices)} to {max(indices)} where there are {len(labels)} classes")
    return tuple(_detection(row, labels, placement) for row in rows)


def _detection(row: _Row, labels: Sequence[str], placement: Placement) -> Detection:
    negative, index, left, top, right, bottom = row
    if right < left or bottom < top:
        raise _nonsense("boxes whose right or lower edge lies before the left or upper one")
    across, down = placement.scale_x, placement.scale_y
    x, y = left * across + placement.offset_x_px, top * down + placement.offset_y_px
    return Detection(labels[index], -negative, (x, y, (right - left) * across, (bottom - top) * down))


def _check_numbers(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    lowest, highest = float(scores.min()), float(scores.max())
    # The extremes of numbers of which one is not finite are not finite either.
    ends = (lowest, highest, float(boxes.min()), float(boxes.max()))
    if not all(map(math.isfinite, ends)):
        raise _nonsense("numbers that are not finite")
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
