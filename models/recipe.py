"""The training recipe: a frozen, bounded reading of `models/recipes/<name>.toml`."""

from __future__ import annotations

import dataclasses
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.detect.suppress import Suppression
from app.errors import DataError
from models.recipe_checks import checks

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")
_WORDS = {"bool": "yes or no (true or false)", "int": "whole number", "float": "number", "str": "text"}

SIZES: dict[str, dict[str, Any]] = {
    "nano": {"stem": 16, "fine": (24, 24), "coarse": (48, 48, 48), "head": (24,), "head_stride_px": 8},
    "small": {"stem": 32, "fine": (48,), "coarse": (64, 64, 64, 64), "head": (32,), "head_stride_px": 8},
    "base": {
        "stem": 32,
        "fine": (64, 64),
        "coarse": (96, 96, 96),
        "deep": (128, 128, 128),
        "head": (64, 64),
        "head_stride_px": 8,
    },
}
"""The family. With 640x640 grey pictures of one plane they cost 0.18, 0.42 and 1.37 GMAC."""


@dataclass(frozen=True)
class InputShape:
    """What the net takes.

    Attributes:
        width_px: Width of the net's input; pictures of another size are stretched to it.
        height_px: Height of it.
        channels: 1 for grey, 3 for BGR.
        golden: A golden sample comes with each picture.
        black_level: This level and those below become 0.
        white_level: This level and those above become 1; (127, 128) leaves nothing but black and white.
        two_level: Pictures are thresholded when they are loaded, and augmented as drawings.
        fit: How pictures of another size are laid into the input: "stretch", or "letterbox", which keeps their
            shape and fills the rest with a grey border; for parts whose pictures are not all of one shape.
    """

    width_px: int = 640
    height_px: int = 640
    channels: int = 1
    golden: bool = False
    black_level: int = 0
    white_level: int = 255
    two_level: bool = False
    fit: str = "stretch"


@dataclass(frozen=True)
class NetShape:
    """Channel counts of `models.nets.net.PeakNet` and `models.nets.classify.ClassNet`.

    Attributes:
        stem: At the stem's stride.
        fine: Layers at twice that stride.
        coarse: Layers at four times.
        deep: Layers at eight times; none: the net ends before.
        stem_stride_px: Pixels to each side that the stem makes one, 2 or 4; 2 is for pictures that were shrunk.
        head: Layers before the last, on the grid; a classifier has none.
        head_stride_px: The grid's stride, 4 or 8: the stem's, or twice that.
        is_branched: Train each 3x3 kernel as the sum of three.
        embedding: Give out the mean of the coarsest map, for drift monitoring.
        suppress_iou: A box that overlaps a better one of its class by more than this share of their union goes; 0:
            peaks are final.
        size: Name of one of `SIZES`, whose counts stand where none are given.
    """

    stem: int = 16
    fine: tuple[int, ...] = (24, 24)
    coarse: tuple[int, ...] = (48, 48, 48)
    deep: tuple[int, ...] = ()
    head: tuple[int, ...] = (24,)
    stem_stride_px: int = 4
    head_stride_px: int = 8
    is_branched: bool = True
    embedding: bool = True
    suppress_iou: float = 0.0
    size: str = ""

    @property
    def deepest_stride_px(self) -> int:
        """Pixels to a cell of the coarsest map: what the sides of pictures must be multiples of."""
        return self.stem_stride_px * (8 if self.deep else 4)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast the net learns.

    Attributes:
        seed: Of the first weights and of every batch.
        steps: Batches in all.
        batch: Crops in a batch.
        crop_px: Side of a crop; a classifier sees whole pictures.
        learning_rate: At its highest.
        weight_decay: Of kernels; biases and gains have none.
        warmup_steps: The rate rises over so many.
        ema_decay: Of the averaged weights, which are what is kept.
        box_weight: Of the box loss against the heat maps'.
        evaluate_every_steps: On `val`.
        patience_evaluations: Ends after so many evaluations in a row without a better one; 0: never.
        select: What makes a checkpoint the best: "map50", "map50_95", "auroc" or "accuracy"; empty: see
            `TrainingRecipe.selects`.
        targets: Which cells learn an object: "centres", those around its middle; or "aligned", those inside whose class
            and box agree with it best, for objects that are much larger than a cell (wants `net.suppress_iou`); or
            "regions", all cells that the outline covers, for sets with masks or polygons (wants it too).
        upright_steps: The last so many steps see pictures as they lie, neither turned nor mirrored: people draw boxes
            off their defects by a pixel or two, always to the same sides, which a turned picture hides.
        precision: Of what is computed in a step: "fp32", "bf16", or on a GPU "fp16". Weights are always float32.
        optimiser: "adamw"; or "muon", whose steps are dearer and go much further (`models.training.muon`).
    """

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
    patience_evaluations: int = 0
    select: str = ""
    targets: str = "centres"
    upright_steps: int = 0
    precision: str = "fp32"
    optimiser: str = "adamw"


@dataclass(frozen=True)
class Augmentation:
    """Odds and ranges of what `models.training.augment` and `models.training.augment_grey` do to a picture.

    What mends defects wants golden samples in the data set, whether or not the net sees them. Thickness and roughness
    are of drawings (`input.two_level`), what comes after them is of grey levels and colours.

    Attributes:
        centred_probability: A crop is centred on a defect.
        scale_min: Least scale.
        scale_max: Largest scale.
        template_probability: The golden sample itself is the part: nothing to find.
        repaired_probability: Every defect is mended from the golden sample.
        partly_repaired_probability: Each defect is mended with even odds.
        designed_probability: Each defect is copied into the golden sample with even odds: then it is none.
        shift_probability: The golden sample is moved.
        shift_px: By so much at most; by parts of a pixel where there are grey levels.
        thickness_probability: The golden sample's dark shapes are grown or eaten by 1 px.
        part_thickness_probability: The part's are.
        roughness_probability: Part and golden sample, each, are scanned again with rough edges.
        roughness: At most: standard deviation of the threshold, of full scale.
        rotation_deg: Turned by so much at most, either way.
        symmetries: Turn and mirror by one of the 8 symmetries of the square.
        quarter_turns: All 8 of them; else the 4 that keep lengthwise streaks lengthwise. For grey levels and colours.
        stretch: Width against height is changed by this share at most.
        gain: Contrast is changed by this share at most.
        offset: Brightness is changed by this share of full scale at most.
        gradient: Light falls off across the picture by this share of full scale at most.
        blur_px: Standard deviation of the blur at most.
        noise: Standard deviation of the noise at most, of full scale.
        texture_probability: Streaks as of a belt or of rolling are laid over the picture.
        paste_probability: A defect of another picture is laid over this one.
        join_probability: A piece of another picture stands beside this one. For grey levels and colours.
    """

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
    rotation_deg: float = 0.0
    symmetries: bool = True
    quarter_turns: bool = True
    stretch: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    gradient: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    texture_probability: float = 0.0
    paste_probability: float = 0.0
    join_probability: float = 0.0


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides a training run except the data itself.

    Attributes:
        name: Of the package to be.
        version: Of it.
        classes: Class names, in the order of the net's outputs.
        input: What the net takes.
        net: Its channel counts.
        train: How long and how fast it learns.
        augment: What is done to its pictures.
        kind: "detection" or "classification".
        good_classes: Of a classifier: the classes that mean that nothing is wrong.
        schema: Of the file.
    """

    name: str
    version: str
    classes: tuple[str, ...]
    input: InputShape
    net: NetShape
    train: Schedule
    augment: Augmentation
    kind: str = "detection"
    good_classes: tuple[str, ...] = ()
    schema: int = 1

    @property
    def selects(self) -> str:
        """The score on `val` that the best checkpoint has the highest of."""
        if self.kind == "detection":
            return self.train.select or "map50"
        return self.train.select or ("auroc" if self.good_classes else "accuracy")

    @property
    def suppression(self) -> Suppression | None:
        """What is still to be done to a detector's boxes; `None` where they are final."""
        overlap = self.net.suppress_iou
        return Suppression(overlap) if overlap and self.kind == "detection" else None

    @property
    def planes(self) -> int:
        """Channels that the net sees: the camera's, or part, golden sample and their difference."""
        return self.input.channels * (3 if self.input.golden else 1)

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
        DataError: A key is unknown, missing, of the wrong type or out of bounds.
    """
    sections = {"input": InputShape, "net": NetShape, "train": Schedule, "augment": Augmentation}
    plain = dict(values)
    for key, kind in sections.items():
        section = plain.get(key, {})
        if not isinstance(section, dict):
            raise DataError(f"{source}: {key} must be a section", f"write [{key}] and its keys below it")
        if key == "net":
            section = _sized(section, source)
        plain[key] = _build(kind, section, f"{source} [{key}]")
    recipe = _build(TrainingRecipe, plain, source)
    for is_right, message in checks(recipe):
        if not is_right:
            raise DataError(f"{source}: {message}", "correct the recipe")
    return recipe


def _sized(section: dict[str, Any], source: str) -> dict[str, Any]:
    """Fills in the counts of a named size; those that are given stay."""
    size = section.get("size", "")
    if size and size not in SIZES:
        raise DataError(f"{source} [net]: there is no size {size!r}", f"use {', '.join(SIZES)}")
    return {**SIZES[size], **section} if size else section


def _build(kind: type[_T], values: dict[str, Any], source: str) -> _T:
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise DataError(f"{source}: unknown key {unknown[0]!r}", f"use only {', '.join(sorted(fields))}")
    frozen = {key: _frozen(str(fields[key].type), value, f"{source}: {key}") for key, value in values.items()}
    try:
        return kind(**frozen)
    except TypeError as error:
        raise DataError(f"{source}: {error}", "complete the recipe") from error


def _frozen(wanted: str, value: Any, what: str) -> Any:
    """Checks a value's type; a list becomes a tuple, and a bare number a tuple of one where a list is wanted."""
    if wanted.startswith("tuple"):
        each = int if "int" in wanted else str
        found = (value,) if each is int and isinstance(value, int) else value
        if not isinstance(found, list | tuple) or not all(isinstance(one, each) for one in found):
            raise DataError(f"{what} must be a list of {_WORDS[each.__name__]}s", "correct the recipe")
        return tuple(found)
    if wanted not in _WORDS:
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_right = {
        "bool": isinstance(value, bool),
        "int": is_number and not isinstance(value, float),
        "float": is_number and math.isfinite(value),
        "str": isinstance(value, str),
    }
    if not is_right[wanted]:
        raise DataError(f"{what} must be a {_WORDS[wanted]}, not {value!r}", "correct the recipe")
    return value
