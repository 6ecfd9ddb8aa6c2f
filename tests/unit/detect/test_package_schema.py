"""Schema 2 of model packages: several models of one task, of every kind."""

import pytest

from app.detect.detector import InputSpec
from app.detect.manifest import read_manifest
from app.detect.package import load_package
from app.detect.suppress import Suppression
from app.errors import PackageError
from tests.unit.detect.tiny_kinds import candidates_onnx, classifier_onnx, kind_package, write_kind
from tests.unit.detect.tiny_model import tiny_package

TWO = {"accelerator-fp32": classifier_onnx(), "standby-int8": classifier_onnx(embedding=True)}


def changed(folder, *replacements):
    """Replaces text of a manifest, each once at least."""
    path = folder / "manifest.toml"
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return folder


def test_first_model_is_taken_where_nobody_says_which(tmp_path):
    package = load_package(write_kind(tmp_path / "two", models=TWO))
    assert (package.kind, package.role, package.precision) == ("classification", "accelerator", "fp32")
    assert (package.variant, package.variants) == ("accelerator-fp32", ("accelerator-fp32", "standby-int8"))
    assert package.onnx.name == "accelerator-fp32.onnx"


def test_other_model_is_taken_by_its_name(tmp_path):
    package = load_package(write_kind(tmp_path / "two", models=TWO), variant="standby-int8")
    assert (package.role, package.precision, package.onnx.name) == ("standby", "int8", "standby-int8.onnx")
    assert package.read_onnx() == TWO["standby-int8"]


def test_model_that_the_package_lacks_is_refused_with_those_it_has(tmp_path):
    folder = write_kind(tmp_path / "two", models=TWO)
    with pytest.raises(PackageError, match=r"has no model 'standby-fp16'; name one of accelerator-fp32, standby-int8"):
        load_package(folder, variant="standby-fp16")


def test_broken_model_does_not_stop_another_one(tmp_path):
    folder = write_kind(tmp_path / "two", models=TWO)
    (folder / "accelerator-fp32.onnx").unlink()
    assert load_package(folder, variant="standby-int8").variant == "standby-int8"
    with pytest.raises(PackageError, match=r"accelerator-fp32\.onnx is missing"):
        load_package(folder)


def test_schema_1_is_one_float_model_whose_pictures_are_stretched_and_boxes_final(tmp_path):
    package = tiny_package(tmp_path / "tiny")
    assert (package.kind, package.variant, package.variants) == ("detection", "accelerator-fp32", ("accelerator-fp32",))
    assert (package.suppression, package.good_classes, package.gmac) == (None, (), None)
    assert package.spec == InputSpec(32, 24, 1, is_golden=True, fit="stretch")


def test_suppression_is_what_the_output_table_says(tmp_path):
    folder = write_kind(tmp_path / "yolo", "detection")
    assert load_package(folder).suppression == Suppression(0.5, False, 300, 0.05)
    more = "suppress_iou = 0.7\nsuppress_across_classes = true\nmax_detections = 20\nscore_floor = 0.2"
    changed(folder, ("suppress_iou = 0.5", more))
    assert load_package(folder).suppression == Suppression(0.7, True, 20, 0.2)


def test_border_and_cost_are_read(tmp_path):
    fit = 'fit = "letterbox"\npad_level = 0'
    package = kind_package(tmp_path / "yolo", "detection", fit=fit, gmac="0.25")
    assert (package.spec.fit, package.spec.pad_level, package.gmac) == ("letterbox", 0, 0.25)


def test_class_names_may_be_phrases_of_any_language(tmp_path):
    names = '["hair drier, blow dryer", "jack-o\'-lantern", "划痕"]'
    folder = changed(
        write_kind(tmp_path / "many"),
        ('["good", "scratch", "dent"]', names),
        ('good_classes = ["good"]', ""),
        ("golden/expected.json", "golden/none.json"),
    )
    assert load_package(folder, is_draft=True).classes == ("hair drier, blow dryer", "jack-o'-lantern", "划痕")


@pytest.mark.parametrize("name", ['""', '" good"', '"good "', '"go\\nod"', '"go\\u202Eod"', f'"{"x" * 101}"'])
def test_class_name_that_cannot_be_shown_is_refused(tmp_path, name):
    folder = changed(write_kind(tmp_path / "odd"), ('"dent"', name))
    with pytest.raises(PackageError, match=r"classes\.2 = "):
        load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "classification"', 'kind = "segmentation"', "kind = 'segmentation'"),
        ('name = "bad"', 'name = "bad"\nlayout = "takt-peaks"', "unknown key layout"),
        ('"dent"]', '"good"]', "classes names 'good' twice"),
        (
            'good_classes = ["good"]',
            'good_classes = ["fine"]',
            "good_classes names 'fine', which classes does not have",
        ),
        (
            'good_classes = ["good"]',
            'good_classes = ["good", "scratch", "dent"]',
            "good_classes holds every class: nothing could ever be found",
        ),
        ('good_classes = ["good"]', "[output]\nsuppress_iou = 0.5", r"\[output\] is for detection"),
        ('role = "standby"', 'role = "spare"', r"model\.1\.role = 'spare'"),
        ('precision = "int8"', 'precision = "int4"', r"model\.1\.precision = 'int4'"),
        ('precision = "int8"', 'precision = "int8"\ngmac = 0', r"model\.1\.gmac = 0"),
        ("width_px = 32", 'width_px = 32\nfit = "zoom"', r"model\.0\.input\.fit = 'zoom'"),
        ("width_px = 32", "width_px = 32\npad_level = 256", r"model\.0\.input\.pad_level = 256"),
        (
            'role = "standby"\nprecision = "int8"',
            'role = "accelerator"\nprecision = "fp32"',
            "two models are accelerator-fp32: give each its own role and precision",
        ),
    ],
)
def test_manifest_that_cannot_be_is_refused(tmp_path, old, new, words):
    folder = changed(write_kind(tmp_path / "bad", models=TWO), (old, new))
    with pytest.raises(PackageError, match=words):
        load_package(folder)


@pytest.mark.parametrize(
    ("kind", "old", "new", "words"),
    [
        ("anomaly", '["anomaly"]', '["dust", "dirt"]', "an anomaly model has exactly one class"),
        ("anomaly", '["anomaly"]', '["anomaly"]\ngood_classes = ["anomaly"]', "good_classes is for classification"),
        ("detection", "suppress_iou = 0.5", "max_detections = 20", "max_detections has no effect without suppress_iou"),
        ("detection", "suppress_iou = 0.5", "suppress_iou = 1.5", r"output\.suppress_iou = 1\.5"),
        ("detection", "suppress_iou = 0.5", "suppress_iou = 0.5\nmax_detections = 0", r"output\.max_detections = 0"),
    ],
)
def test_manifest_that_its_kind_forbids_is_refused(tmp_path, kind, old, new, words):
    folder = changed(write_kind(tmp_path / "bad", kind), (old, new))
    with pytest.raises(PackageError, match=words):
        load_package(folder)


def test_package_without_a_model_is_refused(tmp_path):
    folder = write_kind(tmp_path / "none")
    text = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(text[: text.index("[[model]]")])
    with pytest.raises(PackageError, match="model is missing"):
        load_package(folder)


def test_other_file_under_the_name_of_a_model_is_refused(tmp_path):
    folder = write_kind(tmp_path / "two", models=TWO)
    (folder / "standby-int8.onnx").write_bytes(candidates_onnx())
    with pytest.raises(PackageError, match=r"standby-int8\.onnx is not the file that manifest\.toml names"):
        load_package(folder, variant="standby-int8")


@pytest.mark.parametrize("name", ["../other.onnx", "/etc/hostname"])
def test_model_outside_the_folder_is_refused(tmp_path, name):
    folder = changed(write_kind(tmp_path / "two", models=TWO), ('onnx = "standby-int8.onnx"', f'onnx = "{name}"'))
    with pytest.raises(PackageError, match="lies outside the package"):
        load_package(folder, variant="standby-int8")


def test_folder_that_is_none_is_refused_by_the_manifest_already(tmp_path):
    with pytest.raises(PackageError, match="is no folder with a model package"):
        read_manifest(tmp_path / "nowhere")
