"""The training loop: seeds, moving average, checkpoints, validation."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from app.errors import DataError
from models.augment import Board, load_board
from models.data import LabelledPicture, load_split
from models.feed import Batch, batches
from models.loss import detection_loss
from models.net import PeakNet, stack_inputs
from models.peaks import decode_peaks
from models.precision import Found, Precision, average_precision
from models.recipe import TrainingRecipe, recipe_from_dict

LAST, BEST, LOG = "last.pt", "best.pt", "log.jsonl"
_LAST_EVERY_STEPS = 500
_FINAL_RATE = 0.01  # of the learning rate, where the cosine ends
_GRADIENT_NORM = 10.0


@dataclass(frozen=True)
class Progress:
    """What a running training tells: one line of `log.jsonl`.

    Attributes:
        step: Steps done.
        steps: Steps to do.
        seconds: Since this start.
        heat_loss: Moving average of the heat map loss.
        box_loss: Moving average of the box loss.
        map50: Of the averaged weights on `val`, where this step was evaluated.
        map50_95: The same.
    """

    step: int
    steps: int
    seconds: float
    heat_loss: float
    box_loss: float
    map50: float | None = None
    map50_95: float | None = None


@dataclass(eq=False)
class TrainingState:
    """What a checkpoint holds."""

    net: PeakNet
    average: PeakNet
    optimiser: torch.optim.Optimizer
    step: int = 0
    best_map50: float = -1.0
    losses: torch.Tensor = field(default_factory=lambda: torch.zeros(2))


def input_channels(recipe: TrainingRecipe) -> int:
    """Channels the net sees: the camera's, or part, golden sample and difference."""
    return recipe.input.channels * (3 if recipe.input.golden else 1)


def new_state(recipe: TrainingRecipe) -> TrainingState:
    """Builds a fresh, seeded net with its optimiser."""
    torch.manual_seed(recipe.train.seed)
    net = PeakNet(recipe.net, len(recipe.classes), input_channels(recipe))
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = [p for p in net.parameters() if p.ndim > 1]
    scalars = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": recipe.train.weight_decay}, {"params": scalars, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.train.learning_rate)
    return TrainingState(net, copy.deepcopy(net).eval().requires_grad_(False), optimiser)


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Linear warm-up, then a cosine to a hundredth."""
    plan = recipe.train
    warm = min(1.0, (step + 1) / max(1, plan.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / plan.steps)))
    return plan.learning_rate * warm * (_FINAL_RATE + (1.0 - _FINAL_RATE) * cosine)


def train_step(state: TrainingState, batch: Batch, recipe: TrainingRecipe) -> float:
    """Takes one step and returns its loss.

    Raises:
        DataError: The loss is not finite.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, state.step)
    state.net.train()
    golden = batch.golden.float() if recipe.input.golden else None
    x = stack_inputs(batch.part.float(), golden).contiguous(memory_format=torch.channels_last)
    logits, distances = state.net(x)
    loss, parts = detection_loss(logits, distances, batch.targets, recipe.train.box_weight)
    if not torch.isfinite(loss):
        raise DataError(f"the loss is not finite at step {state.step}", "lower train.learning_rate")
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.net.parameters(), _GRADIENT_NORM)
    state.optimiser.step()
    _follow(state, recipe.train.ema_decay)
    state.losses = parts if state.step == 0 else 0.99 * state.losses + 0.01 * parts
    state.step += 1
    return float(loss.detach())


@torch.no_grad()
def _follow(state: TrainingState, decay: float) -> None:
    """Moves the averaged weights; early on they follow faster, or they would keep the random start."""
    decay = min(decay, (1 + state.step) / (10 + state.step))
    for mean, now in zip(state.average.state_dict().values(), state.net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1.0 - decay)
        else:
            mean.copy_(now)


@torch.no_grad()
def find(net: PeakNet, boards: Sequence[Board], *, has_golden: bool) -> list[Found]:
    """Runs the net over whole boards, one by one."""
    net.eval()
    found = []
    for board in boards:
        part = torch.from_numpy(board.part.copy()).float()[None, None]
        golden = torch.from_numpy(board.golden.copy()).float()[None, None] if has_golden else None
        peaks = decode_peaks(*net(stack_inputs(part, golden)))
        found.append(Found(peaks.boxes[0].numpy(), peaks.scores[0].numpy(), peaks.classes[0].numpy()))
    return found


def validate(
    net: PeakNet, pictures: Sequence[LabelledPicture], boards: Sequence[Board], recipe: TrainingRecipe
) -> Precision:
    """Mean average precision of a net on whole boards."""
    return average_precision(pictures, find(net, boards, has_golden=recipe.input.golden), recipe.classes)


def save_state(state: TrainingState, recipe: TrainingRecipe, path: Path) -> None:
    """Writes a checkpoint, whole or not at all."""
    values = {
        "recipe": recipe.to_dict(),
        "net": state.net.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "best_map50": state.best_map50,
        "losses": state.losses,
    }
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"checkpoint {path} does not exist", "train first, or leave out --resume")
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def load_average(path: Path) -> tuple[PeakNet, TrainingRecipe, int]:
    """Reads the averaged net of a checkpoint.

    Returns:
        The net in evaluation mode, the recipe it was trained by, and its step.

    Raises:
        DataError: There is no such checkpoint or its recipe is not valid.
    """
    values = _read(path)
    recipe = recipe_from_dict(values["recipe"], str(path))
    state = new_state(recipe)
    state.average.load_state_dict(values["average"])
    return state.average, recipe, int(values["step"])


def resume_state(recipe: TrainingRecipe, path: Path) -> TrainingState:
    """Continues from a checkpoint; the recipe may differ in its schedule, not in its net.

    Raises:
        DataError: There is no checkpoint, or it belongs to another net.
    """
    values, state = _read(path), new_state(recipe)
    try:
        state.net.load_state_dict(values["net"])
        state.average.load_state_dict(values["average"])
    except RuntimeError as error:
        mend = "resume with the recipe it began with"
        raise DataError(f"checkpoint {path} does not fit the recipe's net", mend) from error
    state.optimiser.load_state_dict(values["optimiser"])
    state.step, state.best_map50, state.losses = values["step"], values["best_map50"], values["losses"]
    return state


def train(
    recipe: TrainingRecipe,
    data_dir: Path,
    out: Path,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> TrainingState:
    """Trains by a recipe on a data set's `train` split and chooses on its `val` split.

    All boards are held in memory: two bytes per pixel.

    Args:
        recipe: The recipe.
        data_dir: Folder with `images/` and `annotations/` (`models.data`).
        out: Folder for `last.pt`, `best.pt` and `log.jsonl`.
        resume: Continue from `last.pt`.
        on_progress: Told every step.

    Raises:
        DataError: The data or the checkpoint cannot be used, or the loss is not finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    training, validation = (
        load_split(data_dir, split, recipe.classes, golden=recipe.input.golden) for split in ("train", "val")
    )
    boards, held_out = ([load_board(p) for p in part.pictures] for part in (training, validation))
    state = resume_state(recipe, out / LAST) if resume else new_state(recipe)
    began = time.monotonic()
    for batch in batches(boards, recipe, state.step):
        train_step(state, batch, recipe)
        is_last = state.step == recipe.train.steps
        precision = None
        if is_last or state.step % recipe.train.evaluate_every_steps == 0:
            precision = validate(state.average, validation.pictures, held_out, recipe)
            if precision.map50 > state.best_map50:
                state.best_map50 = precision.map50
                save_state(state, recipe, out / BEST)
        if is_last or state.step % _LAST_EVERY_STEPS == 0:
            save_state(state, recipe, out / LAST)
        progress = _progress(state, recipe, time.monotonic() - began, precision)
        if precision is not None or state.step % 100 == 0:
            _log(out / LOG, progress)
        on_progress(progress)
    return state


def _progress(state: TrainingState, recipe: TrainingRecipe, seconds: float, precision: Precision | None) -> Progress:
    heat, box = state.losses.tolist()
    scores = (None, None) if precision is None else (precision.map50, precision.map50_95)
    return Progress(state.step, recipe.train.steps, round(seconds, 1), heat, box, *scores)


def _log(path: Path, progress: Progress) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(vars(progress)) + "\n")
