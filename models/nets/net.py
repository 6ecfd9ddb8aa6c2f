"""A family of small nets of plain 3x3 convolutions.

`PeakNet` predicts, on a grid of stride 4 or 8, one heat map per class and four distances to the box sides: objects as
points (CenterNet: Zhou, Wang, Kraehenbuehl, arXiv:1904.07850). Its layers are few, dense and plain 3x3, which is
what CPUs and small GPUs run fastest. While it trains, each 3x3 kernel may be the sum of a 3x3, a 1x1 and an identity
kernel, all scaled per channel (online convolutional re-parameterisation: Hu et al., arXiv:2204.00826); they add up to
one kernel before the convolution, and batch normalisation folds into it at export.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.recipe import InputShape, NetShape

DISTANCE_LOGIT_LIMIT = 4.0
_DISTANCES = 4
_PRIOR_LOGIT = -4.6  # sigmoid = 0.01: an untrained net is silent
_MEDIAN_HALF_PX = 16.0
_FULL_LEVEL = 255.0
_Net = TypeVar("_Net", bound="Trunk")


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and ReLU; one convolution with bias and ReLU once folded.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Side of the kernel.
        stride: Stride of the convolution.
        padding: Pixels added at each edge.
        is_branched: Train a 3x3 kernel as the sum of three.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 1,
        *,
        is_branched: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)
        self.act = nn.ReLU(inplace=True)
        self.point: nn.Parameter | None = None
        self.gains: nn.Parameter | None = None
        if is_branched and kernel == 3:  # noqa: PLR2004
            self.point = nn.Parameter(torch.empty(channels_out, channels_in, 1, 1))
            nn.init.kaiming_uniform_(self.point, a=5**0.5)
            has_identity = channels_in == channels_out and stride == 1
            gains = torch.ones(3, channels_out)
            gains[1:] = 0.5
            self.gains = nn.Parameter(gains if has_identity else gains[:2])

    def kernel(self) -> Tensor:
        """The kernel that all branches add up to, float (out, in, k, k)."""
        weight: Tensor = self.conv.weight
        if self.point is None or self.gains is None:
            return weight
        gains = self.gains[:, :, None, None, None]
        middle = gains[1] * self.point
        if len(gains) > 2:  # noqa: PLR2004
            identity = torch.eye(weight.shape[0], dtype=weight.dtype, device=weight.device)
            middle = middle + gains[2] * identity[:, :, None, None]
        return gains[0] * weight + functional.pad(middle, [1, 1, 1, 1])

    def forward(self, x: Tensor) -> Tensor:
        """Maps float (N, in, H, W) to float (N, out, H', W')."""
        conv = self.conv
        if self.gains is None:
            return self.act(self.norm(conv(x)))  # type: ignore[no-any-return]
        convolved = functional.conv2d(x, self.kernel(), None, conv.stride, conv.padding)
        return self.act(self.norm(convolved))  # type: ignore[no-any-return]

    @torch.no_grad()
    def fold(self) -> None:
        """Adds up the branches and folds the normalisation's running statistics into the convolution."""
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
        folded.weight.copy_(self.kernel() * gain[:, None, None, None])
        assert folded.bias is not None
        folded.bias.copy_(norm.bias - norm.running_mean * gain)
        self.conv, self.norm = folded, nn.Identity()
        self.point = self.gains = None

    @torch.no_grad()
    def unfold(self, kernel: Tensor, bias: Tensor) -> None:
        """Takes over a folded convolution: in evaluation mode the unit then gives what that one gives.

        Args:
            kernel: float (out, in, k, k), of the unit's own shape.
            bias: float (out,).
        """
        norm = self.norm
        assert isinstance(norm, nn.BatchNorm2d)
        self.conv.weight.zero_()
        rest, scale = kernel - self.kernel(), 1.0 if self.gains is None else self.gains[0, :, None, None, None]
        self.conv.weight.copy_(rest / scale)
        norm.reset_running_stats()
        norm.weight.fill_((1.0 + norm.eps) ** 0.5)
        norm.bias.copy_(bias)


class Trunk(nn.Module):
    """What the nets of the family share: from the picture to ever coarser maps.

    A stem without padding takes the picture to stride 4 (or 2), plain 3x3 layers to twice that, four times and, if
    asked, eight times.

    Args:
        shape: Channel counts.
        channels_in: Channels of the input (3 for part, golden sample and their difference in grey).

    Attributes:
        widths: Channels of the maps from the stem's on, each of twice the stride of the one before.
    """

    def __init__(self, shape: NetShape, channels_in: int) -> None:
        super().__init__()
        side = shape.stem_stride_px
        self.stem = ConvUnit(channels_in, shape.stem, kernel=side, stride=side, padding=0)
        self.widths = [shape.stem]
        self.stages = nn.ModuleList()
        for stage in (shape.fine, shape.coarse, shape.deep):
            if stage:
                self.stages.append(_stage(self.widths[-1], stage, is_branched=shape.is_branched))
                self.widths.append(stage[-1])

    def features(self, x: Tensor) -> list[Tensor]:
        """The maps from the stem's on, float (N, width, H', W')."""
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    def embed(self, x: Tensor) -> Tensor:
        """The mean of the deepest map, float (N, width): what drift is watched by."""
        return self.features(x)[-1].mean(dim=(2, 3))

    def folded(self: _Net) -> _Net:  # noqa: PYI019  (Self is not in Python 3.10)
        """Returns a copy in evaluation mode with every normalisation folded into its convolution."""
        net = copy.deepcopy(self).eval()
        for module in net.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return net


class PeakNet(Trunk):
    """Heat maps and box distances on a grid of stride 4 or 8.

    Each coarser map comes back through a 1x1 layer by nearest neighbour and is added to the finer one, down to the
    grid's stride; 3x3 layers and one 1x1 layer make the head.

    Args:
        shape: Channel counts.
        classes: Number of classes.
        channels_in: Channels of the input.

    Attributes:
        stride_px: Pixels per cell of the grid.
        reach: A centre's neighbourhood is so many cells to each side: 8 px.
    """

    def __init__(self, shape: NetShape, classes: int, channels_in: int) -> None:
        super().__init__(shape, channels_in)
        self.classes, self.stride_px = classes, shape.head_stride_px
        self._level = 0 if shape.head_stride_px == shape.stem_stride_px else 1
        self.reach = reach_of(self.stride_px)
        # From the deepest map back to the grid's.
        targets = list(range(len(self.widths) - 2, self._level - 1, -1))
        self.laterals = nn.ModuleList(nn.Conv2d(self.widths[level + 1], self.widths[level], 1) for level in targets)
        self.head = nn.Sequential()
        last = self.widths[self._level]
        for width in shape.head:
            self.head.append(ConvUnit(last, width, is_branched=shape.is_branched))
            last = width
        self.out = nn.Conv2d(last, classes + _DISTANCES, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        with torch.no_grad():
            assert self.out.bias is not None
            self.out.bias[:classes] = _PRIOR_LOGIT
            self.out.bias[classes:] = float(np.log(_MEDIAN_HALF_PX / self.stride_px))

    def raw(self, x: Tensor) -> Tensor:
        """The last layer's output, float (N, classes + 4, H', W'): logits of the heat maps and of the distances."""
        maps = self.features(x)
        merged = maps.pop()
        for lateral in self.laterals:
            up = functional.interpolate(lateral(merged), scale_factor=2.0, mode="nearest")
            merged = functional.relu(maps.pop() + up)
        return self.out(self.head(merged))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the net.

        Args:
            x: float (N, channels_in, H, W), H and W multiples of the deepest stride.

        Returns:
            Heat map logits (N, classes, H', W'), and the distances left, top, right, bottom from each cell's
            centre to the box in pixels (N, 4, H', W'), all positive; float32 whatever the step is computed in.
        """
        logits, distances = torch.split(self.raw(x).float(), [self.classes, _DISTANCES], dim=1)
        return logits, self.stride_px * torch.exp(distances.clamp(-DISTANCE_LOGIT_LIMIT, DISTANCE_LOGIT_LIMIT))


def reach_of(stride_px: int) -> int:
    """Cells that 8 px are, on a grid of this stride."""
    return max(1, 8 // stride_px)


def _stage(channels_in: int, channels: Sequence[int], *, is_branched: bool) -> nn.Sequential:
    units, last = [], channels_in
    for index, width in enumerate(channels):
        units.append(ConvUnit(last, width, stride=2 if index == 0 else 1, is_branched=is_branched))
        last = width
    return nn.Sequential(*units)


def count_macs(net: Trunk, channels_in: int, height_px: int, width_px: int) -> int:
    """Counts the multiply-accumulates of every convolution in one forward pass of one picture, once folded."""
    total = 0

    def add(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += int(output.shape[2] * output.shape[3] * module.weight.numel())

    folded = net.folded()
    for module in folded.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    with torch.no_grad():
        folded(torch.zeros(1, channels_in, height_px, width_px))
    return total


def stack_inputs(part: Tensor, golden: Tensor | None, shape: InputShape) -> Tensor:
    """Stretches grey levels to 0 .. 1 and joins part and golden sample with their absolute difference.

    Args:
        part: uint8 (N, C, H, W), levels.
        golden: The same, or None for a model without.
        shape: Names the levels that become 0 and 1.

    Returns:
        float (N, 3C, H, W), or (N, C, H, W) without a golden sample.
    """
    planes = [_stretched(part, shape)]
    if golden is not None:
        planes.append(_stretched(golden, shape))
        planes.append((planes[0] - planes[1]).abs())
    return torch.cat(planes, dim=1) if len(planes) > 1 else planes[0]


def _stretched(levels: Tensor, shape: InputShape) -> Tensor:
    if (shape.black_level, shape.white_level) == (0, int(_FULL_LEVEL)):
        return levels.float() / _FULL_LEVEL
    return ((levels.float() - shape.black_level) / (shape.white_level - shape.black_level)).clamp(0.0, 1.0)
