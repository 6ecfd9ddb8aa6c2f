# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import hashlib
import json
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='quantizing needs: pip install "takt-inspect[train]"')
onnx = pytest.importorskip("onnx", reason='quantizing needs: pip install "takt-inspect[train]"')

from app.detect.package import load_package
from app.errors import DataError, MissingDriverError, PackageError
from models.commands import app
from models.export import export_package, write_golden_frames
from models.graph_int8 import layout_of
from models.net import DISTANCE_LOGIT_LIMIT, STRIDE_PX
from models.peaks import decode_peaks
from models.quantize import quantize, quantize_package
from models.train import new_state, save_state
from tests.unit.models.conftest import draw_board, write_set

pytestmark = pytest.mark.train

CLOSE = 0.1
"""How far the 8-bit map may lie from the float one, as a share of what each channel of it varies by."""


@pytest.fixture
def boards(tmp_path):
    """A set of three boards."""
    write_set(tmp_path / "boards", "train", 3)
    return tmp_path / "boards"


@pytest.fixture
def package(recipe, tmp_path):
    """A float package whose net is loud enough to find something everywhere."""
    torch.manual_seed(3)
    state = new_state(recipe)
    with torch.no_grad():
        state.net.out.weight.normal_(std=0.5)
        state.net.out.bias[:2] = 0.0
    for _ in range(3):
        state.net(torch.rand(4, 3, 64, 64))
    state.average.load_state_dict(state.net.state_dict())
    save_state(state, recipe, tmp_path / "loud.pt")
    export_package(tmp_path / "loud.pt", tmp_path / "tiny", 0.3)
    return tmp_path / "tiny"


def _pair(seed=7):
    part, golden, _ = draw_board(np.random.default_rng(seed))
    return part, golden


def _content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _replace_model(package, content):
    """Another model, which the manifest names rightly."""
    known = hashlib.sha256((package / "model.onnx").read_bytes()).hexdigest()
    manifest = (package / "manifest.toml").read_text().replace(known, hashlib.sha256(content).hexdigest())
    (package / "model.onnx").write_bytes(content)
    (package / "manifest.toml").write_text(manifest)


def _run(path, runtime):
    """What a model says of one board, with the map before its decoding."""
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 6, 12, 12]))
    content, names = model.SerializeToString(), [each.name for each in model.graph.output]
    feeds = dict(zip(("image", "golden"), (each[None, :, :, None] for each in _pair()), strict=True))
    if runtime == "onnx":
        ort = pytest.importorskip("onnxruntime")
        return dict(zip(names, ort.InferenceSession(content).run(names, feeds), strict=True))
    ov = pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    core = ov.Core()
    found = core.compile_model(core.read_model(content, b""), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feeds)
    return {name: np.array(found[name]) for name in names}


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_quantized_net_answers_as_the_float_one(package, boards, tmp_path, runtime):
    small = quantize_package(package, boards, tmp_path / "small")
    wanted, found = (_run(path, runtime)["out"] for path in (package / "model.onnx", small))
    error, spread = np.sqrt(np.mean((found - wanted) ** 2, axis=(0, 2, 3))), wanted.std(axis=(0, 2, 3))

    assert (error <= CLOSE * spread).all()


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_flat_tables_decode_as_the_float_graph_does(package, boards, tmp_path, runtime):
    found = _run(quantize_package(package, boards, tmp_path / "small"), runtime)
    logits, distances = torch.from_numpy(found["out"]).split([2, 4], dim=1)
    peaks = decode_peaks(logits, torch.exp(distances.clamp(-DISTANCE_LOGIT_LIMIT, DISTANCE_LOGIT_LIMIT)) * STRIDE_PX)
    scores = found["scores"][0]
    sure = np.append(np.diff(scores) < -1e-5, True) & np.insert(np.diff(scores) < -1e-5, 0, True)

    assert np.allclose(scores, peaks.scores[0].numpy(), atol=1e-5)
    assert sure.sum() > 3
    assert np.allclose(found["boxes"][0][sure], peaks.boxes[0].numpy()[sure], atol=1e-2)
    assert (found["classes"][0][sure] == peaks.classes[0].numpy()[sure]).all()


def test_same_package_and_data_give_the_same_bytes(package, boards, tmp_path):
    write_golden_frames(package, [("board", *_pair())])
    for name in ("first", "second"):
        quantize_package(package, boards, tmp_path / name)

    assert _content(tmp_path / "first") == _content(tmp_path / "second")


def test_convolutions_are_in_8_bits_but_for_the_last(package, boards, tmp_path):
    graph = onnx.load(quantize_package(package, boards, tmp_path / "small")).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    weights = {node.name: makers.get(node.input[1], "constant") for node in graph.node if node.op_type == "Conv"}

    assert weights.pop("out") == "constant"
    assert set(weights.values()) == {"DequantizeLinear"}


def test_weights_leave_room_for_the_sum_of_two_products_in_16_bits(package, boards, tmp_path):
    graph = onnx.load(quantize_package(package, boards, tmp_path / "small")).graph
    whole = [onnx.numpy_helper.to_array(each) for each in graph.initializer if each.name.endswith(".weight.whole")]
    largest = max(int(np.abs(each).max()) for each in whole)

    assert 2 * largest * np.iinfo(np.uint8).max <= np.iinfo(np.int16).max


def test_new_package_keeps_what_the_float_one_says_of_itself(package, boards, tmp_path):
    quantize_package(package, boards, tmp_path / "small")
    old, new = load_package(package, is_draft=True), load_package(tmp_path / "small", is_draft=True)

    assert new.name == f"{old.name}-int8"
    for key in ("version", "classes", "spec", "score_threshold", "layout"):
        assert getattr(new, key) == getattr(old, key)


def test_golden_frames_are_recorded_on_the_new_model(package, boards, tmp_path):
    write_golden_frames(package, [("board", *_pair())])
    quantize_package(package, boards, tmp_path / "small")
    old, new = load_package(package).frames[0], load_package(tmp_path / "small").frames[0]

    assert new.image.read_bytes() == old.image.read_bytes()
    assert new.detections
    assert [d.score for d in new.detections] != [d.score for d in old.detections]


def test_golden_frames_of_a_model_before_are_not_kept(package, boards, tmp_path):
    stale = tmp_path / "small" / "golden" / "expected.json"
    stale.parent.mkdir(parents=True)
    stale.write_text('{"frames": []}')
    quantize_package(package, boards, tmp_path / "small")

    assert not stale.exists()


def test_progress_is_told_per_picture(package, boards, tmp_path):
    told = []
    quantize_package(package, boards, tmp_path / "small", on_step=lambda done, total: told.append((done, total)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_float_package_is_not_replaced_by_its_own_quantized_one(package, boards):
    before = _content(package)
    with pytest.raises(DataError, match="would be replaced"):
        quantize_package(package, boards, package / ".." / "tiny")

    assert _content(package) == before


def test_quantized_package_is_not_quantized_again(package, boards, tmp_path):
    quantize_package(package, boards, tmp_path / "small")
    with pytest.raises(DataError, match="no float model"):
        quantize_package(tmp_path / "small", boards, tmp_path / "smaller")

    assert not (tmp_path / "smaller").exists()


def test_file_that_is_no_model_is_named(package, boards, tmp_path):
    _replace_model(package, b"\xff\xff no model")
    with pytest.raises(DataError, match=r"model\.onnx is no ONNX model"):
        quantize_package(package, boards, tmp_path / "small")


def test_empty_file_is_no_float_model(package, boards, tmp_path):
    _replace_model(package, b"")
    with pytest.raises(DataError, match="no float model"):
        quantize_package(package, boards, tmp_path / "small")


def test_package_that_is_not_there_is_named(boards, tmp_path):
    with pytest.raises(PackageError, match="absent"):
        quantize_package(tmp_path / "absent", boards, tmp_path / "small")


def test_data_without_a_training_split_is_named(package, tmp_path):
    write_set(tmp_path / "other", "val", 2)
    with pytest.raises(DataError, match="train"):
        quantize_package(package, tmp_path / "other", tmp_path / "small")


def test_picture_of_another_size_is_named_and_nothing_is_written(package, boards, tmp_path):
    for folder in ("train", "train_template"):
        narrow = np.zeros((40, 96), np.uint8)
        cv2.imwrite(str(boards / "images" / folder / "002.png"), narrow)
    with pytest.raises(DataError, match=r"002\.png is 96x40 px, but tiny takes 96x96"):
        quantize_package(package, boards, tmp_path / "small")

    assert not (tmp_path / "small").exists()


def test_no_picture_at_all_is_refused(package):
    with pytest.raises(DataError, match="no pictures to measure ranges on"):
        quantize(onnx.load(package / "model.onnx"), [])


def test_model_that_sees_nothing_can_be_quantized(package):
    model = onnx.load(package / "model.onnx")
    for each in model.graph.initializer:
        if each.name.startswith(("stem", "fine0")):
            each.CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(onnx.numpy_helper.to_array(each)), each.name))
    onnx.checker.check_model(quantize(model, [_pair()]), full_check=True)


def test_layers_are_read_off_the_model(package):
    layout = layout_of(onnx.load(package / "model.onnx"))

    assert (layout.height_px, layout.width_px, layout.classes, layout.grid) == (96, 96, 2, (12, 12))
    assert (layout.fine, layout.coarse) == (("fine0",), ("coarse0", "coarse1"))


def test_command_tells_the_new_model(package, boards, tmp_path):
    words = ("quantize", package, "--data", boards, "--out", tmp_path / "small", "--json")
    result = CliRunner().invoke(app, [str(word) for word in words])
    document = json.loads(result.stdout)

    assert document == {
        "model": str(tmp_path / "small" / "model.onnx"),
        "bytes": (tmp_path / "small" / "model.onnx").stat().st_size,
    }


def test_command_without_onnx_names_the_install_line(monkeypatch, package, boards, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    words = ("quantize", package, "--data", boards, "--out", tmp_path / "small")
    result = CliRunner().invoke(app, [str(word) for word in words])

    assert isinstance(result.exception, MissingDriverError)
    assert 'pip install "takt-inspect[train]"' in str(result.exception)
