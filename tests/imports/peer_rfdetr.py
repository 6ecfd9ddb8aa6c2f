"""Exports of RF-DETR."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from rfdetr import RFDETRNano

from tests.imports.recording import MODEL, Found, Reference, Said, write_pictures, write_reference
from tests.imports.scenes import scenes_of
from tests.imports.seeding import as_batch, spread

_CLASSES = ("open", "short", "mousebite")
_THRESHOLD = 0.5  # that of `predict`

PLANS = {"nano": 384}


def make(name: str, folder: Path) -> None:
    """Builds the net of seeded weights, exports it, and asks the library's `predict` about the pictures."""
    torch.manual_seed(sum(map(ord, name)))
    size = (PLANS[name], PLANS[name])
    pictures = scenes_of(size)
    names = write_pictures(folder, pictures)
    peer = RFDETRNano(pretrain_weights=None, num_classes=len(_CLASSES), device="cpu")
    _enliven(peer, as_batch(pictures, is_imagenet=True))
    said = []
    for each, picture in zip(names, pictures, strict=True):
        found = peer.predict(picture[..., ::-1].copy(), threshold=_THRESHOLD)
        rows = zip(found.class_id.tolist(), found.confidence.tolist(), found.xyxy.tolist(), strict=True)
        said.append(Said(each, tuple(Found(index, score, tuple(box)) for index, score, box in rows)))
    exported = peer.export(output_dir=str(folder / "export"), verbose=False)
    shutil.move(exported, folder / MODEL)
    shutil.rmtree(folder / "export")
    arguments = ("--classes", ",".join(_CLASSES), "--threshold", str(_THRESHOLD))
    write_reference(
        folder, Reference(f"rfdetr {version('rfdetr')}", "detection", _CLASSES, _THRESHOLD, arguments, tuple(said))
    )


def _enliven(peer: RFDETRNano, batch: torch.Tensor) -> None:
    """Spreads the class scores over the queries."""
    net = peer.model.model
    net.eval()
    # The last class of the head stands for nothing, and a trained one never gives it.
    mean = torch.tensor([-2.0] * len(_CLASSES) + [-20.0])
    spread(net, batch, net.class_embed, deviation=2.0, mean=mean)
