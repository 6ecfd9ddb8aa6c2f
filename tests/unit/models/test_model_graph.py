# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='export needs: pip install "takt-inspect[train]"')
onnx = pytest.importorskip("onnx", reason='export needs: pip install "takt-inspect[train]"')
onnxruntime = pytest.importorskip("onnxruntime")

from app.errors import DataError
from models.nets.net import stack_inputs
from models.nets.peaks import decode_peaks
from models.packaging.graph import build_graph
from models.packaging.half import build_half_graph
from models.training.checkpoint import new_net
from models.training.train import new_state

pytestmark = pytest.mark.train

FAMILY = {
    "two levels and golden sample, stride 8": ({}, {}),
    "two levels and golden sample, stride 4": ({}, {"head_stride_px": 4}),
    "shrunk pictures, a stem of stride 2": (
        {"black_level": 0, "white_level": 255},
        {"stem_stride_px": 2, "head_stride_px": 4},
    ),
    "grey, stride 4": (
        {"golden": False, "two_level": False, "black_level": 0, "white_level": 255},
        {"head_stride_px": 4},
    ),
    "grey and golden sample, soft levels": ({"two_level": False, "black_level": 32, "white_level": 224}, {}),
    "colour": (
        {"golden": False, "two_level": False, "black_level": 0, "white_level": 255, "channels": 3},
        {"deep": (16, 16), "head": (8, 8)},
    ),
    "colour and golden sample": (
        {"two_level": False, "black_level": 0, "white_level": 255, "channels": 3},
        {"deep": (16,)},
    ),
    "plain kernels, no embedding": ({}, {"is_branched": False, "embedding": False}),
}


@pytest.fixture(params=FAMILY.values(), ids=FAMILY.keys())
def member(request, recipe):
    """A recipe of the family and a net of it, loud enough to find something everywhere."""
    inputs, net = request.param
    recipe = dataclasses.replace(
        recipe, input=dataclasses.replace(recipe.input, **inputs), net=dataclasses.replace(recipe.net, **net)
    )
    return recipe, loud(recipe)


def loud(recipe):
    torch.manual_seed(3)
    net = new_state(recipe).net
    with torch.no_grad():
        net.out.weight.normal_(std=0.5)
        net.out.bias[:2] = 0.0
    for _ in range(3):
        net(torch.rand(4, net.stem.conv.in_channels, 64, 64))
    return net.eval()


def pictures(recipe, seed=0):
    random = np.random.default_rng(seed)
    golden = random.integers(0, 256, (1, 96, 96, recipe.input.channels), np.uint8)
    part = golden.copy()
    part[:, 30:50, 40:60] = random.integers(0, 256, (1, 20, 20, recipe.input.channels), np.uint8)
    return {"image": part, "golden": golden} if recipe.input.golden else {"image": part}


def by_torch(net, recipe, feeds):
    planes = [
        torch.from_numpy(feeds[name].transpose(0, 3, 1, 2).copy()) if name in feeds else None
        for name in ("image", "golden")
    ]
    x = stack_inputs(*planes, recipe.input)
    with torch.no_grad():
        return decode_peaks(*net(x), net.stride_px), net.features(x)[-1].mean((2, 3)).numpy()


def agree(boxes, scores, classes, peaks):
    assert np.allclose(scores, peaks.scores.numpy(), atol=1e-5)
    gaps = np.diff(scores[0]) < -1e-5  # where two scores are equal, either order is right
    sure = np.append(gaps, True) & np.insert(gaps, 0, True)
    assert sure.sum() > 3
    assert np.allclose(boxes[0][sure], peaks.boxes[0].numpy()[sure], atol=1e-2)
    assert (classes[0][sure] == peaks.classes[0].numpy()[sure]).all()


def run(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, feeds), strict=True))


def test_onnx_runtime_answers_as_torch(member):
    recipe, net = member
    feeds = pictures(recipe)
    found = run(build_graph(net, recipe), feeds)
    peaks, embedding = by_torch(net, recipe, feeds)
    agree(found["boxes"], found["scores"], found["classes"], peaks)
    assert ("embedding" in found) == recipe.net.embedding
    if recipe.net.embedding:
        assert np.allclose(found["embedding"], embedding, atol=1e-4)


def test_openvino_answers_as_torch(member):
    openvino = pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    recipe, net = member
    feeds, core = pictures(recipe), openvino.Core()
    model = core.read_model(build_graph(net, recipe).SerializeToString(), b"")
    result = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feeds)
    agree(result["boxes"], result["scores"], result["classes"], by_torch(net, recipe, feeds)[0])


def test_half_precision_answers_nearly_as_single(member):
    recipe, net = member
    feeds, single = pictures(recipe), build_graph(net, recipe)
    half = build_half_graph(single)
    one, other = run(single, feeds), run(half, feeds)
    assert np.abs(one["scores"] - other["scores"]).max() < 0.02
    assert [each.name for each in half.graph.output] == [each.name for each in single.graph.output]


def test_half_precision_holds_every_inner_kernel_in_16_bits(recipe):
    half = build_half_graph(build_graph(loud(recipe), recipe))
    kinds = {each.name: each.data_type for each in half.graph.initializer if each.name.endswith(".weight")}
    single = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
    assert single == {"stem0.weight", "stem1.weight", "stem2.weight", "out.weight"}
    assert set(kinds.values()) == {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}


def test_half_precision_of_a_model_without_layers_is_refused(recipe):
    graph = build_graph(loud(recipe), recipe)
    kept = [node for node in graph.graph.node if node.op_type != "Conv"]
    del graph.graph.node[:]
    graph.graph.node.extend(kept)
    with pytest.raises(DataError, match="no layers between"):
        build_half_graph(graph)


def test_graph_keeps_its_contract(recipe):
    graph = build_graph(loud(recipe), recipe).graph
    kinds = {
        one.name: (one.type.tensor_type.elem_type, [d.dim_value for d in one.type.tensor_type.shape.dim])
        for one in [*graph.input, *graph.output]
    }
    assert kinds == {
        "image": (onnx.TensorProto.UINT8, [1, 96, 96, 1]),
        "golden": (onnx.TensorProto.UINT8, [1, 96, 96, 1]),
        "boxes": (onnx.TensorProto.FLOAT, [1, 100, 4]),
        "scores": (onnx.TensorProto.FLOAT, [1, 100]),
        "classes": (onnx.TensorProto.INT32, [1, 100]),
        "embedding": (onnx.TensorProto.FLOAT, [1, 8]),
    }


CLASSIFIERS = {"grey": {}, "colour and golden sample": {"channels": 3, "golden": True}}


@pytest.mark.parametrize("inputs", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_classifier_answers_as_torch(recipe, inputs):
    plain = {"two_level": False, "black_level": 0, "white_level": 255, "golden": False, **inputs}
    recipe = dataclasses.replace(
        recipe, kind="classification", good_classes=("hole",), input=dataclasses.replace(recipe.input, **plain)
    )
    net = new_net(recipe)
    with torch.no_grad():
        net.out.weight.normal_(std=0.5)
    net.eval()
    feeds = pictures(recipe)
    found = run(build_graph(net, recipe), feeds)
    planes = [
        torch.from_numpy(feeds[name].transpose(0, 3, 1, 2).copy()) if name in feeds else None
        for name in ("image", "golden")
    ]
    x = stack_inputs(*planes, recipe.input)
    assert np.allclose(found["probabilities"], net.probabilities(x).numpy(), atol=1e-5)
    assert np.allclose(found["embedding"], net.embed(x).detach().numpy(), atol=1e-4)
