"""The ONNX graph of a net with 8-bit convolutions, written node by node like the float one (`models.graph`).

Every convolution but the last, whose outputs are scores and distances, stands between QuantizeLinear and
DequantizeLinear. Weights are symmetric per output channel in 7 bits: CPUs without VNNI add pairs of products in 16
bits, which 8 bits overflow. Activations are unsigned 8 bits with zero at 0, as nearly all follow a ReLU.

Three things were measured to matter on a CPU (OpenVINO 2026.4, two cores, AVX-512 VNNI):

- The stem's 4x4 blocks become 16 channels by a convolution with one-hot weights, which thresholds on the way: in bits,
  the stem is exact but for its weights, and nothing of full size is ever held in floats.
- Part, golden sample and difference lie below each other and meet in one convolution that is dilated by the height of
  one: joining them along the channels copies 16 bytes at a time.
- The peaks are sought in flat tables of one row per channel: splitting channels that lie side by side takes longer
  than a layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.errors import DataError
from models.augment import THRESHOLD
from models.graph import GraphWriter
from models.net import DISTANCE_LOGIT_LIMIT, STRIDE_PX
from models.peaks import SCORE_FLOOR, TOP_K

SIGNED = "lateral"
"""The one rounded tensor that may be negative: no ReLU follows it."""

_BLOCK = 4
_PLANES = 3
_BOX_SIDES = 4
_WEIGHT_TOP = 63

Weights = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class NetLayout:
    """What the graph is written for.

    Attributes:
        height_px: Height of the input.
        width_px: Width of the input.
        classes: How many.
        fine: Layers of the fine stage by name, in their order.
        coarse: The same of the coarse stage.
    """

    height_px: int
    width_px: int
    classes: int
    fine: tuple[str, ...]
    coarse: tuple[str, ...]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the heat maps."""
        return self.height_px // STRIDE_PX, self.width_px // STRIDE_PX

    @property
    def rounded(self) -> tuple[str, ...]:
        """The tensors of the float graph that become 8 bits."""
        units = tuple(f"{name}.relu" for name in (*self.fine, *self.coarse))
        return ("stem.relu", *units, SIGNED, "merge.relu")


def weights_of(model: onnx.ModelProto) -> Weights:
    """The constants of a model by name."""
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def layout_of(model: onnx.ModelProto) -> NetLayout:
    """Reads off a float model what its 8-bit graph is written for.

    Raises:
        DataError: It is not as `models.graph.build_graph` writes it, mono and with a golden sample.
    """
    weights = weights_of(model)
    sides = {each.name: [d.dim_value for d in each.type.tensor_type.shape.dim] for each in model.graph.input}
    needed = {*(f"stem{index}.weight" for index in range(_PLANES)), "lateral.weight", "head.weight", "out.weight"}
    if set(sides) != {"image", "golden"} or sides["image"][3] != 1 or not needed <= set(weights):
        raise DataError(
            f"the model {model.graph.name!r} is no float model with one grey channel and a golden sample, as"
            " takt models export writes it",
            "export it again, and give that package",
        )
    fine, coarse = (
        tuple(name.removesuffix(".weight") for name in weights if re.fullmatch(rf"{stage}\d+\.weight", name))
        for stage in ("fine", "coarse")
    )
    _, height, width, _ = sides["image"]
    return NetLayout(height, width, len(weights["out.weight"]) - _BOX_SIDES, fine, coarse)


def build_quantized_graph(model: onnx.ModelProto, scales: Mapping[str, float]) -> onnx.ModelProto:
    """Writes the 8-bit graph of a float model; inputs and outputs are those of the float one.

    Args:
        model: As `models.graph.build_graph` writes it, mono and with a golden sample.
        scales: The step of each of `NetLayout.rounded`.

    Returns:
        The checked model.

    Raises:
        DataError: The model is not such a one.
    """
    return _Writer(layout_of(model), weights_of(model), scales).write(model.graph.name)


class _Writer(GraphWriter):
    def __init__(self, layout: NetLayout, weights: Weights, scales: Mapping[str, float]) -> None:
        super().__init__()
        self._layout, self._weights, self._scales = layout, weights, scales

    def write(self, name: str) -> onnx.ModelProto:
        self._write_peaks(self._write_net(self._write_stem()))
        return self.finish(name, ["image", "golden"], [1, self._layout.height_px, self._layout.width_px, 1])

    def _rounded(self, source: str, scale: float, kind: type[np.generic] = np.uint8) -> str:
        """Rounds to 8 bits and back: a runtime keeps the 8 bits."""
        step = self.constant(f"{source}.scale", scale, np.float32)
        zero = self.constant(f"{source}.zero", 0, kind)
        return self._widened(self.add("QuantizeLinear", [source, step, zero], f"{source}.q"), source, step, zero)

    def _widened(self, source: str, name: str, step: str, zero: str) -> str:
        return self.add("DequantizeLinear", [source, step, zero], f"{name}.dq")

    def _convolved(self, source: str, name: str, bias: str | None = None, **attributes: Any) -> str:
        weight = self._weights[f"{name}.weight"]
        rest = weight.shape[2]
        bias = bias or self.constant(f"{name}.bias", self._weights[f"{name}.bias"], np.float32)
        attributes = {"kernel_shape": list(weight.shape[2:]), "pads": [rest // 2] * 4, **attributes}
        return self.add("Conv", [source, self._weight(name, weight), bias], name, **attributes)

    def _weight(self, name: str, weight: npt.NDArray[Any], step: npt.NDArray[Any] | None = None) -> str:
        """A weight in 7 bits and a sign, each output channel by its own step."""
        if step is None:
            largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
            step = np.maximum(largest, np.finfo(np.float32).tiny) / _WEIGHT_TOP
        whole = np.rint(weight / step.reshape(-1, 1, 1, 1))
        inputs = [
            self.constant(f"{name}.weight.whole", whole, np.int8),
            self.constant(f"{name}.weight.scale", step, np.float32),
            self.constant(f"{name}.weight.zero", np.zeros(len(weight)), np.int8),
        ]
        return self.add("DequantizeLinear", inputs, f"{name}.weight", axis=0)

    def _write_stem(self) -> str:
        planes = [self._blocks(name) for name in ("image", "golden")]
        signed = self.add("Sub", planes, "difference.signed")
        planes.append(self._rounded(self.add("Abs", [signed], "difference"), 1 / 255))
        joined = self.add("Concat", planes, "planes", axis=2)
        kernels = [self._weights[f"stem{index}.weight"].reshape(-1, _BLOCK**2) for index in range(_PLANES)]
        weight = np.stack(kernels, axis=2)[..., None]
        bias = self.constant("stem.bias", self._weights["stem.bias"], np.float32)
        inputs = [joined, self._weight("stem", weight), bias]
        apart = [self._layout.height_px // _BLOCK, 1]
        stem = self.add("Conv", inputs, "stem", kernel_shape=[_PLANES, 1], dilations=apart)
        return self._rounded(self.add("Relu", [stem], "stem.relu"), self._scales["stem.relu"])

    def _blocks(self, name: str) -> str:
        """The bits of each 4x4 block as 16 channels: what lies above the threshold saturates at 255, which is 1."""
        one, zero = self.constant("level.scale", 1, np.float32), self.constant("level.zero", 0, np.uint8)
        fours = self.reshape(
            name, f"{name}.fours", [1, self._layout.height_px, self._layout.width_px // _BLOCK, _BLOCK]
        )
        channels = self.add("Transpose", [self._widened(fours, name, one, zero)], f"{name}.channels", perm=[0, 3, 1, 2])
        size = _BLOCK**2
        hot = np.eye(size).reshape(_BLOCK, _BLOCK, size).transpose(2, 1, 0)[..., None]
        weight = self._weight(f"{name}.blocks", hot, np.ones(size))
        bias = self.constant("blocks.bias", np.full(size, 1 - THRESHOLD), np.float32)
        sides = {"kernel_shape": [_BLOCK, 1], "strides": [_BLOCK, 1]}
        blocks = self.add("Conv", [channels, weight, bias], f"{name}.blocks", **sides)
        return self._rounded(self.add("Relu", [blocks], f"{name}.above"), 1 / 255)

    def _write_net(self, stem: str) -> str:
        fine = self._stage(stem, self._layout.fine)
        coarse = self._stage(fine, self._layout.coarse)
        lateral = self._rounded(self._convolved(coarse, "lateral"), self._scales[SIGNED], np.int8)
        twice = self.constant("upsample.scales", [1, 1, 2, 2], np.float32)
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        up = self.add("Resize", [lateral, "", twice], "upsample", **how)
        merged = self.add("Relu", [self.add("Add", [fine, up], "merge")], "merge.relu")
        head = self._convolved(self._rounded(merged, self._scales["merge.relu"]), "head")
        weight = self.constant("out.weight", self._weights["out.weight"], np.float32)
        bias = self.constant("out.bias", self._weights["out.bias"], np.float32)
        return self.add("Conv", [self.add("Relu", [head], "head.relu"), weight, bias], "out", kernel_shape=[1, 1])

    def _stage(self, source: str, names: Sequence[str]) -> str:
        for index, name in enumerate(names):
            step = 1 if index else 2
            unit = self.add("Relu", [self._convolved(source, name, strides=[step, step])], f"{name}.relu")
            source = self._rounded(unit, self._scales[unit])
        return source

    def _write_peaks(self, out: str) -> None:
        """Writes `models.peaks.decode_peaks` on flat tables, and averages boxes only around chosen peaks."""
        rows, columns = self._layout.grid
        flat = self.reshape(out, "out.flat", [self._layout.classes + 4, rows * columns])
        split = self.constant("out.split", [self._layout.classes, 4], np.int64)
        self.nodes.append(helper.make_node("Split", [flat, split], ["logits", "distances"], name="out.parts", axis=0))
        heat = self.add("Sigmoid", [self.add("ReduceMax", ["logits"], "best", axes=[0])], "heat")
        plane = self.reshape(heat, "heat.plane", [1, 1, rows, columns])
        around = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1]}
        highest = self.reshape(self.add("MaxPool", [plane], "highest", **around), "highest.flat", [1, rows * columns])
        is_equal = self.add("Equal", [heat, highest], "is_peak")
        is_peak = self.add("Cast", [is_equal], "is_peak.float", to=TensorProto.FLOAT)
        peaks = self.add("Mul", [heat, is_peak], "peaks")
        count = self.constant("top_k", [TOP_K], np.int64)
        self.nodes.append(helper.make_node("TopK", [peaks, count], ["scores", "cells"], name="top", axis=1))
        cells = self.reshape("cells", "cells.flat", [TOP_K])
        self._write_chosen(self._write_boxes(heat), cells)
        chosen = self.add("Gather", ["logits", cells], "logits.chosen", axis=1)
        label = self.add("ArgMax", [chosen], "label", axis=0, keepdims=0)
        self.add("Cast", [self.reshape(label, "label.row", [1, TOP_K])], "classes", to=TensorProto.INT32)

    def _write_boxes(self, heat: str) -> str:
        """Every cell's box times its score, and its score, as five padded rows."""
        rows, columns = self._layout.grid
        low = self.constant("distance.low", -DISTANCE_LOGIT_LIMIT, np.float32)
        high = self.constant("distance.high", DISTANCE_LOGIT_LIMIT, np.float32)
        reach = self.add("Exp", [self.add("Clip", ["distances", low, high], "distances.clipped")], "reach")
        sides = self.constant("sides", np.array([-1, -1, 1, 1]).reshape(4, 1) * STRIDE_PX, np.float32)
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        centres = ((np.stack([x, y, x, y]) + 0.5) * STRIDE_PX).reshape(4, rows * columns)
        grid = self.constant("centres", centres, np.float32)
        boxes = self.add("Add", [grid, self.add("Mul", [reach, sides], "reach_px")], "boxes.cells")
        weighted = self.add("Concat", [self.add("Mul", [boxes, heat], "boxes.weighted"), heat], "weighted", axis=0)
        pads = self.constant("padding", [0, 1, 1, 0, 1, 1], np.int64)
        padded = self.add("Pad", [self.reshape(weighted, "weighted.plane", [5, rows, columns]), pads], "padded")
        return self.reshape(padded, "padded.flat", [5, (rows + 2) * (columns + 2)])

    def _write_chosen(self, padded: str, cells: str) -> None:
        rows, columns = self._layout.grid
        row = self.add("Div", [cells, self.constant("columns", columns, np.int64)], "cells.row")
        corner = self.add("Add", [cells, self.add("Add", [row, row], "cells.margin")], "cells.corner")
        steps = np.add.outer(np.arange(3) * (columns + 2), np.arange(3)).reshape(9, 1)
        around = self.add("Add", [corner, self.constant("around", steps, np.int64)], "around.cells")
        index = self.reshape(around, "around.flat", [9 * TOP_K])
        nine = self.reshape(self.add("Gather", [padded, index], "gathered", axis=1), "nine", [5, 9, TOP_K])
        mean = self.add("ReduceMean", [nine], "mean", axes=[1], keepdims=0)
        parts = self.constant("chosen.split", [4, 1], np.int64)
        chosen = self.add("Transpose", [mean], "chosen.rows", perm=[1, 0])
        self.nodes.append(helper.make_node("Split", [chosen, parts], ["sums", "weights"], name="chosen.parts", axis=1))
        floor = self.constant("score_floor", SCORE_FLOOR, np.float32)
        free = self.add("Div", ["sums", self.add("Max", ["weights", floor], "weights.floored")], "boxes.free")
        inner = self.add("Max", [free, self.constant("zero", 0, np.float32)], "boxes.inner")
        limit = self.constant("limit", np.array([columns, rows] * 2) * STRIDE_PX, np.float32)
        self.reshape(self.add("Min", [inner, limit], "boxes.flat"), "boxes", [1, TOP_K, 4])
