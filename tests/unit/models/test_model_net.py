# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import math

import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')

import numpy as np

from models.loss import boxes_at, detection_loss, focal_loss, generalised_iou, make_targets
from models.net import PeakNet, count_macs, stack_inputs
from models.peaks import decode_peaks
from models.recipe import NetShape, load_recipe

pytestmark = pytest.mark.train


@pytest.fixture
def net():
    torch.manual_seed(0)
    return PeakNet(NetShape(8, (8,), (8, 8), 8), classes=2, channels_in=3)


def test_outputs_are_on_a_grid_of_stride_8(net):
    logits, distances = net(torch.zeros(2, 3, 64, 96))
    assert (logits.shape, distances.shape) == ((2, 2, 8, 12), (2, 4, 8, 12))


def test_distances_are_positive(net):
    assert (net(torch.rand(1, 3, 64, 64))[1] > 0).all()


def test_untrained_net_is_silent(net):
    assert torch.sigmoid(net(torch.rand(1, 3, 64, 64))[0]).max() < 0.05


def test_shipped_net_stays_within_its_budget(repository):
    recipe = load_recipe(repository / "models" / "recipes" / "pcb-nano.toml")
    net = PeakNet(recipe.net, len(recipe.classes), 3)
    assert count_macs(net, 3, recipe.input.height_px, recipe.input.width_px) <= 0.2e9


def test_macs_of_one_convolution_are_counted_by_hand():
    layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert count_macs(layer, 3, 10, 20) == 10 * 20 * 3 * 5 * 9


def test_folded_net_answers_as_the_trained_one(net):
    net.train()
    for _ in range(3):
        net(torch.rand(4, 3, 64, 64))
    net.eval()
    x = torch.rand(1, 3, 64, 64)
    for expected, folded in zip(net(x), net.folded()(x), strict=True):
        assert torch.allclose(expected, folded, atol=1e-4)


def test_folded_net_has_no_normalisation(net):
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.folded().modules())


def test_difference_to_the_golden_sample_is_a_channel():
    part, golden = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 1.0]]]])
    assert stack_inputs(part, golden)[0, 2].tolist() == [[0.0, 1.0]]


def test_generalised_iou_of_equal_boxes_is_one():
    box = torch.tensor([[1.0, 2.0, 5.0, 9.0]])
    assert generalised_iou(box, box).item() == pytest.approx(1.0)


def test_generalised_iou_of_boxes_apart_is_minus_the_gap():
    one, two = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[3.0, 0.0, 4.0, 1.0]])
    assert generalised_iou(one, two).item() == pytest.approx(-0.5)  # hull 4, union 2


def test_focal_loss_of_a_certain_answer_is_nothing():
    heat = torch.tensor([[[[1.0, 0.0]]]])
    assert focal_loss(torch.tensor([[[[20.0, -20.0]]]]), heat).item() == pytest.approx(0.0, abs=1e-6)


def test_focal_loss_of_a_miss_is_its_surprise():
    loss = focal_loss(torch.tensor([[[[0.0]]]]), torch.ones(1, 1, 1, 1))
    assert loss.item() == pytest.approx(0.25 * math.log(2))


def test_nine_cells_around_a_centre_regress_its_box():
    targets = make_targets([(np.array([[20, 20, 60, 60]], np.float32), np.array([1]))], 2, 96, 96)
    assert (len(targets.cells), targets.centres) == (9, 1)
    assert targets.heat[0, 1, 5, 5] == 1.0
    assert targets.heat[0, 0].max() == 0.0


def test_cells_outside_a_small_box_do_not_regress_it():
    targets = make_targets([(np.array([[33, 33, 39, 39]], np.float32), np.array([0]))], 1, 64, 64)
    assert targets.cells.tolist() == [[0, 4, 4]]


def test_picture_without_objects_has_a_loss(net):
    empty = make_targets([(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))], 2, 64, 64)
    loss, parts = detection_loss(*net(torch.zeros(1, 3, 64, 64)), empty, 2.0)
    assert loss > 0
    assert parts[1] == 0


def test_distances_at_a_cell_become_a_box():
    box = boxes_at(torch.tensor([[4.0, 4.0, 8.0, 12.0]]), torch.tensor([1]), torch.tensor([2]))
    assert box.tolist() == [[16.0, 8.0, 28.0, 24.0]]


def _one_peak(score=0.9, row=3, column=5):
    logits = torch.full((1, 2, 8, 8), -12.0)
    logits[0, 1, row, column] = math.log(score / (1 - score))
    return logits, torch.full((1, 4, 8, 8), 16.0)


def test_peak_becomes_a_detection():
    peaks = decode_peaks(*_one_peak(), top_k=10)
    assert peaks.scores[0, 0].item() == pytest.approx(0.9)
    assert peaks.classes[0, 0] == 1
    assert peaks.boxes[0, 0].tolist() == pytest.approx([28, 12, 60, 44], abs=0.1)


def test_weaker_neighbour_is_no_peak_but_moves_the_box():
    logits, distances = _one_peak()
    logits[0, 0, 3, 6] = 0.0  # a score of 0.5 of another class, whose box lies 8 px to the right
    peaks = decode_peaks(logits, distances, top_k=10)
    assert (peaks.scores[0] > 0.1).sum() == 1
    assert peaks.boxes[0, 0, 0].item() == pytest.approx(28 + 8 * 0.5 / 1.4, abs=0.1)


def test_boxes_stay_inside_the_picture():
    peaks = decode_peaks(*_one_peak(row=0, column=0), top_k=10)
    assert peaks.boxes[0, 0, :2].tolist() == [0.0, 0.0]
