import pytest

from app.errors import DataError
from models.recipe import SIZES, load_recipe, recipe_from_dict

BASE = {"name": "n", "version": "1", "classes": ["a"]}
CLASSIFIER = {**BASE, "kind": "classification", "classes": ["ok", "bad"]}


def test_every_shipped_recipe_is_valid(repository):
    recipes = sorted((repository / "models" / "recipes").glob("*.toml"))
    assert [load_recipe(path).name for path in recipes] == [path.stem for path in recipes]


def test_size_names_the_widths():
    net = recipe_from_dict({**BASE, "net": {"size": "small"}}, "here").net
    assert (net.stem, net.coarse) == (SIZES["small"]["stem"], SIZES["small"]["coarse"])


def test_widths_that_are_given_overrule_the_size():
    net = recipe_from_dict({**BASE, "net": {"size": "small", "stem": 24}}, "here").net
    assert (net.stem, net.fine) == (24, SIZES["small"]["fine"])


def test_one_width_is_a_list_of_one():
    assert recipe_from_dict({**BASE, "net": {"head": 8}}, "here").net.head == (8,)


@pytest.mark.parametrize(
    ("values", "score"),
    [
        (BASE, "map50"),
        ({**BASE, "train": {"select": "map50_95"}}, "map50_95"),
        (CLASSIFIER, "accuracy"),
        ({**CLASSIFIER, "good_classes": ["ok"]}, "auroc"),
    ],
)
def test_kind_says_what_the_best_checkpoint_is_chosen_by(values, score):
    assert recipe_from_dict(values, "here").selects == score


def test_golden_sample_and_difference_are_planes_of_their_own():
    planes = [
        recipe_from_dict({**BASE, "input": {"channels": channels, "golden": golden}}, "here").planes
        for channels in (1, 3)
        for golden in (False, True)
    ]
    assert planes == [1, 3, 3, 9]


def test_recipe_survives_a_checkpoint():
    recipe = recipe_from_dict({**BASE, "net": {"size": "base"}}, "here")
    assert recipe_from_dict(recipe.to_dict(), "there") == recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**BASE, "colour": 1}, "unknown key 'colour'"),
        ({**BASE, "train": {"stepz": 1}}, r"here \[train\]: unknown key 'stepz'"),
        ({"name": "n", "version": "1"}, "classes"),
        ({**BASE, "classes": []}, "at least one class"),
        ({**BASE, "classes": ["a", "a"]}, "must not repeat"),
        ({**BASE, "input": {"width_px": 100}}, "multiples of 16"),
        ({**BASE, "input": {"channels": 2}}, "channels must be 1 or 3"),
        ({**BASE, "input": {"channels": 3, "two_level": True}}, "two_level wants one channel"),
        ({**BASE, "input": {"width_px": 640.0}}, "width_px must be a whole number, not 640.0"),
        ({**BASE, "input": {"golden": 1}}, "golden must be a yes or no"),
        ({**BASE, "input": 7}, "input must be a section"),
        ({**BASE, "net": {"size": "huge"}}, "no size 'huge'; use nano, small, base"),
        ({**BASE, "net": {"fine": ["a"]}}, "fine must be a list of whole numbers"),
        ({**BASE, "net": {"fine": [0]}}, "widths in net must be positive"),
        ({**BASE, "net": {"deep": [8]}, "input": {"width_px": 656}}, "multiples of 32"),
        ({**BASE, "net": {"head_stride_px": 16}}, "head_stride_px must be 4 or 8"),
        ({**BASE, "net": {"stem_stride_px": 8}}, "stem_stride_px must be 2 or 4"),
        ({**BASE, "net": {"stem_stride_px": 2}}, "must be net.stem_stride_px, or double it"),
        ({**BASE, "classes": "a"}, "classes must be a list of texts"),
        ({**BASE, "kind": "anomaly"}, "kind must be detection or classification"),
        ({**BASE, "good_classes": ["a"]}, "good_classes are of a classifier"),
        ({**CLASSIFIER, "classes": ["a"]}, "two classes or more"),
        ({**CLASSIFIER, "good_classes": ["bad", "ok"]}, "leave a class that is not good"),
        ({**CLASSIFIER, "good_classes": ["fine"]}, "good_classes must be among classes"),
        ({**CLASSIFIER, "train": {"select": "map50"}}, "one of accuracy, auroc for classification"),
        ({**BASE, "train": {"select": "f1"}}, "one of map50, map50_95, auroc for detection"),
        ({**BASE, "train": {"precision": "int8"}}, "one of fp32, bf16, fp16"),
        ({**BASE, "train": {"learning_rate": float("nan")}}, "learning_rate must be a number"),
        ({**BASE, "train": {"evaluate_every_steps": 0}}, "evaluate_every_steps must be positive"),
        ({**BASE, "augment": {"paste_probability": 1.5}}, r"paste_probability must lie in \[0, 1\]"),
        ({**BASE, "augment": {"noise": -0.1}}, "noise must not be negative"),
        ({**BASE, "train": {"crop_px": 1280}}, "exceeds the input"),
        ({**BASE, "train": {"learning_rate": 0}}, "learning_rate"),
        ({**BASE, "schema": 2}, "schema must be 1"),
    ],
)
def test_recipe_that_cannot_work_is_refused(values, message):
    with pytest.raises(DataError, match=message):
        recipe_from_dict(values, "here")


def test_recipe_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "r.toml").write_text("= 1")
    with pytest.raises(DataError, match="not valid TOML"):
        load_recipe(tmp_path / "r.toml")


def test_missing_recipe_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.toml cannot be read"):
        load_recipe(tmp_path / "gone.toml")
