import pytest

pytest.importorskip("pycocotools", reason='evaluation needs: pip install "takt-inspect[evaluate]"')

import numpy as np

from app.types import Detection
from models.data import LabelledPicture, LabelledSet, load_split
from models.evaluation.evaluate import evaluate
from tests.unit.models.conftest import CLASSES, write_set


@pytest.fixture
def labelled(tmp_path):
    write_set(tmp_path, "val", 3)
    return load_split(tmp_path, "val", CLASSES, golden=True)


def see_everything(image, golden):
    """An ideal model of the made-up boards: one detection per patch that differs."""
    found = []
    for name, columns in zip(CLASSES, (slice(18, 30), slice(38, 50)), strict=True):
        rows = np.flatnonzero((image[:, columns] != golden[:, columns]).any(axis=1))
        if rows.size:
            found.append(Detection(name, 0.9, (columns.start, float(rows[0]), 12.0, float(rows.size))))
    return found


def without_golden(labelled):
    pictures = (LabelledPicture(p.image_id, p.image, None, p.boxes, p.labels) for p in labelled.pictures)
    return LabelledSet(labelled.classes, tuple(pictures))


def test_ideal_model_has_no_escape_and_no_overkill(labelled):
    result = evaluate(labelled, see_everything, 0.5)
    assert (result.precision.map50, result.precision.map50_95) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (result.single_escapes.count, result.parts.missed.count, result.overkill.count) == (0, 0, 0)


def test_parts_are_each_board_mended_to_one_defect_and_to_none(labelled):
    result = evaluate(labelled, see_everything, 0.5)
    assert (result.single_escapes.trials, result.overkill.trials, result.whole_escapes.trials) == (6, 3, 3)


def test_one_defective_and_one_good_part_stand_for_each_board(labelled):
    result = evaluate(labelled, see_everything, 0.5)
    assert (result.one_per_board.escapes.trials, result.one_per_board.overkill.trials) == (3, 3)


def test_blind_model_lets_every_defect_escape(labelled):
    result = evaluate(labelled, lambda _image, _golden: [], 0.5)
    assert (result.precision.map50, result.single_escapes.value, result.overkill.value) == (0.0, 1.0, 0.0)


def test_model_that_always_cries_in_a_corner_misses_but_lets_nothing_escape(labelled):
    result = evaluate(labelled, lambda _image, _golden: [Detection("hole", 0.9, (0, 0, 4, 4))], 0.5)
    assert (result.single_escapes.count, result.parts.missed.value, result.overkill.value) == (0, 1.0, 1.0)


def test_model_blind_to_one_class_shows_in_that_class(labelled):
    def see_blobs(image, golden):
        return [d for d in see_everything(image, golden) if d.label == "blob"]

    result = evaluate(labelled, see_blobs, 0.5)
    assert {name: rate.value for name, rate in result.escapes_by_class.items()} == {"hole": 1.0, "blob": 0.0}
    assert result.precision.per_class50 == {"hole": 0.0, "blob": pytest.approx(1.0)}
    assert (result.findings.right.value, result.findings.found.value) == (1.0, 0.5)


def test_class_taken_for_another_stands_in_the_confusion(labelled):
    def see_holes_as_blobs(image, golden):
        return [Detection("blob", d.score, d.box_px) for d in see_everything(image, golden)]

    confusion = evaluate(labelled, see_holes_as_blobs, 0.5).confusion
    assert confusion.counts == ((0, 3, 0), (0, 3, 0), (0, 0, 0))
    assert confusion.worst == ("hole", "blob", 3)


def test_progress_is_told(labelled):
    told = []
    evaluate(labelled, see_everything, 0.5, on_step=lambda done, everything: told.append((done, everything)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_without_golden_samples_only_pictures_as_they_are_count(labelled):
    result = evaluate(without_golden(labelled), lambda _image, _golden: [], 0.5)
    assert (result.every_defect_once, result.one_per_board) == (None, None)
    assert (result.parts.escapes.count, result.parts.escapes.trials) == (3, 3)


def test_ranking_needs_pictures_of_both_kinds(labelled):
    assert evaluate(labelled, see_everything, 0.5).auroc is None


def test_threshold_between_good_and_bad_parts_is_recommended(labelled):
    assert 0.05 <= evaluate(labelled, see_everything, 0.5).best_threshold <= 0.9
