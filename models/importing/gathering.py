"""Rewrites a GatherElements that takes whole rows as a Gather.

torch writes so what picks the best rows of a head. OpenVINO 2026.4 takes the slice before it away and then refuses what
is left, as data and indices no longer have one width; a Gather means the same, and is cheaper on every runtime.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper

from models.importing.nodes import NodeWriter
from models.importing.tensors import PREFIX

_REPEATS = ("Expand", "Tile")
_Sizes = tuple[int, ...]


def gather_rows(graph: onnx.GraphProto, shapes: Mapping[str, _Sizes], writer: NodeWriter) -> None:
    """Does it to every node whose indices are one list, repeated along the other axes.

    Args:
        graph: Changed in place; its names have the prefix.
        shapes: As `shapes_of` tells them.
        writer: Names the new nodes.
    """
    makers = {name: node for node in graph.node for name in node.output}
    nodes = []
    for node in graph.node:
        index = _one_list(node, makers, shapes)
        if index is None:
            nodes.append(node)
            continue
        data, indices = (shapes[name] for name in node.input)
        axis = _axis(node) % len(data)
        found = writer.add("Gather", [node.input[0], writer.reshape(index, [indices[axis]])], axis=axis)
        for other, (size, wanted) in enumerate(zip(data, indices, strict=True)):
            if other != axis and wanted < size:
                found = writer.cut(found, 0, wanted, other)
        writer.name_as(found, node.output[0], indices)
        nodes += writer.nodes
        writer.nodes = []
    del graph.node[:]
    graph.node.extend(nodes)
    writer.extend(graph, at_front=True)


def shapes_of(model: onnx.ModelProto) -> dict[str, _Sizes]:
    """Every shape that can be deduced, under the name that has the prefix; none where no row is gathered."""
    if all(node.op_type != "GatherElements" for node in model.graph.node):
        return {}
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except (onnx.shape_inference.InferenceError, ValueError):
        return {}
    found = {f"{PREFIX}{each.name}": tuple(each.dims) for each in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        sizes = tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
        if sizes and all(size > 0 for size in sizes):
            found[f"{PREFIX}{value.name}"] = sizes
    return found


def _one_list(node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto], shapes: Mapping[str, _Sizes]) -> str | None:
    """The tensor that a node's indices repeat along all axes but its own; `None` where they do not."""
    if node.op_type != "GatherElements" or any(name not in shapes for name in node.input):
        return None
    repeat = makers.get(node.input[1])
    if repeat is None or repeat.op_type not in _REPEATS or repeat.input[0] not in shapes:
        return None
    indices, single = shapes[node.input[1]], shapes[repeat.input[0]]
    axis = _axis(node) % len(indices)
    if len(single) != len(indices) or single[axis] != indices[axis]:
        return None
    return repeat.input[0] if all(size == 1 for other, size in enumerate(single) if other != axis) else None


def _axis(node: onnx.NodeProto) -> int:
    return next((int(helper.get_attribute_value(each)) for each in node.attribute if each.name == "axis"), 0)
