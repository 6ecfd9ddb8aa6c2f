"""Random nets whose answers look like a trained net's: spread over the picture, and few of them sure.

Weights as a library initialises them give nearly the same score everywhere, which would prove nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def as_batch(pictures: Sequence[np.ndarray], *, is_imagenet: bool = False) -> torch.Tensor:
    """Pictures of one size, uint8 (height, width, 3) BGR -> float32 (n, 3, height, width) RGB, 0 .. 1.

    Args:
        pictures: The pictures.
        is_imagenet: Bring them to ImageNet's mean and standard deviation too.
    """
    batch = torch.from_numpy(np.stack([each[..., ::-1].transpose(2, 0, 1) for each in pictures])).float() / 255
    if is_imagenet:
        channels = (1, 3, 1, 1)
        batch = (batch - torch.tensor(IMAGENET_MEAN).reshape(channels)) / torch.tensor(IMAGENET_DEVIATION).reshape(
            channels
        )
    return batch


def logit(score: float) -> float:
    """What the sigmoid makes a score of."""
    return float(np.log(score / (1 - score)))


def normalised(net: nn.Module, batch: torch.Tensor | list[torch.Tensor]) -> None:
    """Measures every batch normalisation on the pictures, so that signals neither die nor explode."""
    # Only these layers are in training: a whole net would want the truth of the pictures too.
    net.eval()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
            layer.train()
    with torch.no_grad():
        net(batch)
    net.eval()


def answers(net: nn.Module, batch: torch.Tensor | list[torch.Tensor], layer: nn.Module) -> torch.Tensor:
    """What a layer gives on the pictures, in all its runs: (n, channels).

    Channels are the second of four axes, the last of two or three.
    """
    given: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: given.append(output.detach()))
    with torch.no_grad():
        net(batch)
    hook.remove()
    channels = layer.weight.shape[0]
    return torch.cat([(each.movedim(1, -1) if each.ndim == 4 else each).reshape(-1, channels) for each in given])


def spread(
    net: nn.Module,
    batch: torch.Tensor | list[torch.Tensor],
    layer: nn.Conv2d | nn.Linear,
    *,
    deviation: float,
    mean: float | torch.Tensor = 0.0,
    passing: float | None = None,
    level: float = 0.0,
) -> None:
    """Scales a layer's weights and sets its biases by what it gives on the pictures.

    Args:
        net: The net.
        batch: float32 (n, 3, height, width), or what else the net takes.
        layer: A layer of it, with a bias.
        deviation: The standard deviation wanted of its outputs, of each channel.
        mean: Their mean, or that of each channel.
        passing: With a mean of 0: the share of positions whose largest channel is to lie above `level`.
        level: See `passing`.
    """
    output = answers(net, batch, layer)
    scale = deviation / output.std(dim=0).clamp_min(1e-6)
    centre = output.mean(dim=0)
    with torch.no_grad():
        layer.weight *= scale.reshape(-1, *[1] * (layer.weight.ndim - 1))
        bias = (layer.bias - centre) * scale + mean
        if passing is not None:
            largest = ((output - centre) * scale).amax(dim=1)
            bias += level - torch.quantile(largest, 1 - passing)
        layer.bias.copy_(bias)
