"""`takt models build`, and what list, show and activate say of it."""

import os
import pty
import signal
import subprocess
import sys

import pytest
import tomlkit

from app.detect.gpu_probe import GpuFacts
from app.errors import DetectorError
from app.setup import twin_line
from tests.groups import ROOT
from tests.unit.cli.conftest import only_sentence
from tests.unit.detect.tiny_model import write_expected, write_package
from tests.unit.detect.two_models import write_two_models

FEW = ("--pictures", "10", "--threads", "1")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """A machine without a GPU, whatever this one has."""
    from app.detect import building_key

    def ask(*, is_driver_only):
        raise DetectorError("this machine has no NVIDIA driver", "install it")

    monkeypatch.setattr(building_key, "probe_gpu", ask)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def pair(zoo):
    return write_two_models(zoo / "pair")


@pytest.fixture
def line(tmp_path):
    """The twin's line, with another package and what else is said of its model."""

    def write(**model):
        tables = tomlkit.parse(twin_line().read_text())
        tables["model"] = {"package": "pair", **model}
        (tmp_path / "line.toml").write_text(tomlkit.dumps(tables))
        return tmp_path / "line.toml"

    return write


def build(takt, *words):
    return takt.json("models", "build", *words, *FEW)


def test_standby_is_measured_on_both_runtimes_and_the_faster_one_is_chosen(takt, pair, tmp_path):
    document, result = build(takt, "pair", "--role", "standby")

    assert result.exit_code == 0
    found = document["roles"]["standby"]
    assert sorted(each["candidate"]["runtime"] for each in found["passed"]) == ["onnx", "openvino"]
    assert found["chosen"] == found["passed"][0]["candidate"]
    assert found["passed"][0]["times"]["p50_ms"] <= found["passed"][1]["times"]["p50_ms"]
    assert {each["times"]["count"] for each in found["passed"]} == {10}
    assert (found["key"]["threads"], found["machine"]["cores"]) == (1, len(os.sched_getaffinity(0)))
    assert document["file"].startswith(str(tmp_path / "state" / "builds" / "pair-"))


def test_people_are_shown_the_figures_the_choice_and_what_they_are_worth(takt, pair):
    text = takt.run("models", "build", "pair", "--role", "standby", *FEW).stdout

    for word in ("p50 ms", "p99 ms", "standby: standby-int8 on ", "2 of 2 candidates passed", "SCHED_", "load "):
        assert word in text


def test_box_without_a_gpu_is_no_failure_unless_an_accelerator_is_asked_for(takt, pair):
    document, result = build(takt, "pair")
    assert result.exit_code == 0
    assert document["roles"]["accelerator"]["passed"] == []
    assert [each["candidate"]["runtime"] for each in document["roles"]["accelerator"]["refused"]] == [
        "tensorrt",
        "onnx-tensorrt",
        "onnx-cuda",
    ]

    result = takt.run("models", "build", "pair", "--role", "accelerator", *FEW)
    assert result.exit_code == 5
    assert "is fit to be the accelerator on this device" in only_sentence(result.stderr)


def test_reasons_are_told_once_for_all_models_that_share_them(takt, pair):
    text = takt.run("models", "build", "tiny", *FEW).stdout
    assert text.count("✗") == 3
    assert text.count("run: pip uninstall onnxruntime, then: pip install onnxruntime-gpu") in (0, 2)


def test_model_that_is_wrong_here_is_refused_and_the_exit_code_says_so(takt, zoo):
    folder = write_package(zoo / "drifted")
    write_expected(folder, [{"image": "spot.png", "golden": "good.png", "detections": []}])

    document, result = build(takt, "drifted", "--role", "standby")

    assert result.exit_code == 5
    assert document["roles"]["standby"]["chosen"] is None
    assert all("fails its proof" in each["why"] for each in document["roles"]["standby"]["refused"])


def test_one_model_or_one_runtime_may_be_asked_for(takt, pair):
    document, _ = build(takt, "pair:accelerator-fp32", "--role", "standby", "--runtime", "onnx")
    assert [each["candidate"] for each in document["roles"]["standby"]["passed"]] == [
        {"variant": "accelerator-fp32", "runtime": "onnx"}
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("pair", "--role", "spare"), 2, "there is no role 'spare'; name one of standby, accelerator"),
        (("pair", "--runtime", "tpu"), 3, "there is no detector runtime 'tpu'"),
        (("pair", "--runtime", "blank"), 2, "blank runs no model of pair as standby or accelerator"),
        (("pair", "--runtime", "tensorrt", "--role", "standby"), 2, "tensorrt runs no model of pair as standby"),
        (("absent",), 5, "is not in the zoo"),
        (("pair", "--pictures", "1"), 2, "--pictures"),
        (("pair", "--line", "absent.toml"), 3, "absent.toml"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence_and_nothing_is_written(takt, pair, tmp_path, words, code, sentence):
    result = takt.run("models", "build", *words)
    assert result.exit_code == code
    assert sentence in only_sentence(result.stderr)
    assert not (tmp_path / "state" / "builds").exists()


def test_state_that_cannot_be_written_is_told_before_anything_is_built(takt, pair, tmp_path, monkeypatch):
    (tmp_path / "state").write_text("a file")
    monkeypatch.setattr("app.detect.building.build_role", lambda *_: pytest.fail("it was built"))
    result = takt.run("models", "build", "pair", *FEW)
    assert result.exit_code == 5
    assert "builds cannot be written: Not a directory; run it as the station's user" in only_sentence(result.stderr)


def test_line_says_which_package_and_how_many_threads(takt, pair, line):
    document, result = takt.json("models", "build", "--line", line(threads=1), "--pictures", "10")

    assert (result.exit_code, result.stderr) == (0, "")
    assert (document["package"], list(document["roles"])) == ("pair", ["standby"]), "it has no accelerator"
    assert document["roles"]["standby"]["key"]["threads"] == 1


def test_line_that_names_its_runtime_is_told_that_it_does_not_use_the_choice(takt, pair, line):
    result = takt.run("models", "build", "--line", line(runtime="onnx"), *FEW)
    assert "names model.runtime = onnx, so that the station does not use" in only_sentence(result.stderr)


def test_show_tells_what_was_measured_and_whether_it_holds(takt, pair):
    assert takt.json("models", "show", "pair")[0]["builds"]["standby"]["holds"] is False
    build(takt, "pair")

    document, _ = takt.json("models", "show", "pair")
    text = takt.run("models", "show", "pair").stdout

    assert document["builds"]["standby"]["holds"] is True
    assert document["builds"]["standby"]["found"]["passed"][0]["candidate"]["variant"] == "standby-int8"
    assert "standby: standby-int8 on " in text
    assert "accelerator: none of 3 candidates passed" in text


def test_show_tells_why_what_was_measured_does_not_hold(takt, pair, monkeypatch):
    from app.detect import building_key

    build(takt, "pair", "--role", "accelerator", "--runtime", "onnx-cuda")
    orin = GpuFacts("Orin", "8.7", 8_000_000_000, is_integrated=True, cuda=12060)
    monkeypatch.setattr(building_key, "probe_gpu", lambda *, is_driver_only: orin)

    found = takt.json("models", "show", "pair")[0]["builds"]["accelerator"]

    assert (found["holds"], found["found"]["passed"]) == (False, [])
    assert "was made on no GPU, and this is Orin, compute capability 8.7; run: takt models build" in found["why_not"]


def test_activation_tells_that_a_build_is_due_until_there_is_one(takt, pair):
    before, _ = takt.json("models", "activate", "pair")
    assert before["build_due"] == "pair was never built on this device; run: takt models build"
    assert "A build is due: pair was never built" in takt.run("models", "activate", "pair").stdout

    build(takt, "active", "--runtime", "onnx")

    assert takt.json("models", "activate", "pair")[0]["build_due"] is None
    assert "A build is due" not in takt.run("models", "activate", "pair").stdout


def test_active_means_the_whole_package_and_not_the_model_that_judges(takt, pair):
    takt.run("models", "activate", "pair:accelerator-fp32")
    document, _ = takt.json("models", "build", *FEW, "--runtime", "onnx")
    assert {each["candidate"]["variant"] for each in document["roles"]["standby"]["passed"]} == {"standby-int8"}


def test_ctrl_c_ends_it_cleanly_with_a_bar_that_names_what_is_built(takt, pair, tmp_path):
    """On a terminal, as the bar is only there."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "models", "build", "pair", "--runtime", "onnx", "--pictures", "100000"]
    env = {**os.environ, **takt.env, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "TERM": "xterm"}
    with subprocess.Popen(command, env=env, stderr=follower, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        os.close(follower)
        seen = b""
        while b"timing" not in seen:
            seen += os.read(leader, 4096)
        child.send_signal(signal.SIGINT)
        out = child.communicate(timeout=60)[0]
    os.close(leader)
    assert (child.returncode, out) == (130, b"")
    assert b"building standby-int8 on onnx" in seen
    assert list((tmp_path / "state" / "builds").iterdir()) == []
