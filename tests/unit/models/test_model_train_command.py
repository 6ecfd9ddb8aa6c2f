# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import json
import multiprocessing
import os
import signal

import pytest
import typer
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')
pytest.importorskip("pycocotools", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.training.checkpoint import BEST, LAST, load_average
from models.training.command import train
from models.training.progress import TrainingScreen

pytestmark = pytest.mark.train

RECIPE = """
schema = 1
name = "tiny"
version = "0.0.1"
classes = ["hole", "blob"]
[input]
width_px = 96
height_px = 96
golden = true
[net]
stem = 8
fine = 8
coarse = 8
head = 8
[train]
steps = 6
batch = 2
crop_px = 64
warmup_steps = 2
evaluate_every_steps = 3
"""


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(data_dir, tmp_path):
    app = typer.Typer()
    app.command()(train)
    (tmp_path / "r.toml").write_text(RECIPE)

    def run(*arguments):
        words = [str(tmp_path / "r.toml"), "--data", str(data_dir), "--out", str(tmp_path / "out"), "--threads", "1"]
        return CliRunner().invoke(app, [*words, "--device", "cpu", *arguments], catch_exceptions=False)

    run.out = tmp_path / "out"
    return run


def test_every_evaluation_is_a_line_of_json_and_the_end_is_one(run):
    rows = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert [row["step"] for row in rows] == [3, 6, 6]
    assert rows[-1] == {
        "checkpoint": str(run.out / BEST),
        "ended": "finished",
        "step": 6,
        "steps": 6,
        "score": "map50",
        "val": round(max(row["map50"] for row in rows[:-1]), 4),
    }


def test_end_is_told_in_words(run):
    result = run()
    assert "finished at step 6 of 6" in result.stdout
    assert f"{run.out / BEST}: map50 " in result.stdout
    assert "step 3: heat " in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_is_saved_and_says_how_to_go_on(run, monkeypatch, number):
    shown = TrainingScreen.update

    def update(screen, progress):
        shown(screen, progress)
        if progress.step == 1:
            for child in multiprocessing.active_children():  # a terminal and a service manager tell all of them
                os.kill(child.pid, number)
            signal.raise_signal(number)

    monkeypatch.setattr(TrainingScreen, "update", update)
    before = signal.getsignal(number)
    result = run()
    assert result.exit_code == 130
    assert f"interrupted at step 2 of 6; continue with --resume --out {run.out}" in result.stdout
    assert load_average(run.out / LAST)[2] == 2
    assert signal.getsignal(number) is before
    monkeypatch.undo()
    assert "finished at step 6 of 6" in run("--resume").stdout


def test_time_that_is_up_ends_well(run):
    result = run("--max-minutes", "0", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout.splitlines()[-1])["ended"] == "time is up"


def test_training_that_is_done_is_not_repeated(run):
    run()
    assert "finished at step 6 of 6" in run("--resume").stdout


def test_class_without_examples_is_warned_of(run, data_dir):
    path = data_dir / "annotations" / "train.json"
    truth = json.loads(path.read_text())
    truth["annotations"] = truth["annotations"][::2]
    path.write_text(json.dumps(truth))
    assert json.loads(run("--json").stdout.splitlines()[0]) == {
        "warning": "class 'blob' has no example in the split train: it cannot be learnt"
    }


def test_data_that_is_not_there_leaves_no_folder(run, data_dir):
    (data_dir / "annotations" / "val.json").unlink()
    with pytest.raises(DataError, match=r"val\.json cannot be read"):
        run()
    assert not run.out.exists()
