"""Convolutions in 8 bits: QuantizeLinear and DequantizeLinear put into the float ONNX of any net.

A chosen convolution reads a rounded tensor and a rounded kernel; which arithmetic it does in between is the runtime's
business (Jacob et al., arXiv:1712.05877). These rules make one file that ONNX Runtime, OpenVINO and TensorRT all take:

- Kernels are int8 with zero at 0 and one step per output channel. By default they use 7 bits: a CPU without VNNI adds
  pairs of products in 16 bits, which 8 bits overflow.
- Activations are int8 with zero at 0 as well. TensorRT's parser takes uint8 too, but reads it as int8, so that what
  lies above half of the range is cut off.
- Biases stay float: TensorRT refuses them in int32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from app.errors import DataError

WEIGHT_BITS = 7
ACTIVATION_TOP = 127
"""The largest whole number of a rounded activation; the smallest is one further from 0."""

_LEAST_OPSET = 13  # the first with a step per channel
NO_WEIGHT = 1e-12  # a channel whose largest weight is below says nothing

Array = npt.NDArray[Any]


class FloatNet:
    """A float model, and who makes and who reads each of its tensors.

    Convolutions are called by the tensor that they make; only those with constant kernels count.

    Args:
        model: The float ONNX model.

    Attributes:
        model: The same.
        convolutions: The names of its convolutions, in order.

    Raises:
        DataError: It has no convolution, is in 8 bits already, or is of an opset without steps per channel.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._constants = _constants(model)
        convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
        self.convolutions: tuple[str, ...] = tuple(
            node.output[0] for node in convolutions if node.input[1] in self._constants
        )
        _check(model, self.convolutions)

    def kernel(self, convolution: str) -> npt.NDArray[np.float32]:
        """The kernel of a convolution, float32 (out, in, k, k)."""
        return np.asarray(self._constants[self._makers[convolution].input[1]], np.float32)

    def edges(self) -> frozenset[str]:
        """Convolutions with no other one before them, or none after: their errors weigh most."""
        above = {name: self._above(name) for name in self.convolutions}
        inner = frozenset().union(*above.values())
        return frozenset(name for name, found in above.items() if not found or name not in inner)

    def rounded(self, chosen: Collection[str]) -> tuple[str, ...]:
        """The tensors to round where these convolutions are in 8 bits, in the order they are made.

        They are what the convolutions read, and what they say where a Resize enlarges it for a sum: rounded first, a
        quarter of the bytes is moved.
        """
        found = {self._makers[name].input[0] for name in chosen}
        sums = [node for node in self.model.graph.node if node.op_type == "Add"]
        for each in sums:
            for name in each.input:
                maker = self._makers.get(name)
                if maker is not None and maker.op_type == "Resize" and maker.input[0] in chosen:
                    found.add(maker.input[0])
        return tuple(name for node in self.model.graph.node for name in node.output if name in found)

    def _above(self, convolution: str) -> frozenset[str]:
        """The convolutions that a convolution's input comes from."""
        todo, seen, found = [self._makers[convolution].input[0]], set[str](), set[str]()
        while todo:
            name = todo.pop()
            if name in seen or name not in self._makers:
                continue
            seen.add(name)
            if name in self.convolutions:
                found.add(name)
            todo += self._makers[name].input
        return frozenset(found)


def insert_qdq(
    net: FloatNet, chosen: Collection[str], steps: Mapping[str, float], weight_bits: int = WEIGHT_BITS
) -> onnx.ModelProto:
    """Writes a model with some convolutions in 8 bits; inputs and outputs stay those of the float one.

    Args:
        net: The float model.
        chosen: The convolutions.
        steps: The step of each tensor of `net.rounded(chosen)`, at least.
        weight_bits: 7 or 8, the sign not counted: bits of the kernels.

    Returns:
        The checked model.

    Raises:
        DataError: A chosen convolution is not there.
    """
    unknown = sorted(set(chosen) - set(net.convolutions))
    if unknown:
        raise DataError(
            f"the model {net.model.graph.name!r} has no convolution {unknown[0]!r}",
            f"name one of {', '.join(net.convolutions)}",
        )
    writer = _Writer(net, steps, weight_bits)
    for node in net.model.graph.node:
        writer.copy(node, is_rounded=bool(node.output) and node.output[0] in chosen)
        for name in set(node.output) & set(net.rounded(chosen)):
            writer.round(name)
    model = writer.finish()
    onnx.checker.check_model(model, full_check=True)
    return model


def kernel_steps(kernel: Array, weight_bits: int = WEIGHT_BITS) -> npt.NDArray[np.float32]:
    """The step of each output channel of a kernel, float32 (out,): its largest weight is the largest whole number."""
    top = 2 ** (weight_bits - 1) - 1
    largest = np.abs(kernel).reshape(len(kernel), -1).max(axis=1).astype(np.float32)
    return np.asarray(np.where(largest > NO_WEIGHT, largest / np.float32(top), 1), np.float32)


class _Writer:
    def __init__(self, net: FloatNet, steps: Mapping[str, float], weight_bits: int) -> None:
        self._net, self._steps, self._weight_bits = net, steps, weight_bits
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._renamed: dict[str, str] = {}

    def copy(self, node: onnx.NodeProto, *, is_rounded: bool) -> None:
        """Takes a node over; it reads the rounded tensors, and a rounded kernel where it is so chosen."""
        own = onnx.NodeProto()
        own.CopyFrom(node)
        for index, name in enumerate(own.input):
            own.input[index] = self._renamed.get(name, name)
        if is_rounded:
            own.input[1] = self._round_kernel(node.output[0])
        self._nodes.append(own)

    def round(self, name: str) -> None:
        """Rounds a tensor for all who read it from here on."""
        scale = self._constant(f"{name}.scale", np.float32(self._steps[name]))
        zero = self._constant(f"{name}.zero", np.int8(0))
        self._add("QuantizeLinear", [name, scale, zero], f"{name}.whole")
        self._renamed[name] = self._add("DequantizeLinear", [f"{name}.whole", scale, zero], f"{name}.rounded")

    def finish(self) -> onnx.ModelProto:
        """Makes the model of all that was taken over, without the kernels that nobody reads any more."""
        model = onnx.ModelProto()
        model.CopyFrom(self._net.model)
        graph = model.graph
        del graph.node[:]
        graph.node.extend(self._nodes)
        read = {name for node in self._nodes for name in node.input} | {each.name for each in graph.output}
        kept = [each for each in graph.initializer if each.name in read]
        del graph.initializer[:]
        graph.initializer.extend([*kept, *self._constants])
        return model

    def _round_kernel(self, convolution: str) -> str:
        kernel = self._net.kernel(convolution)
        steps = kernel_steps(kernel, self._weight_bits)
        whole = np.rint(kernel / steps.reshape(-1, *[1] * (kernel.ndim - 1))).astype(np.int8)
        inputs = [
            self._constant(f"{convolution}.kernel.whole", whole),
            self._constant(f"{convolution}.kernel.scale", steps),
            self._constant(f"{convolution}.kernel.zero", np.zeros(len(kernel), np.int8)),
        ]
        return self._add("DequantizeLinear", inputs, f"{convolution}.kernel.rounded", axis=0)

    def _constant(self, name: str, values: npt.ArrayLike) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name


def _constants(model: onnx.ModelProto) -> dict[str, Array]:
    found = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _check(model: onnx.ModelProto, convolutions: Collection[str]) -> None:
    name = model.graph.name
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node):
        raise DataError(f"the model {name!r} is in 8 bits already", "give the float one")
    if not convolutions:
        raise DataError(f"the model {name!r} has no convolutions to write in 8 bits", "give a float model of some")
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if opset < _LEAST_OPSET:
        raise DataError(f"the model {name!r} is of opset {opset}", f"export it with opset {_LEAST_OPSET} or newer")
