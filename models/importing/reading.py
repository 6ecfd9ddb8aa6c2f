"""An ONNX file off the disk, which may be anything: nothing in it is run, unpacked or followed out of its folder."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types
from onnx import TensorProto, version_converter

from app.detect.package import MAX_ONNX_BYTES
from app.errors import DataError, PackageError

OLDEST_OPSET = 11
"""Below it TopK, Slice and Clip are other operators; such a file is converted first."""

_CONVERTED_OPSET = 13
_STANDARD = ("", "ai.onnx")
_SHOWN_BYTES = 16
_EXPORT_FIRST = "export it to ONNX with the library that trained it, then import the .onnx file"
_STRANGERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PK", "a zip archive, as torch.save writes a .pt file; it is not opened", _EXPORT_FIRST),
    (0, b"\x80\x02", "a pickle, which could run any code; it is not loaded", _EXPORT_FIRST),
    (0, b"\x80\x03", "a pickle, which could run any code; it is not loaded", _EXPORT_FIRST),
    (0, b"\x80\x04", "a pickle, which could run any code; it is not loaded", _EXPORT_FIRST),
    (0, b"\x80\x05", "a pickle, which could run any code; it is not loaded", _EXPORT_FIRST),
    (0, b"\x1f\x8b", "a gzip archive; it is not opened", "unpack it and name the .onnx file in it"),
    (0, b"\x89HDF", "an HDF5 file, as Keras writes", _EXPORT_FIRST),
    (0, b"<?xml", "an XML file, as OpenVINO writes", "name the .onnx file that it was made of"),
    (0, b"ptrt", "a TensorRT engine, which fits one GPU only", "name the .onnx file that it was built of"),
    (0, b"ftrt", "a TensorRT engine, which fits one GPU only", "name the .onnx file that it was built of"),
    (4, b"TFL3", "a TensorFlow Lite file", _EXPORT_FIRST),
    (8, b'{"', "a safetensors file, which holds weights and no graph", _EXPORT_FIRST),
)


def read_bytes(path: Path) -> bytes:
    """The content of a file that may be an ONNX model.

    Raises:
        DataError: It is absent, unreadable, empty, too large, or begins as another kind of file does.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path} is no file", "name the .onnx file")
        size = path.stat().st_size
        if size > MAX_ONNX_BYTES:
            raise DataError(f"{path} has {size} bytes where {MAX_ONNX_BYTES} are the limit", "export a smaller model")
        with path.open("rb") as file:
            head = file.read(_SHOWN_BYTES)
            for offset, magic, what, mend in _STRANGERS:
                if head[offset:].startswith(magic):
                    raise DataError(f"{path} is {what}", mend)
            content = head + file.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    if not content:
        raise DataError(f"{path} is empty", "export the model again")
    return content


def parse(path: Path, content: bytes) -> onnx.ModelProto:
    """The model in a file's content: its weights inside, its functions unfolded, standard operators only.

    Args:
        path: Where it came from; external weights lie in its folder.
        content: The file.

    Raises:
        DataError: It is no ONNX model.
        PackageError: It has operators that are not standard ones or are older than can be converted, or weights
            that are missing or lie outside its folder.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise DataError(f"{path} is no ONNX model", "name the .onnx file, or export it again") from error
    if not model.graph.node or not model.graph.output:
        raise DataError(f"{path} is no ONNX model with nodes and outputs", "name the .onnx file, or export it again")
    _read_external_weights(path, model)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _check_operators(path, model)
    _sort_nodes(model.graph)
    model = _renewed(path, model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise PackageError(f"{path} is no valid ONNX model: {_first_line(error)}", "export it again") from error
    return model


def opset_of(model: onnx.ModelProto) -> int:
    """The opset of the standard operators."""
    return max((each.version for each in model.opset_import if each.domain in _STANDARD), default=1)


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from graphs_of(inner)


def names_inside(node: onnx.NodeProto) -> set[str]:
    """What a node reads: its inputs, and for one with graphs inside whatever these name."""
    names = set(node.input)
    for attribute in node.attribute:
        for outer in (attribute.g, *attribute.graphs):
            for graph in graphs_of(outer):
                names |= {name for inner in graph.node for name in inner.input}
                names |= {value.name for value in graph.output}
    return names


def _sort_nodes(graph: onnx.GraphProto) -> None:
    """Puts every node behind those that it reads, else as they came: converters to float16 append theirs."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waits_for = [
        {maker[name] for name in names_inside(node) if name in maker} - {index} for index, node in enumerate(graph.node)
    ]
    if all(max(each, default=-1) < index for index, each in enumerate(waits_for)):
        return
    readers: list[list[int]] = [[] for _ in waits_for]
    for index, each in enumerate(waits_for):
        for other in each:
            readers[other].append(index)
    left = [len(each) for each in waits_for]
    ready = [index for index, count in enumerate(left) if not count]
    order: list[int] = []
    heapq.heapify(ready)
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            left[reader] -= 1
            if not left[reader]:
                heapq.heappush(ready, reader)
    nodes = [graph.node[index] for index in order]
    if len(nodes) == len(graph.node):  # a ring is left for the checker to name
        del graph.node[:]
        graph.node.extend(nodes)


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    for graph in graphs_of(model.graph):
        for node in graph.node:
            if node.domain not in _STANDARD:
                raise PackageError(
                    f"{path} needs the operator {node.op_type} of {node.domain}, which is not one of ONNX",
                    "export it again without custom operators or plugins",
                )
            if not onnx.defs.has(node.op_type):
                raise PackageError(
                    f"{path} needs the operator {node.op_type}, which ONNX {onnx.__version__} does not know",
                    "export it again with standard operators, or install a newer onnx",
                )
    standard = [each for each in model.opset_import if each.domain in _STANDARD]
    if not standard:
        raise PackageError(f"{path} does not say its opset", "export it again")
    del model.opset_import[:]
    model.opset_import.extend(standard[:1])


def _renewed(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    opset = opset_of(model)
    if opset >= OLDEST_OPSET:
        return model
    try:
        converted: onnx.ModelProto = version_converter.convert_version(model, _CONVERTED_OPSET)
    except (RuntimeError, ValueError) as error:
        raise PackageError(
            f"{path} has opset {opset}, and ONNX cannot convert it: {_first_line(error)}",
            "export it again with opset 17",
        ) from error
    converted.metadata_props.extend(model.metadata_props)
    return converted


def _tensors_of(model: onnx.ModelProto) -> Iterator[TensorProto]:
    for graph in graphs_of(model.graph):
        yield from graph.initializer
        for node in graph.node:
            for attribute in node.attribute:
                yield attribute.t
                yield from attribute.tensors
    for function in model.functions:
        for node in function.node:
            for attribute in node.attribute:
                yield attribute.t


def _read_external_weights(path: Path, model: onnx.ModelProto) -> None:
    """Takes weights that lie in other files into the model: a package is one file."""
    total = model.ByteSize()
    for tensor in _tensors_of(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        details = {each.key: each.value for each in tensor.external_data}
        content = _read_weights(path, details)
        total += len(content)
        if total > MAX_ONNX_BYTES:
            raise PackageError(f"{path} has more than {MAX_ONNX_BYTES} bytes of weights", "export a smaller model")
        tensor.raw_data = content
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _read_weights(path: Path, details: dict[str, str]) -> bytes:
    relative = details.get("location", "")
    try:
        place = _place_of_weights(path, relative)
        start, length = int(details.get("offset", 0)), int(details.get("length", -1))
        with place.open("rb") as file:
            file.seek(max(start, 0))
            content = file.read(length)
    except PackageError:
        raise
    except (OSError, ValueError) as error:
        raise PackageError(
            f"{path} has weights in {relative!r}, which cannot be read: {error}", "export it again"
        ) from error
    if 0 <= length != len(content):
        raise PackageError(f"{place} ends before the weights that {path} has in it", "copy that file again")
    return content


def _place_of_weights(path: Path, relative: str) -> Path:
    place = path.parent / relative
    if not relative or Path(relative).is_absolute() or not place.resolve().is_relative_to(path.parent.resolve()):
        raise PackageError(
            f"{path} has weights in {relative!r}, outside its folder", "export it again with its weights beside it"
        )
    if not place.is_file():
        raise PackageError(f"{path} has weights in {place}, which is missing", "put that file beside it")
    if place.stat().st_size > MAX_ONNX_BYTES:
        raise PackageError(f"{place} is larger than {MAX_ONNX_BYTES} bytes", "export a smaller model")
    return place


def _first_line(error: Exception) -> str:
    lines: list[Any] = str(error).strip().splitlines()
    return str(lines[0]) if lines else type(error).__name__
