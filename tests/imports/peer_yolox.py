"""Exports of YOLOX, with and without its boxes decoded in the graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn
from yolox import __version__
from yolox.data.data_augment import preproc
from yolox.exp import Exp
from yolox.models.network_blocks import SiLU
from yolox.utils import replace_module
from yolox.utils.boxes import postprocess
from yolox.utils.demo_utils import demo_postprocess

from tests.imports.recording import MODEL, Found, Reference, Said, write_pictures, write_reference
from tests.imports.scenes import scenes
from tests.imports.seeding import logit, normalised, spread

_CLASSES = ("open", "short", "mousebite")
_CONFIDENCE, _IOU = 0.25, 0.45  # as the demo is called in the library's own documentation
_SHARES = (0.01, 0.03, 0.08)


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes:
        size: Height and width of the input.
        is_decoded: The graph decodes the boxes.
    """

    size: tuple[int, int]
    is_decoded: bool


PLANS = {
    "nano-raw": Plan((320, 320), is_decoded=False),
    "nano-decoded": Plan((256, 416), is_decoded=True),
}


def make(name: str, folder: Path) -> None:
    """Builds a net of seeded weights, exports it as `tools/export_onnx.py` does, and has YOLOX read its outputs."""
    plan = PLANS[name]
    torch.manual_seed(sum(map(ord, name)))
    pictures = scenes()
    names = write_pictures(folder, pictures)
    net = _seeded(plan, torch.from_numpy(np.stack([preproc(each, plan.size)[0] for each in pictures])))
    net = replace_module(net, nn.SiLU, SiLU)
    net.head.decode_in_inference = plan.is_decoded
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, *plan.size),),
        folder / MODEL,
        opset_version=13,
        input_names=["images"],
        output_names=["output"],
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    said = tuple(_said(session, plan, each, picture) for each, picture in zip(names, pictures, strict=True))
    arguments = ("--classes", ",".join(_CLASSES))
    write_reference(folder, Reference(f"yolox {__version__}", "detection", _CLASSES, _CONFIDENCE, arguments, said))


def _seeded(plan: Plan, batch: torch.Tensor) -> nn.Module:
    exp = Exp()
    exp.depth, exp.width, exp.num_classes, exp.act = 0.33, 0.25, len(_CLASSES), "silu"
    exp.input_size = exp.test_size = plan.size
    net = exp.get_model()
    normalised(net, batch)
    for layer, share in zip(net.head.obj_preds, _SHARES, strict=True):
        spread(net, batch, layer, deviation=1.5, passing=share, level=logit(_CONFIDENCE) + 1)
    for layer in net.head.cls_preds:
        spread(net, batch, layer, deviation=1.5, mean=1.5)
    for layer in net.head.reg_preds:
        spread(net, batch, layer, deviation=0.4, mean=torch.tensor([0.5, 0.5, 0.9, 0.9]))
    return net


def _said(session: onnxruntime.InferenceSession, plan: Plan, name: str, picture: np.ndarray) -> Said:
    tensor, ratio = preproc(picture, plan.size)
    (output,) = session.run(None, {"images": tensor[None]})
    if not plan.is_decoded:
        output = demo_postprocess(output, plan.size)
    (rows,) = postprocess(torch.from_numpy(output), len(_CLASSES), _CONFIDENCE, _IOU)
    found = [] if rows is None else rows.tolist()
    return Said(
        name,
        tuple(
            Found(int(index), objectness * score, tuple(edge / ratio for edge in box))
            for *box, objectness, score, index in sorted(found, key=lambda row: -row[4] * row[5])
        ),
    )
