"""One step of a training: forward, loss, backward, optimiser, moving average."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from app.errors import DataError
from models.nets.classify import ClassNet, classification_loss
from models.nets.net import stack_inputs
from models.recipe import TrainingRecipe
from models.training.aligned import aligned_loss
from models.training.checkpoint import Net, TrainingState
from models.training.feed import Batch
from models.training.loss import detection_loss
from models.training.regions import region_loss
from models.training.schedule import average_decay, learning_rate_at

LossFunction = Callable[[Net, Batch, TrainingRecipe], "tuple[Tensor, Tensor]"]
"""From a net and a batch on its device to the loss to minimise, and its parts, detached, to report."""

LOSS_NAMES = {"detection": ("heat_loss", "box_loss"), "classification": ("class_loss",)}
_LOSSES = {"centres": detection_loss, "aligned": aligned_loss, "regions": region_loss}
_GRADIENT_NORM = 10.0
_MEMORY = 0.99  # of the reported losses
_NAMED = 8
_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """The learning rate of a step (`models.training.schedule`)."""
    return learning_rate_at(recipe.train, step)


def net_input(batch: Batch, recipe: TrainingRecipe) -> Tensor:
    """What a net takes of a batch, float (N, planes, H, W)."""
    return stack_inputs(batch.part, batch.golden, recipe.input).contiguous(memory_format=torch.channels_last)


def batch_loss(net: Net, batch: Batch, recipe: TrainingRecipe) -> tuple[Tensor, Tensor]:
    """The loss that labels alone give: heat maps and boxes, or classes."""
    x = net_input(batch, recipe)
    half = _HALVES.get(recipe.train.precision)
    with torch.autocast(x.device.type, dtype=half, enabled=half is not None):
        outputs = net(x)
    if isinstance(net, ClassNet):
        return classification_loss(outputs, batch.categories)
    logits, distances = outputs
    return label_loss(logits, distances, batch, recipe)


def label_loss(logits: Tensor, distances: Tensor, batch: Batch, recipe: TrainingRecipe) -> tuple[Tensor, Tensor]:
    """The loss of a detector's outputs against the labels, by the recipe's way of choosing cells."""
    loss = _LOSSES[recipe.train.targets]
    return loss(logits, distances, batch.targets, recipe.net.head_stride_px, recipe.train.box_weight)


def train_step(state: TrainingState, batch: Batch, recipe: TrainingRecipe, loss_of: LossFunction = batch_loss) -> float:
    """Takes one step and returns its loss.

    Raises:
        DataError: The loss or its gradient is not finite; names the step and the pictures.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(recipe, state.step)
    state.net.train()
    loss, parts = loss_of(state.net, batch.to(state.device), recipe)
    if not torch.isfinite(loss):
        raise _not_finite("loss", state.step, batch.names)
    state.optimiser.zero_grad(set_to_none=True)
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimiser)
    norm = nn.utils.clip_grad_norm_(state.net.parameters(), _GRADIENT_NORM)
    # In half precision a gradient overflows now and then: the scaler then leaves the step out and scales less.
    if not state.scaler.is_enabled() and not torch.isfinite(norm):
        raise _not_finite("gradient", state.step, batch.names)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    _follow(state, average_decay(recipe.train, state.step))
    state.losses = parts if state.step == 0 else _MEMORY * state.losses + (1.0 - _MEMORY) * parts
    state.step += 1
    return float(loss.detach())


def _not_finite(what: str, step: int, names: Sequence[str]) -> DataError:
    pictures = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return DataError(
        f"the {what} is not finite at step {step}, in the batch of {pictures or 'unnamed pictures'}; "
        "the checkpoints written before are kept",
        "lower train.learning_rate and continue with --resume, or look at these pictures and their labels",
    )


@torch.no_grad()
def _follow(state: TrainingState, decay: float) -> None:
    """Moves the averaged weights."""
    for mean, now in zip(state.average.state_dict().values(), state.net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(now, 1.0 - decay)
        else:
            mean.copy_(now)
