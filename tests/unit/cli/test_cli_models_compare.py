import json

import cv2
import numpy as np
import onnx
import pytest

from app.cli.models.comparing import FrameGoldens, iou, score_gap
from app.detect.package import GoldenFrame
from app.errors import UsageError
from app.types import Detection
from tests.unit.cli.conftest import only_sentence, write_picture
from tests.unit.detect.tiny_model import blank, tiny_onnx, with_spot, write_package
from tests.unit.detect.two_models import write_two_models

SPOT = Detection("right", 0.8, (16, 8, 8, 8))


@pytest.fixture
def zoo(zoo):
    """Beside `tiny`: one that finds less, and one whose scores are three quarters of what they were."""
    write_package(zoo / "strict", score_threshold="0.9")
    write_package(zoo / "quiet", quieter(tiny_onnx()))
    return zoo


def quieter(content):
    model = onnx.load_model_from_string(content)
    (level,) = (each for each in model.graph.initializer if each.name == "level")
    level.CopyFrom(onnx.numpy_helper.from_array(np.array(340, np.float32), "level"))
    return model.SerializeToString()


@pytest.fixture
def truth(tmp_path, pictures):
    names = sorted(each.name for each in pictures.iterdir())
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    annotations = [{"id": 1, "image_id": 2, "category_id": 1, "bbox": [16, 8, 8, 8]}]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}))
    return path


@pytest.fixture
def on_pictures(takt, pictures, golden):
    def run(*words):
        return takt.run("models", "compare", *words, "--images", pictures, "--golden", golden, "--runtime", "onnx")

    return run


def test_a_model_does_not_differ_from_itself(takt):
    document, result = takt.json("models", "compare", "tiny", "tiny", "--fail-on-difference", "--runtime", "onnx")

    assert result.exit_code == 0
    assert (document["pictures"], document["different"], document["score_gap"]) == (1, 0, 0)
    assert document["differences"] == []
    assert (document["a"]["proven"], document["b"]["proven"]) == (True, True)


def test_few_pictures_are_judged_often_enough_for_percentiles(takt):
    document, _ = takt.json("models", "compare", "tiny", "strict", "--runtime", "onnx")

    assert document["a"]["timed"] == document["b"]["timed"] == 60
    assert document["latency_ratio"]["p50"] > 0


def test_verdicts_that_differ_are_told_with_both_reasons(on_pictures):
    document = json.loads(on_pictures("tiny", "strict", "--json").stdout)

    assert (document["pictures"], document["different"]) == (4, 1)
    (only,) = document["differences"]
    assert only["file"].endswith("b-bad.png")
    assert only["a"]["verdict"] == "REJECT"
    assert "right 0.80" in only["a"]["reasons"][0]["text"]
    assert only["b"]["verdict"] == "PASS"


def test_people_are_told_the_same(on_pictures):
    result = on_pictures("tiny", "strict")

    assert result.exit_code == 0
    assert "1 of 4 verdicts differ" in result.stdout
    for word in ("b-bad.png", "REJECT right 0.80", "tiny 1.0.0", "strict 1.0.0", "0.9", "0.35"):
        assert word in result.stdout


def test_scores_that_differ_are_measured(on_pictures):
    document = json.loads(on_pictures("tiny", "quiet", "--json").stdout)

    assert document["score_gap"] == pytest.approx(204 / 255 - 204 / 340, abs=1e-4)
    assert document["b"]["proven"] is False


def test_a_package_that_is_not_proven_is_compared_and_that_is_said(on_pictures):
    assert "Not proven here: package quiet fails its proof" in on_pictures("tiny", "quiet").stdout


def test_escapes_and_overkill_are_those_of_the_truth(on_pictures, truth):
    document = json.loads(on_pictures("tiny", "strict", "--truth", truth, "--json").stdout)

    assert (document["a"]["escapes"], document["a"]["overkill"]) == (0, 0)
    assert (document["b"]["escapes"], document["b"]["overkill"]) == (1, 0)
    assert document["differences"][0]["truth"] == "bad"
    assert "1 of 1 bad" in on_pictures("tiny", "strict", "--truth", truth).stdout


def test_a_difference_can_end_with_code_10(on_pictures):
    assert on_pictures("tiny", "strict", "--fail-on-difference").exit_code == 10


def test_two_models_of_one_package_are_compared(takt, zoo):
    write_two_models(zoo / "pair", standby_threshold=0.9)

    document, _ = takt.json("models", "compare", "pair", "pair:standby-int8", "--runtime", "onnx")

    assert (document["a"]["variant"], document["b"]["variant"]) == ("accelerator-fp32", "standby-int8")
    assert (document["a"]["gmac"], document["b"]["gmac"]) == (0.4, 0.1)
    assert document["different"] == 1


def test_a_model_that_takes_a_golden_sample_is_compared_with_one_that_does_not(takt):
    document, result = takt.json("models", "compare", "tiny", "plain", "--runtime", "onnx")

    assert result.exit_code == 0
    assert document["different"] == 0


def test_golden_frames_without_samples_are_no_use_to_a_model_that_wants_them(takt):
    result = takt.run("models", "compare", "plain", "tiny")

    assert result.exit_code == 2
    assert "--images" in only_sentence(result.stderr)


def test_the_sheet_shows_each_disagreement_twice(on_pictures, tmp_path, truth):
    agreed, different = tmp_path / "agreed.png", tmp_path / "different.png"

    on_pictures("tiny", "tiny", "--sheet", agreed)
    on_pictures("tiny", "strict", "--sheet", different, "--truth", truth)

    small, large = cv2.imread(str(agreed)), cv2.imread(str(different))
    assert small.shape[1] == large.shape[1]
    assert large.shape[0] > small.shape[0] + 420
    rows = large[small.shape[0] :]
    half = rows.shape[1] // 2
    # The box is drawn for A alone: B says that nothing is wrong.
    red = (rows[..., 2] > 150) & (rows[..., 1] < 60)
    assert red[:, :half].sum() > 100 > red[:, half:].sum()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--golden", "GOLDEN"], "--images"),
        (["--truth", "GOLDEN"], "--images"),
        (["--images", "PICTURES"], "--golden"),
        (["--images", "PICTURES", "--golden", "GOLDEN", "--sheet", "found.txt"], "--sheet"),
        (["--images", "PICTURES", "--golden", "GOLDEN", "--sheet", "GOLDEN"], "overwritten"),
    ],
)
def test_options_that_make_no_sense_are_one_sentence_and_exit_code_2(takt, pictures, golden, words, hint):
    places = {"PICTURES": pictures, "GOLDEN": golden}

    result = takt.run("models", "compare", "tiny", "strict", *(places.get(each, each) for each in words))

    assert result.exit_code == 2
    assert hint in only_sentence(result.stderr)


def test_golden_samples_that_nobody_takes_are_refused(takt, pictures, golden):
    result = takt.run("models", "compare", "plain", "plain", "--images", pictures, "--golden", golden)

    assert result.exit_code == 2
    assert "leave --golden out" in only_sentence(result.stderr)


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_compared(on_pictures, pictures):
    (pictures / "e-torn.png").write_bytes(b"torn")

    result = on_pictures("tiny", "strict")

    assert result.exit_code == 4
    assert "e-torn.png" in result.stderr
    assert "1 of 5 verdicts differ" in result.stdout


def test_the_recipe_says_what_counts_as_a_defect(on_pictures, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("schema = 1\n[default]\nthreshold = 0.5\n")

    document = json.loads(on_pictures("tiny", "strict", "--recipe", recipe, "--json").stdout)

    assert (document["a"]["threshold"], document["b"]["threshold"], document["different"]) == (0.5, 0.5, 0)


def test_what_only_one_finds_counts_with_its_whole_score():
    elsewhere = Detection("right", 0.8, (0, 0, 8, 8))
    other_class = Detection("left", 0.8, SPOT.box_px)

    assert score_gap([SPOT], [Detection("right", 0.6, (17, 8, 8, 8))], [], [SPOT]) == pytest.approx(0.2)
    assert score_gap([], [SPOT], [SPOT], [elsewhere]) == 0.8
    assert score_gap([SPOT], [other_class], [], [SPOT]) == 0.8
    assert score_gap([], [], [], []) == 0


def test_overlap_is_one_for_the_same_box_and_none_apart():
    assert iou(SPOT, SPOT) == 1
    assert iou(SPOT, Detection("right", 1, (24, 8, 8, 8))) == 0
    assert iou(SPOT, Detection("right", 1, (16, 8, 8, 4))) == 0.5
    assert iou(Detection("right", 1, (0, 0, 0, 0)), Detection("right", 1, (0, 0, 0, 0))) == 0


def test_golden_frames_of_one_name_with_other_samples_are_refused(tmp_path):
    frames = [GoldenFrame(tmp_path / each / "x.png", tmp_path / f"{each}.png", ()) for each in "ab"]
    for frame in frames:
        write_picture(frame.golden, with_spot(1, 1))

    with pytest.raises(UsageError, match="two golden frames are called"):
        FrameGoldens(frames, lambda _: blank())
