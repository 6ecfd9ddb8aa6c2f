"""Finds the candidates in a graph that suppresses inside, so that it can be cut off there.

Suppression inside makes sizes that depend on the picture, which not every runtime takes: TensorRT for RTX refuses its
NonZero. Takt does the same after the graph.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from models.importing.sizes import blank_feeds
from models.importing.tensors import Source, Tensor
from models.importing.trial import run_once

_OPERATOR = "NonMaxSuppression"
_IOU_INPUT = 3
_CODES = {"float32": onnx.TensorProto.FLOAT, "float16": onnx.TensorProto.FLOAT16}
_MOST = 0.98  # a centre lies before a size by chance, for large boxes near the upper left corner


def find_candidates(source: Source, channels: int, counts: set[int]) -> Tensor | None:
    """The last joined tensor (1, channels, n) before the suppression, n one of `counts`.

    Args:
        source: The file.
        channels: Box, class scores and extras of a candidate.
        counts: How many candidates there may be.

    Returns:
        The tensor, in float32 or float16; `None` where there is none or its size cannot be deduced.
    """
    try:
        model = onnx.shape_inference.infer_shapes(source.model)
    except (onnx.shape_inference.InferenceError, ValueError):
        return None
    shapes = {each.name: each.type.tensor_type for each in model.graph.value_info}
    kinds = {code: kind for kind, code in _CODES.items()}
    for node in _before_suppression(source.model.graph):
        found = shapes.get(node.output[0])
        if node.op_type != "Concat" or found is None or found.elem_type not in kinds:
            continue
        sizes = tuple(each.dim_value for each in found.shape.dim)
        if len(sizes) == 3 and sizes[:2] == (1, channels) and sizes[2] in counts:  # noqa: PLR2004
            return Tensor(node.output[0], kinds[found.elem_type], sizes)
    return None


def are_corners(source: Source, candidates: Tensor) -> bool:
    """Whether the candidates' boxes are corners, as one run on noise shows, and not centre and size.

    Raises:
        PackageError: The graph does not run.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(candidates.name, _CODES[candidates.kind], candidates.shape))
    found = run_once(source.path, model.SerializeToString(), blank_feeds(source.picture, source.others))
    boxes = found[candidates.name][0, :4].astype(np.float64)
    return bool(np.mean(boxes[:2] <= boxes[2:]) > _MOST)


def written_iou(source: Source) -> float | None:
    """The overlap that the graph's own suppression allows, if it is one constant."""
    values = {each.name: each for each in source.model.graph.initializer}
    for node in source.model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            values[node.output[0]] = node.attribute[0].t
    nodes = [node for node in source.model.graph.node if node.op_type == _OPERATOR]
    if len(nodes) != 1 or len(nodes[0].input) <= _IOU_INPUT or nodes[0].input[_IOU_INPUT] not in values:
        return None
    found = numpy_helper.to_array(values[nodes[0].input[_IOU_INPUT]])
    return round(float(found.reshape(-1)[0]), 6) if found.size == 1 else None


def _before_suppression(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the suppression reads from, however far back, the last one first."""
    needed: set[str] = set()
    found = []
    for node in reversed(graph.node):
        if node.op_type == _OPERATOR or needed.intersection(node.output):
            needed.update(node.input)
            found.append(node)
    return found
