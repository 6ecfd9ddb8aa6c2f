"""Checkpoints of a training: nets, optimiser and where it stands, written whole and read without running any code."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import DataError
from models.nets.classify import ClassNet
from models.nets.net import PeakNet
from models.recipe import Schedule, TrainingRecipe, recipe_from_dict
from models.training.muon import Muon
from models.whole_file import write_whole

LAST, BEST = "last.pt", "best.pt"
_KEPT_KEYS = ("seed", "batch", "crop_px", "optimiser")
"""Of the schedule: what a resumed training must not change. How long and how fast it learns, it may."""

Net = PeakNet | ClassNet


@dataclass(eq=False)
class TrainingState:
    """What a checkpoint holds.

    Attributes:
        net: The net that learns.
        average: The moving average of its weights, in evaluation mode: what is kept in the end.
        optimiser: The recipe's, with its moments.
        scaler: Of losses, for half precision; elsewhere it does nothing.
        step: Steps done.
        best_score: The best that `train.select` names, so far.
        evaluations_without_gain: Since then.
        losses: Moving averages of the parts of the loss.
        data: Checksum of the data (`models.training.boards.fingerprint`); empty: unknown.
        ended: Why the training ended: "finished", "patience" or the word of whoever stopped it. Not in the file.
    """

    net: Net
    average: Net
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0
    best_score: float = -1.0
    evaluations_without_gain: int = 0
    losses: Tensor = field(default_factory=lambda: torch.zeros(2))
    data: str = ""
    ended: str = ""

    @property
    def device(self) -> torch.device:
        """Where the net is."""
        return next(self.net.parameters()).device


def new_net(recipe: TrainingRecipe) -> Net:
    """Builds a fresh net from torch's present random state."""
    kind = PeakNet if recipe.kind == "detection" else ClassNet
    return kind(recipe.net, len(recipe.classes), recipe.planes)


def new_state(recipe: TrainingRecipe, device: torch.device | str = "cpu", initial: Net | None = None) -> TrainingState:
    """Builds a seeded net with its optimiser.

    Args:
        recipe: The recipe.
        device: Where it learns.
        initial: Start from this net's weights instead of chance; it is not changed.
    """
    torch.manual_seed(recipe.train.seed)
    net = new_net(recipe) if initial is None else copy.deepcopy(initial).requires_grad_(True)
    net = net.to(device=torch.device(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = new_optimiser(net, recipe.train)
    scaler = torch.amp.GradScaler(torch.device(device).type, enabled=recipe.train.precision == "fp16")
    return TrainingState(net, copy.deepcopy(net).eval().requires_grad_(False), optimiser, scaler)


def new_optimiser(net: Net, plan: Schedule) -> torch.optim.Optimizer:
    """The optimiser of a plan; biases and gains have no weight decay.

    What Muon turns are the kernels between the first layer and the last, of 3x3: the others learn by AdamW.
    """
    weights = [p for p in net.parameters() if p.ndim > 1]
    scalars = {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0}
    if plan.optimiser == "muon":
        kernels = {"params": [p for p in weights if _is_turned(p)], "is_orthogonal": True}
        others = {"params": [p for p in weights if not _is_turned(p)]}
        decaying = [each | {"weight_decay": plan.weight_decay} for each in (kernels, others)]
        return Muon([*decaying, scalars], plan.learning_rate)
    return torch.optim.AdamW([{"params": weights, "weight_decay": plan.weight_decay}, scalars], lr=plan.learning_rate)


def _is_turned(weight: nn.Parameter) -> bool:
    return weight.ndim > 2 and weight.shape[-1] == 3  # noqa: PLR2004


def save_state(state: TrainingState, recipe: TrainingRecipe, path: Path) -> None:
    """Writes a checkpoint, whole or not at all.

    Raises:
        DataError: It cannot be written; an earlier one is unchanged.
    """
    values = {
        "recipe": recipe.to_dict(),
        "net": state.net.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "scaler": state.scaler.state_dict(),
        "step": state.step,
        "best_score": state.best_score,
        "evaluations_without_gain": state.evaluations_without_gain,
        "losses": state.losses,
        "data": state.data,
    }
    stream = io.BytesIO()
    torch.save(values, stream)
    write_whole(path, stream.getvalue())


def load_net(path: Path) -> tuple[Net, TrainingRecipe, int]:
    """Reads the averaged net of a checkpoint.

    Returns:
        The net in evaluation mode, the recipe it was trained by, and its step.

    Raises:
        DataError: There is no such checkpoint, or it is not one of ours.
    """
    values = _read(path)
    recipe = recipe_from_dict(values["recipe"], str(path))
    net = new_net(recipe).eval().requires_grad_(False)
    _fill(net, values["average"], path)
    return net, recipe, int(values["step"])


def load_average(path: Path) -> tuple[PeakNet, TrainingRecipe, int]:
    """Reads the averaged net of a detector's checkpoint, as `load_net` does.

    Raises:
        DataError: See `load_net`; or it is a classifier's.
    """
    net, recipe, step = load_net(path)
    if not isinstance(net, PeakNet):
        raise DataError(f"checkpoint {path} is a classifier's", "give one of a recipe whose kind is detection")
    return net, recipe, step


def resume_state(recipe: TrainingRecipe, path: Path, device: torch.device | str = "cpu") -> TrainingState:
    """Continues from a checkpoint; the recipe may differ in how long and how fast it learns, in nothing else.

    Raises:
        DataError: There is no checkpoint, or it belongs to another recipe.
    """
    values = _read(path)
    change = _change(recipe_from_dict(values["recipe"], str(path)), recipe)
    if change:
        raise DataError(f"checkpoint {path} is of another recipe: {change}", "resume with the recipe it began with")
    state = new_state(recipe, device)
    _fill(state.net, values["net"], path)
    _fill(state.average, values["average"], path)
    state.optimiser.load_state_dict(values["optimiser"])
    if values.get("scaler"):
        state.scaler.load_state_dict(values["scaler"])
    state.step = int(values["step"])
    state.best_score = float(values["best_score"] if "best_score" in values else values["best_map50"])
    state.evaluations_without_gain = int(values.get("evaluations_without_gain", 0))
    state.losses, state.data = values["losses"].to(state.device), str(values.get("data", ""))
    return state


def _change(before: TrainingRecipe, now: TrainingRecipe) -> str:
    """The first thing that a resumed training must not change and that was changed, in words; empty: none."""
    old, new = before.to_dict(), now.to_dict()
    for section in ("kind", "classes", "good_classes", "input", "net", "augment", "train"):
        if not isinstance(old[section], dict):
            if old[section] != new[section]:
                return f"{section} was {old[section]} and is now {new[section]}"
            continue
        for key in _KEPT_KEYS if section == "train" else new[section]:
            if key != "size" and old[section][key] != new[section][key]:
                return f"{section}.{key} was {old[section][key]} and is now {new[section][key]}"
    return ""


def _fill(net: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise DataError(
            f"checkpoint {path} does not fit the net of its recipe", "train anew: it is of another version"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"checkpoint {path} does not exist", "train first, or leave out --resume")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is not a checkpoint of takt models train, or it is damaged", "give another") from error
    needed = ("recipe", "net", "average", "optimiser", "step", "losses")
    if not isinstance(values, dict) or any(key not in values for key in needed):
        raise DataError(f"{path} is not a checkpoint of takt models train", "give OUT/best.pt or OUT/last.pt of one")
    return values
