"""The net of a package of ours, regained from its graph: what it was trained to is in there, if not how.

So a shipped model can be trained on with other parts (`takt models train --from`), or teach a smaller one, when the
checkpoint that it was made from is long gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count, takewhile

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from app.detect.package import Package
from app.errors import DataError
from models.extras import require
from models.nets.layers import STAGES, layers_of, points_of, units_of
from models.nets.net import PeakNet
from models.recipe import Augmentation, InputShape, NetShape, Schedule, TrainingRecipe

_FULL_LEVEL = 255

Constants = Mapping[str, npt.NDArray[np.float32]]


def regain_net(package: Package) -> tuple[PeakNet, TrainingRecipe]:
    """Makes the net of a package's model again.

    Args:
        package: A float model of a detector that was trained by Takt.

    Returns:
        The net in evaluation mode, and a recipe that says what it sees and how it is built. How it was trained, and
        whether its pictures were taken for drawings, the graph does not say: there the recipe has the defaults.

    Raises:
        DataError: The model is none of ours, a classifier's, or in 8 bits.
        PackageError: The file is absent or another one.
        MissingDriverError: onnx is not installed.
    """
    constants, outputs = _read(package)
    is_ours = package.precision == "fp32" and {"stem0.weight", "out.weight"} <= constants.keys() and "boxes" in outputs
    if not is_ours:
        raise _refusal(package)
    recipe = _recipe(package, constants, is_embedding="embedding" in outputs)
    net = PeakNet(recipe.net, len(recipe.classes), recipe.planes).eval().requires_grad_(requires_grad=False)
    wanted = {f"{name}.bias": layer.weight.shape for name, layer in layers_of(net).items()}
    if any(name not in constants or len(constants[name]) != shape[0] for name, shape in wanted.items()):
        raise _refusal(package)
    for name, unit in units_of(net).items():
        kernel = _stem(constants) if name == "stem" else constants[f"{name}.weight"]
        unit.unfold(torch.from_numpy(kernel.copy()), torch.from_numpy(constants[f"{name}.bias"].copy()))
    for name, layer in points_of(net).items():
        _copy(layer, constants[f"{name}.weight"], constants[f"{name}.bias"])
    return net, recipe


def _refusal(package: Package) -> DataError:
    return DataError(
        f"the model {package.variant} of {package.name} is no detector in fp32 that this version of Takt trained",
        "give a checkpoint, or name another model of the package",
    )


def _read(package: Package) -> tuple[Constants, set[str]]:
    require("onnx", "reading a package's net")
    from onnx import numpy_helper  # noqa: PLC0415  (an optional library)

    from models.packaged import read_model  # noqa: PLC0415

    graph = read_model(package).graph
    constants = {each.name: np.array(numpy_helper.to_array(each), np.float32) for each in graph.initializer}
    return constants, {each.name for each in graph.output}


def _stem(constants: Constants) -> npt.NDArray[np.float32]:
    """The stem's kernel for levels of 0 to 1, its planes joined."""
    planes = [constants[name] for name in takewhile(constants.__contains__, (f"stem{n}.weight" for n in count()))]
    return np.asarray(np.concatenate(planes, axis=1) * constants.get("span", _FULL_LEVEL), np.float32)


def _recipe(package: Package, constants: Constants, *, is_embedding: bool) -> TrainingRecipe:
    def widths(stage: str) -> tuple[int, ...]:
        names = takewhile(constants.__contains__, (f"{stage}{n}.weight" for n in count()))
        return tuple(len(constants[name]) for name in names)

    stages = {name: widths(name) for name in STAGES}
    stride = constants["stem0.weight"].shape[-1]
    back = len(widths("lateral"))
    black = int(constants.get("black_level", np.float32(0)))
    spec = package.spec
    return TrainingRecipe(
        name=package.name,
        version=package.version,
        classes=tuple(package.classes),
        input=InputShape(
            width_px=spec.width_px,
            height_px=spec.height_px,
            channels=spec.channels,
            golden=spec.is_golden,
            black_level=black,
            white_level=black + int(constants.get("span", np.float32(_FULL_LEVEL))),
            fit=spec.fit,
        ),
        net=NetShape(
            stem=len(constants["stem0.weight"]),
            fine=stages["fine"],
            coarse=stages["coarse"],
            deep=stages["deep"],
            head=widths("head"),
            stem_stride_px=stride,
            head_stride_px=stride * 2 ** (sum(map(bool, stages.values())) - back),
            is_branched=False,
            embedding=is_embedding,
            suppress_iou=package.suppression.iou if package.suppression else 0.0,
        ),
        train=Schedule(),
        augment=Augmentation(),
    )


def _copy(layer: nn.Conv2d, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> None:
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
