"""Exports of anomalib: an anomaly score and a map, normalised by its post-processor in the graph."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import anomalib
import numpy as np
import torch
from anomalib.models import Padim, Patchcore, ReverseDistillation
from torch import nn

from tests.imports.recording import Reference, Said, write_pictures, write_reference
from tests.imports.scenes import scene, scenes_of
from tests.imports.seeding import as_batch

_SIZE = (192, 192)
_TRAINING = 12


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes:
        net: Makes the model, without weights of anybody's.
        is_fitted: It keeps statistics or patches of good pictures.
        options: What is handed to `to_onnx`.
    """

    net: Callable[[], nn.Module]
    is_fitted: bool
    options: dict[str, object] = field(default_factory=dict)


_RESNET = {"backbone": "resnet18", "pre_trained": False}

PLANS = {
    "padim": Plan(lambda: Padim(**_RESNET, layers=["layer1", "layer2"], n_features=20), is_fitted=True),
    "patchcore": Plan(
        lambda: Patchcore(**_RESNET, layers=["layer2", "layer3"], coreset_sampling_ratio=0.01),
        is_fitted=True,
        options={"dynamic_axes": None},  # left to itself it fixes the batch at 2
    ),
    "reverse-distillation": Plan(lambda: ReverseDistillation(backbone="resnet18", pre_trained=False), is_fitted=False),
}


def make(name: str, folder: Path) -> None:
    """Fits a model to rendered pictures, exports it, and asks anomalib itself about others."""
    plan = PLANS[name]
    torch.manual_seed(sum(map(ord, name)))
    model = plan.net()
    good = as_batch([scene(_SIZE[1], _SIZE[0], seed) for seed in range(100, 100 + _TRAINING)])
    ready = model.pre_processor(good)
    if plan.is_fitted:
        model.model.train()
        with torch.no_grad():
            model.model(ready)
            model.fit()
    model.eval()
    pictures = scenes_of(_SIZE)
    _normalise(model, torch.cat([ready, model.pre_processor(as_batch(pictures))]))
    exported = model.to_onnx(folder / "export", input_size=_SIZE, **plan.options)
    # The weights lie in a second file, which the first one names.
    for each in exported.parent.iterdir():
        shutil.move(each, folder / each.name)
    shutil.rmtree(folder / "export")
    names = write_pictures(folder, pictures)
    said = tuple(_said(model, folder, each, picture) for each, picture in zip(names, pictures, strict=True))
    write_reference(folder, Reference(f"anomalib {anomalib.__version__}", "anomaly", ("anomaly",), 0.5, (), said))


def _normalise(model: nn.Module, ready: torch.Tensor) -> None:
    """Sets what a validation would: the ranges of scores and maps, and the thresholds in the middle of them."""
    with torch.no_grad():
        answer = model.model(ready)
    post = model.post_processor
    for low, high, threshold, values in (
        (post.image_min, post.image_max, post._image_threshold, answer.pred_score),
        (post.pixel_min, post.pixel_max, post._pixel_threshold, answer.anomaly_map),
    ):
        low.copy_(values.min())
        high.copy_(values.max())
        threshold.copy_(values.mean())


def _said(model: nn.Module, folder: Path, name: str, picture: np.ndarray) -> Said:
    # Not by its inferencer for files: that one takes whichever of a tensor's names comes first, and fails.
    with torch.no_grad():
        answer = model(as_batch([picture]))
    target = f"{Path(name).stem}-map.npy"
    np.save(folder / target, answer.anomaly_map.squeeze().numpy())
    return Said(name, score=float(answer.pred_score.squeeze()), map=target)
