"""Structured pruning: whole channels of a trained net are left out, and the smaller net is of the same family.

Channels that are added up or read together go together (Fang et al., arXiv:2301.12900, call this a group): a map of the
net belongs to the unit that makes it, to the 1x1 layer that is added to it, and to all who read it. A group's channel
counts for the norm of all weights that go with it. Those that are the least part of their map go first, per
multiplication that they save.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.errors import DataError
from models.nets.layers import STAGES, layers_of
from models.nets.net import ConvUnit, PeakNet
from models.recipe import NetShape, TrainingRecipe

MULTIPLE = 8
"""Channels go by eight: that is how runtimes lay them out."""

LEAST_SHARE = 0.5
"""Of the channels of each map, this share stays: a map that loses more is learnt anew, not trained on."""

_DISTANCES = 4

Widths = dict[str, int]
Kept = Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What pruning left.

    Attributes:
        net: The smaller net, with its normalisations, to be trained on.
        recipe: The recipe of it: the old one with the new channel counts.
        macs_before: Multiplications of one picture before.
        macs: The same now.
    """

    net: PeakNet
    recipe: TrainingRecipe
    macs_before: int
    macs: int


def prune_net(net: PeakNet, recipe: TrainingRecipe, share: float) -> Pruned:
    """Leaves out channels until a share of the multiplications is left.

    Args:
        net: The trained net.
        recipe: Its recipe.
        share: What is to be left at most, 0 .. 1.

    Raises:
        DataError: The share is not between 0 and 1, or cannot be reached with half of the channels of every layer.
    """
    if not 0 < share < 1:
        raise DataError(f"a share of {share} is not between 0 and 1", "give one such as 0.7")
    importance = channel_importance(net)
    widths = {name: len(values) for name, values in importance.items()}
    before = macs_of(recipe, widths)
    order = {name: np.argsort(-values, kind="stable") for name, values in importance.items()}
    while macs_of(recipe, widths) > share * before:
        widths = _with_less(recipe, widths, importance, order)
    kept = {name: np.sort(order[name][:width]) for name, width in widths.items()}
    small = replace(recipe, net=_shape(recipe.net, widths))
    return Pruned(slice_net(net, small, kept), small, before, macs_of(recipe, widths))


def channel_importance(net: PeakNet) -> dict[str, npt.NDArray[np.float64]]:
    """How much each channel of each map counts, by the name of the unit that makes it; 1 on average in each map."""
    folded = net.folded()
    squares: dict[str, Tensor] = {}
    for layer, conv in layers_of(folded).items():
        made, read = maps_of(layer, folded)
        weight = conv.weight.detach().double()
        for name, axes in ((made, (1, 2, 3)), (read, (0, 2, 3))):
            if name:
                squares[name] = squares.get(name, torch.zeros(())) + (weight**2).sum(dim=axes)
    roots = {name: torch.sqrt(values).numpy() for name, values in squares.items()}
    return {name: values / max(values.mean(), np.finfo(np.float64).tiny) for name, values in roots.items()}


def maps_of(layer: str, net: PeakNet) -> tuple[str, str]:
    """The map that a layer makes or is added to, and the one it reads; empty for the net's output and input."""
    ends = ["stem", *(f"{name}{len(stage) - 1}" for stage, name in zip(net.stages, STAGES, strict=False))]  # type: ignore[arg-type]
    if layer == "stem":
        return "stem", ""
    if layer == "out":
        return "", f"head{len(net.head) - 1}"
    kind, index = layer.rstrip("0123456789"), int(layer[len(layer.rstrip("0123456789")) :])
    if kind == "lateral":
        return ends[-2 - index], ends[-1 - index]
    if index:
        return layer, f"{kind}{index - 1}"
    if kind == "head":
        return layer, ends[-1 - len(net.laterals)]
    return layer, ends[STAGES.index(kind)]


def macs_of(recipe: TrainingRecipe, widths: Mapping[str, int]) -> int:
    """Multiplications of one picture by a net with these channels in its maps."""
    net = recipe.net
    pixels = recipe.input.width_px * recipe.input.height_px
    total = pixels * recipe.planes * widths["stem"]
    ends, stride = ["stem"], net.stem_stride_px
    for name in STAGES:
        count = len(getattr(net, name))
        if count:
            stride *= 2
            reads = [ends[-1], *(f"{name}{index}" for index in range(count - 1))]
            total += sum(
                9 * pixels // stride**2 * widths[read] * widths[f"{name}{index}"] for index, read in enumerate(reads)
            )
            ends.append(f"{name}{count - 1}")
    while stride > net.head_stride_px:
        total += pixels // stride**2 * widths[ends[-1]] * widths[ends[-2]]
        ends.pop()
        stride //= 2
    last, cells = ends[-1], pixels // stride**2
    for index in range(len(net.head)):
        total += 9 * cells * widths[last] * widths[f"head{index}"]
        last = f"head{index}"
    return total + cells * widths[last] * (len(recipe.classes) + _DISTANCES)


@torch.no_grad()
def slice_net(net: PeakNet, recipe: TrainingRecipe, kept: Kept) -> PeakNet:
    """Makes the net of only some channels.

    Args:
        net: The trained net.
        recipe: The recipe of the smaller one.
        kept: The channels of each map that stay, ascending.
    """
    small = PeakNet(recipe.net, len(recipe.classes), recipe.planes)
    sources, targets = layers_of(net), layers_of(small)
    units = {id(unit.conv): unit for unit in net.modules() if isinstance(unit, ConvUnit)}
    smaller = {id(unit.conv): unit for unit in small.modules() if isinstance(unit, ConvUnit)}
    for layer, target in targets.items():
        source = sources[layer]
        made, read = (torch.from_numpy(kept[name]) if name else slice(None) for name in maps_of(layer, net))
        unit = units.get(id(source))
        weight = source.weight if unit is None else unit.kernel()
        target.weight.copy_(weight[made][:, read])
        if unit is None:
            assert source.bias is not None
            assert target.bias is not None
            target.bias.copy_(source.bias[made])
        else:
            _slice_norm(unit.norm, smaller[id(target)].norm, made)
    return small


def _slice_norm(source: nn.Module, target: nn.Module, made: Tensor | slice) -> None:
    theirs = target.state_dict()
    for name, values in source.state_dict().items():
        theirs[name].copy_(values[made] if values.ndim else values)


def _with_less(
    recipe: TrainingRecipe,
    widths: Widths,
    importance: Mapping[str, npt.NDArray[np.float64]],
    order: Mapping[str, npt.NDArray[np.int64]],
) -> Widths:
    """Takes eight channels from the map where they are the least part of what is left, for what they cost."""
    now = macs_of(recipe, widths)
    best, least = None, np.inf
    for name, width in widths.items():
        less = (width - 1) // MULTIPLE * MULTIPLE
        if less < max(MULTIPLE, LEAST_SHARE * len(importance[name])):
            continue
        fewer = widths | {name: less}
        squares = importance[name][order[name][:width]] ** 2
        lost = float(squares[less:].sum() / squares.sum()) / (now - macs_of(recipe, fewer))
        if lost < least:
            best, least = fewer, lost
    if best is None:
        raise DataError(
            f"with half of its channels in every layer the net still has {now / 1e9:.3g} GMAC",
            "ask for a larger share, or prune the pruned net again",
        )
    return best


def _shape(shape: NetShape, widths: Mapping[str, int]) -> NetShape:
    def of(name: str, old: Sequence[int]) -> tuple[int, ...]:
        return tuple(widths[f"{name}{index}"] for index in range(len(old)))

    return replace(
        shape,
        size="",
        stem=widths["stem"],
        fine=of("fine", shape.fine),
        coarse=of("coarse", shape.coarse),
        deep=of("deep", shape.deep),
        head=of("head", shape.head),
        is_branched=False,
    )
