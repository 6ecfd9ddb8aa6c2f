"""Packages of schema 2, of every kind, small enough to reason about.

The classifier says `good` of a black picture and shares what a brighter one loses between `scratch` (three quarters)
and `dent`. The anomaly model's map is the brightest pixel of each 4 x 4 px, its score the brightest of all. The
detection model gives a fixed table of candidates, whose scores grow with the brightest pixel.
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.detect.package import Package, load_package
from tests.unit.detect.tiny_model import HEIGHT, WIDTH, blank, with_spot

CELL = 4
CLASSIFIER = ("good", "scratch", "dent")
CANDIDATES = [
    (4, 4, 12, 12, 0.9, 0),
    (5, 4, 13, 12, 0.8, 0),
    (4, 5, 12, 13, 0.7, 1),
    (20, 10, 28, 18, 0.6, 1),
    (0, 0, 2, 2, 0.04, 0),
]
"""x1, y1, x2, y2, score of a picture with a white pixel, class: the second lies on the first, the third crosses it."""


def brightness_nodes(axes):
    return [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["levels", "white"], ["light"]),
        helper.make_node("ReduceMax", ["light"], ["top"], axes=axes, keepdims=0),
        helper.make_node("Reshape", ["top", "one_by_one"], ["brightest"]),
    ]


def model_bytes(nodes, constants, outputs, embedding=False) -> bytes:
    constants = {"white": np.array(255, np.float32), "one_by_one": np.array([1, 1]), **constants}
    if embedding:
        nodes = [
            *nodes,
            helper.make_node("Sub", ["unit", "brightest"], ["darkness"]),
            helper.make_node("Concat", ["brightest", "darkness"], ["embedding"], axis=1),
        ]
        constants["unit"] = np.ones((1, 1), np.float32)
        outputs = [*outputs, helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 2])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 1])],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def classifier_onnx(*, weights=(-1.0, 0.75, 0.25), embedding=False) -> bytes:
    nodes = [
        *brightness_nodes([0, 1, 2, 3]),
        helper.make_node("Mul", ["brightest", "weights"], ["moved"]),
        helper.make_node("Add", ["moved", "start"], ["probabilities"]),
    ]
    constants = {
        "weights": np.array([weights], np.float32),
        "start": np.eye(1, len(weights), dtype=np.float32),
    }
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(weights)])]
    return model_bytes(nodes, constants, outputs, embedding)


def anomaly_onnx(*, score_gain=1.0, map_gain=1.0, embedding=False) -> bytes:
    """Gains lead out of 0 .. 1, or make one of the two outputs say less than the other."""
    rows, columns = HEIGHT // CELL, WIDTH // CELL
    nodes = [
        *brightness_nodes([0, 1, 2, 3]),
        helper.make_node("Mul", ["brightest", "score_gain"], ["score"]),
        helper.make_node("Reshape", ["light", "plane"], ["light_plane"]),
        helper.make_node("MaxPool", ["light_plane"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Mul", ["cells", "map_gain"], ["heat"]),
        helper.make_node("Reshape", ["heat", "map_shape"], ["map"]),
    ]
    constants = {
        "score_gain": np.array(score_gain, np.float32),
        "map_gain": np.array(map_gain, np.float32),
        "plane": np.array([1, 1, HEIGHT, WIDTH]),
        "map_shape": np.array([1, rows, columns]),
    }
    outputs = [
        helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 1]),
        helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, rows, columns]),
    ]
    return model_bytes(nodes, constants, outputs, embedding)


def candidates_onnx(*, gain=1.0, rows=CANDIDATES, embedding=False) -> bytes:
    table = np.array(rows, np.float32)
    nodes = [
        *brightness_nodes([0, 1, 2, 3]),
        helper.make_node("Mul", ["brightest", "best"], ["scores"]),
        helper.make_node("Identity", ["corners"], ["boxes"]),
        helper.make_node("Identity", ["kinds"], ["classes"]),
    ]
    constants = {
        "best": table[None, :, 4] * np.float32(gain),
        "corners": table[None, :, :4],
        "kinds": table[None, :, 5].astype(np.int32),
    }
    count = len(rows)
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, count, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, count]),
        helper.make_tensor_value_info("classes", TensorProto.INT32, [1, count]),
    ]
    return model_bytes(nodes, constants, outputs, embedding)


HEADS = {
    "classification": 'kind = "classification"\nclasses = ["good", "scratch", "dent"]\ngood_classes = ["good"]',
    "anomaly": 'kind = "anomaly"\nclasses = ["anomaly"]',
    "detection": 'kind = "detection"\nclasses = ["left", "right"]\n[output]\nsuppress_iou = 0.5',
}
GRAPHS = {"classification": classifier_onnx, "anomaly": anomaly_onnx, "detection": candidates_onnx}
WHOLE = [0, 0, WIDTH, HEIGHT]
EXPECTED = {
    "classification": [
        {"class": "scratch", "score": 0.6, "box_px": WHOLE},
        {"class": "dent", "score": 0.2, "box_px": WHOLE},
    ],
    "anomaly": [{"class": "anomaly", "score": 0.8, "box_px": [20, 8, 4, 4]}],
    "detection": [
        {"class": "left", "score": 0.72, "box_px": [4, 4, 8, 8]},
        {"class": "right", "score": 0.56, "box_px": [4, 5, 8, 8]},
        {"class": "right", "score": 0.48, "box_px": [20, 10, 8, 8]},
    ],
}
PICTURE_SCORES = {"classification": (0.8, 0.0), "anomaly": (0.8, 0.0), "detection": (None, None)}


def model_table(variant, content, *, expected="golden/expected.json", fit="", threshold=0.15, **keys) -> str:
    role, precision = variant.split("-")
    lines = {
        "role": f'"{role}"',
        "precision": f'"{precision}"',
        "onnx": f'"{variant}.onnx"',
        "onnx_sha256": f'"{hashlib.sha256(content).hexdigest()}"',
        "score_threshold": str(threshold),
        **keys,
    }
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value is not None)
    shape = f"[model.input]\nwidth_px = {WIDTH}\nheight_px = {HEIGHT}\n{fit}"
    return f'[[model]]\n{text}\n{shape}\n[model.golden_frames]\nexpected = "{expected}"\n'


def write_kind(folder: Path, kind="classification", models=None, *, head="", **options) -> Path:
    """Writes a whole package of a kind; `models` is the ONNX content by variant."""
    (folder / "golden").mkdir(parents=True)
    models = models or {"accelerator-fp32": GRAPHS[kind]()}
    for variant, content in models.items():
        (folder / f"{variant}.onnx").write_bytes(content)
    tables = "\n".join(model_table(variant, content, **options) for variant, content in models.items())
    top = f'schema = 2\nname = "{folder.name}"\nversion = "1.0.0"\n{head or HEADS[kind]}'
    (folder / "manifest.toml").write_text(f"{top}\n{tables}")
    (folder / "card.md").write_text("# tiny\n")
    cv2.imwrite(str(folder / "golden" / "spot.png"), with_spot(20, 10, 204))
    cv2.imwrite(str(folder / "golden" / "good.png"), blank())
    bad, good = PICTURE_SCORES[kind]
    frames = [{"image": "spot.png", "detections": EXPECTED[kind]}, {"image": "good.png", "detections": []}]
    for frame, score in zip(frames, (bad, good), strict=True):
        if score is not None:
            frame["picture_score"] = score
    (folder / "golden" / "expected.json").write_text(json.dumps({"frames": frames}))
    return folder


def kind_package(folder: Path, kind="classification", content=None, **options) -> Package:
    models = None if content is None else {"accelerator-fp32": content}
    return load_package(write_kind(folder, kind, models, **options))
