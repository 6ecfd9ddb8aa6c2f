# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Each layout: what a package's graph says of its raw outputs, against the arithmetic of its library in plain numpy."""

import dataclasses
import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnxruntime")

from app.errors import UsageError
from models.importing.layouts import CANDIDATES
from tests.unit.models.import_graphs import (
    CELLS,
    HEIGHT,
    NAMES,
    ULTRALYTICS,
    WIDTH,
    agree,
    best_first,
    best_per_anchor,
    corners,
    exported,
    finished_rows,
    raw_table,
    take,
)

CLASSES = ("open", "short", "spur")
TINY_YOLOX = 21  # cells of a 32 x 32 px input


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.fixture
def taken(tmp_path):
    return lambda model, *, size=None, **wishes: take(tmp_path / "model.onnx", model, size, **wishes)


def test_ultralytics_raw_gives_the_best_class_of_every_anchor(random, taken):
    table = raw_table(random, 3)
    layout, found = taken(exported({"output0": table}, metadata=ULTRALYTICS))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:].T))
    assert (layout.name, layout.names, layout.fit) == ("ultralytics-raw", CLASSES, "letterbox")
    assert layout.suppression.iou == pytest.approx(0.7)
    assert layout.seen == f"output0 (1, 7, {CELLS}) with metadata of Ultralytics 8.4.190 detect"


def test_ultralytics_raw_without_metadata_is_told_by_its_cells(random, taken):
    layout, found = taken(exported({"output0": raw_table(random, 2)}))
    assert (layout.name, layout.count, layout.names) == ("ultralytics-raw", 2, ())
    assert len(found["scores"][0]) == CELLS


def test_ultralytics_raw_of_one_class_is_no_row(random, taken):
    layout, _ = taken(exported({"output0": raw_table(random, 1)}, metadata={**ULTRALYTICS, "names": "{0: 'open'}"}))
    assert (layout.name, layout.count) == ("ultralytics-raw", 1)


def test_ultralytics_segmenter_keeps_its_boxes_and_says_that_masks_go(random, taken):
    table = raw_table(random, 3, extras=32)
    outputs = {"output0": table, "output1": np.zeros((1, 32, 16, 24), np.float32)}
    layout, found = taken(exported(outputs, metadata={**ULTRALYTICS, "task": "segment"}))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:7].T))
    assert "masks are dropped" in layout.notes[0]


def test_ultralytics_pose_model_keeps_its_boxes(random, taken):
    table = raw_table(random, 3, extras=51)
    layout, found = taken(exported({"output0": table}, metadata={**ULTRALYTICS, "task": "pose"}))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:7].T))
    assert "key points are dropped" in layout.notes[0]


def test_ultralytics_of_any_size_takes_that_of_its_metadata(random, taken):
    model = exported(
        {"output0": raw_table(random, 3)},
        shape=("batch", 3, "height", "width"),
        declared={"output0": ("batch", 7, "anchors")},
        metadata={**ULTRALYTICS, "args": "{'dynamic': True}"},
    )
    layout, found = taken(model)
    assert len(found["scores"][0]) == CELLS
    assert "exported for any size" in layout.notes[0]


def test_agnostic_suppression_of_the_export_is_taken_over(random, taken):
    metadata = {**ULTRALYTICS, "args": "{'nms': None, 'agnostic_nms': True}"}
    layout, _ = taken(exported({"output0": raw_table(random, 3)}, metadata=metadata))
    assert layout.suppression.is_across_classes


@pytest.mark.parametrize(("extras", "task"), [(0, "detect"), (32, "segment")])
def test_ultralytics_with_suppression_inside_is_final(random, taken, extras, task):
    rows = finished_rows(random, extras=extras)
    outputs = {"output0": rows} | ({"output1": np.zeros((1, 32, 16, 24), np.float32)} if extras else {})
    layout, found = taken(exported(outputs, metadata={**ULTRALYTICS, "task": task, "end2end": "True"}))
    agree(found, rows[0, :, :4], rows[0, :, 4], rows[0, :, 5])
    assert (layout.name, layout.suppression) == ("ultralytics-final", None)


def test_ultralytics_rtdetr_has_boxes_in_shares_of_the_picture(random, taken):
    rows = finished_rows(random)
    rows[0, :, :4] = random.uniform(0.1, 0.4, (50, 4))
    layout, found = taken(exported({"output0": rows}, metadata={**ULTRALYTICS, "head": "RTDETRDecoder"}))
    agree(found, corners(rows[0, :, :4]) * np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]), rows[0, :, 4], rows[0, :, 5])
    assert (layout.name, layout.fit) == ("ultralytics-rtdetr", "stretch")


def test_ultralytics_classifier_judges_the_middle_of_the_picture(taken):
    values = np.array([[0.2, 0.7, 0.1]], np.float32)
    model = exported({"output0": np.log(values)}, shape=(1, 3, 32, 32), metadata={**ULTRALYTICS, "task": "classify"})
    layout, found = taken(model)
    assert np.allclose(found["probabilities"], values)
    assert (layout.kind, layout.fit, layout.pixels) == ("classification", "crop", "unit")


def test_ultralytics_model_for_turned_boxes_is_refused(random, taken):
    with pytest.raises(UsageError, match="for obb, whose findings are no upright boxes"):
        taken(exported({"output0": raw_table(random, 3, extras=1)}, metadata={**ULTRALYTICS, "task": "obb"}))


def test_metadata_that_name_fewer_classes_than_there_are_outputs_are_refused(random, taken):
    with pytest.raises(UsageError, match="names 3 classes in its metadata and has outputs for 5"):
        taken(exported({"output0": raw_table(random, 5)}, metadata=ULTRALYTICS))


def _with_objectness(random, count, classes=3):
    table = raw_table(random, classes + 1, count)[0].T
    return table[None]


def test_yolov5_multiplies_objectness_and_class(random, taken):
    rows = _with_objectness(random, 3 * CELLS)
    inner = {"output1": np.zeros((1, 3, 8, 12, 8), np.float32)}
    layout, found = taken(exported({"output0": rows, **inner}, metadata={"stride": "32", "names": NAMES}))
    agree(found, *best_per_anchor(rows[0, :, :4], rows[0, :, 5:] * rows[0, :, 4:5]))
    assert (layout.name, layout.names, layout.suppression.iou) == ("yolov5", CLASSES, 0.45)


def _decode_yolox(boxes, width, height):
    """`decode_outputs` of yolox/models/yolo_head.py, cell by cell."""
    decoded, row = [], 0
    for stride in (8, 16, 32):
        for y in range(height // stride):
            for x in range(width // stride):
                dx, dy, w, h = boxes[row]
                decoded.append(((dx + x) * stride, (dy + y) * stride, np.exp(w) * stride, np.exp(h) * stride))
                row += 1
    return np.array(decoded)


def test_yolox_is_decoded_in_the_graph(random, taken):
    rows = _with_objectness(random, CELLS)
    rows[0, :, :4] = random.normal(0, 1, (CELLS, 4))
    layout, found = taken(exported({"output": rows}))
    assert found["boxes"].shape[1] == CELLS
    boxes = _decode_yolox(rows[0, :, :4], WIDTH, HEIGHT)
    agree(found, *best_per_anchor(boxes, rows[0, :, 5:] * rows[0, :, 4:5]))
    assert (layout.name, layout.fit, layout.pixels, layout.is_bgr) == ("yolox", "corner", "byte", True)


def test_yolox_that_was_decoded_before_is_told_by_its_exponentials(random, taken):
    rows = _with_objectness(random, CELLS)
    model = exported({"output": rows})
    model.graph.node.append(onnx.helper.make_node("Exp", ["zero"], ["unused"]))
    layout, found = taken(model)
    agree(found, *best_per_anchor(rows[0, :, :4], rows[0, :, 5:] * rows[0, :, 4:5]))
    assert layout.name == "yolox-decoded"


def _sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_yolox_box_without_bound_stays_near(random, taken):
    rows = _with_objectness(random, CELLS)
    rows[0, :, :4] = 60
    _, found = taken(exported({"output": rows}))
    assert np.isfinite(found["boxes"]).all()
    assert np.abs(found["boxes"]).max() < 13 * WIDTH


def _queries(random, slots, queries=30):
    logits = random.permutation(queries * slots).reshape(1, queries, slots) / (queries * slots) * 8 - 4
    boxes = random.uniform(0.1, 0.5, (1, queries, 4))
    return boxes.astype(np.float32), logits.astype(np.float32)


def _pairs(boxes, logits):
    """The best pairs of query and class, as many as there are queries."""
    scores = _sigmoid(logits[0].astype(np.float64)).ravel()
    order = np.argsort(-scores)[: len(logits[0])]
    rows, classes = np.divmod(order, logits.shape[2])
    return corners(boxes[0][rows]) * np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]), scores[order], classes


@pytest.mark.parametrize("given", [(), CLASSES])
def test_rfdetr_drops_its_background(random, taken, given):
    boxes, logits = _queries(random, 4)
    layout, found = taken(exported({"dets": boxes, "labels": logits}, name="input"), classes=given)
    places, scores, classes = _pairs(boxes, logits[:, :, :3])
    agree(found, np.clip(places, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]), scores, classes)
    assert (layout.name, layout.count, layout.fit, layout.pixels) == ("rf-detr", 3, "stretch", "imagenet")


def test_rfdetr_keeps_the_last_slot_where_every_slot_has_a_name(random, taken):
    boxes, logits = _queries(random, 3)
    _, found = taken(exported({"dets": boxes, "labels": logits}), classes=CLASSES)
    places, scores, classes = _pairs(boxes, logits)
    agree(found, np.clip(places, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT]), scores, classes)


def test_dfine_of_transformers_takes_a_sigmoid_per_class(random, taken):
    boxes, logits = _queries(random, 3)
    layout, found = taken(exported({"logits": logits, "pred_boxes": boxes}), classes=CLASSES)
    agree(found, *_pairs(boxes, logits))
    assert (layout.name, layout.pixels) == ("d-fine", "unit")


def test_detr_takes_a_softmax_with_no_object_behind(random, taken):
    boxes, logits = _queries(random, 4)
    layout, found = taken(exported({"logits": logits, "pred_boxes": boxes}), classes=CLASSES)
    powers = np.exp(logits[0])
    shares = (powers / powers.sum(axis=1, keepdims=True))[:, :3]
    places = corners(boxes[0]) * np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    agree(found, *best_first(places, shares.max(axis=1), shares.argmax(axis=1)))
    assert layout.name == "detr"


def test_logits_and_boxes_without_class_names_may_be_two_layouts(random, taken):
    boxes, logits = _queries(random, 4)
    with pytest.raises(UsageError, match="may have the layout d-fine, detr; say which with --layout"):
        taken(exported({"logits": logits, "pred_boxes": boxes}))


def test_dfine_as_deployed_gets_the_size_of_its_input(random, taken):
    rows = finished_rows(random)
    outputs = {"labels": rows[:, :, 5].astype(np.int64), "boxes": rows[:, :, :4], "scores": rows[:, :, 4]}
    more = {"orig_target_sizes": (onnx.TensorProto.INT64, ("batch", 2))}
    layout, found = taken(exported(outputs, more=more))
    agree(found, rows[0, :, :4], rows[0, :, 4], rows[0, :, 5])
    assert layout.name == "d-fine-final"


def _torchvision(rows):
    outputs = {"boxes": rows[0, :, :4], "labels": rows[0, :, 5].astype(np.int64) + 1, "scores": rows[0, :, 4]}
    return exported(outputs, shape=(3, HEIGHT, WIDTH), declared={"boxes": ("n", 4), "labels": ("n",), "scores": ("n",)})


@pytest.mark.parametrize("count", [0, 7, 400])
def test_torchvision_findings_are_padded_to_a_fixed_number(random, taken, count):
    rows = finished_rows(random, count)
    model = _torchvision(rows)
    box = onnx.helper.make_node("NonZero", ["least"], ["counting"])  # as every such graph has one
    model.graph.node.append(box)
    layout, found = taken(model, classes=CLASSES)
    kept = min(count, 300)
    assert found["scores"].shape == (1, 300)
    assert np.allclose(found["scores"][0, :kept], rows[0, :kept, 4])
    assert np.allclose(found["boxes"][0, :kept], rows[0, :kept, :4])
    assert (found["classes"][0, :kept] == rows[0, :kept, 5]).all()
    assert not found["scores"][0, kept:].any()
    assert layout.name == "torchvision"


def test_anomalib_gives_score_and_map(random, taken):
    plane = random.uniform(0, 1, (1, 1, 16, 24)).astype(np.float32)
    outputs = {
        "pred_score": np.array([0.75], np.float32),
        "pred_label": np.array([1], np.int64),
        "anomaly_map": plane,
        "pred_mask": (plane > 0.5).astype(np.int64),
    }
    layout, found = taken(exported(outputs, name="input"))
    assert found["score"].tolist() == [[0.75]]
    assert (found["map"] == plane[:, 0]).all()
    assert (layout.kind, layout.names, layout.fit, layout.pixels) == ("anomaly", ("anomaly",), "stretch", "unit")


def test_anomalib_without_a_map_says_that_a_finding_is_the_whole_picture(taken):
    layout, found = taken(exported({"pred_score": np.array([0.25], np.float32)}))
    assert found["map"].tolist() == [[[0.25]]]
    assert "whole picture" in layout.notes[0]


def test_anomalib_map_alone_is_scaled_by_the_file_beside_it(random, taken, tmp_path):
    plane = random.uniform(0, 40, (1, 1, 16, 24)).astype(np.float32)
    beside = {"image_threshold": 20.0, "pixel_threshold": 15.0, "min": 1.0, "max": 35.0, "transform": {}}
    (tmp_path / "metadata.json").write_text(json.dumps(beside))
    layout, found = taken(exported({"output": plane}))
    assert np.allclose(found["map"][0], np.clip((plane[0, 0] - 15) / 34 + 0.5, 0, 1), atol=1e-6)
    assert found["score"][0, 0] == pytest.approx(np.clip((plane.max() - 20) / 34 + 0.5, 0, 1))
    assert (layout.name, layout.pixels) == ("anomaly-map", "imagenet")


@pytest.mark.parametrize("content", ["[]", "{", '{"image_threshold": "high", "min": 0, "max": 1}'])
def test_file_beside_a_map_that_says_nothing_is_passed_over(random, taken, tmp_path, content):
    (tmp_path / "metadata.json").write_text(content)
    layout, _ = taken(exported({"output": random.uniform(0, 1, (1, 1, 8, 8)).astype(np.float32)}))
    assert "as they are" in layout.notes[0]


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_classifier_with_logits_gets_a_softmax(taken, shape):
    values = np.array([0.2, 0.7, 0.1], np.float32)
    layout, found = taken(exported({"output": (np.log(values) + 3).reshape(shape)}))
    assert np.allclose(found["probabilities"], values[None], atol=1e-6)
    assert (layout.name, layout.pixels) == ("classifier", "imagenet")


def test_classifier_with_one_logit_has_two_classes(taken):
    layout, found = taken(exported({"output": np.array([[1.0]], np.float32)}))
    assert np.allclose(found["probabilities"], [[1 - _sigmoid(1.0), _sigmoid(1.0)]])
    assert layout.count == 2


def test_classifier_of_any_batch_is_told_too(taken):
    model = exported(
        {"output": np.zeros((1, 5), np.float32)},
        shape=("batch", 3, HEIGHT, WIDTH),
        declared={"output": ("batch", 5)},
    )
    layout, _ = taken(model)
    assert (layout.name, layout.count) == ("classifier", 5)


def test_small_rows_may_be_two_layouts_and_a_wish_decides(random, taken):
    rows = _with_objectness(random, TINY_YOLOX, classes=1)
    model = exported({"output": rows}, shape=(1, 3, 32, 32))
    with pytest.raises(UsageError, match="ultralytics-final"):
        taken(model)
    layout, _ = taken(model, layout="yolox")
    assert layout.name == "yolox"


def test_ten_outputs_that_fit_nothing_are_listed(taken):
    outputs = {f"out{index}": np.zeros((1, 9, 5 + index), np.float32) for index in range(10)}
    with pytest.raises(UsageError, match=r"has 10 outputs that fit no layout: out0 \(1, 9, 5\), .*--layout"):
        taken(exported(outputs))


def test_layout_that_does_not_exist_is_refused_with_those_that_do(random, taken):
    with pytest.raises(UsageError, match=r"no layout 'yolo'; use one of .*ultralytics-raw"):
        taken(exported({"output0": raw_table(random, 3)}), layout="yolo")


def test_layout_that_does_not_fit_is_refused(random, taken):
    with pytest.raises(UsageError, match="does not have the layout torchvision"):
        taken(exported({"output0": raw_table(random, 3)}), layout="torchvision")


def test_float16_outputs_are_read(random, taken):
    table = raw_table(random, 3).astype(np.float16)
    table[0, 4:] = 0
    table[0, 4, :9] = np.linspace(1, 0.5, 9)
    _, found = taken(exported({"output0": table}, metadata=ULTRALYTICS))
    assert found["scores"].dtype == np.float32
    assert np.allclose(found["scores"][0, :9], np.linspace(1, 0.5, 9), atol=1e-3)


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_every_opset_from_11_on_is_written_in_its_own_words(random, taken, opset):
    table = raw_table(random, 3)
    _, found = taken(exported({"output0": table}, metadata=ULTRALYTICS, opset=opset))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:].T))


def test_every_layout_has_a_name_of_its_own():
    names = [each.name for each in CANDIDATES]
    assert len(set(names)) == len(names)
    assert all(dataclasses.asdict(each)["what"] for each in CANDIDATES)
