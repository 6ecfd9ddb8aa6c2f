"""The ONNX graph of a trained net, written node by node.

An exporter's graph depends on the exporter's version; this one does not. It holds everything between the camera's
uint8 and the list of boxes: threshold, difference to the golden sample, the net, and the decoding of its peaks, in
opset 17 and static shapes, so that ONNX Runtime, OpenVINO and TensorRT 10 all parse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.augment import THRESHOLD
from models.net import DISTANCE_LOGIT_LIMIT, STRIDE_PX, ConvUnit, PeakNet
from models.peaks import SCORE_FLOOR, TOP_K
from models.recipe import TrainingRecipe

OPSET = 17
_IR_VERSION = 8  # of opset 17; newer ones are refused by ONNX Runtime 1.18


class GraphWriter:
    """Collects nodes and constants; every method returns the name of the tensor it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: npt.ArrayLike, kind: type[np.generic]) -> str:
        """Adds a named constant."""
        self.constants[name] = numpy_helper.from_array(np.asarray(values, dtype=kind), name)
        return name

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Adds a node with one output, called as the node is."""
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def reshape(self, source: str, name: str, shape: Sequence[int]) -> str:
        """Adds a Reshape to a static shape."""
        return self.add("Reshape", [source, self.constant(f"{name}.shape", shape, np.int64)], name)

    def convolution(self, source: str, name: str, layer: nn.Conv2d) -> str:
        """Adds a convolution with bias."""
        weight = self.constant(f"{name}.weight", _numbers(layer.weight), np.float32)
        bias = self.constant(f"{name}.bias", _numbers(layer.bias), np.float32)
        pad, stride = layer.padding[0], layer.stride[0]
        size = list(layer.kernel_size)
        return self.add(
            "Conv", [source, weight, bias], name, kernel_shape=size, pads=[int(pad)] * 4, strides=[stride, stride]
        )

    def unit(self, source: str, name: str, unit: ConvUnit) -> str:
        """Adds a folded `ConvUnit`."""
        return self.add("Relu", [self.convolution(source, name, unit.conv)], f"{name}.relu")

    def finish(self, name: str, pictures: Sequence[str], shape: Sequence[int]) -> onnx.ModelProto:
        """Makes the checked model of all nodes.

        Args:
            name: The graph's name.
            pictures: Its inputs, uint8.
            shape: The shape of each.
        """
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(each, TensorProto.UINT8, shape) for each in pictures],
            [
                helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, TOP_K, 4]),
                helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, TOP_K]),
                helper.make_tensor_value_info("classes", TensorProto.INT32, [1, TOP_K]),
            ],
            list(self.constants.values()),
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="takt")
        onnx.checker.check_model(model, full_check=True)
        return model


def build_graph(net: PeakNet, recipe: TrainingRecipe) -> onnx.ModelProto:
    """Writes the deployed graph of a net.

    Inputs are `image` and, with a golden sample, `golden`: uint8 (1, H, W, 1). Outputs are `boxes` float32 (1, K, 4),
    x1, y1, x2, y2 in pixels of the input, `scores` float32 (1, K), descending, and `classes` int32 (1, K).

    Args:
        net: The trained net; a folded copy is written.
        recipe: Its recipe, for the shapes.

    Returns:
        The checked model.
    """
    shape, writer, folded = recipe.input, GraphWriter(), net.folded()
    names = ["image", "golden"] if shape.golden else ["image"]
    out = _write_net(writer, folded, _write_inputs(writer, names, recipe))
    _write_peaks(writer, out, len(recipe.classes), shape.height_px // STRIDE_PX, shape.width_px // STRIDE_PX)
    return writer.finish(recipe.name, names, [1, shape.height_px, shape.width_px, shape.channels])


def _numbers(tensor: Tensor | None) -> npt.NDArray[np.float32]:
    assert tensor is not None
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _write_inputs(writer: GraphWriter, names: Sequence[str], recipe: TrainingRecipe) -> list[str]:
    """Thresholds by clipping: grey levels are whole numbers, so (level - 127) clipped to [0, 1] is 0 or 1."""
    planes = []
    below = writer.constant("below_threshold", THRESHOLD - 1, np.float32)
    zero, one = writer.constant("zero", 0, np.float32), writer.constant("one", 1, np.float32)
    for name in names:
        grey = writer.add("Cast", [name], f"{name}.float", to=TensorProto.FLOAT)
        plane = writer.reshape(grey, f"{name}.plane", [1, 1, recipe.input.height_px, recipe.input.width_px])
        above = writer.add("Sub", [plane, below], f"{name}.above")
        planes.append(writer.add("Clip", [above, zero, one], f"{name}.binary"))
    if len(planes) > 1:
        planes.append(writer.add("Abs", [writer.add("Sub", planes, "difference.signed")], "difference"))
    return planes


def _write_stem(writer: GraphWriter, stem: ConvUnit, planes: Sequence[str]) -> str:
    """Writes the stem as one convolution per plane, summed.

    Joining three full-size planes first moves 10 MB and was measured to cost 1 ms of 8 on a CPU.
    """
    layer, total = stem.conv, ""
    sides = {"kernel_shape": list(layer.kernel_size), "strides": list(layer.stride), "pads": [0] * 4}
    weights, bias = _numbers(layer.weight), writer.constant("stem.bias", _numbers(layer.bias), np.float32)
    for index, plane in enumerate(planes):
        weight = writer.constant(f"stem{index}.weight", weights[:, index : index + 1], np.float32)
        inputs = [plane, weight] if index else [plane, weight, bias]
        part = writer.add("Conv", inputs, f"stem{index}", **sides)
        total = writer.add("Add", [total, part], f"stem{index}.sum") if total else part
    return writer.add("Relu", [total], "stem.relu")


def _units(stage: nn.Sequential) -> list[ConvUnit]:
    return [unit for unit in stage if isinstance(unit, ConvUnit)]


def _write_net(writer: GraphWriter, net: PeakNet, planes: Sequence[str]) -> str:
    fine = _write_stem(writer, net.stem, planes)
    for index, unit in enumerate(_units(net.fine)):
        fine = writer.unit(fine, f"fine{index}", unit)
    coarse = fine
    for index, unit in enumerate(_units(net.coarse)):
        coarse = writer.unit(coarse, f"coarse{index}", unit)
    lateral = writer.convolution(coarse, "lateral", net.lateral)
    scales = writer.constant("upsample.scales", [1, 1, 2, 2], np.float32)
    up = writer.add(
        "Resize",
        [lateral, "", scales],
        "upsample",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    merged = writer.add("Relu", [writer.add("Add", [fine, up], "merge")], "merge.relu")
    return writer.convolution(writer.unit(merged, "head", net.head), "out", net.out)


def _write_peaks(writer: GraphWriter, out: str, classes: int, rows: int, columns: int) -> None:
    """Writes `models.peaks.decode_peaks`, dividing by the weights only where a peak was chosen."""
    split = writer.constant("out.split", [classes, 4], np.int64)
    writer.nodes.append(helper.make_node("Split", [out, split], ["logits", "distances"], name="out.parts", axis=1))
    heat = writer.add("Sigmoid", [writer.add("ReduceMax", ["logits"], "best", axes=[1])], "heat")
    boxes = _write_boxes(writer, rows, columns)
    weighted = writer.add("Concat", [writer.add("Mul", [boxes, heat], "boxes.weighted"), heat], "weighted", axis=1)
    around = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1]}
    mean = writer.add("AveragePool", [weighted], "mean", count_include_pad=1, **around)
    highest = writer.add("MaxPool", [heat], "highest", **around)
    is_equal = writer.add("Equal", [heat, highest], "is_peak")
    is_peak = writer.add("Cast", [is_equal], "is_peak.float", to=TensorProto.FLOAT)
    peaks = writer.reshape(writer.add("Mul", [heat, is_peak], "peaks"), "peaks.flat", [1, rows * columns])
    count = writer.constant("top_k", [TOP_K], np.int64)
    writer.nodes.append(helper.make_node("TopK", [peaks, count], ["scores", "cells"], name="top", axis=1))
    cells = writer.reshape("cells", "cells.flat", [TOP_K])
    flat = writer.reshape(mean, "mean.flat", [5, rows * columns])
    gathered = writer.add("Gather", [flat, cells], "chosen", axis=1)
    chosen = writer.add("Transpose", [gathered], "chosen.rows", perm=[1, 0])
    parts = writer.constant("chosen.split", [4, 1], np.int64)
    writer.nodes.append(helper.make_node("Split", [chosen, parts], ["sums", "weights"], name="chosen.parts", axis=1))
    weights = writer.add("Max", ["weights", writer.constant("score_floor", SCORE_FLOOR, np.float32)], "weights.floored")
    free = writer.add("Div", ["sums", weights], "boxes.free")
    inner = writer.add("Max", [free, "zero"], "boxes.inner")
    limit = writer.constant("limit", np.array([columns, rows] * 2) * STRIDE_PX, np.float32)
    writer.reshape(writer.add("Min", [inner, limit], "boxes.flat"), "boxes", [1, TOP_K, 4])
    logits = writer.reshape("logits", "logits.flat", [classes, rows * columns])
    chosen_logits = writer.add("Gather", [logits, cells], "logits.chosen", axis=1)
    label = writer.add("ArgMax", [chosen_logits], "label", axis=0, keepdims=0)
    writer.add("Cast", [writer.reshape(label, "label.row", [1, TOP_K])], "classes", to=TensorProto.INT32)


def _write_boxes(writer: GraphWriter, rows: int, columns: int) -> str:
    low = writer.constant("distance.low", -DISTANCE_LOGIT_LIMIT, np.float32)
    high = writer.constant("distance.high", DISTANCE_LOGIT_LIMIT, np.float32)
    reach = writer.add("Exp", [writer.add("Clip", ["distances", low, high], "distances.clipped")], "reach")
    sides = writer.constant("sides", np.array([-1, -1, 1, 1]).reshape(1, 4, 1, 1) * STRIDE_PX, np.float32)
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    centres = (np.stack([x, y, x, y])[None] + 0.5) * STRIDE_PX
    grid = writer.constant("centres", centres, np.float32)
    return writer.add("Add", [grid, writer.add("Mul", [reach, sides], "reach_px")], "boxes.cells")
