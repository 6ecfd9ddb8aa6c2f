"""Weights to begin with instead of chance: those of an earlier training, or of a package whose checkpoint is gone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from app.detect.zoo import find_package, zoo_folder
from models.nets.layers import points_of, units_of
from models.nets.net import PeakNet, Trunk
from models.nets.regain import regain_net
from models.recipe import TrainingRecipe
from models.training.checkpoint import Net, load_net, new_net


def load_trained(source: str) -> tuple[Net, TrainingRecipe]:
    """Reads a trained net.

    Args:
        source: A checkpoint's file; or a package by its name in the zoo or its folder, and `:VARIANT` for another model
            than its first, such as `pcb-golden:standby-fp32` or `./mine`.

    Returns:
        The net in evaluation mode, and its recipe; of a package, see `models.nets.regain`.

    Raises:
        DataError: It cannot be used.
        PackageError: There is no such package, or it is broken.
        MissingDriverError: onnx is not installed; for a package.
    """
    if is_checkpoint(source):
        net, recipe, _step = load_net(Path(source))
        return net, recipe
    return regain_net(find_package(source, zoo_folder(), is_draft=True))


def is_checkpoint(source: str) -> bool:
    """Whether it names a checkpoint, and not a package."""
    return Path(source).suffix == ".pt" or Path(source).is_file()


def begun(recipe: TrainingRecipe, trained: Net, on_remark: Callable[[str], None], picture: Callable[[], Tensor]) -> Net:
    """A recipe's net with the weights of a trained one, layer by layer where the two are of one shape.

    Args:
        recipe: The recipe of the net to be.
        trained: The trained net.
        on_remark: Told which layers begin by chance.
        picture: Gives a batch as the net takes it, float (N, planes, H, W).
    """
    torch.manual_seed(recipe.train.seed)
    net, source = new_net(recipe), trained.folded()
    fresh = _fill(net, source)
    _settle(net, fresh, picture())
    if fresh:
        on_remark(f"these layers differ in shape from those to begin with, and begin by chance: {', '.join(fresh)}")
    return net


@torch.no_grad()
def _fill(net: Net, source: Net) -> list[str]:
    """Copies what fits; returns the names of the layers that are left as they are."""
    theirs, fresh = units_of(source), []
    for name, unit in units_of(net).items():
        conv = theirs[name].conv if name in theirs else None
        if conv is not None and conv.weight.shape == unit.conv.weight.shape and conv.stride == unit.conv.stride:
            unit.unfold(conv.weight, cast("Tensor", conv.bias))
        else:
            fresh.append(name)
    others = _ends(source)
    for name, layer in _ends(net).items():
        if name in others and others[name].weight.shape == layer.weight.shape:
            layer.load_state_dict(others[name].state_dict())
        else:
            fresh.append(name)
    return fresh


def _ends(net: Net) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers without normalisation."""
    return {**points_of(net)} if isinstance(net, PeakNet) else {"out": net.out}


@torch.no_grad()
def _settle(net: Trunk, fresh: Collection[str], pictures: Tensor) -> None:
    """Gives every normalisation the statistics of a batch, without a change to what the filled units give.

    A folded unit has none left; the first steps, which normalise by their own batches, would undo what it learnt.
    """
    units = units_of(net).items()
    hooks = [unit.norm.register_forward_pre_hook(partial(_measure, is_fresh=name in fresh)) for name, unit in units]
    net.eval()(pictures)
    for hook in hooks:
        hook.remove()


def _measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...], *, is_fresh: bool) -> None:
    """Takes over mean and variance of what a normalisation is about to see."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    middle = norm.bias - gain * norm.running_mean
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    if not is_fresh:
        norm.weight.copy_(gain * torch.sqrt(variance + norm.eps))
        norm.bias.copy_(middle + gain * mean)
