"""What a training recipe must keep to, each bound with its words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.recipe import TrainingRecipe

TARGETS = ("centres", "aligned", "regions")
FITS = ("stretch", "letterbox")
OPTIMISERS = ("adamw", "muon")
PRECISIONS = ("fp32", "bf16", "fp16")
_FULL_LEVEL = 255
_ROUGHNESS_LIMIT = 0.3  # beyond it flat copper gets holes

SCORES = {"detection": ("map50", "map50_95", "auroc"), "classification": ("accuracy", "auroc")}
"""What is measured on `val`, by kind."""


def checks(recipe: TrainingRecipe) -> Iterator[tuple[bool, str]]:
    """Yields what must hold: whether it does, and the words for when it does not."""
    yield from _general_checks(recipe)
    yield from _shape_checks(recipe)
    yield from _schedule_checks(recipe)


def _general_checks(recipe: TrainingRecipe) -> Iterator[tuple[bool, str]]:
    good = recipe.good_classes
    yield recipe.schema == 1, "schema must be 1"
    yield recipe.kind in ("detection", "classification"), "kind must be detection or classification"
    yield bool(recipe.classes), "classes must name at least one class"
    yield len(set(recipe.classes)) == len(recipe.classes), "classes must not repeat"
    yield set(good) <= set(recipe.classes), "good_classes must be among classes"
    if recipe.kind == "detection":
        yield not good, "good_classes are of a classifier: a detector's good part is one without a finding"
    else:
        yield len(recipe.classes) > 1, "a classifier needs two classes or more"
        yield set(good) != set(recipe.classes), "good_classes must leave a class that is not good"


def _shape_checks(recipe: TrainingRecipe) -> Iterator[tuple[bool, str]]:
    shape, net = recipe.input, recipe.net
    deepest = net.deepest_stride_px
    is_whole = shape.width_px % deepest == 0 and shape.height_px % deepest == 0
    yield is_whole and min(shape.width_px, shape.height_px) > 0, f"input sides must be multiples of {deepest}"
    yield shape.channels in (1, 3), "input.channels must be 1 or 3"
    yield not shape.two_level or shape.channels == 1, "input.two_level wants one channel"
    yield not shape.two_level or recipe.kind == "detection", "input.two_level is for detection"
    yield 0 <= shape.black_level < shape.white_level <= _FULL_LEVEL, "input levels must rise, 0 to 255"
    yield shape.fit in FITS, f"input.fit must be one of {', '.join(FITS)}"
    is_plain = recipe.kind == "detection" and not shape.two_level and not shape.golden
    yield shape.fit == "stretch" or is_plain, "input.fit letterbox is for detection in grey or colour without golden"
    yield net.stem_stride_px in (2, 4), "net.stem_stride_px must be 2 or 4"
    yield net.head_stride_px in (4, 8), "net.head_stride_px must be 4 or 8"
    is_grid = net.head_stride_px in (net.stem_stride_px, 2 * net.stem_stride_px)
    yield is_grid, "net.head_stride_px must be net.stem_stride_px, or double it"
    yield recipe.kind != "detection" or bool(net.head), "net.head needs a layer"
    yield 0 <= net.suppress_iou < 1, "net.suppress_iou must lie in [0, 1)"
    yield bool(net.fine) and bool(net.coarse), "net.fine and net.coarse need a layer each"
    widths = (net.stem, *net.fine, *net.coarse, *net.deep, *net.head)
    yield min(widths) > 0, "widths in net must be positive"


def _schedule_checks(recipe: TrainingRecipe) -> Iterator[tuple[bool, str]]:
    plan, odds, shape = recipe.train, recipe.augment, recipe.input
    deepest = recipe.net.deepest_stride_px
    if recipe.kind == "detection":
        is_whole = plan.crop_px % deepest == 0 and plan.crop_px > 0
        yield is_whole, f"train.crop_px must be a multiple of {deepest}"
        yield plan.crop_px <= min(shape.width_px, shape.height_px), "train.crop_px exceeds the input"
    yield plan.seed >= 0, "train.seed must not be negative"
    yield 0 < plan.learning_rate < 1, "train.learning_rate must lie in (0, 1)"
    yield 0 <= plan.ema_decay < 1, "train.ema_decay must lie in [0, 1)"
    yield plan.steps > 0 and plan.batch > 0, "train.steps and train.batch must be positive"
    yield plan.evaluate_every_steps > 0, "train.evaluate_every_steps must be positive"
    yield plan.patience_evaluations >= 0, "train.patience_evaluations must not be negative"
    yield 0 <= plan.upright_steps <= plan.steps, "train.upright_steps must lie between 0 and train.steps"
    yield plan.targets in TARGETS, f"train.targets must be one of {', '.join(TARGETS)}"
    is_final = not recipe.net.suppress_iou
    gives_one = plan.targets == "centres"
    yield gives_one or not is_final, f"train.targets {plan.targets} gives several boxes: set net.suppress_iou"
    yield plan.optimiser in OPTIMISERS, f"train.optimiser must be one of {', '.join(OPTIMISERS)}"
    yield plan.precision in PRECISIONS, f"train.precision must be one of {', '.join(PRECISIONS)}"
    scores = SCORES[recipe.kind]
    yield recipe.selects in scores, f"train.select must be one of {', '.join(scores)} for {recipe.kind}"
    yield 0 < odds.scale_min <= odds.scale_max, "augment.scale_min must not exceed scale_max"
    yield 0 <= odds.roughness < _ROUGHNESS_LIMIT, "augment.roughness must lie in [0, 0.3)"
    is_plain = plan.targets != "regions"
    yield not odds.join_probability or is_plain, "augment.join_probability does not go with train.targets regions"
    yield 0 <= odds.stretch < 1 and 0 <= odds.gain < 1, "augment.stretch and augment.gain must lie in [0, 1)"
    for key, value in dataclasses.asdict(odds).items():
        if key.endswith("_probability"):
            yield 0 <= value <= 1, f"augment.{key} must lie in [0, 1]"
        elif not isinstance(value, bool):
            yield value >= 0, f"augment.{key} must not be negative"
