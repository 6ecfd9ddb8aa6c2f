# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""Boxes are read off the maps in the file as in torch."""

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
onnx = pytest.importorskip("onnx", reason='training needs: pip install "takt-inspect[train]"')

from models.nets.net import DISTANCE_LOGIT_LIMIT
from models.nets.peaks import decode_peaks
from models.packaging.graph import GraphWriter
from models.packaging.graph_peaks import PeakWriter

pytestmark = pytest.mark.train

CLASSES = 3


def _decode(out, stride_px):
    """What the written nodes make of a map."""
    writer = GraphWriter()
    peaks = PeakWriter(writer, CLASSES, out.shape[2:], stride_px)
    peaks.write("out")
    kinds = {"boxes": (1, peaks.top_k, 4), "scores": (1, peaks.top_k), "classes": (1, peaks.top_k)}
    tell = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        writer.nodes,
        "peaks",
        [tell("out", onnx.TensorProto.FLOAT, out.shape)],
        [tell(name, onnx.TensorProto.INT32 if name == "classes" else 1, shape) for name, shape in kinds.items()],
        list(writer.constants.values()),
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(list(kinds), {"out": out})


def _wanted(out, stride_px):
    logits, distances = torch.from_numpy(out).split([CLASSES, 4], dim=1)
    limit = DISTANCE_LOGIT_LIMIT
    return decode_peaks(logits, torch.exp(distances.clamp(-limit, limit)) * stride_px, stride_px)


def _check(out, stride_px):
    (boxes, scores, classes), wanted = _decode(out, stride_px), _wanted(out, stride_px)
    found = scores[0] > 0  # rows without a peak are of any cell
    assert found.sum() > 3
    assert np.allclose(scores, wanted.scores.numpy(), atol=1e-6)
    assert np.allclose(boxes[0][found], wanted.boxes.numpy()[0][found], atol=1e-2)
    assert (classes[0][found] == wanted.classes.numpy()[0][found]).all()


@pytest.mark.parametrize("stride_px", [4, 8])
def test_peaks_are_those_of_torch(stride_px):
    out = np.random.default_rng(stride_px).normal(-2, 2, (1, CLASSES + 4, 20, 28)).astype(np.float32)
    _check(out, stride_px)


@pytest.mark.parametrize("stride_px", [4, 8])
def test_peaks_at_the_edges_average_only_cells_inside(stride_px):
    out = np.random.default_rng(1).normal(-6, 0.1, (1, CLASSES + 4, 12, 14)).astype(np.float32)
    out[:, CLASSES:] = np.random.default_rng(2).normal(0, 1, (1, 4, 12, 14))
    for index, (row, column) in enumerate(((0, 0), (0, 13), (11, 0), (11, 13), (6, 0))):
        out[0, 1, row, column] = 3 + 0.1 * index
    _check(out, stride_px)


def test_distances_beyond_the_limit_are_cut_off():
    out = np.full((1, CLASSES + 4, 16, 16), 9, np.float32)
    out[:, :CLASSES] = np.random.default_rng(3).normal(-2, 2, (1, CLASSES, 16, 16))
    _check(out, 8)


def test_map_of_fewer_cells_than_peaks_gives_as_many_rows_as_cells():
    out = np.random.default_rng(4).normal(0, 1, (1, CLASSES + 4, 6, 8)).astype(np.float32)
    assert _decode(out, 8)[0].shape == (1, 48, 4)
    _check(out, 8)
