import dataclasses
import json
import shutil

import cv2
import numpy as np
import pytest

from app.detect.prepare import Preparation
from app.errors import DataError
from models.recipe import InputShape, recipe_from_dict
from models.training.boards import check_scores, fingerprint, input_spec, load_training_boards, remarks, to_size
from models.training.picture_classes import load_classed

CLASSES = ("ok", "bad")


def with_input(recipe, **changes):
    return dataclasses.replace(recipe, input=InputShape(**{"width_px": 96, "height_px": 96, **changes}))


@pytest.fixture
def recipe(recipe):
    return with_input(recipe)


@pytest.fixture
def classifier():
    return recipe_from_dict(
        {
            "name": "c",
            "version": "1",
            "kind": "classification",
            "classes": list(CLASSES),
            "good_classes": ["ok"],
            "input": {"width_px": 64, "height_px": 64},
            "net": {"size": "nano"},
        },
        "the test",
    )


def write_folders(root, split="train", count=2):
    for label, level in zip(CLASSES, (40, 200), strict=True):
        folder = root / split / label
        folder.mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 80), level + number, np.uint8))


def change_truth(data_dir, split, change):
    path = data_dir / "annotations" / f"{split}.json"
    truth = json.loads(path.read_text())
    change(truth)
    path.write_text(json.dumps(truth))


def test_pictures_are_stretched_to_the_input_and_boxes_with_them(data_dir, recipe):
    plain = load_training_boards(data_dir, "val", recipe)[0]
    wide = load_training_boards(data_dir, "val", with_input(recipe, width_px=192))[0]
    assert wide.part.shape == (96, 192)
    assert np.allclose(wide.boxes, plain.boxes * [2, 1, 2, 1])


def test_colour_input_has_three_planes(data_dir, recipe):
    assert load_training_boards(data_dir, "val", with_input(recipe, channels=3))[0].part.shape == (96, 96, 3)


def test_training_takes_golden_samples_for_mending_even_where_the_net_sees_none(data_dir, recipe):
    assert load_training_boards(data_dir, "train", recipe)[0].has_golden
    assert not load_training_boards(data_dir, "val", recipe)[0].has_golden


def test_set_without_golden_samples_trains_without(data_dir, recipe):
    shutil.rmtree(data_dir / "images" / "train_template")
    assert not any(board.has_golden for board in load_training_boards(data_dir, "train", recipe))


def test_drawing_smaller_than_a_crop_is_refused(data_dir, recipe):
    large = with_input(recipe, width_px=128, height_px=128, two_level=True)
    large = dataclasses.replace(large, train=dataclasses.replace(recipe.train, crop_px=128))
    with pytest.raises(DataError, match=r"000\.png is 96x96 px, less than a crop of 128 px; lower train\.crop_px"):
        load_training_boards(data_dir, "train", large)


def test_empty_split_is_refused(data_dir, recipe):
    change_truth(data_dir, "train", lambda truth: truth.update(images=[], annotations=[]))
    with pytest.raises(DataError, match="lists no images"):
        load_training_boards(data_dir, "train", recipe)


def test_training_split_without_any_box_is_refused(data_dir, recipe):
    change_truth(data_dir, "train", lambda truth: truth.update(annotations=[]))
    with pytest.raises(DataError, match="no picture of the split train has a box"):
        load_training_boards(data_dir, "train", recipe)


def test_class_without_examples_is_named(data_dir, recipe):
    change_truth(data_dir, "train", lambda truth: truth.update(annotations=truth["annotations"][::2]))
    found = remarks(load_training_boards(data_dir, "train", recipe), "train", recipe)
    assert found == ["class 'blob' has no example in the split train: it cannot be learnt"]


def test_auroc_wants_good_and_defective_pictures(data_dir, recipe):
    boards = load_training_boards(data_dir, "val", recipe)
    chosen = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, select="auroc"))
    check_scores(boards, recipe)
    with pytest.raises(DataError, match="not both good and defective pictures; add some, or select map50"):
        check_scores(boards, chosen)


def test_fingerprint_follows_pictures_and_labels(data_dir, recipe):
    boards = load_training_boards(data_dir, "val", recipe)
    same = load_training_boards(data_dir, "val", recipe)
    moved = [dataclasses.replace(boards[0], boxes=boards[0].boxes + 1), *boards[1:]]
    painted = [dataclasses.replace(boards[0], part=boards[0].part ^ 1), *boards[1:]]
    assert fingerprint(boards) == fingerprint(same)
    assert len({fingerprint(each) for each in (boards, moved, painted, boards[1:])}) == 4


def test_picture_of_the_right_size_is_not_touched():
    picture = np.zeros((4, 6), np.uint8)
    assert to_size(picture, (6, 4)) is picture


def test_folders_are_classes(tmp_path, classifier):
    write_folders(tmp_path)
    boards = load_training_boards(tmp_path, "train", classifier)
    assert [(board.name, board.category) for board in boards] == [
        ("0.png", 1),
        ("1.png", 1),
        ("0.png", 0),
        ("1.png", 0),
    ]
    assert boards[0].part.shape == (64, 64)


def test_folder_of_an_unknown_class_is_named(tmp_path):
    write_folders(tmp_path)
    (tmp_path / "train" / "odd").mkdir()
    with pytest.raises(DataError, match="'odd' is not among the recipe's classes ok, bad"):
        load_classed(tmp_path, "train", CLASSES, ("ok",), golden=False)


def test_folders_without_pictures_are_refused(tmp_path):
    (tmp_path / "train" / "ok").mkdir(parents=True)
    with pytest.raises(DataError, match="has no pictures"):
        load_classed(tmp_path, "train", CLASSES, ("ok",), golden=False)


def test_missing_split_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"neither annotations/val\.json nor a folder val"):
        load_classed(tmp_path, "val", CLASSES, ("ok",), golden=False)


def test_label_of_an_image_is_its_class(data_dir):
    change_truth(data_dir, "val", lambda truth: [row.update(label="bad") for row in truth["images"]])
    assert [each.category for each in load_classed(data_dir, "val", CLASSES, ("ok",), golden=False)] == [1, 1, 1]


def test_largest_box_gives_the_class_where_there_is_no_label(data_dir):
    change_truth(data_dir, "val", lambda truth: truth["annotations"][1].update(bbox=[0, 0, 50, 50]))
    found = load_classed(data_dir, "val", ("good", "hole", "blob"), ("good",), golden=True)
    assert [each.category for each in found] == [2, 1, 1]
    assert found[0].labelled.golden.name == "000.png"


def test_picture_without_label_and_box_is_good(data_dir):
    change_truth(data_dir, "val", lambda truth: truth.update(annotations=[]))
    assert {each.category for each in load_classed(data_dir, "val", CLASSES, ("ok",), golden=False)} == {0}


def test_picture_whose_class_cannot_be_told_is_named(data_dir):
    with pytest.raises(DataError, match=r"000\.png has the class 'hole', and the recipe's classes are ok, bad"):
        load_classed(data_dir, "val", CLASSES, ("ok",), golden=False)


@pytest.fixture
def boxed(recipe):
    """A recipe whose net sees pictures in their own shape, on a wide input."""
    return dataclasses.replace(
        with_input(recipe, width_px=256, height_px=128, golden=False, fit="letterbox"),
        train=dataclasses.replace(recipe.train, crop_px=160),
    )


def test_letterboxed_pictures_are_what_a_station_shows_its_model(data_dir, boxed):
    board = load_training_boards(data_dir, "val", boxed)[0]
    preparation = Preparation(input_spec(boxed.input))
    preparation.fill(cv2.imread(str(data_dir / "images" / "val" / "000.png"), cv2.IMREAD_GRAYSCALE), None)
    assert np.array_equal(board.part, preparation.image[0, :, :, 0])


def test_boxes_of_letterboxed_pictures_lie_where_the_picture_does(data_dir, recipe, boxed):
    plain = load_training_boards(data_dir, "val", recipe)[0]
    board = load_training_boards(data_dir, "val", boxed)[0]
    assert np.allclose(board.boxes, plain.boxes * (128 / 96) + [64, 0, 64, 0], atol=0.01)


def test_training_sees_no_more_border_than_a_crop_needs(data_dir, boxed):
    small = dataclasses.replace(boxed, train=dataclasses.replace(boxed.train, crop_px=64))
    whole = load_training_boards(data_dir, "val", boxed)[0]
    for recipe, width in ((boxed, 160), (small, 128)):
        board = load_training_boards(data_dir, "train", recipe)[0]
        assert board.part.shape == (128, width)
        box = np.round(board.boxes[0]).astype(int)
        assert board.part[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2].max() == 0, "the hole lies in its box"
    assert whole.part.shape == (128, 256)


def test_outlines_come_along_where_a_recipe_learns_from_them(data_dir, boxed):
    regions = dataclasses.replace(boxed, train=dataclasses.replace(boxed.train, targets="regions"))
    for split in ("train", "val"):
        board = load_training_boards(data_dir, split, regions)[0]
        hulls = [[*region[0].min(axis=0), *region[0].max(axis=0)] for region in board.outlines]
        assert np.allclose(hulls, board.boxes, atol=0.01)
    assert load_training_boards(data_dir, "val", boxed)[0].outlines == ()


@pytest.mark.parametrize("change", [{"golden": True}, {"two_level": True}, {"fit": "corner"}])
def test_letterbox_is_for_single_pictures_in_grey_or_colour(boxed, change):
    values = boxed.to_dict()
    values["input"] |= change
    with pytest.raises(DataError, match=r"input\.fit"):
        recipe_from_dict(values, "the test")
