import pytest

pytest.importorskip("pycocotools", reason='evaluation needs: pip install "takt-inspect[evaluate]"')

import numpy as np

from app.types import Detection
from models.data import load_split
from models.evaluate import evaluate

CLASSES = ("hole", "blob")


@pytest.fixture
def labelled(data_dir):
    return load_split(data_dir, "val", CLASSES, golden=True)


def see_everything(image, golden):
    """An ideal model of the made-up boards: one detection per patch that differs."""
    found = []
    for name, columns in zip(CLASSES, (slice(18, 30), slice(38, 50)), strict=True):
        rows = np.flatnonzero((image[:, columns] != golden[:, columns]).any(axis=1))
        if rows.size:
            found.append(Detection(name, 0.9, (columns.start, float(rows[0]), 12.0, float(rows.size))))
    return found


def test_ideal_model_has_no_escape_and_no_overkill(labelled):
    result = evaluate(labelled, see_everything, 0.5)
    assert (result.precision.map50, result.precision.map50_95) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (result.single_escapes.count, result.single_missed.count, result.overkill.count) == (0, 0, 0)


def test_parts_are_each_board_mended_to_one_defect_and_to_none(labelled):
    result = evaluate(labelled, see_everything, 0.5)
    assert (result.single_escapes.trials, result.overkill.trials, result.whole_escapes.trials) == (6, 3, 3)


def test_blind_model_lets_every_defect_escape(labelled):
    result = evaluate(labelled, lambda _image, _golden: [], 0.5)
    assert (result.precision.map50, result.single_escapes.value, result.overkill.value) == (0.0, 1.0, 0.0)


def test_model_that_always_cries_in_a_corner_misses_but_lets_nothing_escape(labelled):
    result = evaluate(labelled, lambda _image, _golden: [Detection("hole", 0.9, (0, 0, 4, 4))], 0.5)
    assert (result.single_escapes.count, result.single_missed.value, result.overkill.value) == (0, 1.0, 1.0)


def test_model_blind_to_one_class_shows_in_that_class(labelled):
    def see_blobs(image, golden):
        return [d for d in see_everything(image, golden) if d.label == "blob"]

    result = evaluate(labelled, see_blobs, 0.5)
    assert {name: rate.value for name, rate in result.escapes_by_class.items()} == {"hole": 1.0, "blob": 0.0}
    assert result.precision.per_class50 == {"hole": 0.0, "blob": pytest.approx(1.0)}


def test_progress_is_told(labelled):
    told = []
    evaluate(labelled, see_everything, 0.5, on_step=lambda done, everything: told.append((done, everything)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_golden_sample_is_registered_before_anything_else(labelled):
    def silent(image, golden):
        return [] if (golden == 7).all() else [Detection("hole", 0.9, (0, 0, 4, 4))]

    result = evaluate(labelled, silent, 0.5, align=lambda _image, golden: np.full_like(golden, 7))
    assert result.overkill.count == 0
