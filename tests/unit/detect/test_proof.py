"""Proof of a package: what counts as the same answer."""

import pytest

from app.detect.package import load_package
from app.detect.proof import prove
from app.errors import PackageError
from app.types import Detection
from tests.unit.detect.scripted_detector import ScriptedDetector
from tests.unit.detect.tiny_kinds import classifier_onnx, write_kind
from tests.unit.detect.tiny_model import THRESHOLD, expected_frames, read, tiny_package, write_expected, write_package

RIGHT = Detection("right", 0.8, (16, 8, 8, 8))
TOLERANCE_PX, TOLERANCE_SCORE = 1.5, 0.03


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


def proven(package, *found):
    return prove(package, ScriptedDetector(*found), read)


def at(x=16.0, y=8.0, width=8.0, height=8.0, score=0.8, label="right"):
    return Detection(label, score, (x, y, width, height))


def package_expecting(tmp_path, *detections):
    folder = write_package(tmp_path / "other")
    (frame,) = expected_frames(folder)
    rows = [{"class": each.label, "score": each.score, "box_px": list(each.box_px)} for each in detections]
    write_expected(folder, [{**frame, "detections": rows}])
    return load_package(folder)


def test_same_answer_passes_and_says_how_well(package):
    report = proven(package, at(x=16.5, score=0.79))
    assert (report.package, report.runtime, report.frames, report.detections) == ("tiny", "scripted", 1, 1)
    assert report.onnx_sha256 == package.onnx_sha256
    assert report.worst_px == 0.5
    assert report.worst_score == pytest.approx(0.01)


def test_detector_is_shown_the_golden_frame_and_its_sample(package):
    detector = ScriptedDetector(RIGHT)
    prove(package, detector, read)
    ((image, golden),) = detector.seen
    assert (image.max(), golden.max()) == (204, 0)


@pytest.mark.parametrize("moved", [at(x=17.5), at(y=9.5), at(width=9.5), at(height=9.5), at(x=14.5, width=9.5)])
def test_box_moved_by_the_tolerance_passes(package, moved):
    assert proven(package, moved).worst_px == TOLERANCE_PX


@pytest.mark.parametrize("moved", [at(x=17.6), at(y=9.6), at(width=9.6), at(height=9.6), at(x=14.4)])
def test_box_moved_further_is_refused(package, moved):
    with pytest.raises(PackageError, match=r"spot\.png: right 0\.80 at x=16 y=8 moved by 1\.60 px, 1\.5 are allowed"):
        proven(package, moved)


@pytest.mark.parametrize("score", [0.771, 0.829])
def test_score_within_the_tolerance_passes(package, score):
    assert proven(package, at(score=score)).detections == 1


@pytest.mark.parametrize("score", [0.769, 0.831])
def test_score_beyond_the_tolerance_is_refused(package, score):
    with pytest.raises(PackageError, match=rf"scored {score}, off by 0\.031 where 0\.03 is allowed"):
        proven(package, at(score=score))


def test_missing_detection_is_refused(package):
    with pytest.raises(PackageError, match=r"golden frame spot\.png: right 0\.80 at x=16 y=8 is missing"):
        proven(package)


def test_extra_detection_is_refused(package):
    with pytest.raises(PackageError, match=r"left 0\.90 at x=0 y=0 is extra"):
        proven(package, RIGHT, at(0, 0, label="left", score=0.9))


def test_second_detection_on_the_same_place_is_extra(package):
    with pytest.raises(PackageError, match="is extra"):
        proven(package, RIGHT, at(x=16.2))


def test_other_class_is_one_missing_and_one_extra(package):
    with pytest.raises(PackageError, match="is missing and 1 more"):
        proven(package, at(label="left"))


def test_box_that_does_not_touch_is_missing_not_moved(package):
    with pytest.raises(PackageError, match="is missing and 1 more"):
        proven(package, at(x=25))


def test_extra_detection_near_the_threshold_passes(package):
    assert proven(package, RIGHT, at(0, 0, score=THRESHOLD + TOLERANCE_SCORE - 0.001)).detections == 1


def test_extra_detection_just_past_that_is_refused(package):
    with pytest.raises(PackageError, match="is extra"):
        proven(package, RIGHT, at(0, 0, score=THRESHOLD + TOLERANCE_SCORE + 0.001))


def test_expected_detection_near_the_threshold_may_be_absent(tmp_path):
    package = package_expecting(tmp_path, RIGHT, at(0, 0, score=THRESHOLD + TOLERANCE_SCORE - 0.001))
    assert proven(package, RIGHT).detections == 1


def test_expected_detection_near_the_threshold_may_have_sunk_below_it(tmp_path):
    package = package_expecting(tmp_path, at(score=THRESHOLD + 0.02))
    report = proven(package, at(score=THRESHOLD - 0.005))
    assert report.detections == 1
    assert report.worst_score == pytest.approx(0.025)


def test_neighbours_are_paired_with_the_nearest(tmp_path):
    package = package_expecting(tmp_path, at(10), at(12))
    assert proven(package, at(12.2), at(10.1)).worst_px == pytest.approx(0.2)


@pytest.fixture
def scored(tmp_path):
    """A package whose golden frame records a score of the whole picture, 0.6."""
    folder = write_package(tmp_path / "scored")
    (frame,) = expected_frames(folder)
    write_expected(folder, [{**frame, "picture_score": 0.6}])
    return load_package(folder)


@pytest.mark.parametrize("score", [0.571, 0.629])
def test_picture_that_scores_within_the_tolerance_passes(scored, score):
    report = prove(scored, ScriptedDetector(RIGHT, picture_score=score), read)
    assert report.worst_score == pytest.approx(0.029)


@pytest.mark.parametrize("score", [0.569, 0.631])
def test_picture_that_scores_otherwise_is_refused(scored, score):
    words = rf"spot\.png: the picture scored {score} where 0\.600 is recorded, off by 0\.031 where 0\.03 is allowed"
    with pytest.raises(PackageError, match=words):
        prove(scored, ScriptedDetector(RIGHT, picture_score=score), read)


def test_picture_that_gets_no_score_is_refused_where_one_is_recorded(scored):
    with pytest.raises(PackageError, match=r"the picture got no score where 0\.600 is recorded"):
        proven(scored, RIGHT)


def test_model_is_named_where_the_package_has_several(tmp_path):
    content = classifier_onnx()
    folder = write_kind(tmp_path / "two", models={"accelerator-fp32": content, "standby-int8": content})
    with pytest.raises(PackageError, match="package two:standby-int8 fails its proof on scripted"):
        proven(load_package(folder, variant="standby-int8"))


def test_draft_cannot_be_proven(tmp_path):
    folder = write_package(tmp_path / "draft")
    write_expected(folder, [])
    with pytest.raises(PackageError, match="has no golden frames"):
        proven(load_package(folder, is_draft=True))
