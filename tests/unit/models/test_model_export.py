# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses
import hashlib
import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='export needs: pip install "takt-inspect[train]"')
onnx = pytest.importorskip("onnx", reason='export needs: pip install "takt-inspect[train]"')

from app.detect.package import load_package
from app.errors import DataError, DetectorError, PackageError
from models.export import export_package, write_golden_frames
from models.graph import build_graph
from models.net import stack_inputs
from models.peaks import decode_peaks
from models.train import new_state, save_state

pytestmark = pytest.mark.train


@pytest.fixture
def loud_net(recipe):
    """A net with random weights, loud enough to find something everywhere."""
    torch.manual_seed(3)
    net = new_state(recipe).net
    with torch.no_grad():
        net.out.weight.normal_(std=0.5)
        net.out.bias[:2] = 0.0
    for _ in range(3):
        net(torch.rand(4, 3, 64, 64))
    return net.eval()


@pytest.fixture
def package(recipe, tmp_path):
    save_state(new_state(recipe), recipe, tmp_path / "best.pt")
    export_package(tmp_path / "best.pt", tmp_path / "tiny", 0.4)
    return tmp_path / "tiny"


def _pictures(seed=0):
    random = np.random.default_rng(seed)
    golden = random.integers(0, 256, (96, 96), np.uint8)
    part = golden.copy()
    part[30:50, 40:60] = random.integers(0, 256, (20, 20), np.uint8)
    return part, golden


def _by_torch(net, part, golden):
    planes = [torch.from_numpy((p >= 128).astype(np.float32))[None, None] for p in (part, golden)]
    with torch.no_grad():
        return decode_peaks(*net(stack_inputs(*planes)))


def _agree(boxes, scores, classes, peaks):
    assert np.allclose(scores, peaks.scores.numpy(), atol=1e-5)
    sure = np.append(np.diff(scores[0]) < -1e-5, True) & np.insert(np.diff(scores[0]) < -1e-5, 0, True)
    assert sure.sum() > 3
    assert np.allclose(boxes[0][sure], peaks.boxes[0].numpy()[sure], atol=1e-2)
    assert (classes[0][sure] == peaks.classes[0].numpy()[sure]).all()


def test_onnx_runtime_answers_as_torch(loud_net, recipe):
    onnxruntime = pytest.importorskip("onnxruntime")
    part, golden = _pictures()
    session = onnxruntime.InferenceSession(build_graph(loud_net, recipe).SerializeToString())
    feeds = {"image": part[None, :, :, None], "golden": golden[None, :, :, None]}
    _agree(*session.run(["boxes", "scores", "classes"], feeds), _by_torch(loud_net, part, golden))


def test_openvino_answers_as_torch(loud_net, recipe):
    openvino = pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    part, golden = _pictures()
    core = openvino.Core()
    model = core.read_model(build_graph(loud_net, recipe).SerializeToString(), b"")
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled({"image": part[None, :, :, None], "golden": golden[None, :, :, None]})
    _agree(result["boxes"], result["scores"], result["classes"], _by_torch(loud_net, part, golden))


def test_graph_without_golden_sample_takes_the_picture_alone(recipe):
    alone = dataclasses.replace(recipe, input=dataclasses.replace(recipe.input, golden=False))
    model = build_graph(new_state(alone).net, alone)
    assert [one.name for one in model.graph.input] == ["image"]


def test_graph_keeps_its_contract(loud_net, recipe):
    graph = build_graph(loud_net, recipe).graph
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
    }


def test_manifest_names_the_model_it_was_written_with(package):
    loaded = load_package(package, is_draft=True)
    assert loaded.onnx_sha256 == hashlib.sha256((package / "model.onnx").read_bytes()).hexdigest()
    assert (loaded.score_threshold, loaded.classes) == (0.4, ("hole", "blob"))


def test_golden_frames_are_written_with_what_the_model_finds(package):
    part = np.where(_pictures()[0] > 127, 255, 0).astype(np.uint8)
    expected = json.loads(write_golden_frames(package, [("board-01", part, part)]).read_text())
    assert expected == {"frames": [{"image": "board-01.png", "golden": "board-01-good.png", "detections": []}]}
    assert np.array_equal(cv2.imread(str(package / "golden" / "board-01.png"), cv2.IMREAD_GRAYSCALE), part)


def test_grey_golden_frame_keeps_its_levels(package):
    part, golden = _pictures()
    write_golden_frames(package, [("grey", part, golden)])
    assert np.array_equal(cv2.imread(str(package / "golden" / "grey.png"), cv2.IMREAD_GRAYSCALE), part)


def test_golden_frames_need_a_frame(package):
    with pytest.raises(DataError, match="no golden frames"):
        write_golden_frames(package, [])


def test_golden_frame_of_another_size_is_refused(package):
    with pytest.raises(DataError, match="not of the model's size"):
        write_golden_frames(package, [("small", np.zeros((50, 96), np.uint8), None)])


def test_golden_frame_without_golden_sample_is_refused(package):
    with pytest.raises(DetectorError, match="golden sample"):
        write_golden_frames(package, [("alone", np.zeros((96, 96), np.uint8), None)])


def test_golden_frames_survive_a_new_export_with_what_the_new_model_finds(package, loud_net, recipe, tmp_path):
    part = _pictures()[0]
    write_golden_frames(package, [("board-01", part, part)])
    state = new_state(recipe)
    state.average.load_state_dict(loud_net.state_dict())
    save_state(state, recipe, tmp_path / "loud.pt")
    export_package(tmp_path / "loud.pt", package, 0.2)
    assert load_package(package).frames[0].detections


def test_golden_frames_of_no_package_are_refused(tmp_path):
    with pytest.raises(PackageError, match=r"manifest\.toml"):
        write_golden_frames(tmp_path, [])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_threshold_that_passes_or_rejects_everything_is_refused(package, tmp_path, threshold):
    with pytest.raises(DataError, match="not between 0 and 1"):
        export_package(tmp_path / "best.pt", package, threshold)
