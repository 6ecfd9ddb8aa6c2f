"""A recipe: what counts as a defect on one product, and what becomes of the part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.config import Name, Settings, Title
from app.errors import ConfigError
from app.toml import parse_toml, read_toml, validated


class Roi(Settings):
    """The part of the picture that is judged."""

    x_px: int = Field(0, ge=0, le=16_384, description="left edge")
    y_px: int = Field(0, ge=0, le=16_384, description="top edge")
    width_px: int = Field(ge=8, le=16_384, description="width")
    height_px: int = Field(ge=8, le=16_384, description="height")


class ClassRule(Settings):
    """What a finding of one class means. A key that is left out takes its value from `[default]`."""

    threshold: float | None = Field(None, ge=0, le=1, description="findings scored below are not defects")
    min_width_px: float | None = Field(None, ge=0, le=16_384, description="smaller findings are not defects")
    min_height_px: float | None = Field(None, ge=0, le=16_384, description="smaller findings are not defects")
    min_area_px: float | None = Field(
        None, ge=0, le=268_435_456, description="width x height; smaller findings are not defects"
    )
    policy: Literal["reject", "flag", "ignore"] | None = Field(
        None, description="reject the part, flag it for a person, or ignore the finding"
    )
    destination: Name | None = Field(None, description="where the part is sent")


class DefaultRule(Settings):
    """What a finding means when its class has no rule of its own."""

    threshold: float = Field(0.35, ge=0, le=1, description="findings scored below are not defects")
    min_width_px: float = Field(0, ge=0, le=16_384, description="smaller findings are not defects")
    min_height_px: float = Field(0, ge=0, le=16_384, description="smaller findings are not defects")
    min_area_px: float = Field(0, ge=0, le=268_435_456, description="width x height; smaller findings are not defects")
    policy: Literal["reject", "flag", "ignore"] = Field(
        "reject", description="reject the part, flag it for a person, or ignore the finding"
    )
    destination: Name = Field("reject", description="where the part is sent")


class Recipe(Settings):
    """A whole recipe file."""

    schema_version: Literal[1] = Field(1, alias="schema", description="version of this layout")
    name: Title = Field("default", description="what people call the recipe")
    package: str = Field(
        "", max_length=120, description="model package that it is written for; empty: any that knows its classes"
    )
    golden_sample: str = Field("", max_length=400, description="picture of a part without defects, beside this file")
    registration_px: float = Field(12, ge=0, le=200, description="farthest the part may lie from the golden sample")
    flag_margin: float = Field(0.1, ge=0, le=1, description="findings this far below the threshold are flagged")
    roi: Roi | None = None
    default: DefaultRule = DefaultRule()
    classes: dict[str, ClassRule] = Field(default_factory=dict)

    def settled(self, threshold: float) -> Recipe:
        """The same with the model's own threshold where `[default]` names none.

        Args:
            threshold: What the model's package says.
        """
        if "threshold" in self.default.model_fields_set:
            return self
        return self.model_copy(update={"default": self.default.model_copy(update={"threshold": threshold})})

    def rule(self, label: str) -> DefaultRule:
        """The rule for a class, with the gaps filled from `[default]`."""
        own = self.classes.get(label)
        if own is None:
            return self.default
        return self.default.model_copy(update=own.model_dump(exclude_none=True))


def load_recipe(path: Path) -> Recipe:
    """Reads and checks a recipe.

    Raises:
        ConfigError: The file is absent, no TOML, or has keys or values that cannot be.
    """
    return validated(Recipe, read_toml(path), str(path))


def parse_recipe(text: str, where: str) -> Recipe:
    """Reads and checks a recipe that is no file.

    Args:
        text: What the file would hold.
        where: What it is called, for the message.

    Raises:
        ConfigError: It is no TOML, or has keys or values that cannot be.
    """
    return validated(Recipe, parse_toml(text, where), where)


def check_recipe(recipe: Recipe, classes: Sequence[str], where: str) -> None:
    """Refuses a recipe with rules for classes that the model does not know.

    Args:
        recipe: The recipe.
        classes: The classes of the model.
        where: The recipe's file, for the message.

    Raises:
        ConfigError: A rule is for no class of the model.
    """
    unknown = [label for label in recipe.classes if label not in classes]
    if unknown:
        raise ConfigError(
            f"{where} has rules for {', '.join(map(repr, unknown))}, which the model does not know",
            f"use its classes: {', '.join(classes)}",
            code="RECIPE_CLASSES",
            values={"unknown": ", ".join(unknown), "known": ", ".join(classes)},
        )


def check_package(recipe: Recipe, package: str, where: str) -> None:
    """Refuses a recipe that was written for another model.

    Args:
        recipe: The recipe.
        package: The name of the model package that judges.
        where: The recipe's name, for the message.

    Raises:
        ConfigError: It was.
    """
    if recipe.package and recipe.package != package:
        raise ConfigError(
            f"{where} is for the model package {recipe.package!r}, and {package!r} judges here",
            f"activate that first: takt models activate {recipe.package}, and start the station anew; or choose"
            f" a recipe for {package!r}",
            code="RECIPE_PACKAGE",
            values={"wanted": recipe.package, "package": package},
        )
