"""The text of a manifest says what went into it, and the reader of the box takes it."""

import hashlib
from dataclasses import replace

import pytest

from app.detect.detector import InputSpec
from app.detect.package import load_package
from app.detect.suppress import Suppression
from models.packaging.manifest import ManifestEntries, ModelEntry, manifest_entries, manifest_text

CONTENT = b"no model yet"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
FLOAT = ModelEntry("accelerator", "fp32", "accelerator-fp32.onnx", DIGEST, 0.41, InputSpec(640, 480, 1, is_golden=True))
SMALL = ModelEntry(
    "standby",
    "int8",
    "standby-int8.onnx",
    DIGEST,
    1 / 3,
    InputSpec(320, 240, 3, is_golden=False, fit="letterbox", pad_level=7),
    gmac=0.12,
    expected="golden/shared.json",
    tolerance_px=2.0,
    tolerance_score=0.05,
)
PACKAGE = ManifestEntries("pcb", "1.2.0", "detection", ("open", "short"), (FLOAT, SMALL))


def written(folder, entries):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.toml").write_text(manifest_text(entries), encoding="utf-8")
    for model in entries.models:
        (folder / model.onnx).write_bytes(CONTENT)
    return folder


def explicit(entries):
    """With the default place of golden frames written out, as a file tells it."""
    return replace(entries, models=tuple(replace(each, expected=each.expected_file) for each in entries.models))


@pytest.mark.parametrize(
    "entries",
    [
        PACKAGE,
        replace(PACKAGE, suppression=Suppression(0.7, is_across_classes=True, max_detections=50, score_floor=0.1)),
        replace(PACKAGE, kind="classification", good_classes=("open",)),
        replace(PACKAGE, kind="anomaly", classes=("odd",)),
        replace(PACKAGE, classes=("hair drier, blow dryer", 'so-called "dent"', "back\\slash", "划痕", "\U0001f9f1")),
    ],
)
def test_what_is_written_is_read_again(tmp_path, entries):
    assert manifest_entries(written(tmp_path / "package", entries)) == explicit(entries)


def test_box_loads_each_model_that_is_written(tmp_path):
    folder = written(tmp_path / "package", replace(PACKAGE, suppression=Suppression(0.7)))
    first = load_package(folder, is_draft=True)
    assert (first.variant, first.variants) == ("accelerator-fp32", ("accelerator-fp32", "standby-int8"))
    assert (first.spec, first.score_threshold, first.gmac) == (FLOAT.spec, 0.41, None)
    second = load_package(folder, variant="standby-int8", is_draft=True)
    assert (second.spec, second.score_threshold, second.gmac) == (SMALL.spec, 1 / 3, 0.12)
    assert (second.tolerance_px, second.tolerance_score, second.suppression) == (2.0, 0.05, Suppression(0.7))


def test_same_package_gives_the_same_text():
    assert manifest_text(PACKAGE) == manifest_text(explicit(PACKAGE))


def test_golden_frames_of_each_model_are_recorded_in_a_file_of_its_own():
    assert (FLOAT.variant, FLOAT.expected_file) == ("accelerator-fp32", "golden/accelerator-fp32.json")
    assert SMALL.expected_file == "golden/shared.json"


def test_package_of_schema_1_can_be_written_again(tmp_path, zoo_package):
    entries = manifest_entries(zoo_package)
    assert [each.variant for each in entries.models] == ["accelerator-fp32"]
    assert entries.models[0].onnx == "model.onnx"
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "manifest.toml").write_text(manifest_text(entries))
    assert manifest_entries(folder) == entries
