# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.nets.net import PeakNet
from models.nets.peaks import cell_boxes, decode_peaks
from models.recipe import NetShape, recipe_from_dict
from models.training.aligned import aligned_loss
from models.training.loss import make_targets

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

SIDE, STRIDE, CLASSES = 96, 8, 2
LARGE, SMALL = [10.0, 12.0, 80.0, 74.0], [40.5, 40.5, 43.5, 43.5]


def targets_of(*pictures):
    truths = []
    for each in pictures:
        boxes = np.array([box for box, _ in each], np.float32).reshape(-1, 4)
        truths.append((boxes, np.array([label for _, label in each], np.int64)))
    return make_targets(truths, CLASSES, SIDE, SIDE, STRIDE)


def told(pictures=1, boxes=()):
    """Maps of a net that is sure of nothing, with the given box at every cell of its picture."""
    logits = torch.full((pictures, CLASSES, 12, 12), -4.0)
    distances = torch.full((pictures, 4, 12, 12), 4.0)
    for picture, box in enumerate(boxes):
        x1, y1, x2, y2 = box
        cells = cell_boxes(torch.zeros(1, 4, 12, 12), STRIDE)[0]
        distances[picture] = torch.stack([cells[0] - x1, cells[1] - y1, x2 - cells[2], y2 - cells[3]])
    return logits.requires_grad_(True), distances.requires_grad_(True)


def cells_taught(logits):
    """The cells of which the loss wants more, per class."""
    return {tuple(cell) for cell in (logits.grad < 0).nonzero().tolist()}


def test_ten_cells_learn_a_large_object_and_all_others_nothing():
    logits, distances = told(boxes=[LARGE])
    aligned_loss(logits, distances, targets_of([(LARGE, 1)]), STRIDE, 1.0)[0].backward()
    taught = cells_taught(logits)
    assert len(taught) == 10
    for _picture, label, row, column in taught:
        assert label == 1
        assert 10 < (column + 0.5) * STRIDE < 80
        assert 12 < (row + 0.5) * STRIDE < 74


def test_the_score_that_is_taught_is_the_overlap_that_is_reached():
    half = [10.0, 12.0, 80.0, 43.0]
    for box, overlap in ((LARGE, 1.0), (half, 0.5)):
        logits, distances = told(boxes=[box])
        with torch.no_grad():
            logits[:, 1] = float(np.log(0.3 / 0.7))
        loss, parts = aligned_loss(logits, distances, targets_of([(LARGE, 1)]), STRIDE, 1.0)
        loss.backward()
        # The slope of the cross entropy is (score - wanted score) / sum of the wanted scores: ten equal cells.
        assert float(logits.grad.min()) == pytest.approx((0.3 - overlap) / (10 * overlap), abs=1e-5)
        assert float(parts[1]) == pytest.approx(1 - overlap, abs=1e-4)


def test_an_object_smaller_than_a_cell_has_the_nearest_one():
    logits, distances = told(boxes=[SMALL])
    aligned_loss(logits, distances, targets_of([(SMALL, 0)]), STRIDE, 1.0)[0].backward()
    assert cells_taught(logits) == {(0, 0, 4, 4)} or cells_taught(logits) == {(0, 0, 5, 5)}


def test_a_cell_that_two_objects_want_goes_to_the_one_that_its_box_meets_best():
    logits, distances = told(boxes=[LARGE])
    aligned_loss(logits, distances, targets_of([(SMALL, 0), (LARGE, 1)]), STRIDE, 1.0)[0].backward()
    taught = cells_taught(logits)
    assert {label for _, label, _, _ in taught} == {1}, "every cell's box is the large one's"


def test_objects_teach_the_picture_that_they_are_in():
    logits, distances = told(3, [LARGE, LARGE, LARGE])
    aligned_loss(logits, distances, targets_of([], [(LARGE, 0)], []), STRIDE, 1.0)[0].backward()
    assert {picture for picture, *_ in cells_taught(logits)} == {1}


def test_pictures_without_an_object_teach_silence():
    logits, distances = told(2)
    loss, parts = aligned_loss(logits, distances, targets_of([], []), STRIDE, 1.0)
    loss.backward()
    assert bool((logits.grad > 0).all())
    assert float(parts[1]) == 0.0


def test_a_net_learns_one_large_object_to_the_pixel():
    torch.manual_seed(3)
    net = PeakNet(NetShape(stem=8, fine=(8,), coarse=(16,), deep=(16,), head=(16,), suppress_iou=0.5), CLASSES, 1)
    x = torch.zeros(1, 1, SIDE, SIDE)
    x[0, 0, 12:74, 10:80] = torch.rand(62, 70)
    targets = targets_of([(LARGE, 1)])
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(150):
        loss, _ = aligned_loss(*net(x), targets, STRIDE, 5.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    peaks = decode_peaks(*net(x), STRIDE)
    assert int(peaks.classes[0, 0]) == 1
    assert float(peaks.scores[0, 0]) > 0.6
    assert np.abs(peaks.boxes[0, 0].numpy() - LARGE).max() < 4


def test_aligned_targets_want_boxes_to_be_suppressed(recipe):
    train = dataclasses.asdict(recipe.train) | {"targets": "aligned"}
    values = recipe.to_dict() | {"train": train}
    with pytest.raises(DataError, match=r"set net\.suppress_iou"):
        recipe_from_dict(values, "the test")
    values["net"]["suppress_iou"] = 0.5
    assert recipe_from_dict(values, "the test").suppression.iou == 0.5
