"""`takt inspect` against committed references and against the twin's belt."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.groups import ROOT
from tests.replay.inspect_zoo import PACKAGE, REFERENCE, copy_frames, replay

TOLERANCE_PX = 1.5
TOLERANCE_SCORE = 0.03
CLEAR = 0.2
"""Scores far above the floor of the detector, where one runtime may list what another just does not."""
SHORT, WHOLE = 24, 10**6
UPDATE = "python -m tests.replay.inspect_zoo --update"


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    copy_frames(folder)
    return folder


@pytest.fixture(scope="module")
def reference():
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


def takt(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="takt")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def is_same(one, other):
    """Two detections that differ by no more than runtimes do."""
    return (
        one["class"] == other["class"]
        and abs(one["score"] - other["score"]) <= TOLERANCE_SCORE
        and one["box_px"] == pytest.approx(other["box_px"], abs=TOLERANCE_PX)
    )


def missing(wanted, found):
    """The clear detections of one answer that another lacks."""
    clear = [each for each in wanted["detections"] if each["score"] >= CLEAR]
    return [each for each in clear if not any(is_same(each, other) for other in found["detections"])]


def test_the_reference_is_of_the_shipped_model(reference):
    manifest = (PACKAGE / "manifest.toml").read_text(encoding="utf-8")

    assert reference["onnx_sha256"] in manifest, (
        f"the model has changed; look at the difference that this makes: {UPDATE}"
    )


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_the_shipped_model_says_what_it_said(frames, reference, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason='pip install "takt-inspect[openvino]"')

    found = replay(frames, runtime)["pictures"]

    assert set(found) == set(reference["pictures"])
    for name, expected in reference["pictures"].items():
        assert found[name]["verdict"] == expected["verdict"], name
        assert found[name]["destination"] == expected["destination"], name
        assert missing(expected, found[name]) == [], name
        assert missing(found[name], expected) == [], name


def test_the_same_runtime_gives_the_same_answer_twice(frames):
    assert replay(frames, "onnx") == replay(frames, "onnx")


def test_the_belt_and_the_command_agree_on_real_pictures(data_dir, is_long, tmp_path):
    count = WHOLE if is_long else SHORT
    source = data_dir / "deeppcb"
    names = sorted(path.stem for path in (source / "images" / "test").glob("*.jpg"))[:count]
    for split, folder, suffix in (("test", "parts", ".jpg"), ("test_template", "good", ".png")):
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(source / "images" / split / f"{name}{suffix}", tmp_path / folder)
    truth = source / "annotations" / "test.json"
    model = ["--model", ROOT / "models" / "zoo" / "pcb-nano-int8"]
    golden = ["--golden", tmp_path / "good", *model, "--json"]

    bad = takt("inspect", tmp_path / "parts", "--truth", truth, *golden)["summary"]
    good = takt("inspect", tmp_path / "good", *golden)["summary"]
    belt = takt(
        *("demo", "--parts-from", tmp_path / "parts", "--truth", truth, "--good-from", tmp_path / "good"),
        *(*model, "--json"),
    )

    assert belt["pictures"]["bad"] == len(names)
    assert belt["pictures"]["escapes"] == bad["escapes"] == bad["passed"]
    assert belt["pictures"]["overkill"] == good["rejected"]
    assert belt["unaccounted"] == 0
