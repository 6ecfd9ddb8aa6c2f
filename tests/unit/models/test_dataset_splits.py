import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.errors import DataError, UsageError
from models.datasets import anchors, similar
from models.datasets.records import Box, Sample
from models.datasets.similar import Pair, find_similar, joined
from models.datasets.splits import Grouping, deal, group, leaking, leaks, parse_shares, random_leak
from tests.unit.models.conftest import real_pictures
from tests.unit.models.dataset_sources import texture

STRIP = texture(7, 240, 600)


def _pairs(*pictures, **more):
    sizes = [picture.shape[1::-1] for picture in pictures]
    return [(pair.first, pair.second) for pair in find_similar(pictures, sizes, **more)]


def _noisy(picture, seed=0, level=6):
    noise = np.random.default_rng(seed).normal(0, level, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _samples(*strata, names=()):
    box = {label: (Box(1, 1, 9, 9, label),) for label in "abcdef"}
    return [
        Sample(names[index] if names else f"{index}.png", Path(f"{index}.png"), box.get(label, ()))
        for index, label in enumerate(strata)
    ]


# Near-duplicates


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 70), (60, 0), (-30, 50)])
def test_overlapping_crops_of_one_strip_are_found(down, right):
    one = STRIP[30 : 30 + 128, 10 : 10 + 128]
    other = STRIP[30 + down : 30 + down + 128, 10 + right : 10 + right + 128]
    assert _pairs(_noisy(one), _noisy(other, 1)) == [(0, 1)]


def test_crops_that_hardly_overlap_are_not_joined():
    assert _pairs(STRIP[:128, :128], STRIP[:128, 110:238]) == []


def test_pictures_of_one_kind_of_surface_are_not_joined():
    assert _pairs(*(texture(seed, 128, 128) for seed in range(12))) == []


def test_one_long_scratch_does_not_join_two_surfaces():
    pictures = [texture(seed, 128, 128) // 2 for seed in range(4)]
    for index, picture in enumerate(pictures):
        picture[:, 30 + 15 * index : 34 + 15 * index] = 250
    assert _pairs(*pictures) == []


def test_slivers_of_brushed_surfaces_do_not_join_them():
    random = np.random.default_rng(2)
    stripes = [cv2.GaussianBlur(random.normal(0, 60, (1, 200)), (0, 0), 1.5) for _ in range(10)]
    brushed = [_noisy(np.repeat(each + 128, 150, 0), seed) for seed, each in enumerate(stripes)]
    pictures = [each[:, : 50 + 15 * index] for index, each in enumerate(brushed)]
    assert _pairs(*pictures) == []


def test_other_light_and_contrast_do_not_hide_a_near_duplicate():
    one = STRIP[:128, :128]
    slope = np.linspace(-50, 50, 128)[None, :]
    other = np.clip(0.6 * STRIP[:128, 20:148] + 60 + slope, 0, 255).astype(np.uint8)
    assert _pairs(one, other) == [(0, 1)]


def test_picture_saved_again_in_another_size_is_found():
    one = texture(3, 128, 128)
    assert _pairs(one, cv2.resize(one, (64, 64), interpolation=cv2.INTER_AREA), texture(4, 128, 128)) == [(0, 1)]


TURNS = {
    "turned by 90 degrees": np.rot90,
    "turned by 180 degrees": lambda picture: np.rot90(picture, 2),
    "turned by 270 degrees": lambda picture: np.rot90(picture, 3),
    "mirrored across": np.fliplr,
    "mirrored down": np.flipud,
    "transposed": np.transpose,
    "transposed the other way": lambda picture: np.rot90(picture, 2).T,
}


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_picture_turned_or_mirrored_is_found_also_where_it_was_shifted(turn):
    one, other = STRIP[:128, :128], _noisy(np.ascontiguousarray(turn(STRIP[20:148, 30:158])))
    assert _pairs(one, other, texture(4, 128, 128)) == [(0, 1)]


def test_turned_picture_need_not_be_square():
    assert _pairs(STRIP[:96, :128], np.ascontiguousarray(np.rot90(STRIP[8:104, 10:138]))) == [(0, 1)]


def test_large_set_is_searched_without_comparing_every_pair(monkeypatch):
    monkeypatch.setattr(similar, "_MOST_EXHAUSTIVE", 0)
    monkeypatch.setattr(similar, "_Coarse", None)
    crops = [STRIP[down : down + 128, right : right + 128] for down, right in ((0, 0), (25, 40), (60, 330), (80, 300))]
    pictures = [*crops, *(texture(100 + seed, 128, 128) for seed in range(40)), _noisy(crops[2])]
    told = []
    pairs = _pairs(*pictures, on_step=lambda *step: told.append(step))
    assert pairs == [(0, 1), (2, 3), (2, 44), (3, 44)]
    assert told[-1] == (45, 45)


@pytest.mark.parametrize("turn", list(itertools.product(range(8), repeat=2)))
def test_pair_found_by_patches_says_how_one_lies_over_the_other(turn):
    """Two crops of one surface, brought into any two of the eight attitudes, agree as the search lays them."""
    planes = [np.float32(STRIP[:100, :128]) - 128, np.float32(STRIP[14:134, 22:142]) - 128]
    one, other = (
        np.ascontiguousarray(anchors.turned(plane, (code, 0))) for plane, code in zip(planes, turn, strict=True)
    )
    ((_, _, tries),) = anchors.candidates([one, other])
    best = tries[0]
    laid = anchors.turned(other, best.turn)
    rows, columns = (slice(max(0, shift), None) for shift in (best.down, best.right))
    behind = laid[max(0, -best.down) :, max(0, -best.right) :]
    height, width = (min(sides) for sides in zip(one[rows, columns].shape, behind.shape, strict=True))
    assert height * width > 5000
    assert np.array_equal(one[rows, columns][:height, :width], behind[:height, :width])


def test_blank_pictures_are_not_called_alike():
    blank = np.full((64, 64), 200, np.uint8)
    assert _pairs(blank, blank.copy(), np.zeros((64, 64), np.uint8)) == []


def test_parts_in_a_fixture_are_told_apart_by_what_they_do_not_share():
    fixture = texture(1, 96, 96)
    parts = [cv2.addWeighted(fixture, 0.8, texture(100 + seed, 96, 96), 0.35, 0) for seed in range(24)]
    assert _pairs(*parts, _noisy(parts[5])) == [(5, 24)]


def test_single_picture_has_no_pairs():
    assert _pairs(STRIP[:100, :100]) == []


def test_groups_join_through_others():
    assert joined(6, [(0, 3), (4, 3), (1, 2)]) == (0, 1, 1, 0, 0, 2)


# Groups and splits


def test_names_and_sources_keep_pictures_together():
    samples = _samples(*"aaaa", names=["board1_x.png", "board2_x.png", "board1_y.png", "other.png"])
    samples[3] = Sample("other.png", Path("other.png"), group="part 9")
    samples.append(Sample("more.png", Path("more.png"), group="part 9"))
    assert group(samples, (), r"board(\d+)").groups == (0, 1, 0, 2, 2)


@pytest.mark.parametrize("pattern", ["(", "nothing like it"])
def test_pattern_that_cannot_group_is_refused(pattern):
    with pytest.raises(UsageError, match="--group-by"):
        group(_samples("a"), (), pattern)


def test_groups_stay_whole_and_classes_reach_every_split():
    random = np.random.default_rng(3)
    labels = random.choice(list("abc-"), 300, p=[0.6, 0.25, 0.1, 0.05])
    numbers = tuple(random.integers(0, 120, 300).tolist())
    samples = _samples(*labels)
    splits = deal(Grouping(joined(300, _same(numbers)), ()), samples, parse_shares("70,15,15"), 0)
    assert len({(number, split) for number, split in zip(numbers, splits, strict=True)}) == len(set(numbers))
    for label in "abc-":
        of_class = [split for split, own in zip(splits, labels, strict=True) if own == label]
        assert of_class.count("train") / len(of_class) == pytest.approx(0.7, abs=0.08)
        assert {"val", "test"} <= set(of_class)


def test_same_seed_gives_the_same_splits_and_another_seed_others():
    samples, grouping = _samples(*"ab" * 40), Grouping(tuple(range(80)), ())
    shares = parse_shares("70,15,15")
    assert deal(grouping, samples, shares, 5) == deal(grouping, samples, shares, 5)
    assert deal(grouping, samples, shares, 5) != deal(grouping, samples, shares, 6)


def test_split_that_would_stay_empty_is_refused():
    with pytest.raises(DataError, match="no picture is left for val"):
        deal(Grouping((0,) * 9, ()), _samples(*"a" * 9), parse_shares("70,15,15"), 0)


@pytest.mark.parametrize("text", ["70,15", "70,15,25", "a,b,c", "0,50,50", "-10,60,50", "nan,50,50"])
def test_shares_that_do_not_add_up_are_refused(text):
    with pytest.raises(UsageError, match="three shares"):
        parse_shares(text)


def test_leak_counts_pictures_beside_a_near_duplicate_in_train():
    pairs = (Pair(0, 1, 0.9), Pair(0, 2, 0.9), Pair(3, 2, 0.9))
    found = leaks(["train", "test", "test", "train", "val"], pairs)
    assert [(found[split].count, found[split].of) for split in ("val", "test")] == [(0, 1), (2, 2)]


def test_what_leaks_is_left_out_of_the_earlier_split():
    splits = ["train", "test", "val", "train", "val", "test", "train", "train"]
    pairs = (Pair(0, 1, 0.9), Pair(2, 5, 0.9), Pair(4, 3, 0.9), Pair(6, 7, 0.9))
    dropped = leaking(splits, pairs)
    assert dropped == {0, 2, 3}
    kept = [index for index in range(8) if index not in dropped]
    rest = Grouping((0, 0, 1, 2, 2, 1, 3, 3), pairs).of(kept)
    assert rest.groups == (0, 1, 2, 3, 3)
    assert rest.pairs == (Pair(3, 4, 0.9),)
    assert not any(leak.count for leak in leaks([splits[index] for index in kept], rest.pairs).values())


def test_split_at_random_leaks_pairs():
    pairs = tuple(Pair(index, index + 1, 0.9) for index in range(0, 100, 2))
    assert random_leak(100, pairs, 0.2, 0).share == pytest.approx(0.8, abs=0.08)


def _same(numbers):
    first = {}
    return [(first.setdefault(number, index), index) for index, number in enumerate(numbers)]


# The real steel


@pytest.fixture
def steel():
    folder = real_pictures("neu-det") / "images"
    return sorted(folder.glob("*/pitted_surface_*.jpg"))


@pytest.mark.data
def test_random_split_of_the_steel_set_leaks_and_a_grouped_one_does_not(steel):
    copies = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in steel]
    pairs = find_similar(copies, [(200, 200)] * len(copies))
    samples = [Sample(path.name, path, (Box(1, 1, 9, 9, "pitted"),)) for path in steel]
    grouping = group(samples, pairs)
    at_random = random_leak(len(steel), pairs, 0.2, 0)
    dealt = leaks(deal(grouping, samples, parse_shares("80,0,20"), 0), pairs)["test"]
    assert at_random.share > 0.4
    assert (dealt.count, dealt.of) == (0, pytest.approx(0.2 * len(steel), abs=3))
