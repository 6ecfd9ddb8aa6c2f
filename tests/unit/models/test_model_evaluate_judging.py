import cv2
import numpy as np
import pytest

from app.detect.detector import Result
from app.types import Detection
from models.data import LabelledPicture, LabelledSet
from models.evaluation.judging import Candidate, Judgement, Presentation, judge
from models.evaluation.truth import known
from tests.unit.detect.boards import board, view

BOXES = np.array([[40, 40, 60, 60], [100, 90, 130, 120]], np.float32)


@pytest.fixture
def make(tmp_path):
    """Makes a split of one board that lies off its golden sample."""

    def made(dx=0, dy=0, golden=None):
        whole = board()
        part, sample = view(whole, dx, dy).copy(), view(whole) if golden is None else golden
        for x1, y1, x2, y2 in BOXES.astype(int):
            part[y1:y2, x1:x2] = 255 - part[y1:y2, x1:x2]
        for name, picture in (("part", part), ("golden", sample)):
            cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        labels = np.array([0, 1], np.int64)
        one = LabelledPicture(7, tmp_path / "part.png", tmp_path / "golden.png", BOXES, labels)
        return known(LabelledSet(("hole", "blob"), (one,)), {})

    return made


def seen(truth, **options):
    """What a model is shown, and what is made of it."""
    shown = []

    def infer(image, golden):
        shown.append((image, golden))
        return Judgement.of([Detection("hole", 0.3, (0.0, 0.0, 9.0, 9.0))])

    return judge(truth, [Candidate("it", 1, True, infer)], Presentation(**options)), shown


def test_mended_part_equals_its_registered_golden_sample(make):
    judged, shown = seen(make(dx=5, dy=-3))
    image, golden = shown[-1]
    inside = (slice(30, 140), slice(30, 140))
    assert not judged.items[-1].is_defective
    assert np.array_equal(image[inside], golden[inside])


def test_each_defect_is_left_alone_once(make):
    judged, shown = seen(make(dx=5, dy=-3))
    places = [(40, 60), (90, 120)]
    left = []
    for image, golden in shown[1:3]:
        rows = [np.any(image[a:b, 30:140] != golden[a:b, 30:140]) for a, b in places]
        left.append(rows)
    assert left == [[True, False], [False, True]]
    assert [(item.defect, item.label) for item in judged.items[1:]] == [(0, "hole"), (1, "blob"), (None, "")]


def test_part_whose_golden_sample_is_not_found_is_rejected_unseen(make):
    stranger = np.random.default_rng(9).integers(0, 255, view(board()).shape, np.uint8)
    judged, shown = seen(make(golden=stranger))
    first = judged.by_candidate[0][0]
    assert not first.is_registered
    assert first.score == 1.0
    assert len(shown) < len(judged.items)
    assert judged.mended_unregistered == 1


def test_part_out_of_reach_is_compared_as_it_lies_where_that_is_wanted(make):
    judged, shown = seen(make(dx=30), takes_unregistered=True)
    assert all(each.is_registered for each in judged.by_candidate[0])
    assert len(shown) == len(judged.items)


def test_model_without_golden_sample_judges_parts_that_cannot_be_registered(make):
    candidate = Candidate("it", 1, False, lambda _image, golden: Judgement.of([] if golden is None else [golden]))
    judged = judge(make(dx=30), [candidate], Presentation())
    assert all(each.is_registered for each in judged.by_candidate[0])


def test_chosen_defect_of_a_board_is_the_same_every_time_and_another_by_another_seed(make):
    truth = make()
    chosen = [
        next(item.defect for item in seen(truth, seed=seed)[0].items if item.is_chosen and item.is_defective)
        for seed in (0, 0, 1, 2, 3, 4, 5)
    ]
    assert chosen[0] == chosen[1]
    assert set(chosen) == {0, 1}


def test_unmended_set_shows_each_picture_once(make):
    judged, _ = seen(make(), has_parts=False)
    assert [item.is_mended for item in judged.items] == [False]


def test_anomaly_below_the_package_threshold_still_has_its_score():
    heat = np.full((4, 4), 0.2, np.float32)
    heat[1, 2] = 0.31
    said = Judgement.of_result(Result((), anomaly_map=heat, picture_score=0.25))
    assert (said.score, said.rank) == (0.31, 0.31)


def test_classifier_is_ranked_by_what_is_left_of_its_good_classes():
    found = (Detection("dent", 0.4, (0, 0, 9, 9)), Detection("scratch", 0.35, (0, 0, 9, 9)))
    said = Judgement.of_result(Result(found, picture_score=0.75))
    assert (said.score, said.rank) == (0.4, 0.75)
