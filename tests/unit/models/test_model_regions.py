# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')

from app.errors import DataError
from models.mending import Board
from models.nets.net import PeakNet
from models.nets.peaks import cell_boxes, decode_peaks
from models.outlines import rectangle
from models.recipe import NetShape, recipe_from_dict
from models.training.feed import make_batch
from models.training.regions import make_region_targets, region_loss

pytestmark = [pytest.mark.train, pytest.mark.usefixtures("one_thread")]

SIDE, STRIDE, CLASSES = 96, 8, 2
CELLS = SIDE // STRIDE
BOX = (16.0, 16.0, 80.0, 64.0)
TRIANGLE = np.array([[16, 16], [80, 16], [16, 64]], np.float32)


def crop(*defects):
    """A crop with defects: box, class, region."""
    boxes = np.array([box for box, _, _ in defects], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label, _ in defects], np.int64)
    part = np.zeros((SIDE, SIDE), np.uint8)
    return Board(part, part, boxes, labels, outlines=tuple(region for _, _, region in defects))


def targets_of(*crops):
    return make_region_targets(crops, CLASSES, SIDE, SIDE, STRIDE)


def covered(targets, picture, label):
    return {(int(row), int(column)) for row, column in (targets.heat[picture, label] == 1).nonzero().tolist()}


def told(pictures=1):
    logits = torch.full((pictures, CLASSES, CELLS, CELLS), -4.0)
    return logits.requires_grad_(True), torch.full((pictures, 4, CELLS, CELLS), 4.0).requires_grad_(True)


def test_cells_under_the_outline_are_covered_and_not_those_of_the_rest_of_its_box():
    targets = targets_of(crop((BOX, 1, (TRIANGLE,))))
    cells = covered(targets, 0, 1)
    assert {(2, 2), (2, 8), (6, 2)} <= cells, "along both straight sides"
    assert (7, 9) not in cells, "the far corner of the box"
    assert not (targets.heat[0, 0] > 0).any()


def test_every_covered_cell_learns_the_whole_box_of_its_defect():
    targets = targets_of(crop((BOX, 1, (TRIANGLE,))))
    assert {tuple(cell[1:]) for cell in targets.cells.tolist()} == covered(targets, 0, 1)
    assert {tuple(box) for box in targets.boxes.tolist()} == {BOX}


def test_a_box_without_an_outline_is_its_own():
    drawn = targets_of(crop((BOX, 0, (rectangle(BOX),))))
    plain = dataclasses.replace(crop((BOX, 0, ())), outlines=())
    assert torch.equal(targets_of(plain).heat, drawn.heat)
    assert len(drawn.cells) == 8 * 6


def test_a_defect_smaller_than_a_cell_has_one():
    speck = (41.0, 41.0, 43.0, 43.0)
    targets = targets_of(crop((speck, 0, (rectangle(speck),))))
    assert covered(targets, 0, 0) == {(5, 5)}


def test_a_defect_of_which_the_crop_shows_nothing_is_not_wanted():
    outside = rectangle((200.0, 200.0, 220.0, 220.0))
    targets = targets_of(crop((BOX, 0, (outside,))))
    assert len(targets.objects) == len(targets.cells) == 0
    assert not (targets.heat > 0).any()


def test_a_cell_of_two_defects_belongs_to_the_later():
    later = (16.0, 16.0, 32.0, 32.0)
    targets = targets_of(crop((BOX, 0, (rectangle(BOX),)), (later, 1, (rectangle(later),))))
    owner = {tuple(cell): int(own) for cell, own in zip(targets.cells.tolist(), targets.owners, strict=True)}
    assert (owner[0, 2, 2], owner[0, 7, 9]) == (1, 0)
    assert targets.boxes[0].tolist() == list(later)


def test_cells_beside_a_defect_are_asked_for_less_silence_than_those_far_off():
    targets = targets_of(crop((BOX, 0, (rectangle(BOX),))))
    logits, distances = told()
    region_loss(logits, distances, targets, STRIDE, 1.0)[0].backward()
    beside, far = logits.grad[0, 0, 1, 2], logits.grad[0, 0, 11, 11]
    assert 0 < beside < 0.1 * far


def test_the_loss_wants_more_of_covered_cells_and_of_no_others():
    targets = targets_of(crop(), crop((BOX, 1, (TRIANGLE,))))
    logits, distances = told(2)
    region_loss(logits, distances, targets, STRIDE, 1.0)[0].backward()
    wanted = {tuple(cell) for cell in (logits.grad < 0).nonzero().tolist()}
    assert wanted == {(1, 1, row, column) for row, column in covered(targets, 1, 1)}


def test_the_loudest_cell_of_a_good_picture_is_pressed_hardest():
    logits, distances = told()
    with torch.no_grad():
        logits[0, 1, 3, 4] = -3.9
    region_loss(logits, distances, targets_of(crop()), STRIDE, 1.0)[0].backward()
    hardest = np.unravel_index(int(logits.grad.argmax()), logits.shape)
    assert hardest == (0, 1, 3, 4)
    assert float(logits.grad.max()) > 10 * float(logits.grad.flatten().kthvalue(logits.numel() - 1).values)


def test_a_box_that_is_right_costs_nothing():
    targets = targets_of(crop((BOX, 1, (TRIANGLE,))))
    logits, _ = told()
    cells = cell_boxes(torch.zeros(1, 4, CELLS, CELLS), STRIDE)[0]
    x1, y1, x2, y2 = BOX
    distances = torch.stack([cells[0] - x1, cells[1] - y1, x2 - cells[2], y2 - cells[3]])[None]
    assert float(region_loss(logits, distances, targets, STRIDE, 1.0)[1][1]) == pytest.approx(0, abs=1e-5)


def test_a_net_learns_one_outlined_defect():
    torch.manual_seed(3)
    net = PeakNet(NetShape(stem=8, fine=(8,), coarse=(16,), deep=(16,), head=(16,), suppress_iou=0.5), CLASSES, 1)
    x = torch.zeros(2, 1, SIDE, SIDE)
    x[0, 0, 16:64, 16:80] = torch.rand(48, 64)
    targets = targets_of(crop((BOX, 1, (rectangle(BOX),))), crop())
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(150):
        loss, _ = region_loss(*net(x), targets, STRIDE, 2.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    peaks = decode_peaks(*net(x), STRIDE)
    assert int(peaks.classes[0, 0]) == 1
    assert float(peaks.scores[0, 0]) > 0.8
    assert float(peaks.scores[1, 0]) < 0.2, "the picture without a defect"
    assert np.abs(peaks.boxes[0, 0].numpy() - BOX).max() < 6


def test_batches_of_a_recipe_that_learns_from_regions_carry_them(recipe):
    train = dataclasses.asdict(recipe.train) | {"targets": "regions"}
    values = recipe.to_dict() | {"train": train, "input": {"width_px": SIDE, "height_px": SIDE}}
    values["net"]["suppress_iou"] = 0.5
    part = np.zeros((SIDE, SIDE), np.uint8)
    box = np.array([[8, 8, 88, 88]], np.float32)
    outline = np.array([[8, 8], [88, 8], [8, 88]], np.float32)
    board = Board(part, part, box, np.zeros(1, np.int64), outlines=((outline,),))
    batch = make_batch([board], recipe_from_dict(values, "the test"), 0)
    shares = [float((batch.targets.heat[n, 0] == 1).float().mean()) for n in range(len(batch.part))]
    # A crop of 64 px inside a box of 80: a whole box would cover nearly all cells, its half some of them.
    assert 0.1 < float(np.mean(shares)) < 0.8


def test_region_targets_want_boxes_to_be_suppressed(recipe):
    train = dataclasses.asdict(recipe.train) | {"targets": "regions"}
    values = recipe.to_dict() | {"train": train}
    with pytest.raises(DataError, match=r"targets regions gives several boxes: set net\.suppress_iou"):
        recipe_from_dict(values, "the test")
