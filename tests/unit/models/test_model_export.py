# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses
import hashlib
import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='export needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnx", reason='export needs: pip install "takt-inspect[train]"')

from app.detect.package import load_package
from app.errors import DataError, DetectorError, PackageError
from models.packaging.export import export_package, write_golden_frames
from models.training.train import new_state, save_state

pytestmark = pytest.mark.train


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


def test_manifest_names_the_model_it_was_written_with(package):
    loaded = load_package(package, is_draft=True)
    assert loaded.onnx_sha256 == hashlib.sha256((package / "accelerator-fp32.onnx").read_bytes()).hexdigest()
    assert (loaded.score_threshold, loaded.classes) == (0.4, ("hole", "blob"))


def test_golden_frames_are_written_with_what_the_model_finds(package):
    part = np.where(_pictures()[0] > 127, 255, 0).astype(np.uint8)
    (written,) = write_golden_frames(package, [("board-01", part, part)])
    expected = json.loads(written.read_text())
    assert expected == {"frames": [{"image": "board-01.png", "golden": "board-01-good.png", "detections": []}]}
    assert np.array_equal(cv2.imread(str(package / "golden" / "board-01.png"), cv2.IMREAD_GRAYSCALE), part)


def test_grey_golden_frame_keeps_its_levels(package):
    part, golden = _pictures()
    write_golden_frames(package, [("grey", part, golden)])
    assert np.array_equal(cv2.imread(str(package / "golden" / "grey.png"), cv2.IMREAD_GRAYSCALE), part)


def test_golden_frames_need_a_frame(package):
    with pytest.raises(DataError, match="no golden frames"):
        write_golden_frames(package, [])


def test_golden_frame_of_another_size_is_stretched_as_a_station_does(package):
    small = np.zeros((50, 96), np.uint8)
    (written,) = write_golden_frames(package, [("small", small, small)])
    assert json.loads(written.read_text())["frames"][0]["detections"] == []


def test_golden_sample_of_several_frames_is_written_once(package):
    part, golden = _pictures()
    write_golden_frames(package, [("one", part, golden), ("two", golden, golden)])
    assert sorted(each.name for each in (package / "golden").glob("*.png")) == ["one-good.png", "one.png", "two.png"]
    assert load_package(package).frames[1].golden == package / "golden" / "one-good.png"


def test_golden_frame_without_golden_sample_is_refused(package):
    with pytest.raises(DetectorError, match="golden sample"):
        write_golden_frames(package, [("alone", np.zeros((96, 96), np.uint8), None)])


def _loud_checkpoint(recipe, path):
    state = new_state(recipe)
    with torch.no_grad():
        state.average.out.weight.normal_(std=0.5)
        state.average.out.bias[:2] = 0.0
    save_state(state, recipe, path)
    return path


def test_golden_frames_survive_a_new_export_with_what_the_new_model_finds(package, recipe, tmp_path):
    part = _pictures()[0]
    write_golden_frames(package, [("board-01", part, part)])
    export_package(_loud_checkpoint(recipe, tmp_path / "loud.pt"), package, 0.2)
    assert load_package(package).frames[0].detections


def test_second_model_joins_the_package_and_is_proven_on_the_same_frames(package, recipe, tmp_path):
    part, golden = _pictures()
    write_golden_frames(package, [("board-01", part, golden)])
    export_package(_loud_checkpoint(recipe, tmp_path / "loud.pt"), package, 0.2, role="standby")
    standby = load_package(package, variant="standby-fp32")
    assert standby.variants == ("accelerator-fp32", "standby-fp32")
    assert standby.score_threshold == 0.2
    assert standby.frames[0].detections
    assert not load_package(package).frames[0].detections


def test_half_precision_joins_the_package(package, tmp_path):
    export_package(tmp_path / "best.pt", package, 0.4, precision="fp16")
    half, single = (load_package(package, variant=f"accelerator-{each}", is_draft=True) for each in ("fp16", "fp32"))
    assert half.onnx.stat().st_size < single.onnx.stat().st_size
    assert half.gmac == single.gmac


def test_eight_bits_are_not_exported_at_once(package, tmp_path):
    with pytest.raises(DataError, match="takt models quantize"):
        export_package(tmp_path / "best.pt", package, 0.4, precision="int8")


def test_model_of_other_classes_is_refused_and_the_package_stays(package, recipe, tmp_path):
    before = {path: path.read_bytes() for path in package.rglob("*") if path.is_file()}
    other = dataclasses.replace(recipe, classes=("scratch",))
    save_state(new_state(other), other, tmp_path / "other.pt")
    with pytest.raises(DataError, match="give --out another folder"):
        export_package(tmp_path / "other.pt", package, 0.4)
    assert {path: path.read_bytes() for path in package.rglob("*") if path.is_file()} == before


def test_golden_frames_of_no_package_are_refused(tmp_path):
    with pytest.raises(PackageError, match=r"manifest\.toml"):
        write_golden_frames(tmp_path, [])


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_threshold_that_passes_or_rejects_everything_is_refused(package, tmp_path, threshold):
    with pytest.raises(DataError, match="not between 0 and 1"):
        export_package(tmp_path / "best.pt", package, threshold)


def test_classifier_becomes_a_package_that_judges(recipe, tmp_path):
    plain = dataclasses.replace(recipe.input, two_level=False, black_level=0, white_level=255, golden=False)
    sorts = dataclasses.replace(recipe, kind="classification", good_classes=("hole",), input=plain)
    save_state(new_state(sorts), sorts, tmp_path / "sorts.pt")
    export_package(tmp_path / "sorts.pt", tmp_path / "sorts", 0.3)
    write_golden_frames(tmp_path / "sorts", [("one", _pictures()[0], None)])
    package = load_package(tmp_path / "sorts")
    assert (package.kind, package.good_classes) == ("classification", ("hole",))
    assert package.frames[0].picture_score == pytest.approx(0.5, abs=0.2)


def test_package_lays_pictures_into_its_input_as_the_recipe_did(recipe, tmp_path):
    for fit in ("stretch", "letterbox"):
        shape = dataclasses.replace(recipe.input, golden=False, two_level=False, width_px=128, fit=fit)
        wide = dataclasses.replace(recipe, input=shape)
        save_state(new_state(wide), wide, tmp_path / "best.pt")
        export_package(tmp_path / "best.pt", tmp_path / fit, 0.4)
        assert load_package(tmp_path / fit, is_draft=True).spec.fit == fit
