"""The training recipe: a frozen, bounded reading of `models/recipes/<name>.toml`."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.errors import DataError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")
_ROUGHNESS_LIMIT = 0.3  # beyond it flat copper gets holes


@dataclass(frozen=True)
class InputShape:
    """What the camera delivers, and whether a golden sample comes with it."""

    width_px: int = 640
    height_px: int = 640
    channels: int = 1
    golden: bool = True


@dataclass(frozen=True)
class NetShape:
    """Channel counts of `models.net.PeakNet`, by stride."""

    stem: int = 16
    fine: tuple[int, ...] = (24, 24)
    coarse: tuple[int, ...] = (48, 48, 48)
    head: int = 24


@dataclass(frozen=True)
class Schedule:
    """How long and how fast the net learns."""

    seed: int = 0
    steps: int = 20000
    batch: int = 16
    crop_px: int = 320
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup_steps: int = 300
    ema_decay: float = 0.998
    box_weight: float = 2.0
    evaluate_every_steps: int = 2000


@dataclass(frozen=True)
class Augmentation:
    """Odds and ranges of what `models.augment` does to a board."""

    centred_probability: float = 0.75
    scale_min: float = 0.8
    scale_max: float = 1.25
    template_probability: float = 0.06
    repaired_probability: float = 0.06
    partly_repaired_probability: float = 0.35
    designed_probability: float = 0.3
    shift_probability: float = 0.6
    shift_px: int = 2
    thickness_probability: float = 0.3
    part_thickness_probability: float = 0.1
    roughness_probability: float = 0.5
    roughness: float = 0.16


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides a training run except the data itself."""

    name: str
    version: str
    classes: tuple[str, ...]
    input: InputShape
    net: NetShape
    train: Schedule
    augment: Augmentation
    schema: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe as plain values, for a checkpoint."""
        return dataclasses.asdict(self)


def load_recipe(path: Path) -> TrainingRecipe:
    """Reads a training recipe.

    Args:
        path: A TOML file laid out like `models/recipes/pcb-nano.toml`.

    Raises:
        DataError: The file is missing, is not TOML, or holds an unknown, missing or out-of-bounds key.
    """
    return recipe_from_dict(read_toml(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        DataError: It is missing or is not TOML.
    """
    try:
        return dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "give a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML ({error})", "correct it") from error


def recipe_from_dict(values: dict[str, Any], source: str) -> TrainingRecipe:
    """Builds a recipe from plain values (a TOML file's or a checkpoint's).

    Args:
        values: Keys of `TrainingRecipe`, its sections as nested dictionaries.
        source: Where the values came from, for the error message.

    Raises:
        DataError: A key is unknown, missing or out of bounds.
    """
    sections = {"input": InputShape, "net": NetShape, "train": Schedule, "augment": Augmentation}
    plain = dict(values)
    for key, kind in sections.items():
        plain[key] = _build(kind, plain.get(key, {}), f"{source} [{key}]")
    recipe = _build(TrainingRecipe, plain, source)
    _check(recipe, source)
    return recipe


def _build(kind: type[_T], values: dict[str, Any], source: str) -> _T:
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise DataError(f"{source}: unknown key {unknown[0]!r}", f"use only {', '.join(sorted(known))}")
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**frozen)
    except TypeError as error:
        raise DataError(f"{source}: {error}", "complete the recipe") from error


def _check(recipe: TrainingRecipe, source: str) -> None:
    checks = (
        (recipe.schema == 1, "schema must be 1"),
        (len(recipe.classes) >= 1, "classes must name at least one class"),
        (len(set(recipe.classes)) == len(recipe.classes), "classes must not repeat"),
        (recipe.input.width_px % 16 == 0 and recipe.input.height_px % 16 == 0, "input sides must be multiples of 16"),
        (recipe.input.channels == 1, "input.channels must be 1: the net reads thresholded grey"),
        (recipe.train.crop_px % 16 == 0 and recipe.train.crop_px > 0, "train.crop_px must be a multiple of 16"),
        (recipe.train.crop_px <= min(recipe.input.width_px, recipe.input.height_px), "train.crop_px exceeds the input"),
        (0 < recipe.train.learning_rate < 1, "train.learning_rate must lie in (0, 1)"),
        (0 <= recipe.train.ema_decay < 1, "train.ema_decay must lie in [0, 1)"),
        (0 <= recipe.augment.roughness < _ROUGHNESS_LIMIT, "augment.roughness must lie in [0, 0.3)"),
        (recipe.train.steps > 0 and recipe.train.batch > 0, "train.steps and train.batch must be positive"),
        (0 < recipe.augment.scale_min <= recipe.augment.scale_max, "augment.scale_min must not exceed scale_max"),
        (len(recipe.net.fine) >= 1 and len(recipe.net.coarse) >= 1, "net.fine and net.coarse need a layer each"),
    )
    for is_right, message in checks:
        if not is_right:
            raise DataError(f"{source}: {message}", "correct the recipe")
