"""Finds the candidates in a graph that suppresses inside, so that it can be cut off there.

Suppression inside makes sizes that depend on the picture, which not every runtime takes: TensorRT for RTX refuses its
NonZero. Takt does the same after the graph.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from app.errors import PackageError
from models.importing.sizes import blank_feeds
from models.importing.tensors import Source, Tensor
from models.importing.trial import run_once

_OPERATOR = "NonMaxSuppression"
_IOU_INPUT = 3
_CODES = {"float32": onnx.TensorProto.FLOAT, "float16": onnx.TensorProto.FLOAT16}
_SURE = (24.0, 32.0, 40.0, 56.0, 1.0)
"""A candidate: its box, and a full score for the first class."""
_SURE_CENTRED = (4.0, 4.0, 44.0, 60.0)
"""The corners of its box, if that is centre and size."""
_SCORE = 4
_NEAR_PX = 0.5


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


def are_corners(source: Source, candidates: Tensor, output: Tensor) -> bool | None:
    """Whether the candidates' boxes are corners, or centre and size.

    What follows them is run on one sure candidate, and what it makes of its box tells.

    Args:
        source: The file.
        candidates: As `find_candidates` gives them.
        output: The finished rows: x1, y1, x2, y2, score and more.

    Returns:
        `None` where the box comes out as neither, or nothing does.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    graph = model.graph
    maker = next(node for node in graph.node if candidates.name in node.output)
    graph.node.remove(maker)
    graph.input.append(helper.make_tensor_value_info(candidates.name, _CODES[candidates.kind], candidates.shape))
    rows = [value for value in graph.output if value.name == output.name]
    del graph.output[:], graph.value_info[:]
    graph.output.extend(rows)
    table = np.zeros([size or 0 for size in candidates.shape], candidates.kind)
    table[0, : len(_SURE), 0] = _SURE
    feeds = {**blank_feeds(source.picture, source.others), candidates.name: table}
    try:
        found = run_once(source.path, model.SerializeToString(), feeds)[output.name][0]
    except PackageError:
        return None
    best = found[found[:, _SCORE].argmax()].astype(np.float64)
    if best[_SCORE] < _SURE[_SCORE] / 2:
        return None
    readings = ((True, _SURE[:4]), (False, _SURE_CENTRED))
    return next((is_so for is_so, box in readings if np.abs(best[:4] - box).max() < _NEAR_PX), None)


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
