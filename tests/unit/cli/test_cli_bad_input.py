"""Bad input: each is one sentence that says what, where and how to mend it, an exit code, and nothing half-written."""

import json
import random
import struct
import zlib

import cv2
import numpy as np
import pytest

from tests.unit.cli.conftest import only_sentence, write_picture
from tests.unit.cli.test_cli_inspect import BAD, write_truth
from tests.unit.detect.tiny_model import blank, tiny_onnx, with_spot, write_package

HUGE = 60_000


def png_claiming(width, height):
    """A PNG whose header claims a size that nothing follows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def encoded(image, suffix=".png"):
    return cv2.imencode(suffix, image)[1].tobytes()


def translucent():
    return np.full((24, 32, 4), 128, np.uint8)


BAD_PICTURES = {
    "zero-bytes.png": b"",
    "text.png": b"this is no picture",
    "truncated.png": encoded(with_spot(20, 10))[:60],
    "truncated.jpg": encoded(blank(3, 90), ".jpg")[:200],
    "corrupt.png": encoded(with_spot(20, 10)).replace(b"IDAT", b"IDOT"),
    "sixteen-bit.png": encoded(np.full((24, 32), 40_000, np.uint16)),
    "huge.png": png_claiming(HUGE, HUGE),
    "transparent.png": encoded(translucent()),
    "other-size.png": encoded(np.zeros((48, 64), np.uint8)),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_rejected_and_the_others_are_judged(inspect, pictures, name):
    (pictures / name).write_bytes(BAD_PICTURES[name])

    result = inspect("--json")

    judged = {each["file"].rsplit("/", 1)[-1]: each for each in json.loads(result.stdout)["pictures"]}
    assert result.exit_code == 4
    assert name in only_sentence(result.stderr)
    assert judged[name]["verdict"] == "REJECT"
    assert judged[name]["reasons"][0]["reason"] in ("NO_FRAME", "DETECTOR_FAILED")
    assert judged[BAD]["verdict"] == "REJECT"
    assert judged["a-good.png"]["verdict"] == "PASS"


@pytest.mark.parametrize(
    "image", [blank(3), np.dstack([blank(3), np.full((24, 32), 255, np.uint8)])], ids=["bgr", "opaque"]
)
def test_pictures_with_more_channels_than_the_model_are_judged(inspect, pictures, image):
    write_picture(pictures / "e-colour.png", image)

    result = inspect("--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["pictures"][-1]["verdict"] == "PASS"


def test_any_picture_damaged_anywhere_is_judged_or_refused_but_never_crashes(inspect, tmp_path):
    folder = tmp_path / "fuzzed"
    folder.mkdir()
    chance = random.Random(11)
    for suffix in (".png", ".jpg", ".bmp", ".tif", ".pgm"):
        whole = encoded(with_spot(20, 10, 204), suffix)
        for number in range(12):
            damaged = bytearray(whole[: chance.randrange(1, len(whole) + 1)])
            for _ in range(chance.randrange(4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            (folder / f"{suffix[1:]}-{number}{suffix}").write_bytes(damaged)

    result = inspect("--json", sources=[folder])

    document = json.loads(result.stdout)
    assert result.exit_code in (0, 4)
    assert len(document["pictures"]) == 60
    for each in document["pictures"]:
        assert each["error"] is None or each["verdict"] == "REJECT"
    complaints = [line for line in result.stderr.splitlines() if line]
    assert len(complaints) == document["summary"]["unjudged"]


def test_a_bad_picture_gets_no_annotated_copy_and_a_place_on_the_sheet(inspect, pictures, tmp_path):
    (pictures / "zero.png").write_bytes(b"")

    result = inspect("--annotate", tmp_path / "drawn", "--report", tmp_path / "report")

    assert result.exit_code == 4
    assert not (tmp_path / "drawn" / "zero.png").exists()
    assert "no picture" in (tmp_path / "report" / "index.html").read_text()


def test_an_empty_folder_is_refused(takt, tmp_path):
    (tmp_path / "empty").mkdir()

    result = takt.run("inspect", tmp_path / "empty", "--model", "plain")

    assert result.exit_code == 4
    assert "holds no pictures" in only_sentence(result.stderr)


def test_a_picture_that_does_not_exist_is_rejected(inspect, tmp_path):
    result = inspect("--json", sources=[tmp_path / "absent.png"])

    assert result.exit_code == 4
    assert json.loads(result.stdout)["pictures"][0]["verdict"] == "REJECT"


BAD_MODELS = {
    "no model": (b"this is no model", {}),
    "no bytes": (b"", {}),
    "other input": (tiny_onnx(golden=False), {}),
    "other channels": (tiny_onnx(channels=3), {}),
    "not-a-number outputs": (tiny_onnx(fault="nan"), {}),
    "scores above 1": (tiny_onnx(fault="score"), {}),
    "boxes inside out": (tiny_onnx(fault="inside_out"), {}),
    "classes without a name": (tiny_onnx(fault="class"), {}),
    "another hash": (None, {"onnx_sha256": '"' + "0" * 64 + '"'}),
    "an unknown layout": (None, {"layout": '"yolo"'}),
    "a missing key": (None, {"classes": None}),
}


@pytest.mark.parametrize("name", BAD_MODELS)
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_bad_model_package_is_refused_before_any_picture_is_judged(
    takt, zoo, pictures, golden, tmp_path, name, runtime
):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason='pip install "takt-inspect[openvino]"')
    content, manifest = BAD_MODELS[name]
    write_package(zoo / "bad", content, **manifest)
    words = ("--model", "bad", "--golden", golden, "--runtime", runtime, "--coco", tmp_path / "found.json")

    result = takt.run("inspect", pictures, *words)

    assert result.exit_code in (5, 8)
    only_sentence(result.stderr)
    assert result.stdout == ""
    assert not list(tmp_path.glob("found*"))


def test_a_model_that_does_not_reproduce_its_golden_frames_judges_nothing(takt, zoo, pictures):
    folder = write_package(zoo / "drifted", golden=False)
    frames = json.loads((folder / "golden" / "expected.json").read_text())
    frames["frames"][0]["detections"][0]["score"] = 0.5
    (folder / "golden" / "expected.json").write_text(json.dumps(frames))

    result = takt.run("inspect", pictures, "--model", "drifted")

    assert result.exit_code == 5
    assert "fails its proof" in only_sentence(result.stderr)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("schema = 1\n[defualt]\nthreshold = 0.3\n", "did you mean default"),
        ("schema = 1\n[default]\nthreshold = 3\n", "default.threshold = 3"),
        ("schema = 1\n[default]\nthreshold = nan\n", "default.threshold"),
        ("schema = 1\n[classes.wright]\nthreshold = 0.3\n", "'wright'"),
        ("schema = 2\n", "schema"),
        ("schema = ", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(inspect, tmp_path, text, hint):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)

    result = inspect("--recipe", recipe)

    assert result.exit_code == 3
    assert hint in only_sentence(result.stderr)
    assert "recipe.toml" in result.stderr


def test_a_region_outside_the_picture_rejects_each_picture(inspect, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("schema = 1\n[roi]\nx_px = 30\nwidth_px = 8\nheight_px = 8\n")

    result = inspect("--recipe", recipe, "--json")

    assert result.exit_code == 4
    assert json.loads(result.stdout)["summary"]["unjudged"] == 4


def test_a_runtime_that_does_not_exist_is_refused(inspect):
    result = inspect("--runtime", "abacus")

    assert result.exit_code == 3
    assert "abacus" in only_sentence(result.stderr)


BAD_TRUTHS = {
    "absent": None,
    "no JSON": "{",
    "a list": "[]",
    "no COCO": "{}",
    "images without id": '{"images": [{"file_name": "a"}], "annotations": [], "categories": []}',
    "an id in words": '{"images": [{"file_name": "a", "id": "1"}], "annotations": [], "categories": []}',
    "stray annotation": '{"images": [], "annotations": [{"image_id": 3}], "categories": []}',
    "one id twice": '{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}], "annotations": [],'
    ' "categories": []}',
}


@pytest.mark.parametrize("name", BAD_TRUTHS)
def test_a_truth_that_is_none_is_refused(inspect, tmp_path, name):
    truth = tmp_path / "truth.json"
    if BAD_TRUTHS[name] is not None:
        truth.write_text(BAD_TRUTHS[name])

    result = inspect("--truth", truth, "--coco", tmp_path / "found.json")

    assert result.exit_code == 4
    assert "truth.json" in only_sentence(result.stderr)
    assert not list(tmp_path.glob("found*"))


def test_a_truth_of_other_pictures_is_refused(inspect, tmp_path):
    truth = write_truth(tmp_path / "truth.json", images=("x.png", "y.png"))

    result = inspect("--truth", truth)

    assert result.exit_code == 4
    assert "does not list 4 of the 4 pictures" in only_sentence(result.stderr)


def test_a_truth_of_other_classes_is_refused(inspect, tmp_path):
    truth = write_truth(tmp_path / "truth.json", labels=("up", "down"))

    result = inspect("--truth", truth)

    assert result.exit_code == 4
    assert "no category 'left'" in only_sentence(result.stderr)
