"""The ONNX graph of a trained net, written node by node.

An exporter's graph depends on the exporter's version; this one does not. It holds everything between the camera's
uint8 and the list of boxes: levels, difference to the golden sample, the net, and the decoding of its peaks, in
opset 17 and static shapes, so that ONNX Runtime, OpenVINO and TensorRT 10 all parse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.nets.classify import ClassNet
from models.nets.layers import STAGES
from models.nets.net import ConvUnit, PeakNet, Trunk
from models.packaging.graph_peaks import PeakWriter
from models.recipe import InputShape, TrainingRecipe

OPSET = 17
_IR_VERSION = 8  # of opset 17; newer ones are refused by ONNX Runtime 1.18
_FULL_LEVEL = 255


class _Output(NamedTuple):
    name: str
    kind: int
    shape: Sequence[int]


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

    def finish(
        self, name: str, pictures: Sequence[str], shape: Sequence[int], outputs: Sequence[_Output]
    ) -> onnx.ModelProto:
        """Makes the checked model of all nodes.

        Args:
            name: The graph's name.
            pictures: Its inputs, uint8.
            shape: The shape of each.
            outputs: Its outputs.
        """
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(each, TensorProto.UINT8, shape) for each in pictures],
            [helper.make_tensor_value_info(*each) for each in outputs],
            list(self.constants.values()),
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="takt")
        onnx.checker.check_model(model, full_check=True)
        return model


def build_graph(net: PeakNet | ClassNet, recipe: TrainingRecipe) -> onnx.ModelProto:
    """Writes the deployed graph of a net.

    Inputs are `image` and, with a golden sample, `golden`: uint8 (1, H, W, C). A detector's outputs are `boxes` float32
    (1, K, 4), x1, y1, x2, y2 in pixels of the input, `scores` float32 (1, K), descending, and `classes` int32 (1, K); a
    classifier's is `probabilities` float32 (1, classes). Where the recipe says so there is `embedding` float32 (1, n),
    the mean of the coarsest map, too.

    Args:
        net: The trained net; a folded copy is written.
        recipe: Its recipe, for the shapes.

    Returns:
        The checked model.
    """
    shape, writer, folded = recipe.input, GraphWriter(), net.folded()
    names = ["image", "golden"] if shape.golden else ["image"]
    maps = _write_maps(writer, folded, _write_inputs(writer, names, shape), shape)
    width, classes = net.widths[-1], len(recipe.classes)
    if isinstance(folded, ClassNet):
        outputs = _write_probabilities(writer, folded, maps[-1])
    else:
        out = _write_head(writer, folded, maps)
        grid = (shape.height_px // folded.stride_px, shape.width_px // folded.stride_px)
        outputs = _write_peaks(writer, out, classes, grid, folded.stride_px)
    if recipe.net.embedding:
        mean = writer.add("GlobalAveragePool", [maps[-1]], "embedding.map")
        outputs.append(_Output(writer.reshape(mean, "embedding", [1, width]), TensorProto.FLOAT, [1, width]))
    return writer.finish(recipe.name, names, [1, shape.height_px, shape.width_px, shape.channels], outputs)


def _write_probabilities(writer: GraphWriter, net: ClassNet, deepest: str) -> list[_Output]:
    """Writes `ClassNet.probabilities`: mean and maximum of the deepest map, one linear layer, softmax."""
    pools = [writer.add(f"Global{kind}Pool", [deepest], f"pooled.{kind}") for kind in ("Average", "Max")]
    joined = writer.add("Concat", pools, "pooled", axis=1)
    flat = writer.reshape(joined, "pooled.flat", [1, 2 * net.widths[-1]])
    weight = writer.constant("out.weight", _numbers(net.out.weight), np.float32)
    bias = writer.constant("out.bias", _numbers(net.out.bias), np.float32)
    logits = writer.add("Gemm", [flat, weight, bias], "out", transB=1)
    writer.add("Softmax", [logits], "probabilities", axis=1)
    return [_Output("probabilities", TensorProto.FLOAT, [1, net.classes])]


def _numbers(tensor: Tensor | None) -> npt.NDArray[np.float32]:
    assert tensor is not None
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _write_inputs(writer: GraphWriter, names: Sequence[str], shape: InputShape) -> list[str]:
    """Writes the planes that the stem reads, in grey levels above black; the stem's weights divide them by the span."""
    planes = []
    for name in names:
        levels = writer.add("Cast", [name], f"{name}.float", to=TensorProto.FLOAT)
        if shape.channels == 1:
            plane = writer.reshape(levels, f"{name}.plane", [1, 1, shape.height_px, shape.width_px])
        else:
            plane = writer.add("Transpose", [levels], f"{name}.plane", perm=[0, 3, 1, 2])
        planes.append(_stretched(writer, plane, name, shape))
    if len(planes) > 1:
        planes.append(writer.add("Abs", [writer.add("Sub", planes, "difference.signed")], "difference"))
    return planes


def _stretched(writer: GraphWriter, plane: str, name: str, shape: InputShape) -> str:
    if (shape.black_level, shape.white_level) == (0, _FULL_LEVEL):
        return plane
    zero = writer.constant("zero", 0, np.float32)
    black = writer.constant("black_level", shape.black_level, np.float32)
    span = writer.constant("span", shape.white_level - shape.black_level, np.float32)
    return writer.add("Clip", [writer.add("Sub", [plane, black], f"{name}.above"), zero, span], f"{name}.stretched")


def _write_stem(writer: GraphWriter, stem: ConvUnit, planes: Sequence[str], shape: InputShape) -> str:
    """Writes the stem as one convolution per plane, summed.

    Joining three full-size planes first moves 10 MB and was measured to cost 1 ms of 8 on a CPU.
    """
    layer, total, channels = stem.conv, "", shape.channels
    sides = {"kernel_shape": list(layer.kernel_size), "strides": list(layer.stride), "pads": [0] * 4}
    weights = _numbers(layer.weight) / (shape.white_level - shape.black_level)
    bias = writer.constant("stem.bias", _numbers(layer.bias), np.float32)
    for index, plane in enumerate(planes):
        own = weights[:, index * channels : (index + 1) * channels]
        weight = writer.constant(f"stem{index}.weight", own, np.float32)
        inputs = [plane, weight] if index else [plane, weight, bias]
        part = writer.add("Conv", inputs, f"stem{index}", **sides)
        total = writer.add("Add", [total, part], f"stem{index}.sum") if total else part
    return writer.add("Relu", [total], "stem.relu")


def _write_maps(writer: GraphWriter, net: Trunk, planes: Sequence[str], shape: InputShape) -> list[str]:
    """Writes the maps from the stem's on."""
    maps = [_write_stem(writer, net.stem, planes, shape)]
    for name, stage in zip(STAGES, net.stages, strict=False):
        assert isinstance(stage, nn.Sequential)
        maps.append(_write_units(writer, maps[-1], name, stage))
    return maps


def _write_units(writer: GraphWriter, source: str, name: str, stage: nn.Sequential) -> str:
    for index, unit in enumerate(stage):
        assert isinstance(unit, ConvUnit)
        source = writer.unit(source, f"{name}{index}", unit)
    return source


def _write_head(writer: GraphWriter, net: PeakNet, maps: Sequence[str]) -> str:
    """Writes the way back from the coarsest map to the grid, and the head."""
    merged, finer = maps[-1], list(maps[:-1])
    scales = writer.constant("upsample.scales", [1, 1, 2, 2], np.float32)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for index, lateral in enumerate(net.laterals):
        assert isinstance(lateral, nn.Conv2d)
        thin = writer.convolution(merged, f"lateral{index}", lateral)
        up = writer.add("Resize", [thin, "", scales], f"upsample{index}", **how)
        merged = writer.add("Relu", [writer.add("Add", [finer.pop(), up], f"merge{index}")], f"merge{index}.relu")
    return writer.convolution(_write_units(writer, merged, "head", net.head), "out", net.out)


def _write_peaks(writer: GraphWriter, out: str, classes: int, grid: tuple[int, int], stride_px: int) -> list[_Output]:
    peaks = PeakWriter(writer, classes, grid, stride_px)
    peaks.write(out)
    return [
        _Output("boxes", TensorProto.FLOAT, [1, peaks.top_k, 4]),
        _Output("scores", TensorProto.FLOAT, [1, peaks.top_k]),
        _Output("classes", TensorProto.INT32, [1, peaks.top_k]),
    ]
