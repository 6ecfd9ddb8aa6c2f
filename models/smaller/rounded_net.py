"""A net in torch whose rounding is that of its 8-bit ONNX file.

Every layer that `models.smaller.qdq` rounds computes with the rounded kernel, and every tensor that it rounds passes a
rounding whose gradient is that of doing nothing (straight through: Jacob et al., arXiv:1712.05877). Steps of kernels
follow from the kernels; steps of activations are learnt (LSQ: Esser et al., arXiv:1902.08153), in their logarithm, so
that they stay positive. The net is folded before: there is no normalisation whose statistics could part from the file.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.errors import DataError
from models.nets.layers import STAGES, layers_of
from models.nets.net import ConvUnit, PeakNet
from models.smaller.qdq import ACTIVATION_TOP, NO_WEIGHT, WEIGHT_BITS

_TENSOR = re.compile(r"(stem|merge|lateral|head|fine|coarse|deep)(\d*)(\.relu)?")


class RoundedConvolution(nn.Module):
    """A convolution with its kernel rounded as `models.smaller.qdq.insert_qdq` does.

    Args:
        layer: The convolution; its weights are learnt.
        weight_bits: Bits of the kernel.
    """

    def __init__(self, layer: nn.Conv2d, weight_bits: int = WEIGHT_BITS) -> None:
        super().__init__()
        self.layer = layer
        self._top = 2 ** (weight_bits - 1) - 1

    def kernel(self) -> Tensor:
        """The rounded kernel, float (out, in, k, k); its gradient is the kernel's."""
        weight = self.layer.weight
        largest = weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True)
        steps = torch.where(largest > NO_WEIGHT, largest / self._top, torch.ones_like(largest))
        return weight + (torch.round(weight / steps) * steps - weight).detach()

    def forward(self, x: Tensor) -> Tensor:
        """Maps float (N, in, H, W) to float (N, out, H', W')."""
        layer = self.layer
        return functional.conv2d(x, self.kernel(), layer.bias, layer.stride, layer.padding)


class RoundedTensor(nn.Module):
    """Rounds a tensor to int8 with zero at 0, by a step that is learnt.

    Args:
        step: The first step.
    """

    def __init__(self, step: float) -> None:
        super().__init__()
        self.log_step = nn.Parameter(torch.tensor(math.log(step)))

    @property
    def step(self) -> float:
        """The step that the file gets."""
        return float(torch.exp(self.log_step.detach()))

    def forward(self, x: Tensor) -> Tensor:
        """Maps float to the same shape, rounded."""
        step = torch.exp(self.log_step)
        whole = (x / step).clamp(-ACTIVATION_TOP - 1, ACTIVATION_TOP)
        return (whole + (torch.round(whole) - whole).detach()) * step


class RoundedNet(nn.Module):
    """A folded net that rounds where its ONNX file does.

    Args:
        net: A trained net; a folded copy is used.
        layers: The convolutions to round, by their names in the file.
        steps: The first step of each tensor that the file rounds for these, by its name there.
        weight_bits: Bits of the kernels.

    Attributes:
        classes: As of the net.
        stride_px: As of the net.
        layers: As given.

    Raises:
        DataError: A layer or tensor cannot be rounded here.
    """

    def __init__(
        self, net: PeakNet, layers: Collection[str], steps: Mapping[str, float], weight_bits: int = WEIGHT_BITS
    ) -> None:
        super().__init__()
        self.net = net.folded().requires_grad_(requires_grad=True)
        self.classes, self.stride_px, self.layers = net.classes, net.stride_px, tuple(layers)
        self._unrounded = [copy.deepcopy(self.net)]  # in a list, so that torch does not count it as a part
        self._convolutions = layers_of(self.net)
        self._tensors = tuple(steps)
        self.roundings = nn.ModuleList(RoundedTensor(steps[name]) for name in self._tensors)
        for name in layers:
            self._round_kernel(name, weight_bits)
        for name, rounding in zip(self._tensors, self.roundings, strict=True):
            self._round_tensor(name, rounding)

    @property
    def steps(self) -> dict[str, float]:
        """The steps as learnt, by the names of the tensors in the file."""
        roundings = [each for each in self.roundings if isinstance(each, RoundedTensor)]
        return {name: each.step for name, each in zip(self._tensors, roundings, strict=True)}

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `PeakNet.forward`."""
        outputs: tuple[Tensor, Tensor] = self.net(x)
        return outputs

    @torch.no_grad()
    def plain(self) -> PeakNet:
        """Returns the folded net with its kernels as they are before rounding, for `models.packaging.graph`."""
        net = copy.deepcopy(self._unrounded[0]).eval()
        for name, target in layers_of(net).items():
            target.load_state_dict(self._convolutions[name].state_dict())
        return net

    def _round_kernel(self, name: str, weight_bits: int) -> None:
        layer = self._convolutions.get(name)
        if layer is None or name == "stem":
            raise DataError(f"the layer {name!r} cannot be trained in 8 bits", "leave it in float: --keep edges")
        rounded = RoundedConvolution(layer, weight_bits)
        unit = next((each for each in self.net.modules() if isinstance(each, ConvUnit) and each.conv is layer), None)
        if unit is not None:
            unit.conv = rounded  # type: ignore[assignment]  # it is called alike
        elif name == "out":
            self.net.out = rounded  # type: ignore[assignment]
        else:
            self.net.laterals[int(name.removeprefix("lateral"))] = rounded

    def _round_tensor(self, name: str, rounding: nn.Module) -> None:
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise DataError(f"the tensor {name!r} cannot be rounded in training", "leave its layers in float")
        kind, index = match[1], int(match[2] or 0)
        laterals, head = self.net.laterals, self.net.head
        if kind == "stem":
            self.net.stem = nn.Sequential(self.net.stem, rounding)  # type: ignore[assignment]
        elif kind == "lateral":
            laterals[index] = nn.Sequential(laterals[index], rounding)
        elif kind == "head":
            head[index] = nn.Sequential(head[index], rounding)
        elif kind == "merge" and index + 1 < len(laterals):
            laterals[index + 1] = nn.Sequential(rounding, laterals[index + 1])
        elif kind == "merge":
            head[0] = nn.Sequential(rounding, head[0])
        else:
            stage = self.net.stages[STAGES.index(kind)]
            assert isinstance(stage, nn.Sequential)
            stage[index] = nn.Sequential(stage[index], rounding)
