"""Outputs of a model -> detections. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import DetectorError
from app.types import Detection

SCORE_FLOOR = 0.05

Indices = NDArray[np.int32] | NDArray[np.int64]


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
    if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
        raise _nonsense("numbers that are not finite")
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise _nonsense(f"scores from {scores.min():g} to {scores.max():g}, outside 0 .. 1")
    rounded = np.round(scores[0].astype(np.float64), 6)
    chosen = np.flatnonzero(rounded >= floor)
    indices, corners = classes[0, chosen], boxes[0, chosen].astype(np.float64)
    # Runtimes order equal scores as they please; a replay must not depend on that.
    order = np.lexsort((corners[:, 1], corners[:, 0], indices, -rounded[chosen]))
    chosen, indices, corners = chosen[order], indices[order], corners[order]
    if chosen.size and not (indices.min() >= 0 and indices.max() < len(labels)):
        raise _nonsense(f"class indices from {indices.min()} to {indices.max()} where there are {len(labels)} classes")
    sizes = corners[:, 2:] - corners[:, :2]
    if (sizes < 0).any():
        raise _nonsense("boxes whose right or lower edge lies before the left or upper one")
    scale = (placement.scale_x, placement.scale_y)
    places = corners[:, :2] * scale + (placement.offset_x_px, placement.offset_y_px)
    rows = np.concatenate([places, sizes * scale], axis=1).tolist()
    return tuple(
        Detection(labels[index], score, (row[0], row[1], row[2], row[3]))
        for index, score, row in zip(indices.tolist(), rounded[chosen].tolist(), rows, strict=True)
    )


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
