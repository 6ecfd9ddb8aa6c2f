# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Candidates before a suppression that a graph does itself, and boxes that are inside out."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnxruntime")

from tests.unit.models.import_graphs import (
    ULTRALYTICS,
    agree,
    agree_where_scored,
    best_first,
    best_per_anchor,
    corners,
    exported,
    finished_rows,
    raw_table,
    take,
)


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.fixture
def taken(tmp_path):
    return lambda model, *, size=None, **wishes: take(tmp_path / "model.onnx", model, size, **wishes)


def _suppressing(table, *, of="corners", iou=0.6):
    """Candidates, suppression, and finished rows of all candidates that depend on it.

    `of` says what the box of a candidate is: `corners`, `centred`, or `unknown` where it comes out as something else.
    """
    add = onnx.helper.make_node
    model = exported({"box": table[:, :4], "shares": table[:, 4:]})
    numbers = {name: np.array([value]) for name, value in (("0", 0), ("2", 2), ("4", 4), ("end", 99), ("most", 300))}
    numbers |= {"iou": np.array([iou], np.float32), "half": np.float32(0.5)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in numbers.items())
    moved = {
        "corners": [add("Identity", ["four"], ["places"])],
        "unknown": [add("Add", ["four", "four"], ["places"])],
        "centred": [
            add("Mul", ["end_or_size", "half"], ["arm"]),
            add("Sub", ["start_or_centre", "arm"], ["first"]),
            add("Add", ["start_or_centre", "arm"], ["last"]),
            add("Concat", ["first", "last"], ["places"], axis=2),
        ],
    }
    model.graph.node.extend(
        [
            add("Concat", ["box", "shares"], ["candidates"], axis=1),
            add("Transpose", ["candidates"], ["rows"], perm=[0, 2, 1]),
            add("Slice", ["rows", "0", "4", "2"], ["four"]),
            add("Slice", ["rows", "4", "end", "2"], ["scores"]),
            add("Slice", ["rows", "0", "2", "2"], ["start_or_centre"]),
            add("Slice", ["rows", "2", "4", "2"], ["end_or_size"]),
            *moved[of],
            add("ReduceMax", ["scores"], ["best"], axes=[2], keepdims=1),
            add("Transpose", ["best"], ["points"], perm=[0, 2, 1]),
            add("NonMaxSuppression", ["places", "points", "most", "iou"], ["kept"]),
            add("ReduceMax", ["kept"], ["highest"], keepdims=0),
            add("Cast", ["highest"], ["number"], to=onnx.TensorProto.FLOAT),
            add("Mul", ["number", "nothing"], ["none"]),
            add("ArgMax", ["scores"], ["kinds"], axis=2, keepdims=1),
            add("Cast", ["kinds"], ["classes"], to=onnx.TensorProto.FLOAT),
            add("Concat", ["places", "best", "classes"], ["finished"], axis=2),
            add("Add", ["finished", "none"], ["output0"]),
        ]
    )
    shape = [1, table.shape[2], 6]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("output0", onnx.TensorProto.FLOAT, shape))
    metadata = {**ULTRALYTICS, "args": "{'nms': True, 'conf': 0.4, 'agnostic_nms': False}"}
    onnx.helper.set_model_props(model, metadata)
    return model


def _with_corners(table):
    table[0, :4] = corners(table[0, :4].T).T
    return table


def test_suppression_inside_a_graph_is_done_behind_it_instead(random, taken):
    """So that no size depends on the picture, which TensorRT for RTX does not take."""
    table = _with_corners(raw_table(random, 3))
    layout, found = taken(_suppressing(table))
    agree(found, *best_first(table[0, :4].T, table[0, 4:].max(axis=0), table[0, 4:].argmax(axis=0)))
    assert (layout.name, layout.suppression.iou, layout.threshold) == ("ultralytics-final", 0.6, 0.4)
    assert "left out" in layout.notes[-1]


def test_corners_before_suppression_are_told_where_many_are_inside_out(random, taken):
    """As YOLO 26 gives them, which has no bound that keeps a box upright."""
    table = _with_corners(raw_table(random, 3))
    table[0, 2:4, ::4] = table[0, :2, ::4] - 5
    _, found = taken(_suppressing(table))
    scores = table[0, 4:].max(axis=0)
    scores[::4] = 0
    agree_where_scored(found, *best_first(table[0, :4].T, scores, table[0, 4:].argmax(axis=0)))


def test_centre_and_size_before_suppression_are_told(random, taken):
    table = raw_table(random, 3)
    layout, found = taken(_suppressing(table, of="centred"))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:].T))
    assert layout.suppression is not None


def test_suppression_whose_candidates_are_not_found_stays_inside(random, taken):
    table = _with_corners(raw_table(random, 4))
    layout, found = taken(_suppressing(table))
    agree(found, *best_first(table[0, :4].T, table[0, 4:].max(axis=0), table[0, 4:].argmax(axis=0)))
    assert layout.suppression is None


def test_suppression_whose_candidates_are_read_in_no_known_way_stays_inside(random, taken):
    table = _with_corners(raw_table(random, 3))
    layout, found = taken(_suppressing(table, of="unknown"))
    assert layout.suppression is None
    assert np.allclose(found["boxes"][0, 0], 2 * table[0, :4, table[0, 4:].max(axis=0).argmax()])


def test_finished_row_that_is_inside_out_is_dropped(random, taken):
    rows = finished_rows(random)
    rows[0, 0, :4] = (30, 30, 20, 40)
    _, found = taken(exported({"output0": rows}, metadata=ULTRALYTICS))
    agree_where_scored(found, rows[0, 1:, :4], rows[0, 1:, 4], rows[0, 1:, 5])
    assert found["scores"][0, -1] == 0


@pytest.mark.parametrize("side", [2, 3])
def test_anchor_whose_box_is_inside_out_is_dropped(random, taken, side):
    table = raw_table(random, 3)
    best = table[0, 4:].max(axis=0).argmax()
    table[0, side, best] = -1
    _, found = taken(exported({"output0": table}, metadata=ULTRALYTICS))
    scores = table[0, 4:].max(axis=0)
    scores[best] = 0
    agree_where_scored(found, *best_first(corners(table[0, :4].T), scores, table[0, 4:].argmax(axis=0)))


def test_box_without_width_is_kept(random, taken):
    """Ultralytics reports it too: cut off at the picture's edge, many a box has none."""
    table = raw_table(random, 3)
    table[0, 2, :] = 0
    _, found = taken(exported({"output0": table}, metadata=ULTRALYTICS))
    agree(found, *best_per_anchor(table[0, :4].T, table[0, 4:].T))
