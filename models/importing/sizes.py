"""Fixes what a graph leaves open: batch 1, one picture size, and outputs whose sizes are known."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from app.errors import PackageError
from models.importing.reading import graphs_of, opset_of, parse, read_bytes
from models.importing.tensors import COLOURS, PictureInput, Shape, Source, Tensor, is_side
from models.importing.trial import run_once

SIZE_INPUT = "orig_target_sizes"
"""RT-DETR and D-FINE scale their boxes by this second input, (1, 2) of width and height."""

MAX_OUTPUTS = 64
_MAX_IR = 10  # newer ones are refused by ONNX Runtime 1.18
_PICTURE_KINDS = ("float32", "float16", "uint8")
_PLANAR, _BATCHED = 3, 4
_PASSED_OVER = ("Cast", "Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten", "Transpose")
_COUNTING = ("NonMaxSuppression", "NonZero", "Loop", "Compress", "Unique")
_MAX_SIDECAR_BYTES = 1_000_000
_MAX_METADATA_CHARS = 1_000_000

Size = tuple[int, int]


def open_source(path: Path, size: Size | None = None) -> Source:
    """Reads an ONNX file and fixes all its sizes.

    Args:
        path: The file.
        size: Width and height of the pictures it shall take, where the file leaves them open.

    Raises:
        DataError: It is no ONNX file.
        PackageError: It cannot be used: operators, weights, inputs, sizes, or ONNX Runtime does not run it.
    """
    content = read_bytes(path)
    model = parse(path, content)
    model.ir_version = min(model.ir_version, _MAX_IR)
    metadata = {each.key: each.value for each in model.metadata_props if len(each.value) <= _MAX_METADATA_CHARS}
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    picture, others = _picture_input(path, [_tensor(each) for each in inputs], size or _written_size(metadata), size)
    _fix(model, {picture.name: picture.shape, **{each.name: (1, 2) for each in others}})
    return Source(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        model=model,
        metadata=metadata,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))) or "unknown",
        opset=opset_of(model),
        picture=picture,
        others=others,
        outputs=_outputs(path, model, picture, others),
        operators=frozenset(node.op_type for graph in graphs_of(model.graph) for node in graph.node),
        ends=_ends(model.graph),
        sidecar=_read_sidecar(path.with_name("metadata.json")),
    )


def _tensor(value: Any) -> Tensor:
    kind = value.type.tensor_type
    if not kind.elem_type:
        return Tensor(value.name, "no tensor", ())
    shape = tuple(
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in kind.shape.dim
    )
    return Tensor(value.name, str(helper.tensor_dtype_to_np_dtype(kind.elem_type).name), shape)


def _picture_input(
    path: Path, inputs: list[Tensor], size: Size | None, wished: Size | None
) -> tuple[PictureInput, tuple[Tensor, ...]]:
    pictures = [each for each in inputs if len(each.shape) in (_PLANAR, _BATCHED) and each.kind in _PICTURE_KINDS]
    others = tuple(each for each in inputs if each not in pictures)
    strangers = [each for each in others if each.name != SIZE_INPUT]
    listed = ", ".join(f"{each} {each.kind}" for each in inputs) or "none"
    if len(pictures) != 1 or strangers:
        raise PackageError(
            f"{path} has the inputs {listed} where one picture of float32, float16 or uint8 is due",
            "export it again with the picture as its only input",
        )
    return _sized(path, pictures[0], size, wished), others


def _sized(path: Path, tensor: Tensor, size: Size | None, wished: Size | None) -> PictureInput:
    has_batch = len(tensor.shape) == _BATCHED
    if has_batch and tensor.shape[0] not in (None, 1):
        raise PackageError(f"{path} takes {tensor.shape[0]} pictures at once", "export it again with batch 1")
    axes = tensor.shape[-3:]
    is_last = axes[2] in (1, COLOURS) and axes[0] not in (1, COLOURS)
    channels = axes[2] if is_last else axes[0]
    if channels not in (1, COLOURS, None):
        raise PackageError(
            f"{path} takes {tensor} of {channels} channels", "export a model for grey or colour pictures"
        )
    height, width = (axes[0], axes[1]) if is_last else (axes[1], axes[2])
    if wished and (width not in (None, wished[0]) or height not in (None, wished[1])):
        raise PackageError(f"{path} takes {width}x{height} px only", "leave out --size, or export it at that size")
    if size:
        width, height = width or size[0], height or size[1]
    if width is None or height is None:
        raise PackageError(f"{path} takes pictures of any size ({tensor})", "say which with --size, such as 640x640")
    if not (is_side(width) and is_side(height)):
        raise PackageError(f"{path} takes pictures of {width}x{height} px", "export it at 8 to 16384 px")
    return PictureInput(tensor.name, tensor.kind, width, height, channels or COLOURS, is_last, has_batch)


def _written_size(metadata: Mapping[str, str]) -> Size | None:
    """Ultralytics writes `imgsz` as [height, width]."""
    try:
        height, width = ast.literal_eval(metadata.get("imgsz", ""))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _fix(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    was_open = False
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, shapes[value.name], strict=True):
            was_open |= not dim.HasField("dim_value")
            dim.ClearField("dim_param")
            dim.dim_value = size
    if was_open:
        del model.graph.value_info[:]


def _outputs(
    path: Path, model: onnx.ModelProto, picture: PictureInput, others: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """The outputs with their true sizes: as declared, else as they come out of a run.

    In a graph that counts its findings what has rank 1 or 2 stays as declared: its size depends on the picture.
    """
    if len(model.graph.output) > MAX_OUTPUTS:
        raise PackageError(f"{path} has {len(model.graph.output)} outputs", "export it without its inner tensors")
    feeds = blank_feeds(picture, others)
    run = run_once(path, model.SerializeToString(), feeds)
    is_counting = any(node.op_type in _COUNTING for graph in graphs_of(model.graph) for node in graph.node)
    found = []
    for value in model.graph.output:
        declared, array = _tensor(value), run[value.name]
        is_open = is_counting and array.ndim < _PLANAR
        shape: Shape = declared.shape if is_open and len(declared.shape) == array.ndim else array.shape
        found.append(Tensor(value.name, str(array.dtype), shape))
    return tuple(found)


def blank_feeds(picture: PictureInput, others: tuple[Tensor, ...]) -> dict[str, npt.NDArray[Any]]:
    """Inputs for one run: noise, as some heads give nothing at all on black."""
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, picture.shape, np.uint8)
    feeds: dict[str, npt.NDArray[Any]] = {
        picture.name: levels if picture.kind == "uint8" else (levels / 255).astype(picture.kind)
    }
    for each in others:
        feeds[each.name] = np.array([[picture.width_px, picture.height_px]], dtype=each.kind)
    return feeds


def _ends(graph: onnx.GraphProto) -> dict[str, str]:
    makers = {name: node for node in graph.node for name in node.output}
    found = {}
    for output in graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type in _PASSED_OVER and node.input[0] in makers:
            node = makers[node.input[0]]
        found[output.name] = node.op_type if node is not None else ""
    return found


def _read_sidecar(path: Path) -> dict[str, Any]:
    """What a `metadata.json` says; nothing where there is none or it is no object."""
    try:
        if path.stat().st_size > _MAX_SIDECAR_BYTES:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
