"""Nodes added before and behind a graph, in the opset that the graph came with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, TensorProto, helper, numpy_helper

_AXES_BECAME_INPUT = 18  # opset in which ReduceMax takes its axes as an input


class NodeWriter:
    """Collects nodes and constants; every method returns the name of the tensor it makes.

    Names of tensors and nodes begin with `takt.`, so that they meet none of the source's.

    Args:
        opset: The graph's opset; 11 at least.
    """

    def __init__(self, opset: int) -> None:
        self.nodes: list[Any] = []
        self.constants: list[TensorProto] = []
        self._opset = opset
        self._count = 0

    def constant(self, values: npt.ArrayLike, kind: type[np.generic] = np.float32) -> str:
        """Adds a constant."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds a node with one output."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(self, kind: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Adds a node with several outputs."""
        name = self._name(kind)
        outputs = [name] if count == 1 else [f"{name}.{index}" for index in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name=name, **attributes))
        return outputs

    def reshape(self, source: str, shape: Sequence[int]) -> str:
        """Reshapes to a static shape."""
        return self.add("Reshape", [source, self.constant(shape, np.int64)])

    def cut(self, source: str, start: int, stop: int, axis: int) -> str:
        """The elements from `start` up to `stop` along an axis."""
        ends = [self.constant([each], np.int64) for each in (start, stop, axis)]
        return self.add("Slice", [source, *ends])

    def as_float(self, source: str, kind: str) -> str:
        """The tensor in float32; nothing is added where it is."""
        return source if kind == "float32" else self.add("Cast", [source], to=TensorProto.FLOAT)

    def highest(self, source: str, axis: int) -> str:
        """The maximum along an axis, which is kept with size 1."""
        if self._opset < _AXES_BECAME_INPUT:
            return self.add("ReduceMax", [source], axes=[axis], keepdims=1)
        return self.add("ReduceMax", [source, self.constant([axis], np.int64)], keepdims=1)

    def top(self, scores: str, count: int) -> tuple[str, str]:
        """The highest of (1, n) scores, descending, and where they stood: (1, count) each."""
        values, places = self.add_many("TopK", [scores, self.constant([count], np.int64)], 2, axis=1, largest=1)
        return values, places

    def name_as(self, source: str, name: str, shape: Sequence[int]) -> None:
        """Gives a tensor the name of an output of the package.

        Reshaping by a constant also tells every runtime the size where it cannot deduce it.
        """
        self.nodes.append(
            helper.make_node("Reshape", [source, self.constant(shape, np.int64)], [name], name=f"takt.{name}")
        )

    def extend(self, graph: GraphProto, *, at_front: bool) -> None:
        """Puts what was collected into a graph, before or behind its own nodes, and starts anew."""
        own = list(graph.node)
        del graph.node[:]
        graph.node.extend([*self.nodes, *own] if at_front else [*own, *self.nodes])
        graph.initializer.extend(self.constants)
        self.nodes, self.constants = [], []

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"takt.{kind.lower()}{self._count}"
