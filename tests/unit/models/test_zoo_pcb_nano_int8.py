# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")

from app.capture.pictures import read_picture
from app.detect.package import load_package
from app.detect.proof import prove
from app.detect.runtimes import open_detector

CLEAR = 0.7
"""The share of each tolerance within which the proof passes here, so that another CPU has room left."""


@pytest.fixture
def package(repository):
    return repository / "models" / "zoo" / "pcb-nano-int8"


def _open(package, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason='needs: pip install "takt-inspect[openvino]"')
    return open_detector(package, runtime, threads=1)


def _find(folder, runtime, part, golden):
    package = load_package(folder)
    found = _open(package, runtime).detect(part, golden).detections
    return [each for each in found if each.score >= package.score_threshold]


def _board():
    board = np.full((640, 640), 255, np.uint8)
    board[:, 100:116] = board[:, 140:156] = board[:, 180:196] = 0
    return board


def test_manifest_fits_the_model_and_the_float_package(package, zoo_package):
    old, new = load_package(zoo_package), load_package(package)

    assert new.name == f"{old.name}-int8" == package.name
    assert (new.classes, new.spec, new.score_threshold) == (old.classes, old.spec, old.score_threshold)


def test_model_is_half_the_float_one(package, zoo_package):
    assert (package / "model.onnx").stat().st_size < 0.5 * (zoo_package / "model.onnx").stat().st_size


def test_golden_frames_are_the_pictures_of_the_float_package(package, zoo_package):
    old, new = load_package(zoo_package).frames, load_package(package).frames

    assert [each.image.read_bytes() for each in new] == [each.image.read_bytes() for each in old]
    assert [[d.label for d in each.detections] for each in new] == [[d.label for d in each.detections] for each in old]


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_golden_frames_are_proven_with_room_to_spare(package, runtime):
    loaded = load_package(package)
    report = prove(loaded, _open(loaded, runtime), read_picture)

    assert report.detections == sum(len(frame.detections) for frame in loaded.frames) == 7
    assert report.worst_px <= CLEAR * loaded.tolerance_px
    assert report.worst_score <= CLEAR * loaded.tolerance_score


def test_card_names_source_data_terms_and_figures(package):
    card = (package / "card.md").read_text(encoding="utf-8")

    for word in ("pcb-nano", "DeepPCB", "research", "arXiv:1902.06197", "mAP50", "Wilson", "escapes", "overkill"):
        assert word in card
    for word in ("OpenVINO", "ONNX Runtime", "calibrat", "FP32", "INT8", "16/351", "14/351"):
        assert word in card


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_part_equal_to_its_golden_sample_is_silent(package, runtime):
    assert _find(package, runtime, _board(), _board()) == []


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_broken_trace_is_found(package, runtime):
    golden = _board()
    part = golden.copy()
    part[310:324, 138:158] = 255
    found = _find(package, runtime, part, golden)[0]
    x, y, width, height = found.box_px

    assert found.label == "open"
    assert x < 148 < x + width
    assert y < 317 < y + height


@pytest.mark.data
def test_every_fifth_board_of_val_is_judged_as_promised(package, deeppcb):
    pytest.importorskip("pycocotools", reason='evaluation needs: pip install "takt-inspect[evaluate]"')
    from models.data import LabelledSet, load_split
    from models.evaluation.evaluate import evaluate

    loaded = load_package(package)
    detector = open_detector(loaded, "onnx", threads=1)
    some = load_split(deeppcb, "val", loaded.classes, golden=True).pictures[::5]
    labelled = LabelledSet(loaded.classes, some)
    result = evaluate(labelled, lambda *pair: detector.detect(*pair).detections, loaded.score_threshold)

    assert result.precision.map50 >= 0.95
    assert result.whole_escapes.value <= 0.05
    assert result.single_escapes.value <= 0.03
