import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from app.errors import DataError, MissingDriverError
from models.commands import app
from models.extras import require


def _run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_commands_load_without_torch_onnx_and_pycocotools(repository):
    code = "import sys\nfor n in ('torch', 'onnx', 'pycocotools'): sys.modules[n] = None\nimport models.commands"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_missing_library_names_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDriverError, match=r'training needs torch.*pip install "takt-inspect\[train\]"'):
        require("torch", "training")


def test_train_without_torch_names_the_install_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = _run("train", "recipe.toml", "--data", tmp_path, "--out", tmp_path)
    assert isinstance(result.exception, MissingDriverError)


def test_evaluate_needs_the_golden_samples_of_a_model_that_compares(zoo_package, data_dir):
    truth, images = data_dir / "annotations" / "val.json", data_dir / "images" / "val"
    truth.write_text(truth.read_text().replace('"hole"', '"open"').replace('"blob"', '"short"'))
    result = _run("evaluate", zoo_package, "--images", images, "--truth", truth)
    assert isinstance(result.exception, DataError)
    assert "--golden" in str(result.exception)


@pytest.mark.train
def test_model_is_trained_exported_and_evaluated(recipe, data_dir, tmp_path):
    for library in ("torch", "onnx", "pycocotools"):
        pytest.importorskip(library, reason='training needs: pip install "takt-inspect[train]"')
    plan = tmp_path / "tiny.toml"
    plan.write_text(
        'name = "tiny"\nversion = "0.0.1"\nclasses = ["hole", "blob"]\n'
        "[input]\nwidth_px = 96\nheight_px = 96\ngolden = true\n"
        "black_level = 127\nwhite_level = 128\ntwo_level = true\n"
        "[net]\nstem = 8\nfine = [8]\ncoarse = [8]\nhead = [8]\n"
        "[train]\nsteps = 4\nbatch = 2\ncrop_px = 64\nevaluate_every_steps = 4\n"
    )
    out, package = tmp_path / "out", tmp_path / "tiny"
    trained = _run("train", plan, "--data", data_dir, "--out", out, "--json", "--threads", 1)
    assert trained.exit_code == 0, trained.output
    exported = _run("export", out / "best.pt", "--out", package, "--threshold", 0.3, "--json")
    assert exported.exit_code == 0, exported.output
    where = ("--images", data_dir / "images" / "val", "--truth", data_dir / "annotations" / "val.json")
    golden = ("--golden", data_dir / "images" / "val_template", "--register-px", 2)
    judged = _run("evaluate", package, *where, *golden, "--runtime", "onnx", "--json")
    figures = json.loads(judged.stdout)
    found = figures["rows"][0]["evaluation"]
    assert (figures["pictures"], found["threshold"]) == (3, 0.3)
    assert {"low", "high", "count", "trials"} <= found["every_defect_once"]["overkill"].keys()
