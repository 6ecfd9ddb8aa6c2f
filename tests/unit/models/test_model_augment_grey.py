import dataclasses

import cv2
import numpy as np
import pytest

from models.mending import Board
from models.outlines import rectangle
from models.recipe import Augmentation
from models.training.augment_grey import grey_crop, joined, paste_defect
from models.training.augment_light import lit

STILL = Augmentation(
    centred_probability=1.0,
    scale_min=1.0,
    scale_max=1.0,
    template_probability=0.0,
    repaired_probability=0.0,
    partly_repaired_probability=0.0,
    designed_probability=0.0,
    shift_probability=0.0,
    symmetries=False,
)
GROUND, DEFECT = 90, 230
SIZE = (96, 96)


def board(*, colour=False, golden=False, boxes=((60, 50, 80, 70),), side=160):
    """Bright squares on grey ground."""
    shape = (side, side, 3) if colour else (side, side)
    good = np.full(shape, GROUND, np.uint8)
    part = good.copy()
    for x1, y1, x2, y2 in boxes:
        part[y1:y2, x1:x2] = DEFECT
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Board(part, good if golden else part, found, np.zeros(len(boxes), np.int64), "board.png")


def square_in(picture):
    """Edges of the bright square, to parts of a pixel: where levels cross the middle between ground and defect."""
    grey = picture.astype(float)
    grey = grey if grey.ndim == 2 else grey.mean(axis=2)
    middle = (grey.min() + grey.max()) / 2
    edges = []
    for axis in (0, 1):
        profile = grey.max(axis=axis)
        inside = np.flatnonzero(profile > middle)
        edges.append((inside[0], inside[-1] + 1))
    (x1, x2), (y1, y2) = edges
    return np.array([x1, y1, x2, y2])


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"scale_min": 0.7, "scale_max": 1.5},
        {"rotation_deg": 5.0},
        {"stretch": 0.15},
        {"symmetries": True},
        {"gain": 0.4, "offset": 0.1},
        {"blur_px": 1.2},
        {"noise": 0.02},
        {"gradient": 0.1},
        {"texture_probability": 1.0},
        {"scale_min": 0.8, "scale_max": 1.25, "rotation_deg": 4.0, "stretch": 0.1, "symmetries": True, "gain": 0.3},
    ],
    ids=lambda change: "+".join(change) or "nothing",
)
def test_box_fits_its_square_after(change, colour):
    odds = dataclasses.replace(STILL, **change)
    for seed in range(12):
        crop = grey_crop(board(colour=colour), (), SIZE, odds, np.random.default_rng(seed))
        if len(crop.boxes) == 0 or crop.boxes.min() < 2 or crop.boxes.max() > 94:
            continue  # cut off by the crop's edge
        assert np.abs(crop.boxes[0] - square_in(crop.part)).max() <= 1.5


def test_most_crops_of_a_centred_defect_hold_it():
    kept = [len(grey_crop(board(), (), SIZE, STILL, np.random.default_rng(seed)).boxes) for seed in range(20)]
    assert sum(kept) == 20


def test_unscaled_crop_takes_the_pixels_as_they_are():
    crop = grey_crop(board(), (), (160, 160), STILL, np.random.default_rng(0))
    assert np.array_equal(crop.part, board().part)


def test_shrinking_and_enlarging_do_not_move_the_picture():
    ramp = np.tile(np.arange(160, dtype=np.uint8), (160, 1))
    still = Board(ramp, ramp, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    half = grey_crop(
        still, (), (80, 80), dataclasses.replace(STILL, scale_min=0.5, scale_max=0.5), np.random.default_rng(0)
    )
    expected = ramp.reshape(80, 2, 80, 2).mean(axis=(1, 3))
    assert np.abs(half.part[:, 1:-1] - expected[:, 1:-1]).max() <= 1


@pytest.mark.parametrize("size", [(96, 64), (64, 96)])
def test_crop_may_be_oblong(size):
    odds = dataclasses.replace(STILL, symmetries=True)
    for seed in range(8):
        assert grey_crop(board(), (), size, odds, np.random.default_rng(seed)).part.shape == size[::-1]


def test_same_seed_gives_the_same_crop():
    odds = dataclasses.replace(
        Augmentation(), rotation_deg=5, gain=0.3, noise=0.05, blur_px=1, texture_probability=0.5, paste_probability=0.5
    )
    one, two = (grey_crop(board(), [board()], SIZE, odds, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.part, two.part)
    assert np.array_equal(one.boxes, two.boxes)


def test_ground_beyond_the_picture_shows_no_defect_twice():
    rim = board(boxes=((4, 70, 24, 90),))
    odds = dataclasses.replace(STILL, scale_min=0.5, scale_max=0.5)
    crop = grey_crop(rim, (), SIZE, odds, np.random.default_rng(0))
    count, _ = cv2.connectedComponents((crop.part > (GROUND + DEFECT) / 2).astype(np.uint8))
    assert count - 1 == len(crop.boxes) == 1


def test_source_picture_is_left_alone():
    source, odds = board(), dataclasses.replace(Augmentation(), paste_probability=1.0, gain=0.3, noise=0.1)
    for seed in range(4):
        grey_crop(source, [board()], SIZE, odds, np.random.default_rng(seed))
    assert np.array_equal(source.part, board().part)


def test_pasted_defect_has_a_box_that_fits():
    good = board(boxes=())
    for seed in range(12):
        mixed = paste_defect(good, board(), np.random.default_rng(seed))
        assert np.abs(mixed.boxes[0] - square_in(mixed.part)).max() <= 1.5


def test_pasted_defect_takes_the_light_of_its_place():
    dark = dataclasses.replace(board(boxes=()), part=np.full((160, 160), 40, np.uint8))
    mixed = paste_defect(dark, board(), np.random.default_rng(0))
    assert mixed.part.max() == pytest.approx(DEFECT - GROUND + 40, abs=2)


def test_pasted_defect_never_covers_one_that_is_there():
    crowded = board(boxes=[(x, y, x + 20, y + 20) for x in range(0, 160, 32) for y in range(0, 160, 32)])
    for seed in range(8):
        mixed = paste_defect(crowded, board(), np.random.default_rng(seed))
        assert len(mixed.boxes) == len(crowded.boxes)


def test_defect_with_a_neighbour_that_would_come_along_is_not_pasted():
    pair = board(boxes=((60, 50, 80, 70), (81, 50, 101, 70)))
    assert len(paste_defect(board(boxes=()), pair, np.random.default_rng(0)).boxes) == 0


def test_golden_sample_stays_without_the_pasted_defect():
    mixed = paste_defect(board(boxes=(), golden=True), board(), np.random.default_rng(0))
    assert (mixed.part.max(), mixed.golden.max()) == (pytest.approx(DEFECT, abs=2), GROUND)


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_repaired_part_shows_its_golden_sample(colour):
    odds = dataclasses.replace(STILL, repaired_probability=1.0)
    crop = grey_crop(board(colour=colour, golden=True), (), SIZE, odds, np.random.default_rng(0))
    assert len(crop.boxes) == 0
    assert np.array_equal(crop.part, crop.golden)


def test_misregistration_moves_the_golden_sample_by_parts_of_a_pixel():
    slope = 8
    ramp = np.tile(np.arange(0, 30 * slope, slope, dtype=np.uint8), (30, 1))
    pair = Board(ramp.copy(), ramp, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    odds = dataclasses.replace(STILL, shift_probability=1.0, shift_px=2)
    shifts = []
    for seed in range(16):
        crop = grey_crop(pair, (), (24, 24), odds, np.random.default_rng(seed))
        shifts.append(float((crop.golden.astype(float) - crop.part)[:, 6:-6].mean()) / slope)
    assert max(np.abs(shifts)) <= 2.1
    assert np.std(shifts) > 0.5
    assert any(abs(shift - round(shift)) > 0.2 for shift in shifts)


def test_golden_sample_has_a_light_of_its_own():
    odds = dataclasses.replace(STILL, offset=0.1, repaired_probability=1.0)
    crop = grey_crop(board(golden=True), (), SIZE, odds, np.random.default_rng(0))
    assert crop.part.mean() != crop.golden.mean()


def test_set_without_golden_samples_keeps_part_and_golden_one():
    odds = dataclasses.replace(STILL, noise=0.1)
    assert not grey_crop(board(), (), SIZE, odds, np.random.default_rng(0)).has_golden


def test_light_that_does_not_change_leaves_every_level():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(lit(ramp, STILL, np.random.default_rng(0)), ramp)


def test_noise_is_as_deep_as_the_recipe_says():
    flat, odds = np.full((256, 256), 128, np.uint8), dataclasses.replace(STILL, noise=0.05)
    depths = [lit(flat, odds, np.random.default_rng(seed)).std() for seed in range(12)]
    assert max(depths) <= 0.05 * 255 * 1.1
    assert max(depths) > 0.02 * 255


def test_noise_fills_a_picture_larger_than_its_grain():
    flat, odds = np.full((1100, 1200), 128, np.uint8), dataclasses.replace(STILL, noise=0.05)
    assert lit(flat, odds, np.random.default_rng(1)).std(axis=0).min() > 0


def test_streaks_are_longer_than_wide():
    flat, odds = np.full((256, 256), 128, np.uint8), dataclasses.replace(STILL, texture_probability=1.0)
    ratios = []
    for seed in range(12):
        streaks = lit(flat, odds, np.random.default_rng(seed)).astype(float)
        ratios.append(np.abs(np.diff(streaks, axis=0)).mean() / max(1e-6, np.abs(np.diff(streaks, axis=1)).mean()))
    assert max(ratios) > 2
    assert min(ratios) < 0.5


def test_light_falls_off_to_one_side():
    flat, odds = np.full((64, 64), 128, np.uint8), dataclasses.replace(STILL, gradient=0.3)
    shaded = lit(flat, odds, np.random.default_rng(2)).astype(float)
    assert abs(shaded[:, 0].mean() - shaded[:, -1].mean()) > 3
    assert shaded.mean() == pytest.approx(128, abs=1)


def test_colours_drift_apart_a_little():
    flat = np.tile(np.arange(64, 192, dtype=np.uint8)[None, :, None], (64, 1, 3))
    cast = lit(flat, dataclasses.replace(STILL, gain=0.4), np.random.default_rng(1)).astype(float)
    spans = cast.max(axis=(0, 1)) - cast.min(axis=(0, 1))
    assert 0 < np.ptp(spans) < 0.2 * spans.mean()


def outlined(source):
    """The same board with the outlines of its squares."""
    return dataclasses.replace(source, outlines=tuple((rectangle(box),) for box in source.boxes))


def hull_of(region):
    points = np.concatenate(region)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


@pytest.mark.parametrize("change", [{}, {"scale_min": 0.7, "scale_max": 1.5}, {"stretch": 0.15}, {"symmetries": True}])
def test_outlines_move_with_their_defects(change):
    odds = dataclasses.replace(STILL, **change)
    for seed in range(12):
        crop = grey_crop(outlined(board()), (), SIZE, odds, np.random.default_rng(seed))
        for box, region in zip(crop.boxes, crop.outlines, strict=True):
            assert np.abs(np.clip(hull_of(region), 0, 96) - box).max() < 0.01


def test_outline_of_a_pasted_defect_comes_along():
    for there in (board(), outlined(board())):
        mixed = paste_defect(outlined(board(boxes=((4, 4, 20, 20),))), there, np.random.default_rng(1))
        assert [hull_of(region).tolist() for region in mixed.outlines] == mixed.boxes.tolist()
        assert len(mixed.boxes) == 2


def test_boards_without_outlines_get_none_by_pasting():
    assert paste_defect(board(boxes=()), board(), np.random.default_rng(0)).outlines == ()


def test_what_is_left_of_an_outlined_defect_in_a_crop_stays_marked():
    wide = board(boxes=((0, 60, 160, 80),))
    odds = dataclasses.replace(STILL, scale_min=4.0, scale_max=4.0)
    plain, marked = (grey_crop(each, (), SIZE, odds, np.random.default_rng(0)) for each in (wide, outlined(wide)))
    assert (len(plain.boxes), len(marked.boxes)) == (0, 1)


def test_without_quarter_turns_lengthwise_streaks_stay_lengthwise():
    streaks = np.tile(np.arange(0, 160, dtype=np.uint8), (160, 1))
    source = Board(streaks, streaks, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    odds = dataclasses.replace(STILL, symmetries=True, quarter_turns=False)
    ways = [grey_crop(source, (), SIZE, odds, np.random.default_rng(seed)).part for seed in range(16)]
    assert all((each == each[0]).all() for each in ways)
    assert {bool(each[0, 0] < each[0, -1]) for each in ways} == {True, False}, "and they are mirrored still"


@pytest.mark.parametrize("axis", [0, 1], ids=["beside", "below"])
@pytest.mark.parametrize("golden", [False, True])
def test_joined_crops_show_each_picture_in_its_place(axis, golden):
    one, two = board(side=96, boxes=((10, 10, 30, 30), (60, 60, 80, 80))), board(side=96, boxes=((66, 68, 88, 86),))
    if golden:
        one, two = (dataclasses.replace(each, golden=np.full_like(each.part, GROUND)) for each in (one, two))
    mixed = joined(one, two, axis, 0.5)
    first, second = (slice(None), slice(0, 48)), (slice(None), slice(48, 96))
    first, second = (first, second) if axis == 0 else (first[::-1], second[::-1])
    assert np.array_equal(mixed.part[first], one.part[first])
    assert np.array_equal(mixed.part[second], two.part[second])
    assert mixed.boxes.tolist() == [[10, 10, 30, 30], [66, 68, 88, 86]]
    assert mixed.has_golden == golden


def test_of_a_defect_on_the_seam_what_is_left_stays_if_it_is_enough():
    one = board(side=96, boxes=((20, 10, 60, 30), (40, 40, 90, 60)))
    mixed = joined(one, board(side=96, boxes=()), 0, 0.5)
    assert mixed.boxes.tolist() == [[20, 10, 48, 30]]  # of the second a sixth is left


def test_crops_are_joined_by_chance():
    odds = dataclasses.replace(STILL, centred_probability=0.0, join_probability=0.5)
    bright = dataclasses.replace(board(boxes=(), side=96), part=np.full((96, 96), 200, np.uint8))
    dark = dataclasses.replace(board(boxes=(), side=96), part=np.full((96, 96), 20, np.uint8))
    random = np.random.default_rng(0)
    kinds = [len(np.unique(grey_crop(bright, [dark], SIZE, odds, random).part)) for _ in range(200)]
    assert 70 < kinds.count(2) < 130
