"""`takt models threshold`: another default threshold, and golden frames that go with it."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from app.capture.pictures import read_picture
from app.detect.package import load_package
from app.detect.proof import prove
from app.detect.runtimes import open_detector
from app.errors import DataError, PackageError, UsageError
from models.commands import app
from models.packaging.threshold import set_threshold


@pytest.fixture
def package(repository, tmp_path):
    """A package of several models, free to be changed."""
    return shutil.copytree(repository / "models" / "zoo" / "pcb", tmp_path / "pcb")


def content(folder):
    return {each.name: each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def lowest_recorded(package, variant):
    return min(each.score for frame in load_package(package, variant=variant).frames for each in frame.detections)


def test_golden_frames_prove_the_model_at_its_new_threshold(package):
    before = lowest_recorded(package, "accelerator-fp32")

    assert set_threshold(package, 0.47) == dict.fromkeys(
        ("accelerator-fp32", "accelerator-fp16", "accelerator-int8", "standby-fp32", "standby-int8"), 0.35
    )

    changed = load_package(package, variant="accelerator-fp32")
    assert changed.score_threshold == 0.47
    assert before < 0.47 <= lowest_recorded(package, "accelerator-fp32")
    prove(changed, open_detector(changed, "onnx", threads=1), read_picture)


def test_models_that_are_not_named_stay_as_they_are(package):
    before = content(package)

    set_threshold(package, 0.45, ["accelerator-int8"])

    thresholds = {
        each: load_package(package, variant=each).score_threshold for each in ("accelerator-fp32", "accelerator-int8")
    }
    assert thresholds == {"accelerator-fp32": 0.35, "accelerator-int8": 0.45}
    changed = {name for name, each in content(package).items() if each != before[name]}
    assert changed == {"manifest.toml", "accelerator-int8.json"}


@pytest.mark.parametrize(
    ("score", "variants", "error", "said"),
    [
        (0.98, (), PackageError, "prove nothing"),
        (0.5, ("standby-fp16",), UsageError, "accelerator-fp32, accelerator-fp16, accelerator-int8"),
        (1.0, (), DataError, "not between 0 and 1"),
        (float("nan"), (), DataError, "not between 0 and 1"),
    ],
)
def test_what_cannot_be_leaves_the_package_as_it_was(package, score, variants, error, said):
    before = content(package)

    with pytest.raises(error, match=said):
        set_threshold(package, score, variants)

    assert content(package) == before
    assert [each.name for each in package.parent.iterdir()] == ["pcb"]


def test_command_tells_what_it_was(package):
    result = CliRunner().invoke(app, ["threshold", f"{package}:accelerator-int8", "0.45", "--json"])

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "package": str(package),
        "threshold": 0.45,
        "before": {"accelerator-int8": 0.35},
    }
