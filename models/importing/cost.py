"""How much a graph multiplies."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx

_PLACES = 4
_Sizes = tuple[int, ...]


def count_gmac(model: onnx.ModelProto) -> float | None:
    """Multiplications of one picture in convolutions and matrix products, in 10^9.

    Args:
        model: A graph whose sizes are fixed.

    Returns:
        Rounded to four places; `None` where a size cannot be deduced, or nothing is multiplied.
    """
    try:
        told = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError):
        return None
    shapes = {each.name: tuple(each.dims) for each in told.graph.initializer}
    for value in (*told.graph.value_info, *told.graph.input, *told.graph.output):
        shapes[value.name] = tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
    total = 0
    for node in told.graph.node:
        count = _count(node, shapes)
        if count == 0:
            return None
        total += count or 0
    return round(total / 1e9, _PLACES) or None


def _count(node: onnx.NodeProto, shapes: Mapping[str, _Sizes]) -> int | None:
    """Of one node; 0 where a size is not known, `None` for one that does not count."""
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return None
    source, weight, made = (shapes.get(name, ()) for name in (*node.input[:2], node.output[0]))
    if node.op_type == "Conv":
        return math.prod(made) * math.prod(weight[1:]) if made and weight else 0
    if node.op_type == "ConvTranspose":
        return math.prod(source) * math.prod(weight[1:]) if source and weight else 0
    if not made or not source:
        return 0
    is_turned = any(each.name == "transA" and each.i for each in node.attribute)
    return math.prod(made) * (source[0] if is_turned else source[-1])
