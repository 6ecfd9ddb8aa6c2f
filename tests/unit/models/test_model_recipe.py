import pytest

from app.errors import DataError
from models.recipe import load_recipe, recipe_from_dict

BASE = {"name": "n", "version": "1", "classes": ["a"]}


def test_shipped_recipe_is_valid(repository):
    assert load_recipe(repository / "models" / "recipes" / "pcb-nano.toml").classes[0] == "open"


def test_recipe_survives_a_checkpoint():
    recipe = recipe_from_dict(BASE, "here")
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
        ({**BASE, "input": {"channels": 3}}, "channels must be 1"),
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
