"""Model packages: what is accepted, and what is refused in which words."""

import json

import pytest

from app.detect.package import load_package
from app.errors import PackageError
from tests.unit.detect.tiny_model import expected_frames, tiny_package, write_expected, write_package


def test_package_holds_what_the_manifest_says(tmp_path):
    package = tiny_package(tmp_path / "tiny")
    assert (package.name, package.version, package.classes) == ("tiny", "1.0.0", ("left", "right"))
    assert (package.spec.width_px, package.spec.height_px, package.spec.channels) == (32, 24, 1)
    assert package.spec.is_golden
    assert package.card == tmp_path / "tiny" / "card.md"
    assert package.read_onnx() == (tmp_path / "tiny" / "model.onnx").read_bytes()


def test_golden_frames_name_files_and_what_is_found_there(tmp_path):
    (frame,) = tiny_package(tmp_path / "tiny").frames
    assert (frame.image.name, frame.golden.name) == ("spot.png", "good.png")
    assert [(each.label, each.score, each.box_px) for each in frame.detections] == [("right", 0.8, (16, 8, 8, 8))]


def test_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(PackageError, match="is no folder with a model package"):
        load_package(tmp_path / "nowhere")


def test_folder_without_manifest_is_refused(tmp_path):
    with pytest.raises(PackageError, match=r"manifest\.toml cannot be read"):
        load_package(tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"schema": "3"}, "schema = 3, which this version of Takt does not know"),
        ({"schema": '"one"'}, "schema = 'one', which this version"),
        ({"colour": '"red"'}, "unknown key colour"),
        ({"layout": '"yolo"'}, "layout = 'yolo'"),
        ({"version": None}, "version is missing"),
        ({"classes": "[]"}, "classes"),
        ({"score_threshold": "1.5"}, "score_threshold = 1.5"),
        ({"score_threshold": "nan"}, "score_threshold = nan"),
        ({"onnx_sha256": '"abc"'}, "onnx_sha256 = 'abc'"),
        ({"classes": '["left", "left"]'}, "classes names 'left' twice"),
    ],
)
def test_manifest_with_a_wrong_value_is_refused(tmp_path, changed, words):
    write_package(tmp_path / "tiny", **changed)
    with pytest.raises(PackageError, match=words):
        load_package(tmp_path / "tiny")


def test_other_onnx_file_is_refused(tmp_path):
    write_package(tmp_path / "tiny", onnx_sha256=f'"{"0" * 64}"')
    with pytest.raises(PackageError, match=r"is not the file that manifest\.toml names"):
        load_package(tmp_path / "tiny")


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/hostname"])
def test_file_outside_the_folder_is_refused(tmp_path, name):
    (tmp_path / "model.onnx").write_bytes(b"outside")
    write_package(tmp_path / "tiny", onnx=f'"{name}"')
    with pytest.raises(PackageError, match="lies outside the package"):
        load_package(tmp_path / "tiny")


def test_link_that_leads_outside_is_refused(tmp_path):
    folder = write_package(tmp_path / "tiny")
    (folder / "model.onnx").rename(tmp_path / "model.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "model.onnx")
    with pytest.raises(PackageError, match="lies outside the package"):
        load_package(folder)


@pytest.mark.parametrize("name", ["model.onnx", "golden/expected.json", "golden/spot.png", "golden/good.png"])
def test_missing_file_is_refused_by_name(tmp_path, name):
    folder = write_package(tmp_path / "tiny")
    (folder / name).unlink()
    with pytest.raises(PackageError, match=f"{name} is missing"):
        load_package(folder)


def test_package_without_golden_frames_is_refused(tmp_path):
    folder = write_package(tmp_path / "tiny")
    write_expected(folder, [])
    with pytest.raises(PackageError, match="holds no golden frame"):
        load_package(folder)


def test_draft_may_lack_golden_frames(tmp_path):
    folder = write_package(tmp_path / "tiny")
    (folder / "golden" / "expected.json").unlink()
    assert load_package(folder, is_draft=True).frames == ()


def test_golden_frame_without_golden_sample_is_refused_where_the_model_wants_one(tmp_path):
    folder = write_package(tmp_path / "tiny")
    (frame,) = expected_frames(folder)
    del frame["golden"]
    write_expected(folder, [frame])
    with pytest.raises(PackageError, match=r"gives spot\.png no golden sample"):
        load_package(folder)


def test_expected_class_that_the_model_lacks_is_refused(tmp_path):
    folder = write_package(tmp_path / "tiny")
    (frame,) = expected_frames(folder)
    frame["detections"][0]["class"] = "middle"
    write_expected(folder, [frame])
    with pytest.raises(PackageError, match="'middle' on"):
        load_package(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "holds no JSON object"),
        (json.dumps({"frames": [{"image": "spot.png"}]}), "detections is missing"),
        ("\ud800".encode("utf-16", "surrogatepass").decode("latin-1"), "is not valid JSON"),
    ],
)
def test_expected_file_that_cannot_be_read_is_refused(tmp_path, text, words):
    folder = write_package(tmp_path / "tiny")
    (folder / "golden" / "expected.json").write_text(text)
    with pytest.raises(PackageError, match=words):
        load_package(folder)
