import dataclasses

import numpy as np
import pytest

from models.data import load_split
from models.mending import Board, load_board, repair
from models.recipe import Augmentation
from models.training.augment import training_crop, turn

PLAIN = Augmentation(
    template_probability=0.0,
    repaired_probability=0.0,
    partly_repaired_probability=0.0,
    designed_probability=0.0,
    shift_probability=0.0,
    thickness_probability=0.0,
    part_thickness_probability=0.0,
    roughness_probability=0.0,
)


@pytest.fixture
def board(data_dir):
    return load_board(load_split(data_dir, "train", ("hole", "blob"), golden=True).pictures[0])


def test_loaded_board_is_binary(board):
    assert set(np.unique(board.part)) <= {0, 1}


def test_repaired_board_equals_its_golden_sample(board):
    mended = repair(board, np.zeros(2, bool))
    assert np.array_equal(mended.part, board.golden)
    assert len(mended.boxes) == 0


def test_repair_keeps_the_defect_that_stays(board):
    mended = repair(board, np.array([True, False]))
    x1, y1, x2, y2 = mended.boxes[0].astype(int)
    assert (mended.part != mended.golden).sum() == (x2 - x1) * (y2 - y1)
    assert mended.labels.tolist() == [0]


def test_repair_leaves_the_board_itself_alone(board):
    before = board.part.copy()
    repair(board, np.zeros(2, bool))
    assert np.array_equal(board.part, before)


@pytest.mark.parametrize("seed", range(24))
def test_boxes_follow_the_defects_through_every_turn_and_scale(board, seed):
    odds = dataclasses.replace(PLAIN, scale_min=0.8, scale_max=1.25)
    crop = training_crop(board, 64, odds, np.random.default_rng(seed))
    outside = crop.part != crop.golden
    for x1, y1, x2, y2 in crop.boxes:
        outside[max(0, int(y1) - 1) : int(y2) + 2, max(0, int(x1) - 1) : int(x2) + 2] = False
    at_the_rim = np.ones_like(outside)
    at_the_rim[10:-10, 10:-10] = False  # a defect whose centre lies outside has no box, but half of it may show
    assert not (outside & ~at_the_rim).any()


def test_template_as_part_has_nothing_to_find(board):
    odds = dataclasses.replace(PLAIN, template_probability=1.0)
    crop = training_crop(board, 64, odds, np.random.default_rng(0))
    assert len(crop.boxes) == 0
    assert np.array_equal(crop.part, crop.golden)


def test_same_seed_gives_the_same_crop(board):
    one, two = (training_crop(board, 64, Augmentation(), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.part, two.part)
    assert np.array_equal(one.boxes, two.boxes)


def test_misregistration_moves_the_golden_sample_only(board):
    odds = dataclasses.replace(PLAIN, template_probability=1.0, shift_probability=1.0, scale_min=1.0, scale_max=1.0)
    shifted = [training_crop(board, 64, odds, np.random.default_rng(seed)) for seed in range(8)]
    assert any(not np.array_equal(crop.part, crop.golden) for crop in shifted)


def test_defects_of_a_set_without_golden_samples_are_never_mended(board):
    alone = Board(board.part, board.part, board.boxes, board.labels)
    odds = Augmentation(template_probability=0.5, repaired_probability=0.5, scale_min=1.0, scale_max=1.0)
    assert all(len(training_crop(alone, 96, odds, np.random.default_rng(seed)).boxes) == 2 for seed in range(8))


def test_crop_of_a_set_without_golden_samples_is_its_own(board):
    alone = Board(board.part, board.part, board.boxes, board.labels)
    assert not training_crop(alone, 64, Augmentation(), np.random.default_rng(0)).has_golden


@pytest.mark.parametrize("way", range(8))
def test_turning_moves_boxes_with_the_pixels_of_an_oblong_too(way):
    part = np.zeros((40, 60), np.uint8)
    part[5:11, 7:19] = 1
    board = Board(part, part, np.array([[7, 5, 19, 11]], np.float32), np.zeros(1, np.int64))
    turned = turn(board, (60, 40), way)
    x1, y1, x2, y2 = turned.boxes[0].astype(int)
    assert turned.part[y1:y2, x1:x2].all()
    assert turned.part.sum() == (x2 - x1) * (y2 - y1)


def test_scanning_again_takes_a_picture_larger_than_the_fixed_field():
    part = np.zeros((1100, 1100), np.uint8)
    board = Board(part, part, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    odds = dataclasses.replace(PLAIN, roughness_probability=1.0)
    assert training_crop(board, 1088, odds, np.random.default_rng(0)).part.shape == (1088, 1088)


def test_scanning_again_roughens_edges_and_leaves_flat_copper_alone(board):
    odds = dataclasses.replace(PLAIN, template_probability=1.0, roughness_probability=1.0, scale_min=1.0, scale_max=1.0)
    crop = training_crop(board, 64, odds, np.random.default_rng(3))
    rough = crop.part != crop.golden
    inside = np.ones_like(rough)
    for axis in (0, 1):
        for step in range(-4, 5):
            inside &= np.roll(crop.golden, step, axis) == crop.golden
    assert rough.any()
    assert not (rough & inside.astype(bool))[5:-5, 5:-5].any()


@pytest.mark.parametrize("seed", range(8))
def test_defect_that_the_golden_sample_shares_is_none(board, seed):
    odds = dataclasses.replace(PLAIN, designed_probability=1.0, scale_min=1.0, scale_max=1.0)
    crop = training_crop(board, 96, odds, np.random.default_rng(seed))
    differing = (crop.part != crop.golden).sum()
    assert differing == sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in crop.boxes)
