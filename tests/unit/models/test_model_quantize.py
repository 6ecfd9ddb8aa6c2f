"""From a float package to one with an 8-bit model beside it, without torch."""

import hashlib
import json
import sys

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from app.detect.package import load_package
from app.errors import DataError, MissingDriverError, PackageError, UsageError
from models.packaging.export import write_golden_frames
from models.smaller import commands as smaller_commands
from models.smaller.qdq import FloatNet
from models.smaller.quantize import Rounding, chosen_layers, quantize_package
from tests.unit.models.conftest import draw_board, write_set
from tests.unit.models.small_float_net import float_model, write_package

INNER = ("fine0", "coarse0", "lateral0", "head0")

app = typer.Typer()
for _name in ("quantize", "sensitivity"):
    app.command(_name)(getattr(smaller_commands, _name))


@pytest.fixture
def boards(tmp_path):
    """A set of a few boards."""
    write_set(tmp_path / "boards", "train", 3)
    write_set(tmp_path / "boards", "val", 2)
    return tmp_path / "boards"


@pytest.fixture
def package(tmp_path):
    return write_package(tmp_path / "small")


def _run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _pair(seed=7):
    part, golden, _ = draw_board(np.random.default_rng(seed))
    return part, golden


def _content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _replace_model(package, content):
    """Another model, which the manifest names rightly."""
    model, manifest = package / "accelerator-fp32.onnx", package / "manifest.toml"
    known = hashlib.sha256(model.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(known, hashlib.sha256(content).hexdigest()))
    model.write_bytes(content)


def test_8_bit_model_joins_the_float_one_in_its_package(package, boards):
    write_golden_frames(package, [("board", *_pair())])
    written = quantize_package(package, boards, package)
    loaded = load_package(package, variant="accelerator-int8")

    assert written.layers == INNER
    assert written.kept == ("stem0", "stem1", "out")
    assert loaded.variants == ("accelerator-fp32", "accelerator-int8")
    assert loaded.frames


def test_8_bit_model_goes_to_a_package_of_its_own(package, boards, tmp_path):
    write_golden_frames(package, [("board", *_pair())])
    quantize_package(package, boards, tmp_path / "other")
    old, new = load_package(package), load_package(tmp_path / "other")

    assert new.variants == ("accelerator-int8",)
    assert new.frames[0].image.read_bytes() == old.frames[0].image.read_bytes()
    for key in ("name", "version", "classes", "spec", "score_threshold", "gmac"):
        assert getattr(new, key) == getattr(old, key)


def test_same_package_and_data_give_the_same_bytes(package, boards, tmp_path):
    for name in ("first", "second"):
        quantize_package(package, boards, tmp_path / name)

    assert _content(tmp_path / "first") == _content(tmp_path / "second")


def test_pictures_of_another_size_are_fitted_as_a_station_does(package, boards, tmp_path):
    for folder in ("train", "train_template"):
        wide = cv2.resize(cv2.imread(str(boards / "images" / folder / "002.png"), cv2.IMREAD_GRAYSCALE), (192, 192))
        cv2.imwrite(str(boards / "images" / folder / "002.png"), wide)

    assert quantize_package(package, boards, tmp_path / "other").onnx.is_file()


def test_progress_is_told_per_picture(package, boards, tmp_path):
    told = []
    quantize_package(package, boards, tmp_path / "other", on_step=lambda *step: told.append(step))

    assert told == [("measuring ranges", number, 3) for number in (1, 2, 3)]


def test_named_layers_stay_in_float():
    net = FloatNet(float_model())
    assert chosen_layers(net, ("edges", "fine0")) == ("coarse0", "lateral0", "head0")
    assert chosen_layers(net, ("fine0",)) == ("stem0", "stem1", "coarse0", "lateral0", "head0", "out")
    assert chosen_layers(net, ("none",)) == net.convolutions


def test_layer_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DataError, match=r"no layer 'neck'.*fine0"):
        chosen_layers(FloatNet(float_model()), ("neck",))


def test_keeping_every_layer_is_refused():
    net = FloatNet(float_model())
    with pytest.raises(DataError, match="every layer would stay"):
        chosen_layers(net, net.convolutions)


def test_8_bit_model_is_not_quantized_again(package, boards, tmp_path):
    quantize_package(package, boards, package)
    with pytest.raises(DataError, match="is in int8"):
        quantize_package(package, boards, tmp_path / "other", variant="accelerator-int8")


def test_file_that_is_no_model_is_named(package, boards, tmp_path):
    _replace_model(package, b"\xff\xff no model")
    with pytest.raises(DataError, match=r"accelerator-fp32\.onnx is no ONNX model"):
        quantize_package(package, boards, tmp_path / "other")


def test_package_that_is_not_there_is_named(boards, tmp_path):
    with pytest.raises(PackageError, match="absent"):
        quantize_package(tmp_path / "absent", boards, tmp_path / "other")


def test_data_without_a_training_split_is_named_and_nothing_is_written(package, tmp_path):
    write_set(tmp_path / "sparse", "val", 2)
    with pytest.raises(DataError, match="train"):
        quantize_package(package, tmp_path / "sparse", tmp_path / "other")

    assert not (tmp_path / "other").exists()


def test_data_without_golden_samples_is_named(package, boards, tmp_path):
    for path in (boards / "images" / "train_template").iterdir():
        path.unlink()
    (boards / "images" / "train_template").rmdir()
    with pytest.raises(DataError, match="train_template"):
        quantize_package(package, boards, tmp_path / "other")


def test_auto_keeps_the_layers_that_the_table_names(package, boards, tmp_path):
    # No loss is small enough: all but one layer go back to float.
    rounding = Rounding(keep=("auto",), max_loss=-1.0, pictures=2)
    written = quantize_package(package, boards, tmp_path / "other", rounding)

    assert len(written.layers) == 1
    assert set(written.table.kept) == set(INNER) - set(written.layers)


def test_command_tells_the_new_model(package, boards):
    result = _run("quantize", package, "--data", boards, "--json")
    document = json.loads(result.stdout)

    assert document["onnx"] == str(package / "accelerator-int8.onnx")
    assert document["variant"] == "accelerator-int8"
    assert document["layers"] == list(INNER)


def test_command_says_which_layers_stay_in_float(package, boards):
    result = _run("quantize", package, "--data", boards, "--keep", "edges,fine0")
    assert "3 layers in 8 bits; in float: stem0, stem1, fine0, out" in " ".join(result.stdout.split())


def test_package_cannot_be_trained_on(package, boards):
    result = _run("quantize", package, "--data", boards, "--qat-steps", 5)
    assert isinstance(result.exception, UsageError)
    assert "checkpoint" in str(result.exception)


def test_checkpoint_without_a_folder_to_go_to_is_refused(boards, tmp_path):
    (tmp_path / "best.pt").write_bytes(b"weights")
    result = _run("quantize", tmp_path / "best.pt", "--data", boards)
    assert isinstance(result.exception, UsageError)
    assert "--out" in str(result.exception)


def test_role_that_is_none_is_refused(package, boards):
    result = _run("quantize", package, "--data", boards, "--role", "spare")
    assert isinstance(result.exception, UsageError)


def test_command_without_onnx_names_the_install_line(monkeypatch, package, boards):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = _run("quantize", package, "--data", boards)

    assert isinstance(result.exception, MissingDriverError)
    assert 'pip install "takt-inspect[train]"' in str(result.exception)
