"""A float model with its convolutions in half precision.

Precision lives in the ONNX file: a strongly typed TensorRT network takes it from there. The stem, which reads grey
levels up to 255, and the last convolution, whose outputs are scores and distances, stay in single precision.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.errors import DataError

_KEPT = ("stem", "out")


def build_half_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Writes the half-precision graph of a float one; inputs and outputs are those of the float one.

    Args:
        model: As `models.packaging.graph.build_graph` writes it.

    Returns:
        The checked model.

    Raises:
        DataError: It has no convolution but the stem's and the last.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    constants = {each.name: each for each in graph.initializer}
    chosen = [node for node in graph.node if node.op_type == "Conv" and not node.name.startswith(_KEPT)]
    if not chosen:
        raise DataError(
            f"the model {graph.name!r} has no layers between its stem and its last",
            "give a model of takt models export",
        )
    region = _region(graph, {node.name for node in chosen})
    casts: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    inner = {name for node in graph.node if node.name in region for name in node.output}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if node.name in region and name in constants and _is_float(constants[name]) and _is_value(node, index):
                _halve(constants[name])
            elif (name in inner) != (node.name in region) and name and name not in constants:
                kind = TensorProto.FLOAT16 if node.name in region else TensorProto.FLOAT
                if name not in casts:
                    casts[name] = f"{name}.{'half' if node.name in region else 'single'}"
                    nodes.append(helper.make_node("Cast", [name], [casts[name]], name=casts[name], to=kind))
                node.input[index] = casts[name]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    onnx.checker.check_model(half, full_check=True)
    return half


def _region(graph: onnx.GraphProto, convolutions: set[str]) -> set[str]:
    """The nodes in half precision: the chosen convolutions and what only passes their outputs on."""
    region, inner = set(convolutions), set()
    for node in graph.node:
        passes_on = node.op_type in ("Relu", "Resize") and node.input[0] in inner
        # The map of the stem joins a sum on the grid of stride 4: it is halved there.
        joins = node.op_type == "Add" and node.name.startswith("merge")
        if node.name in region or passes_on or joins:
            region.add(node.name)
            inner.update(node.output)
    return region


def _is_value(node: onnx.NodeProto, index: int) -> bool:
    """The scales of a Resize stay as they are."""
    return node.op_type != "Resize" or index == 0


def _is_float(constant: onnx.TensorProto) -> bool:
    return bool(constant.data_type == TensorProto.FLOAT)


def _halve(constant: onnx.TensorProto) -> None:
    values = numpy_helper.to_array(constant).astype(np.float16)
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))
