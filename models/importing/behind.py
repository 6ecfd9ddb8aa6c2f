"""Node patterns that stand behind a model: its raw outputs become `boxes`, `scores` and `classes`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from models.importing.nodes import NodeWriter

MAX_CANDIDATES = 1000
_CORNERS = 4


@dataclass(frozen=True, slots=True)
class Found:
    """Tensors of all candidates, in float32.

    Attributes:
        boxes: (1, n, 4).
        scores: (1, n).
        classes: (1, n), of any type.
        count: n.
    """

    boxes: str
    scores: str
    classes: str
    count: int


def write_best(writer: NodeWriter, found: Found) -> None:
    """Writes the outputs of a detection package: the best candidates, `MAX_CANDIDATES` at most.

    Args:
        writer: Collects the nodes.
        found: Every candidate, boxes as x1, y1, x2, y2 in pixels of the model's input.
    """
    count = min(found.count, MAX_CANDIDATES)
    sound = _without_inverted(writer, _extents(writer, found.boxes), found.scores, found.count)
    scores, places = writer.top(sound, count)
    flat = writer.reshape(places, [count])
    boxes = writer.add("Gather", [found.boxes, flat], axis=1)
    classes = writer.add("Gather", [found.classes, flat], axis=1)
    write_outputs(writer, Found(upright(writer, boxes), scores, classes, count))


def write_outputs(writer: NodeWriter, found: Found) -> None:
    """Gives chosen candidates, best first, the names of a package's outputs."""
    writer.name_as(found.boxes, "boxes", [1, found.count, _CORNERS])
    writer.name_as(found.scores, "scores", [1, found.count])
    classes = writer.add("Cast", [found.classes], to=TensorProto.INT32)
    writer.name_as(classes, "classes", [1, found.count])


def write_best_per_anchor(
    writer: NodeWriter, boxes: str, scores: str, sizes: tuple[int, int], *, are_corners: bool = False
) -> None:
    """Writes the outputs of a head that gives every anchor a score per class.

    The class is looked for only where an anchor was chosen: an ArgMax over all of them costs more than the TopK.

    Args:
        writer: Collects the nodes.
        boxes: (1, n, 4), centre and size, in pixels of the model's input.
        scores: (1, n, classes).
        sizes: n and the number of classes.
        are_corners: The boxes are corners already.
    """
    anchors, classes = sizes
    count = min(anchors, MAX_CANDIDATES)
    extents = _extents(writer, boxes) if are_corners else writer.cut(boxes, 2, 4, 2)
    best = writer.reshape(writer.highest(scores, 2), [1, anchors])
    values, places = writer.top(_without_inverted(writer, extents, best, anchors), count)
    flat = writer.reshape(places, [count])
    chosen = writer.add("Gather", [boxes, flat], axis=1)
    rows = writer.reshape(writer.add("Gather", [scores, flat], axis=1), [1, count, classes])
    labels = writer.add("ArgMax", [rows], axis=2, keepdims=0)
    corners = chosen if are_corners else corners_of(writer, chosen)
    write_outputs(writer, Found(upright(writer, corners), values, labels, count))


def corners_of(writer: NodeWriter, boxes: str, axis: int = 2) -> str:
    """Centre and size become corners, along the last axis of (1, n, 4)."""
    centre, size = writer.cut(boxes, 0, 2, axis), writer.cut(boxes, 2, 4, axis)
    half = writer.add("Div", [size, writer.constant(2.0)])
    return writer.add("Concat", [writer.add("Sub", [centre, half]), writer.add("Add", [centre, half])], axis=axis)


def upright(writer: NodeWriter, boxes: str) -> str:
    """No corner lies before its opposite, not even of a box that scores nothing."""
    start, end = writer.cut(boxes, 0, 2, 2), writer.cut(boxes, 2, 4, 2)
    return writer.add("Concat", [start, writer.add("Max", [start, end])], axis=2)


def _extents(writer: NodeWriter, boxes: str) -> str:
    """Corners (1, n, 4) become width and height (1, n, 2)."""
    return writer.add("Sub", [writer.cut(boxes, 2, 4, 2), writer.cut(boxes, 0, 2, 2)])


def _without_inverted(writer: NodeWriter, extents: str, scores: str, count: int) -> str:
    """A box that is inside out scores nothing: it holds no pixel, and YOLO 26 has no bound that prevents one.

    Args:
        writer: Collects the nodes.
        extents: (1, n, 2), width and height.
        scores: (1, n).
        count: n.
    """
    least = writer.add("Min", [writer.cut(extents, 0, 1, 2), writer.cut(extents, 1, 2, 2)])
    nothing = writer.constant(0.0)
    is_inverted = writer.add("Less", [writer.reshape(least, [1, count]), nothing])
    return writer.add("Where", [is_inverted, nothing, scores])


def in_pixels(writer: NodeWriter, boxes: str, width_px: int, height_px: int) -> str:
    """Shares of the model's input become pixels of it."""
    sides = writer.constant([width_px, height_px, width_px, height_px])
    return writer.add("Mul", [boxes, sides])


def write_rows(
    writer: NodeWriter, rows: str, count: int, *, is_centred: bool, sides_px: tuple[int, int] | None
) -> None:
    """Writes the outputs of a graph that gives finished rows: box, score, class and whatever follows.

    Args:
        writer: Collects the nodes.
        rows: (1, n, 6 or more), float32.
        count: n.
        is_centred: Boxes are centre and size, not corners.
        sides_px: Width and height to scale boxes by that are shares of the input; `None` for pixels.
    """
    boxes = writer.cut(rows, 0, 4, 2)
    if is_centred:
        boxes = corners_of(writer, boxes)
    if sides_px:
        boxes = in_pixels(writer, boxes, *sides_px)
    scores = writer.reshape(writer.cut(rows, 4, 5, 2), [1, count])
    classes = writer.reshape(writer.cut(rows, 5, 6, 2), [1, count])
    write_best(writer, Found(boxes, scores, classes, count))


def grid(width_px: int, height_px: int, strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Where the cells of all grids begin, in cells, and how many pixels each is wide.

    Returns:
        float32 (n, 2), x and y, row by row, and float32 (n, 1).
    """
    places, widths = [], []
    for stride in strides:
        y, x = np.mgrid[: height_px // stride, : width_px // stride]
        places.append(np.stack([x, y], -1).reshape(-1, 2))
        widths.append(np.full((x.size, 1), stride))
    return np.concatenate(places).astype(np.float32), np.concatenate(widths).astype(np.float32)
