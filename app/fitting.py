"""Does a recipe fit its line and its model? What would be refused at the first part is refused here. Pure."""

from __future__ import annotations

from pathlib import Path

from app.config import Line
from app.detect.detector import InputSpec
from app.detect.package import Package
from app.errors import ConfigError
from app.recipe import Recipe, check_package, check_recipe
from app.setup import check_gates


def check_region(recipe: Recipe, line: Line, where: str) -> None:
    """Refuses a region that lies outside what a camera sees.

    Args:
        recipe: The recipe.
        line: Its line.
        where: The recipe's file, for the message.

    Raises:
        ConfigError: It does.
    """
    roi = recipe.roi
    if roi is None:
        return
    for camera in line.cameras:
        if roi.x_px + roi.width_px > camera.width_px or roi.y_px + roi.height_px > camera.height_px:
            raise ConfigError(
                f"{where}: roi ends at x={roi.x_px + roi.width_px} y={roi.y_px + roi.height_px}, outside the"
                f" {camera.width_px} x {camera.height_px} px of camera {camera.name!r}",
                "move or shrink the roi",
            )


def check_golden(recipe: Recipe, spec: InputSpec, line: Line, where: str) -> None:
    """Refuses a recipe without a golden sample for a model that wants one.

    Args:
        recipe: The recipe.
        spec: What the model takes.
        line: Its line; the twin brings the golden sample of the parts that it makes.
        where: The recipe's file, for the message.

    Raises:
        ConfigError: The model wants one and nobody gives it.
    """
    if spec.is_golden and not recipe.golden_sample and any(camera.driver != "twin" for camera in line.cameras):
        raise ConfigError(
            f"{where} names no golden_sample, and the model package {line.model.package} compares each part with one",
            "name the picture of a part without defects, or choose another model",
        )


def check_place(recipe: Recipe, folder: Path, where: str) -> None:
    """Refuses a golden sample that lies elsewhere than with the line's own files.

    Args:
        recipe: The recipe.
        folder: The folder of the line's file.
        where: The recipe's name, for the message.

    Raises:
        ConfigError: It does.
    """
    if recipe.golden_sample and not (folder / recipe.golden_sample).resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{where}: the golden sample {recipe.golden_sample!r} lies outside {folder}",
            "put the picture beside the line's file, and name it from there",
        )


def check_fit(recipe: Recipe, line: Line, folder: Path, package: Package) -> None:
    """Refuses a recipe that cannot work on this line with this model.

    Args:
        recipe: The recipe.
        line: The line.
        folder: The folder of the line's file.
        package: The model that judges.

    Raises:
        ConfigError: It names gates or classes that are not there, another model, a region outside the picture, or a
            golden sample that is missing or elsewhere.
    """
    where = f"recipe {recipe.name!r}"
    check_package(recipe, package.name, where)
    check_gates(recipe, line)
    check_recipe(recipe, package.classes, where)
    check_region(recipe, line, where)
    check_golden(recipe, package.spec, line, where)
    check_place(recipe, folder, where)
