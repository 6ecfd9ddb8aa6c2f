"""A small float detector as an ONNX file, made without torch: two scales, a sum, a head, and boxes of fixed cells."""

import hashlib

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.detect.detector import InputSpec
from models.packaging.export import add_model
from models.packaging.manifest import ManifestEntries, ModelEntry

SIDE, CELL, CLASSES, COUNT = 96, 8, ("hole", "blob"), 10
CELLS = SIDE // CELL


class Builder:
    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def constant(self, name, values, kind=np.float32):
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def add(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, source, name, inner, outer, side=3, stride=1):
        kernel = self.random.normal(0, (2 / (inner * side**2)) ** 0.5, (outer, inner, side, side))
        inputs = [source, self.constant(f"{name}.weight", kernel), self.constant(f"{name}.bias", np.zeros(outer))]
        pad = 0 if side == 4 else side // 2
        return self.add("Conv", inputs, name, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def unit(self, source, name, inner, outer, **sides):
        return self.add("Relu", [self.convolution(source, name, inner, outer, **sides)], f"{name}.relu")


def float_model(*, golden=True, seed=0):
    """Boxes of the cells of 8 px; a cell's score is that of its better class."""
    b = Builder(seed)
    names = ["image", "golden"] if golden else ["image"]
    total = ""
    for index, name in enumerate(names):
        level = b.add("Cast", [name], f"{name}.float", to=TensorProto.FLOAT)
        plane = b.add("Reshape", [level, b.constant(f"{name}.sides", [1, 1, SIDE, SIDE], np.int64)], f"{name}.plane")
        part = b.convolution(
            b.add("Div", [plane, b.constant(f"{name}.top", 255)], f"{name}.unit"), f"stem{index}", 1, 8, 4, 4
        )
        total = b.add("Add", [total, part], "stem.sum") if total else part
    stem = b.add("Relu", [total], "stem.relu")
    fine = b.unit(stem, "fine0", 8, 12, stride=2)
    coarse = b.unit(fine, "coarse0", 12, 16, stride=2)
    thin = b.convolution(coarse, "lateral0", 16, 12, side=1)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    up = b.add("Resize", [thin, "", b.constant("twice", [1, 1, 2, 2])], "upsample0", **how)
    merged = b.add("Relu", [b.add("Add", [fine, up], "merge0")], "merge0.relu")
    b.convolution(b.unit(merged, "head0", 12, 8), "out", 8, len(CLASSES), side=1)
    _write_boxes(b)
    return _finished(b, names)


def _write_boxes(b):
    flat = b.add("Reshape", ["out", b.constant("table", [len(CLASSES), CELLS**2], np.int64)], "out.flat")
    heat = b.add("Sigmoid", [b.add("ReduceMax", [flat], "best", axes=[0])], "heat")
    b.nodes.append(helper.make_node("TopK", [heat, "count"], ["scores", "cells"], name="top", axis=1))
    b.constant("count", [COUNT], np.int64)
    x, y = np.meshgrid(np.arange(CELLS) * CELL, np.arange(CELLS) * CELL)
    b.constant("grid", np.stack([x, y, x + CELL, y + CELL], -1).reshape(CELLS**2, 4))
    cells = b.add("Reshape", ["cells", b.constant("row", [COUNT], np.int64)], "cells.row")
    boxes = b.add("Gather", ["grid", cells], "boxes.rows", axis=0)
    b.add("Reshape", [boxes, b.constant("boxes.sides", [1, COUNT, 4], np.int64)], "boxes")
    label = b.add("ArgMax", [flat], "label", axis=0, keepdims=1)
    b.add("Gather", [label, cells], "classes", axis=1)


def _finished(b, names):
    graph = helper.make_graph(
        b.nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, [1, SIDE, SIDE, 1]) for name in names],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, COUNT, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, COUNT]),
            helper.make_tensor_value_info("classes", TensorProto.INT64, [1, COUNT]),
        ],
        b.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def write_package(folder, model=None, threshold=0.4):
    """A package of that model, still without golden frames."""
    blob = (model or float_model()).SerializeToString()
    spec = InputSpec(SIDE, SIDE, 1, is_golden=True)
    digest = hashlib.sha256(blob).hexdigest()
    entry = ModelEntry("accelerator", "fp32", "accelerator-fp32.onnx", digest, threshold, spec, gmac=0.01)
    add_model(folder, ManifestEntries("small", "1.0.0", "detection", CLASSES, (entry,)), blob)
    return folder


def pictures(count, *, golden=True, seed=5):
    """Feeds of blurred noise, which reach all levels."""
    random = np.random.default_rng(seed)
    names = ["image", "golden"] if golden else ["image"]
    for _ in range(count):
        noise = {name: random.integers(0, 256, (SIDE, SIDE), np.uint8) for name in names}
        yield {name: cv2.GaussianBlur(each, (0, 0), 2)[None, :, :, None] for name, each in noise.items()}
