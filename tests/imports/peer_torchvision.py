"""Exports of torchvision: its classifiers, and its detectors with all their steps inside the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import nn
from torchvision.models import detection, mobilenet_v3_small, resnet18

from tests.imports.recording import MODEL, Found, Reference, Said, write_pictures, write_reference
from tests.imports.scenes import scenes_of
from tests.imports.seeding import as_batch, normalised, spread

_OPSET = 17
_THRESHOLD = 0.25
_GRADES = ("good", "scratch", "stain", "dent")
_DEFECTS = ("open", "short", "spur")


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes:
        net: Makes the net, without weights of anybody's.
        size: Height and width of its input.
        classes: Class names; a detector counts the background before them.
        heads: The layers that give a detector's class scores; none for a classifier.
        means: What these layers are to give on the average: for the background, and for each class.
    """

    net: Callable[[], nn.Module]
    size: tuple[int, int]
    classes: tuple[str, ...]
    heads: Callable[[nn.Module], Sequence[nn.Module]] | None = None
    means: tuple[float, ...] = ()


def _detector(maker: Callable[..., nn.Module], **options: object) -> Callable[[], nn.Module]:
    return lambda: maker(weights=None, weights_backbone=None, num_classes=1 + len(_DEFECTS), **options)


PLANS = {
    "resnet18": Plan(lambda: resnet18(num_classes=len(_GRADES)), (224, 224), _GRADES),
    "mobilenet": Plan(lambda: mobilenet_v3_small(num_classes=len(_GRADES)), (160, 224), _GRADES),
    "fasterrcnn": Plan(
        _detector(detection.fasterrcnn_mobilenet_v3_large_320_fpn),
        (320, 320),
        _DEFECTS,
        lambda net: (net.roi_heads.box_predictor.cls_score,),
        (3.0, 0.0, 0.0, 0.0),
    ),
    "ssdlite": Plan(
        _detector(detection.ssdlite320_mobilenet_v3_large),
        (320, 320),
        _DEFECTS,
        lambda net: tuple(each[1] for each in net.head.classification_head.module_list),
        (6.0, 0.0, 0.0, 0.0),
    ),
    "fcos": Plan(
        _detector(detection.fcos_resnet50_fpn, min_size=256, max_size=320),
        (256, 320),
        _DEFECTS,
        lambda net: (net.head.classification_head.cls_logits,),
        # Here the background is one more class that nothing ever has.
        (-20.0, -6.0, -6.0, -6.0),
    ),
}


def make(name: str, folder: Path) -> None:
    """Builds a net of seeded weights, exports it, and asks torchvision itself about the pictures."""
    plan = PLANS[name]
    torch.manual_seed(sum(map(ord, name)))
    pictures = scenes_of(plan.size)
    names = write_pictures(folder, pictures)
    net = plan.net()
    version = f"torchvision {torchvision.__version__.partition('+')[0]}"
    arguments: tuple[str, ...] = ("--classes", ",".join(plan.classes))
    if plan.heads is None:
        batch = as_batch(pictures, is_imagenet=True)
        normalised(net, batch)
        last = net.fc if hasattr(net, "fc") else net.classifier[-1]
        spread(net, batch, last, deviation=1.5)
        torch.onnx.export(
            net,
            (batch[:1],),
            folder / MODEL,
            opset_version=_OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamo=False,
        )
        with torch.no_grad():
            rows = net(batch).softmax(1).tolist()
        said = tuple(Said(each, probabilities=tuple(row)) for each, row in zip(names, rows, strict=True))
        arguments += ("--good", "good")
        write_reference(folder, Reference(version, "classification", plan.classes, _THRESHOLD, arguments, said))
        return
    batch = as_batch(pictures)
    _enliven(net, list(batch), plan)
    torch.onnx.export(
        net,
        ([batch[0]],),
        folder / MODEL,
        opset_version=_OPSET,
        input_names=["image"],
        output_names=["boxes", "scores", "labels"]
        if hasattr(net, "anchor_generator")
        else ["boxes", "labels", "scores"],
        dynamo=False,
    )
    said = tuple(_said(net, each, picture) for each, picture in zip(names, batch, strict=True))
    write_reference(folder, Reference(version, "detection", plan.classes, _THRESHOLD, arguments, said))


def _enliven(net: nn.Module, images: list[torch.Tensor], plan: Plan) -> None:
    normalised(net, images)
    for layer in plan.heads(net):
        # Anchors and classes share the channels; the background comes first among the classes.
        mean = torch.tensor(plan.means).repeat(layer.weight.shape[0] // len(plan.means))
        spread(net, images, layer, deviation=2.0, mean=mean)


def _said(net: nn.Module, name: str, picture: torch.Tensor) -> Said:
    with torch.no_grad():
        found = net([picture])[0]
    rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True)
    return Said(
        name,
        # The background is class 0 and never found.
        tuple(Found(label - 1, score, tuple(box)) for label, score, box in rows if score > _THRESHOLD),
    )
