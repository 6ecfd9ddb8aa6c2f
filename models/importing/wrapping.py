"""Puts the camera's uint8 before a foreign graph and the outputs of a package behind it."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from app.detect.manifest import Precision
from app.errors import PackageError
from models.importing.gathering import gather_rows, shapes_of
from models.importing.layout import Layout, Pixels
from models.importing.nodes import NodeWriter
from models.importing.reading import graphs_of, names_inside
from models.importing.sizes import SIZE_INPUT
from models.importing.tensors import COLOURS, PREFIX, PictureInput, Source

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def wrapped(source: Source, layout: Layout, pixels: Pixels) -> onnx.ModelProto:
    """Makes the package's graph.

    Its input is `image`, uint8 (1, H, W, C), BGR or grey; its outputs are those of the layout's kind. All sizes are
    fixed. Everything of the source gets the prefix `source.`, so that no name meets one of a package.

    Args:
        source: The file.
        layout: Whose outputs it has.
        pixels: What its grey levels become.

    Raises:
        PackageError: What comes out is no valid ONNX model.
    """
    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    graph = model.graph
    _prefix(graph)
    _make_sizes_constant(graph, source)
    writer = NodeWriter(source.opset)
    gather_rows(graph, shapes_of(source.model), writer)
    _write_front(writer, source.picture, layout, pixels)
    writer.extend(graph, at_front=True)
    layout.write(writer, source.picture)
    writer.extend(graph, at_front=False)
    picture = source.picture
    del graph.input[:], graph.output[:], graph.value_info[:]
    shape = [1, picture.height_px, picture.width_px, picture.channels]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, shape))
    graph.output.extend(_output_infos(graph))
    _prune(graph)
    graph.name = "takt"
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise PackageError(
            f"{source.path} cannot be wrapped: {str(error).strip().splitlines()[0]}", "export it again in another way"
        ) from error
    # Sizes that onnx infers stay out: in graphs with branches they were seen to mislead ONNX Runtime.
    return model


def precision_of(source: Source) -> Precision:
    """What the graph computes in, told by its nodes and weights."""
    if "QuantizeLinear" in source.operators or "QLinearConv" in source.operators:
        return "int8"
    weights = source.model.graph.initializer
    halves = sum(int(np.prod(each.dims)) for each in weights if each.data_type == TensorProto.FLOAT16)
    floats = sum(int(np.prod(each.dims)) for each in weights if each.data_type == TensorProto.FLOAT)
    return "fp16" if halves > floats else "fp32"


def _write_front(writer: NodeWriter, picture: PictureInput, layout: Layout, pixels: Pixels) -> None:
    """Cast first: TensorRT takes uint8 into nothing else."""
    values = writer.add("Cast", ["image"], to=TensorProto.FLOAT)
    if picture.channels == COLOURS and not layout.is_bgr:
        values = writer.add("Gather", [values, writer.constant([2, 1, 0], np.int64)], axis=3)
    if not picture.is_channels_last:
        values = writer.add("Transpose", [values], perm=[0, 3, 1, 2])
    values = _scaled(writer, values, picture, pixels)
    if picture.kind != "float32":
        values = writer.add("Cast", [values], to=_TYPES[picture.kind])
    writer.nodes.append(
        helper.make_node(
            "Reshape",
            [values, writer.constant(picture.shape, np.int64)],
            [f"{PREFIX}{picture.name}"],
            name="takt.picture",
        )
    )


def _scaled(writer: NodeWriter, values: str, picture: PictureInput, pixels: Pixels) -> str:
    if pixels == "byte" or picture.kind == "uint8":
        return values
    if pixels == "signed":
        return writer.add("Sub", [writer.add("Div", [values, writer.constant(127.5)]), writer.constant(1.0)])
    values = writer.add("Div", [values, writer.constant(255.0)])
    if pixels == "unit":
        return values
    axes = (1, 1, 1, picture.channels) if picture.is_channels_last else (1, picture.channels, 1, 1)
    mean, deviation = (
        writer.constant(np.resize(each, picture.channels).reshape(axes)) for each in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return writer.add("Div", [writer.add("Sub", [values, mean]), deviation])


def _prefix(graph: onnx.GraphProto) -> None:
    """Puts the prefix before every name, in all graphs inside too: they read names from outside."""
    for each in graphs_of(graph):
        for value in (*each.input, *each.output, *each.value_info, *each.initializer):
            value.name = f"{PREFIX}{value.name}"
        for node in each.node:
            # An empty name stands for one that was not given, or an input or output that is left out.
            node.name = f"{PREFIX}{node.name}" if node.name else ""
            inputs, outputs = (
                [f"{PREFIX}{name}" if name else "" for name in names] for names in (node.input, node.output)
            )
            del node.input[:], node.output[:]
            node.input.extend(inputs)
            node.output.extend(outputs)
        del each.quantization_annotation[:]


def _make_sizes_constant(graph: onnx.GraphProto, source: Source) -> None:
    for each in source.others:
        size = np.array([[source.picture.width_px, source.picture.height_px]], dtype=each.kind)
        assert each.name == SIZE_INPUT
        graph.initializer.append(onnx.numpy_helper.from_array(size, f"{PREFIX}{each.name}"))


def _prune(graph: onnx.GraphProto) -> None:
    """Drops what no output needs, such as the masks of a segmenter."""
    needed = {each.name for each in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed |= names_inside(node)
    weights = [each for each in graph.initializer if each.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def _output_infos(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The package's outputs, each of the constant shape that its last node gives it."""
    kinds = {"classes": TensorProto.INT32}
    shapes = {
        each.name: onnx.numpy_helper.to_array(each).tolist()
        for each in graph.initializer
        if each.data_type == TensorProto.INT64 and len(each.dims) == 1 and each.name.startswith("takt.")
    }
    made = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "Reshape"}
    names = ("boxes", "scores", "classes", "probabilities", "score", "map", "embedding")
    return [
        helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shapes[made[name]])
        for name in names
        if name in made
    ]
