"""Exports of the DETR layout by Transformers: D-FINE, RT-DETR and RT-DETRv2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import (
    DFineConfig,
    DFineForObjectDetection,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
    RTDetrV2Config,
    RTDetrV2ForObjectDetection,
)

from tests.imports.recording import MODEL, Found, Reference, Said, write_pictures, write_reference
from tests.imports.scenes import scenes_of
from tests.imports.seeding import as_batch, normalised, spread

_CLASSES = ("open", "short", "mousebite", "spur")
_THRESHOLD = 0.5  # the image processor's default
_SIZE = (320, 320)
_OPSET = 17
_SMALL = {
    "num_labels": len(_CLASSES),
    "num_queries": 60,
    "encoder_hidden_dim": 64,
    "decoder_in_channels": [64, 64, 64],
    "d_model": 64,
    "decoder_layers": 2,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "anchor_image_size": None,
    "use_pretrained_backbone": False,
}


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes:
        net: Makes the net, without weights of anybody's.
        is_deployed: The graph also does the post-processing and takes the pictures' sizes, as the exporters of the
            D-FINE and RT-DETR repositories have it: `images` and `orig_target_sizes` in, `labels`, `boxes` and `scores`
            out.
    """

    net: Callable[[], nn.Module]
    is_deployed: bool = False


def _dfine() -> nn.Module:
    return DFineForObjectDetection(DFineConfig(**_SMALL))


PLANS = {
    "dfine": Plan(_dfine),
    "dfine-deployed": Plan(_dfine, is_deployed=True),
    "rtdetr": Plan(lambda: RTDetrForObjectDetection(RTDetrConfig(**_SMALL))),
    "rtdetr-v2": Plan(lambda: RTDetrV2ForObjectDetection(RTDetrV2Config(**_SMALL))),
}


class _Raw(nn.Module):
    """The net with nothing but its logits and boxes."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        answer = self.net(pixel_values)
        return answer.logits, answer.pred_boxes


class _Deployed(_Raw):
    """With the post-processing in the graph: queries x classes through the sigmoid, the best, boxes in pixels."""

    def forward(self, images: torch.Tensor, sizes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits, boxes = super().forward(images)
        scores, places = torch.topk(logits.sigmoid().flatten(1), logits.shape[1], dim=-1)
        centre, extent = boxes.split(2, dim=-1)
        corners = torch.cat([centre - extent / 2, centre + extent / 2], dim=-1) * sizes.repeat(1, 2).unsqueeze(1)
        chosen = corners.gather(1, (places // logits.shape[2]).unsqueeze(-1).repeat(1, 1, 4))
        return places % logits.shape[2], chosen, scores


def make(name: str, folder: Path) -> None:
    """Builds a small net of seeded weights, exports it, and has the image processor read its outputs."""
    plan = PLANS[name]
    torch.manual_seed(sum(map(ord, name)))
    pictures = scenes_of(_SIZE)
    names = write_pictures(folder, pictures)
    batch = as_batch(pictures)
    net = _seeded(plan, batch)
    if plan.is_deployed:
        inputs, outputs = ["images", "orig_target_sizes"], ["labels", "boxes", "scores"]
        wrapped, arguments = _Deployed(net), (batch[:1], torch.tensor([_SIZE[::-1]]))
    else:
        inputs, outputs = ["pixel_values"], ["logits", "pred_boxes"]
        wrapped, arguments = _Raw(net), (batch[:1],)
    torch.onnx.export(
        wrapped.eval(),
        arguments,
        folder / MODEL,
        opset_version=_OPSET,
        input_names=inputs,
        output_names=outputs,
        dynamo=False,
    )
    said = tuple(_said(net, each, picture[None]) for each, picture in zip(names, batch, strict=True))
    write_reference(
        folder,
        Reference(
            f"transformers {transformers.__version__}",
            "detection",
            _CLASSES,
            _THRESHOLD,
            ("--classes", ",".join(_CLASSES), "--threshold", str(_THRESHOLD)),
            said,
        ),
    )


def _seeded(plan: Plan, batch: torch.Tensor) -> nn.Module:
    net = plan.net()
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    normalised(net, batch)
    last = net.model.decoder.class_embed[-1]
    spread(net, batch, last, deviation=2.0, mean=-1.5)
    return net


def _said(net: nn.Module, name: str, picture: torch.Tensor) -> Said:
    with torch.no_grad():
        answer = net(picture)
    found = RTDetrImageProcessor().post_process_object_detection(
        answer, threshold=_THRESHOLD, target_sizes=torch.tensor([_SIZE])
    )[0]
    rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True)
    return Said(name, tuple(Found(index, score, tuple(box)) for index, score, box in rows))
