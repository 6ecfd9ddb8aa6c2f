"""Training on in 8 bits (quantization-aware): the float net is the teacher of its own rounded copy."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from app.detect.package import Package
from app.errors import DataError
from models.packaging.graph import build_graph
from models.recipe import TrainingRecipe
from models.smaller.distil import LOSS_NAMES, UNWATCHED, Watch, taught_by
from models.smaller.qdq import WEIGHT_BITS, FloatNet
from models.smaller.quantize import Quantized, write_quantized
from models.smaller.rounded_net import RoundedNet
from models.smaller.teaching import Lesson
from models.training.boards import VAL, load_training_boards
from models.training.checkpoint import BEST, Net, load_average
from models.training.train import Start
from models.training.validation import evaluate_net

_EVALUATIONS = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rounded net is trained on.

    Attributes:
        steps: Batches in all.
        learning_rate: At its highest; far below that of a training from chance.
        device: Where it runs, as torch names it.
        work: Folder for checkpoints, log and curves; `None`: they are not kept.
    """

    steps: int
    learning_rate: float = 1e-4
    device: str = "cpu"
    work: Path | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """The rounded net that training starts from.

    Attributes:
        checkpoint: The float net's; it is the teacher too.
        layers: The convolutions that are in 8 bits.
        steps: The first step of each tensor that is rounded for them.
        weight_bits: Bits of the kernels.
    """

    checkpoint: Path
    layers: tuple[str, ...]
    steps: Mapping[str, float]
    weight_bits: int = WEIGHT_BITS


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it, as the score on `val` by which the recipe chooses.

    Attributes:
        quantized: The model as written.
        float_score: Of the float net.
        before: Of the rounded net before training on.
        after: Of the best one after.
        is_trained: The trained one was written, as it is no worse than the one before.
    """

    quantized: Quantized
    float_score: float
    before: float
    after: float
    is_trained: bool


def train_rounded(
    begin: Begin, package: Package, data_dir: Path, package_dir: Path, plan: Plan, watch: Watch = UNWATCHED
) -> Tuned:
    """Trains a rounded net on and writes its 8-bit file.

    Args:
        begin: The net.
        package: A package with its float form.
        data_dir: The data set; `val` chooses.
        package_dir: The package that gets the new model.
        plan: How it is trained.
        watch: Who looks on.

    Raises:
        DataError: The checkpoint or the data cannot be used, or the training was stopped before it was evaluated.
        PackageError: The package at `package_dir` is broken.
        MissingDriverError: pycocotools is not installed.
    """
    net, recipe, _step = load_average(begin.checkpoint)
    rounded = RoundedNet(net, begin.layers, begin.steps, begin.weight_bits)
    held_out = load_training_boards(data_dir, VAL, recipe)

    def score(candidate: Any) -> float:
        return float(evaluate_net(candidate, held_out, recipe).scores[recipe.selects])

    float_score, before = score(net), score(rounded)
    with tempfile.TemporaryDirectory() as folder:
        work = plan.work or Path(folder)
        tuned = tuning_recipe(recipe, plan)
        with taught_by(str(begin.checkpoint), tuned, Lesson(), data_dir, plan.device) as loss_of:
            start = Start(device=plan.device, initial=cast("Net", rounded), loss_of=loss_of, loss_names=LOSS_NAMES)
            state = watch.train(tuned, data_dir, work, start)
        if not (work / BEST).is_file():
            raise DataError(f"the training ended at step {state.step}, before it was evaluated", "let it run longer")
        best = copy.deepcopy(rounded)
        best.load_state_dict(torch.load(work / BEST, map_location="cpu", weights_only=True)["average"])
    is_trained = state.best_score >= before
    chosen = best if is_trained else rounded
    model = FloatNet(build_graph(chosen.plain(), recipe))
    quantized = write_quantized(package, package_dir, model, begin.layers, chosen.steps, begin.weight_bits)
    return Tuned(quantized, float_score, before, state.best_score, is_trained)


def tuning_recipe(recipe: TrainingRecipe, plan: Plan) -> TrainingRecipe:
    """The recipe of a short training at a low rate.

    Raises:
        DataError: It is of another kind than detection, or there is no step.
    """
    if recipe.kind != "detection":
        raise DataError(f"{recipe.name} is a classifier", "quantize it without training on")
    if plan.steps < 1:
        raise DataError(f"{plan.steps} steps are none", "give some hundreds")
    schedule = dataclasses.replace(
        recipe.train,
        steps=plan.steps,
        learning_rate=plan.learning_rate,
        weight_decay=0.0,
        warmup_steps=min(recipe.train.warmup_steps, plan.steps // 10),
        evaluate_every_steps=max(1, plan.steps // _EVALUATIONS),
        patience_evaluations=0,
        precision="fp32",
    )
    return dataclasses.replace(recipe, train=schedule)
