"""A small detector of plain convolutions, and the losses that train it.

`PeakNet` predicts, on a grid of stride 8, one heat map per class and four distances to the box sides: objects as
points (CenterNet: Zhou, Wang, Kraehenbuehl, arXiv:1904.07850). Its layers are few, dense and plain 3x3, which is
what CPUs and small GPUs run fastest; batch normalisation folds into the convolutions at export.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recipe import NetShape

STRIDE_PX = 8
DISTANCE_LOGIT_LIMIT = 4.0
_DISTANCES = 4
_PRIOR_LOGIT = -4.6  # sigmoid = 0.01: an untrained net is silent


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and ReLU; one convolution with bias and ReLU once folded."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps float (N, in, H, W) to float (N, out, H', W')."""
        return self.act(self.norm(self.conv(x)))  # type: ignore[no-any-return]

    @torch.no_grad()
    def fold(self) -> None:
        """Folds the normalisation's running statistics into the convolution."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        folded = nn.Conv2d(
            self.conv.in_channels,
            self.conv.out_channels,
            self.conv.kernel_size,  # type: ignore[arg-type]
            self.conv.stride,  # type: ignore[arg-type]
            self.conv.padding,  # type: ignore[arg-type]
        )
        folded.weight.copy_(self.conv.weight * gain[:, None, None, None])
        assert folded.bias is not None
        folded.bias.copy_(norm.bias - norm.running_mean * gain)
        self.conv, self.norm = folded, nn.Identity()


class PeakNet(nn.Module):
    """Heat maps and box distances on a grid of stride 8.

    A stem without padding takes the picture to stride 4, plain 3x3 layers to stride 8 and 16; the coarse map comes
    back by nearest neighbour and is added to the fine one; one 3x3 and one 1x1 layer make the head.

    Args:
        shape: Channel counts.
        classes: Number of classes.
        channels_in: Channels of the input (3 for part, golden sample and their difference in grey).
    """

    def __init__(self, shape: NetShape, classes: int, channels_in: int) -> None:
        super().__init__()
        self.classes = classes
        self.stem = ConvUnit(channels_in, shape.stem, kernel=4, stride=4, padding=0)
        self.fine = _stage(shape.stem, shape.fine)
        self.coarse = _stage(shape.fine[-1], shape.coarse)
        self.lateral = nn.Conv2d(shape.coarse[-1], shape.fine[-1], 1)
        self.head = ConvUnit(shape.fine[-1], shape.head)
        self.out = nn.Conv2d(shape.head, classes + _DISTANCES, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        with torch.no_grad():
            assert self.out.bias is not None
            self.out.bias[:classes] = _PRIOR_LOGIT
            self.out.bias[classes:] = float(np.log(2.0))  # boxes start 4 cells wide, near the median

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the net.

        Args:
            x: float (N, channels_in, H, W), H and W multiples of 16.

        Returns:
            Heat map logits (N, classes, H/8, W/8), and the distances left, top, right, bottom from each cell's
            centre to the box in pixels (N, 4, H/8, W/8), all positive.
        """
        fine = self.fine(self.stem(x))
        coarse = self.lateral(self.coarse(fine))
        merged = functional.relu(fine + functional.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        logits, distances = self.out(self.head(merged)).split([self.classes, _DISTANCES], dim=1)
        return logits, STRIDE_PX * torch.exp(distances.clamp(-DISTANCE_LOGIT_LIMIT, DISTANCE_LOGIT_LIMIT))

    def folded(self) -> PeakNet:
        """Returns a copy in evaluation mode with every normalisation folded into its convolution."""
        net = copy.deepcopy(self).eval()
        for module in net.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return net


def _stage(channels_in: int, channels: Sequence[int]) -> nn.Sequential:
    units, last = [], channels_in
    for index, width in enumerate(channels):
        units.append(ConvUnit(last, width, stride=2 if index == 0 else 1))
        last = width
    return nn.Sequential(*units)


def count_macs(net: nn.Module, channels_in: int, height_px: int, width_px: int) -> int:
    """Counts the multiply-accumulates of every convolution in one forward pass of one picture."""
    total = 0

    def add(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += int(output.shape[2] * output.shape[3] * module.weight.numel())

    hooks = [m.register_forward_hook(add) for m in net.modules() if isinstance(m, nn.Conv2d)]
    was_training = net.training
    net.eval()
    with torch.no_grad():
        net(torch.zeros(1, channels_in, height_px, width_px))
    net.train(was_training)
    for hook in hooks:
        hook.remove()
    return total


def stack_inputs(part: Tensor, golden: Tensor | None) -> Tensor:
    """Joins binary part and golden sample with their absolute difference along the channels.

    Args:
        part: float {0, 1} (N, C, H, W).
        golden: The same, or None for a model without.

    Returns:
        float (N, 3C, H, W), or `part` itself.
    """
    if golden is None:
        return part
    return torch.cat([part, golden, (part - golden).abs()], dim=1)
