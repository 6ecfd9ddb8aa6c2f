"""The part of the ONNX graph that reads boxes off the maps; the arithmetic is that of `models.nets.peaks.decode_peaks`.

On the whole grid only the best score of each cell and its neighbours' is worked out. Boxes are made from distances, and
averaged, at the cells around the chosen peaks alone: on a grid of stride 4 the boxes of all cells were measured to take
longer than the net in 8 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from models.nets.net import DISTANCE_LOGIT_LIMIT, reach_of
from models.nets.peaks import SCORE_FLOOR, TOP_K

if TYPE_CHECKING:
    from models.packaging.graph import GraphWriter

_BEYOND = -1e4  # the logit of a cell beyond the edge: its score, and so its weight, is 0


class PeakWriter:
    """Writes the nodes behind the last convolution.

    Args:
        writer: Collects them.
        classes: Number of classes.
        grid: Rows and columns of the maps.
        stride_px: Pixels per cell.
    """

    def __init__(self, writer: GraphWriter, classes: int, grid: tuple[int, int], stride_px: int) -> None:
        self._writer, self._classes, self._stride_px = writer, classes, stride_px
        self._rows, self._columns = grid
        self._reach = reach_of(stride_px)
        self.top_k = min(TOP_K, self._rows * self._columns)

    def write(self, out: str) -> None:
        """Writes `boxes`, `scores` and `classes` from the last convolution's output (1, classes + 4, rows, columns)."""
        w, cells = self._writer, self._rows * self._columns
        flat = w.reshape(out, "out.flat", [self._classes + 4, cells])
        every = w.constant("out.split", [self._classes, 4], np.int64)
        w.nodes.append(helper.make_node("Split", [flat, every], ["logits", "distances"], name="out.parts", axis=0))
        heat = w.add("Sigmoid", [w.add("ReduceMax", ["logits"], "best", axes=[0])], "heat")
        self._write_top(heat)
        index = w.reshape("cells", "cells.flat", [self.top_k])
        self._write_boxes(out, index)
        chosen = w.add("Gather", ["logits", index], "logits.chosen", axis=1)
        label = w.add("ArgMax", [chosen], "label", axis=0, keepdims=0)
        w.add("Cast", [w.reshape(label, "label.row", [1, self.top_k])], "classes", to=TensorProto.INT32)

    def _write_top(self, heat: str) -> None:
        """Writes `scores` and `cells`: the best cells that no other beats within reach."""
        w, cells, side = self._writer, self._rows * self._columns, 2 * self._reach + 1
        plane = w.reshape(heat, "heat.plane", [1, 1, self._rows, self._columns])
        # Across, then down: five by five are ten comparisons and not twenty-five.
        across = w.add("MaxPool", [plane], "highest.across", kernel_shape=[1, side], pads=[0, self._reach] * 2)
        down = w.add("MaxPool", [across], "highest", kernel_shape=[side, 1], pads=[self._reach, 0] * 2)
        highest = w.reshape(down, "highest.flat", [1, cells])
        is_peak = w.add("Cast", [w.add("Equal", [heat, highest], "is_peak")], "is_peak.float", to=TensorProto.FLOAT)
        peaks = w.add("Mul", [heat, is_peak], "peaks")
        count = w.constant("top_k", [self.top_k], np.int64)
        w.nodes.append(helper.make_node("TopK", [peaks, count], ["scores", "cells"], name="top", axis=1))

    def _write_boxes(self, out: str, index: str) -> None:
        """Writes `boxes`: those of each peak's neighbours, averaged by their scores."""
        w, side, near = self._writer, 2 * self._reach + 1, (2 * self._reach + 1) ** 2
        around = self._around(out, index)
        parts = w.constant("around.split", [self._classes, 4], np.int64)
        w.nodes.append(
            helper.make_node("Split", [around, parts], ["around.logits", "around.distances"], name="around.parts")
        )
        best = w.add("ReduceMax", ["around.logits"], "around.best", axes=[0])
        weights = w.reshape(w.add("Sigmoid", [best], "around.heat"), "weights", [1, near, self.top_k])
        limits = [w.constant(f"distance.{name}", value, np.float32) for name, value in _LIMITS]
        reach = w.add("Exp", [w.add("Clip", ["around.distances", *limits], "distances.clipped")], "reach")
        sides = w.constant("sides", np.array([-1, -1, 1, 1]).reshape(4, 1, 1) * self._stride_px, np.float32)
        off = w.add("Mul", [w.reshape(reach, "reach.cells", [4, near, self.top_k]), sides], "reach_px")
        y, x = np.meshgrid(np.arange(side) - self._reach, np.arange(side) - self._reach, indexing="ij")
        steps = np.stack([x, y, x, y]).reshape(4, near, 1) * self._stride_px
        boxes = w.add("Add", [off, w.constant("steps", steps, np.float32)], "boxes.from_centre")
        total = w.add("ReduceSum", [weights, w.constant("near", [1], np.int64)], "weights.sum", keepdims=0)
        # A mean score below the floor no longer counts as a weight.
        floor = w.constant("score_floor", SCORE_FLOOR * near, np.float32)
        weighted = w.add("ReduceSum", [w.add("Mul", [boxes, weights], "boxes.weighted"), "near"], "sums", keepdims=0)
        mean = w.add("Div", [weighted, w.add("Max", [total, floor], "weights.floored")], "boxes.mean")
        self._write_placed(mean, total, floor, index)

    def _write_placed(self, mean: str, total: str, floor: str, index: str) -> None:
        """Moves boxes to their peaks' centres and cuts them off at the picture's edge."""
        w, pixels = self._writer, self._stride_px
        y, x = np.meshgrid(np.arange(self._rows), np.arange(self._columns), indexing="ij")
        centres = ((np.stack([x, y, x, y]) + 0.5) * pixels).reshape(4, -1)
        own = w.add("Gather", [w.constant("centres", centres, np.float32), index], "centres.chosen", axis=1)
        share = w.add("Div", [total, w.add("Max", [total, floor], "share.floored")], "share")
        free = w.add("Add", [mean, w.add("Mul", [own, share], "centres.shared")], "boxes.free")
        inner = w.add("Max", [free, w.constant("edge", 0, np.float32)], "boxes.inner")
        limit = w.constant("limit", np.array([[self._columns], [self._rows]] * 2) * pixels, np.float32)
        cut = w.add("Min", [inner, limit], "boxes.cut")
        w.reshape(w.add("Transpose", [cut], "boxes.rows", perm=[1, 0]), "boxes", [1, self.top_k, 4])

    def _around(self, out: str, index: str) -> str:
        """All that the last convolution says at the peaks and their neighbours, (classes + 4, neighbours * top_k)."""
        w, reach = self._writer, self._reach
        wide, side = self._columns + 2 * reach, 2 * reach + 1
        pads = w.constant("padding", [0, 0, reach, reach] * 2, np.int64)
        padded = w.add("Pad", [out, pads, w.constant("beyond", _BEYOND, np.float32)], "out.padded")
        table = w.reshape(padded, "out.table", [self._classes + 4, (self._rows + 2 * reach) * wide])
        row = w.add("Div", [index, w.constant("columns", self._columns, np.int64)], "cells.row")
        margin = w.add("Mul", [row, w.constant("margin", 2 * reach, np.int64)], "cells.margin")
        corner = w.add("Add", [index, margin], "cells.corner")
        steps = np.add.outer(np.arange(side) * wide, np.arange(side)).reshape(side**2, 1)
        cells = w.add("Add", [corner, w.constant("around", steps, np.int64)], "around.cells")
        flat = w.reshape(cells, "around.flat", [side**2 * self.top_k])
        return w.add("Gather", [table, flat], "around.all", axis=1)


_LIMITS = (("low", -DISTANCE_LOGIT_LIMIT), ("high", DISTANCE_LOGIT_LIMIT))
