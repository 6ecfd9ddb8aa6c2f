"""Which model on which runtime: the first that its golden frames prove."""

import sys

import pytest

from app.detect.choose import Candidate, candidates_of, open_first_proven
from app.detect.package import load_package
from app.errors import ConfigError, DataError, PackageError
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_kinds import classifier_onnx, write_kind
from tests.unit.detect.tiny_model import read

RIGHT, WRONG = classifier_onnx(), classifier_onnx(weights=(-0.5, 0.25, 0.25))
"""The second is a model that computes something else here than where its golden frames were recorded."""


@pytest.fixture
def folder(tmp_path):
    return write_kind(tmp_path / "two", models={"standby-int8": WRONG, "standby-fp32": RIGHT})


@pytest.fixture
def package(folder):
    return load_package(folder)


def opened(package, *candidates):
    choice = open_first_proven(package, [Candidate(*each) for each in candidates], read, threads=1)
    choice.detector.close()
    return choice


def test_preferred_model_is_taken_where_it_passes(package):
    choice = opened(package, ("standby-fp32", "onnx"), ("standby-int8", "onnx"))
    assert (choice.package.variant, choice.detector.runtime) == ("standby-fp32", "onnx")
    assert choice.proof.onnx_sha256 == choice.package.onnx_sha256
    assert choice.refusals == ()


def test_model_that_collapses_here_is_passed_over_with_its_reason(package):
    choice = opened(package, ("standby-int8", "onnx"), ("standby-int8", "openvino"), ("standby-fp32", "openvino"))
    assert (choice.package.variant, choice.detector.runtime) == ("standby-fp32", "openvino")
    assert [str(each.candidate) for each in choice.refusals] == ["standby-int8 on onnx", "standby-int8 on openvino"]
    assert all("fails its proof" in each.why for each in choice.refusals)


def test_runtime_that_is_not_installed_is_passed_over(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "app.detect.openvino", raising=False)
    choice = opened(package, ("standby-fp32", "openvino"), ("standby-fp32", "onnx"))
    assert choice.detector.runtime == "onnx"
    assert "needs openvino, which is not installed" in choice.refusals[0].why


def test_model_whose_file_is_damaged_is_passed_over(package, folder):
    (folder / "standby-fp32.onnx").write_bytes(b"half of it")
    with pytest.raises(PackageError) as raised:
        opened(package, ("standby-fp32", "onnx"), ("standby-int8", "onnx"))
    assert "no model of package two is proven here: standby-fp32 on onnx: " in str(raised.value)
    assert "is not the file that manifest.toml names" in str(raised.value)
    assert "standby-int8 on onnx: package two:standby-int8 fails its proof" in str(raised.value)


def test_detector_that_fails_is_closed_before_the_next_is_opened(package, monkeypatch):
    broken = ScriptedDetector(runtime="broken")
    broken.is_failing = True
    monkeypatch.setattr("app.detect.choose.open_detector", lambda *_args: broken)
    with pytest.raises(PackageError, match="broken is lost"):
        open_first_proven(package, [Candidate("standby-fp32", "onnx")], read)
    assert broken.closings == 1


def test_golden_frame_that_cannot_be_read_is_no_fault_of_the_model(package, folder):
    (folder / "golden" / "spot.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"spot\.png"):
        opened(package, ("standby-fp32", "onnx"))


def test_runtime_that_does_not_exist_is_an_error_at_once(package):
    with pytest.raises(ConfigError, match="no detector runtime 'tpu'"):
        opened(package, ("standby-fp32", "tpu"), ("standby-fp32", "onnx"))


def test_nothing_to_choose_from_is_an_error(package):
    with pytest.raises(ConfigError, match="no model of package two to choose from; name a runtime and one of"):
        opened(package)


def test_candidates_are_every_model_on_every_runtime(package):
    assert [str(each) for each in candidates_of(package, ("openvino", "onnx"))] == [
        "standby-int8 on openvino",
        "standby-int8 on onnx",
        "standby-fp32 on openvino",
        "standby-fp32 on onnx",
    ]


def test_candidates_may_be_those_of_one_role(package):
    assert candidates_of(package, ("onnx",), role="accelerator") == ()
    assert len(candidates_of(package, ("onnx",), role="standby")) == 2
