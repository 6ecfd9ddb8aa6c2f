"""A line with everything that its file names: what every command and process reads first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from app.config import Line, load_line
from app.errors import ConfigError
from app.recipe import Recipe, load_recipe


@dataclass(frozen=True, slots=True)
class Setup:
    """A line with everything that it names.

    Attributes:
        line: The settings.
        recipe: What counts as a defect.
        folder: Where the files that the recipe names lie.
        file: Name of the line's file in that folder.
    """

    line: Line
    recipe: Recipe
    folder: Path
    file: str = "line.toml"

    @property
    def path(self) -> Path:
        """The line's file."""
        return self.folder / self.file

    def with_line(self, line: Line) -> Setup:
        """The same with other line settings."""
        return replace(self, line=line)

    def with_threshold(self, threshold: float) -> Setup:
        """The same with the model's own threshold where the recipe names none."""
        return replace(self, recipe=self.recipe.settled(threshold))


def twin_line() -> Path:
    """The `line.toml` of the twin's own line."""
    return Path(str(files("app.twin") / "line" / "line.toml"))


def load_setup(path: Path) -> Setup:
    """Reads a `line.toml` and the recipe beside it.

    Raises:
        ConfigError: One of them is absent or cannot work, or the recipe sends parts to a gate that is not there.
    """
    line = load_line(path)
    recipe = load_recipe(path.parent / line.recipe)
    check_gates(recipe, line)
    return Setup(line, recipe, path.parent, path.name)


def check_gates(recipe: Recipe, line: Line) -> None:
    """Refuses a recipe that sends parts where the line has no gate.

    Raises:
        ConfigError: It does.
    """
    gates = {gate.destination for gate in line.gates}
    rules = {"default": recipe.default, **{label: recipe.rule(label) for label in recipe.classes}}
    for where, rule in rules.items():
        if rule.destination not in gates:
            raise ConfigError(
                f"recipe {recipe.name!r}: [{where}] rejects to {rule.destination!r}, and no gate serves that",
                f"use one of {', '.join(sorted(gates))}, or add the gate to the line",
                code="RECIPE_GATE",
                values={"gate": rule.destination, "gates": ", ".join(sorted(gates))},
            )


def is_twin(line: Line) -> bool:
    """The line's machine is the twin: its pins are there, and its cameras look at it."""
    return any(camera.driver == "twin" for camera in line.cameras)
