# ruff: noqa: E402  (what needs an optional library is imported after asking for it)
import math

import pytest

torch = pytest.importorskip("torch", reason='training needs: pip install "takt-inspect[train]"')

import numpy as np

from models.nets.classify import ClassNet, classification_loss
from models.nets.net import ConvUnit, PeakNet, count_macs, stack_inputs
from models.nets.peaks import decode_peaks
from models.recipe import SIZES, InputShape, NetShape, load_recipe
from models.training.loss import boxes_at, detection_loss, focal_loss, generalised_iou, make_targets

pytestmark = pytest.mark.train


SHAPES = {
    "stride 8": NetShape(8, (8,), (8, 12), (), (8,), head_stride_px=8),
    "stride 4": NetShape(8, (8,), (12,), (), (8, 16), head_stride_px=4),
    "deep": NetShape(8, (8, 8), (12,), (16, 16), (8,), head_stride_px=8),
    "deep at stride 4": NetShape(8, (8,), (12,), (16,), (8,), head_stride_px=4),
    "single kernels": NetShape(8, (8,), (8, 8), (), (8,), head_stride_px=8, is_branched=False),
}


@pytest.fixture(params=SHAPES)
def net(request):
    torch.manual_seed(0)
    return PeakNet(SHAPES[request.param], classes=2, channels_in=3)


def test_outputs_are_on_a_grid_of_the_stride(net):
    logits, distances = net(torch.zeros(2, 3, 64, 96))
    grid = (64 // net.stride_px, 96 // net.stride_px)
    assert (logits.shape, distances.shape) == ((2, 2, *grid), (2, 4, *grid))


def test_distances_are_positive(net):
    assert (net(torch.rand(1, 3, 64, 64))[1] > 0).all()


def test_embedding_is_the_mean_of_the_deepest_map(net):
    x = torch.rand(2, 3, 64, 64)
    net.eval()
    assert torch.allclose(net.embed(x), net.features(x)[-1].flatten(2).mean(2))


def test_untrained_net_is_silent(net):
    assert torch.sigmoid(net(torch.rand(1, 3, 64, 64))[0]).max() < 0.05


def test_shipped_net_stays_within_its_budget(repository):
    recipe = load_recipe(repository / "models" / "recipes" / "pcb-nano.toml")
    net = PeakNet(recipe.net, len(recipe.classes), 3)
    assert count_macs(net, 3, recipe.input.height_px, recipe.input.width_px) <= 0.2e9


def test_macs_are_counted_by_hand():
    net = ClassNet(NetShape(4, (5,), (6,), is_branched=True), classes=2, channels_in=3)
    stem, fine, coarse = 8 * 8 * 3 * 4 * 16, 4 * 4 * 4 * 5 * 9, 2 * 2 * 5 * 6 * 9
    assert count_macs(net, 3, 32, 32) == stem + fine + coarse


def test_sizes_of_the_family_grow():
    macs = [count_macs(PeakNet(NetShape(**size), 6, 1), 1, 640, 640) for size in SIZES.values()]
    assert macs == sorted(macs)
    assert macs[1] <= 0.5e9


@pytest.mark.parametrize(("channels", "stride"), [((8, 8), 1), ((8, 8), 2), ((8, 12), 1)])
def test_branches_add_up_to_one_kernel(channels, stride):
    torch.manual_seed(1)
    unit = ConvUnit(*channels, stride=stride, is_branched=True).eval()
    x = torch.rand(1, channels[0], 12, 12)
    conv = torch.nn.functional.conv2d
    apart = unit.gains[0][:, None, None] * conv(x, unit.conv.weight, None, stride, 1)
    apart = apart + unit.gains[1][:, None, None] * conv(x, unit.point, None, stride, 0)
    if len(unit.gains) > 2:
        apart = apart + unit.gains[2][:, None, None] * x
    assert torch.allclose(conv(x, unit.kernel(), None, stride, 1), apart, atol=1e-5)


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


def _levels(*values):
    return torch.tensor([[[values]]], dtype=torch.uint8)


def test_difference_to_the_golden_sample_is_a_channel():
    stack = stack_inputs(_levels(255, 0), _levels(255, 255), InputShape())
    assert stack[0, :, 0].tolist() == [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


def test_levels_are_stretched_and_cut_off():
    shape = InputShape(black_level=100, white_level=200)
    assert stack_inputs(_levels(50, 150, 250), None, shape)[0, 0, 0].tolist() == [0.0, 0.5, 1.0]


def test_colours_keep_their_planes():
    part = torch.arange(6, dtype=torch.uint8).reshape(1, 3, 1, 2)
    stack = stack_inputs(part, torch.zeros_like(part), InputShape(channels=3))
    assert stack.shape == (1, 9, 1, 2)
    assert torch.equal(stack[:, :3], stack[:, 6:])


def test_classifier_gives_probabilities():
    torch.manual_seed(0)
    rows = ClassNet(NetShape(8, (8,), (8,)), classes=3, channels_in=1).eval().probabilities(torch.rand(4, 1, 64, 64))
    assert rows.shape == (4, 3)
    assert torch.allclose(rows.sum(1), torch.ones(4))


def test_folded_classifier_answers_as_the_trained_one():
    torch.manual_seed(0)
    net = ClassNet(NetShape(8, (8, 8), (12,)), classes=3, channels_in=1)
    net(torch.rand(4, 1, 64, 64))
    net.eval()
    x = torch.rand(2, 1, 64, 64)
    assert torch.allclose(net(x), net.folded()(x), atol=1e-5)


def test_classification_loss_of_an_even_guess_is_its_surprise():
    loss, parts = classification_loss(torch.zeros(2, 4), torch.tensor([1, 3]))
    assert loss.item() == pytest.approx(math.log(4))
    assert parts.tolist() == [loss.item()]


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
    targets = make_targets([(np.array([[20, 20, 60, 60]], np.float32), np.array([1]))], 2, 96, 96, 8)
    assert (len(targets.cells), len(targets.objects)) == (9, 1)
    assert targets.heat[0, 1, 5, 5] == 1.0
    assert targets.heat[0, 0].max() == 0.0


def test_cells_outside_a_small_box_do_not_regress_it():
    targets = make_targets([(np.array([[33, 33, 39, 39]], np.float32), np.array([0]))], 1, 64, 64, 8)
    assert targets.cells.tolist() == [[0, 4, 4]]


def test_a_finer_grid_has_as_wide_a_neighbourhood():
    targets = make_targets([(np.array([[20, 20, 60, 60]], np.float32), np.array([1]))], 2, 96, 96, 4)
    assert len(targets.cells) == 25


def test_picture_without_objects_has_a_loss(net):
    empty = make_targets([(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))], 2, 64, 64, net.stride_px)
    loss, parts = detection_loss(*net(torch.zeros(1, 3, 64, 64)), empty, net.stride_px, 2.0)
    assert loss > 0
    assert parts[1] == 0


def test_distances_at_a_cell_become_a_box():
    box = boxes_at(torch.tensor([[4.0, 4.0, 8.0, 12.0]]), torch.tensor([1]), torch.tensor([2]), 8)
    assert box.tolist() == [[16.0, 8.0, 28.0, 24.0]]


def _one_peak(score=0.9, row=3, column=5):
    logits = torch.full((1, 2, 8, 8), -12.0)
    logits[0, 1, row, column] = math.log(score / (1 - score))
    return logits, torch.full((1, 4, 8, 8), 16.0)


def test_peak_becomes_a_detection():
    peaks = decode_peaks(*_one_peak(), 8, top_k=10)
    assert peaks.scores[0, 0].item() == pytest.approx(0.9)
    assert peaks.classes[0, 0] == 1
    assert peaks.boxes[0, 0].tolist() == pytest.approx([28, 12, 60, 44], abs=0.1)


def test_weaker_neighbour_is_no_peak_but_moves_the_box():
    logits, distances = _one_peak()
    logits[0, 0, 3, 6] = 0.0  # a score of 0.5 of another class, whose box lies 8 px to the right
    peaks = decode_peaks(logits, distances, 8, top_k=10)
    assert (peaks.scores[0] > 0.1).sum() == 1
    assert peaks.boxes[0, 0, 0].item() == pytest.approx(28 + 8 * 0.5 / 1.4, abs=0.1)


def test_boxes_stay_inside_the_picture():
    peaks = decode_peaks(*_one_peak(row=0, column=0), 8, top_k=10)
    assert peaks.boxes[0, 0, :2].tolist() == [0.0, 0.0]


def test_of_two_peaks_within_8_px_the_stronger_is_left():
    logits, distances = _one_peak()
    logits[0, 0, 3, 7] = 0.0  # two cells away: 16 px on a grid of stride 8, 8 px on one of stride 4
    far, near = (decode_peaks(logits, distances, stride, top_k=10).scores for stride in (8, 4))
    assert ((far[0] > 0.1).sum(), (near[0] > 0.1).sum()) == (2, 1)
