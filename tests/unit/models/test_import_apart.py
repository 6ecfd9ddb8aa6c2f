# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
"""A file that crashes, hangs or eats memory ends the child of an import, and nothing else."""

import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason='importing needs: pip install "takt-inspect[train]"')
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

from app.detect.package import load_package
from app.errors import PackageError, UsageError
from models.importing.apart import Limits, import_apart
from models.importing.importer import Plan
from models.importing.layout import Wishes
from tests.unit.models.import_graphs import finished, spotter

GIB = 1 << 30


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Saves a model and says what to do with it."""
    monkeypatch.chdir(tmp_path)

    def make(model, **more):
        onnx.save(model, tmp_path / "best.onnx")
        return Plan(tmp_path / "best.onnx", tmp_path / "best", **more)

    return make


def pixels_of(nodes, constants, *, shape=(1, 3, 32, 32)):
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, (1, 3, "height", "width"))]
    return finished(nodes, inputs, outputs, constants)


def endless():
    """A loop of standard operators that goes round 2^62 times."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, (1, 3, 32, 32)),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, (1, 3, 32, 32)),
        ],
    )
    nodes = [helper.make_node("Loop", ["turns", "always", "images"], ["output0"], body=body)]
    constants = [numpy_helper.from_array(np.int64(1 << 62), "turns"), numpy_helper.from_array(np.bool_(1), "always")]
    return pixels_of(nodes, constants)


def greedy():
    """Repeats the picture until it has 3 GiB."""
    nodes = [helper.make_node("Tile", ["images", "times"], ["output0"])]
    return pixels_of(nodes, [numpy_helper.from_array(np.array([1, 1, 512, 512], np.int64), "times")])


def refused(plan, match, **more):
    place = plan.out.parent
    before = {each.name for each in place.iterdir()}
    with pytest.raises(PackageError, match=match):
        import_apart(plan, **more)
    assert {each.name for each in place.iterdir()} == before


def test_model_is_imported_by_a_child(plan):
    steps = []
    wishes = Wishes(classes=("ok side", "défaut"), threshold=0.5)
    told = import_apart(plan(spotter(), wishes=wishes), lambda *step: steps.append(step))
    assert (told["classes"], told["threshold"], told["layout"]) == (["ok side", "défaut"], 0.5, "ultralytics-raw")
    assert load_package(plan(spotter()).out).classes == ("ok side", "défaut")
    assert steps[0][0] == "reading"
    assert steps[-1][0] == "done"


def test_refusal_of_the_child_is_the_command_s_own(plan):
    with pytest.raises(UsageError, match=r"--classes gives 3; give 2 names"):
        import_apart(plan(spotter(), wishes=Wishes(classes=("a", "b", "c"))))


def test_graph_that_never_ends_is_ended(plan):
    refused(plan(endless()), r"best\.onnx did not come back within 6 s", limits=Limits(silence_s=6))


def test_graph_that_takes_all_memory_is_refused(plan):
    what = r"best\.onnx needs more than 2 GiB of memory to run; export a smaller model"
    refused(plan(greedy()), what, limits=Limits(memory_bytes=2 * GIB))


@pytest.mark.parametrize(
    ("crash", "match"),
    [
        ("import os; os.abort()", r"ended the process that ran it \(SIGABRT\); export it again"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"\(SIGSEGV\)"),
        ("raise SystemError('inside')", r"\(exit code 1, SystemError: inside\)"),
        ("raise MemoryError", "needs more than"),
    ],
)
def test_crash_is_one_sentence(plan, crash, match):
    refused(plan(spotter()), match, command=(sys.executable, "-c", f"import sys; sys.stdin.read(); {crash}"))


def test_draft_of_a_child_that_was_killed_is_taken_away(plan, tmp_path):
    crash = (
        "import json, os, pathlib, sys; out = pathlib.Path(json.load(sys.stdin)['plan']['out']);"
        "from models.drafts import draft_of; stack = draft_of(out); draft = stack.__enter__();"
        "(draft / 'half').write_text('x'); os.kill(os.getpid(), 9)"
    )
    refused(plan(spotter()), "SIGKILL", command=(sys.executable, "-c", crash))


def test_folder_that_exists_is_told_before_a_child_starts(plan):
    ready = plan(spotter())
    ready.out.mkdir()
    with pytest.raises(UsageError, match="best exists"):
        import_apart(ready, command=("/nonexistent",))
