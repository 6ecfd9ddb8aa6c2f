"""The layers of a net by the names that they have in its ONNX graph."""

from __future__ import annotations

from torch import nn

from models.nets.net import ConvUnit, PeakNet, Trunk

STAGES = ("fine", "coarse", "deep")
"""Names of the stages after the stem, finest first; layers are called `fine0`, `fine1` and so on."""


def units_of(net: Trunk) -> dict[str, ConvUnit]:
    """The units of a net, its stem's planes as one."""
    units = {"stem": net.stem}
    for name, stage in zip(STAGES, net.stages, strict=False):
        assert isinstance(stage, nn.Sequential)
        units |= {f"{name}{index}": _unit(unit) for index, unit in enumerate(stage)}
    if isinstance(net, PeakNet):
        units |= {f"head{index}": _unit(unit) for index, unit in enumerate(net.head)}
    return units


def points_of(net: PeakNet) -> dict[str, nn.Conv2d]:
    """The 1x1 convolutions of a detector, which have a bias and no normalisation."""
    convolutions = {}
    for index, lateral in enumerate(net.laterals):
        assert isinstance(lateral, nn.Conv2d)
        convolutions[f"lateral{index}"] = lateral
    return convolutions | {"out": net.out}


def layers_of(net: PeakNet) -> dict[str, nn.Conv2d]:
    """All convolutions of a detector."""
    return {name: unit.conv for name, unit in units_of(net).items()} | points_of(net)


def _unit(module: nn.Module) -> ConvUnit:
    assert isinstance(module, ConvUnit)
    return module
