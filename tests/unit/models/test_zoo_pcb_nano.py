# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import numpy as np
import pytest

onnxruntime = pytest.importorskip("onnxruntime")

from app.detect.package import load_package
from app.detect.runtimes import open_detector


def _find(folder, part, golden):
    package = load_package(folder, is_draft=True)
    found = open_detector(package, "onnx", threads=1).detect(part, golden).detections
    return [each for each in found if each.score >= package.score_threshold]


def test_manifest_fits_the_model(zoo_package):
    assert load_package(zoo_package, is_draft=True).classes[0] == "open"


def test_model_is_small(zoo_package):
    assert (zoo_package / "model.onnx").stat().st_size < 500_000


def test_card_names_data_terms_and_figures(zoo_package):
    card = (zoo_package / "card.md").read_text(encoding="utf-8")
    for word in ("DeepPCB", "research", "arXiv:1902.06197", "mAP50", "Wilson", "GMAC", "escapes", "overkill"):
        assert word in card


def test_part_equal_to_its_golden_sample_is_silent(zoo_package):
    board = np.full((640, 640), 255, np.uint8)
    board[:, 100:130] = board[300:330, :] = 0
    assert _find(zoo_package, board, board) == []


def test_broken_trace_is_found(zoo_package):
    golden = np.full((640, 640), 255, np.uint8)
    golden[:, 100:116] = golden[:, 140:156] = golden[:, 180:196] = 0
    part = golden.copy()
    part[310:324, 138:158] = 255
    found = _find(zoo_package, part, golden)[0]
    x, y, width, height = found.box_px
    assert found.label == "open"
    assert x < 148 < x + width
    assert y < 317 < y + height


@pytest.mark.data
def test_val_precision_is_what_was_promised(zoo_package, deeppcb):
    pytest.importorskip("pycocotools", reason='evaluation needs: pip install "takt-inspect[evaluate]"')
    from models.data import load_split
    from models.evaluation.evaluate import evaluate

    package = load_package(zoo_package, is_draft=True)
    detector = open_detector(package, "onnx", threads=1)
    labelled = load_split(deeppcb, "val", package.classes, golden=True)
    result = evaluate(labelled, lambda *pair: detector.detect(*pair).detections, package.score_threshold)
    assert result.precision.map50 >= 0.85
    assert result.whole_escapes.value <= 0.05
