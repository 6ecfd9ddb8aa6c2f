"""A package small enough to reason about: it finds 8 x 8 px cells that are bright, or unlike the golden sample.

The score of a cell is its largest difference over 255; cells of the left half are `left`, the others `right`.
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.capture.pictures import read_picture
from app.detect.package import Package, load_package

WIDTH, HEIGHT, CELL = 32, 24, 8
COLUMNS, ROWS = WIDTH // CELL, HEIGHT // CELL
CLASSES = ("left", "right")
THRESHOLD = 0.35


def blank(channels=1, value=0):
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    return np.full(shape, value, np.uint8)


def with_spot(x, y, level=255, channels=1):
    """A black picture with one bright pixel."""
    picture = blank(channels)
    picture[y, x] = level
    return picture


def tiny_onnx(*, golden=True, channels=1, index_type=TensorProto.INT32, fault="") -> bytes:
    cells = COLUMNS * ROWS
    x, y = np.meshgrid(np.arange(COLUMNS) * CELL, np.arange(ROWS) * CELL)
    grid = np.stack([x, y, x + CELL, y + CELL], -1).reshape(cells, 4).astype(np.float32)
    if fault == "inside_out":
        grid = grid[:, [2, 3, 0, 1]]
    labels = (grid[:, 0] >= WIDTH / 2).astype(np.int32) + (5 if fault == "class" else 0)
    names = ["image", "golden"] if golden else ["image"]
    nodes, planes = [], []
    for name in names:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("ReduceMax", [f"{name}_float"], [f"{name}_top"], axes=[3], keepdims=0))
        nodes.append(helper.make_node("Reshape", [f"{name}_top", "plane_shape"], [f"{name}_plane"]))
        planes.append(f"{name}_plane")
    if golden:
        nodes.append(helper.make_node("Sub", planes, ["signed"]))
        nodes.append(helper.make_node("Abs", ["signed"], ["difference"]))
    level = {"": 255.0, "score": 100.0, "nan": float("nan")}.get(fault, 255.0)
    nodes += [
        helper.make_node(
            "MaxPool", ["difference" if golden else planes[0]], ["top"], kernel_shape=[8, 8], strides=[8, 8]
        ),
        helper.make_node("Div", ["top", "level"], ["heat"]),
        helper.make_node("Reshape", ["heat", "row_shape"], ["row"]),
        helper.make_node("TopK", ["row", "count"], ["scores", "cells"], axis=1),
        helper.make_node("Gather", ["grid", "cells"], ["boxes"], axis=0),
        helper.make_node("Gather", ["labels", "cells"], ["labels_32"], axis=0),
        helper.make_node("Cast", ["labels_32"], ["classes"], to=index_type),
    ]
    constants = {
        "plane_shape": np.array([1, 1, HEIGHT, WIDTH]),
        "row_shape": np.array([1, cells]),
        "level": np.array(level, np.float32),
        "count": np.array([cells]),
        "grid": grid,
        "labels": labels,
    }
    picture = [1, HEIGHT, WIDTH, channels]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, picture) for name in names],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, cells, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, cells]),
            helper.make_tensor_value_info("classes", index_type, [1, cells]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def write_package(folder: Path, content: bytes | None = None, *, golden=True, channels=1, **manifest) -> Path:
    """Writes a whole package; keywords replace lines of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    content = tiny_onnx(golden=golden, channels=channels) if content is None else content
    (folder / "model.onnx").write_bytes(content)
    (folder / "card.md").write_text("# tiny\n")
    lines = {
        "schema": "1",
        "name": f'"{folder.name}"',
        "version": '"1.0.0"',
        "kind": '"detection"',
        "layout": '"takt-peaks"',
        "onnx": '"model.onnx"',
        "onnx_sha256": f'"{hashlib.sha256(content).hexdigest()}"',
        "classes": '["left", "right"]',
        "score_threshold": str(THRESHOLD),
        **manifest,
    }
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value is not None)
    shape = f"[input]\nwidth_px = {WIDTH}\nheight_px = {HEIGHT}\nchannels = {channels}\ngolden = {str(golden).lower()}"
    (folder / "manifest.toml").write_text(f'{text}\n{shape}\n[golden_frames]\nexpected = "golden/expected.json"\n')
    frames = folder / "golden"
    frames.mkdir(exist_ok=True)
    cv2.imwrite(str(frames / "spot.png"), with_spot(20, 10, 204, channels))
    cv2.imwrite(str(frames / "good.png"), blank(channels))
    frame = {"image": "spot.png", "detections": [{"class": "right", "score": 0.8, "box_px": [16, 8, 8, 8]}]}
    if golden:
        frame["golden"] = "good.png"
    write_expected(folder, [frame])
    return folder


def write_expected(folder: Path, frames: list) -> None:
    (folder / "golden" / "expected.json").write_text(json.dumps({"frames": frames}))


def expected_frames(folder: Path) -> list:
    return json.loads((folder / "golden" / "expected.json").read_text())["frames"]


def tiny_package(folder: Path, content: bytes | None = None, **options) -> Package:
    return load_package(write_package(folder, content, **options))


def read(path: Path):
    return read_picture(path)
