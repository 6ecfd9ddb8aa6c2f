"""Exports of Ultralytics, and what its predict pipeline makes of them. The library (AGPL) is a peer in tests only."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.update(YOLO_OFFLINE="1", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")

import numpy as np
import torch
import ultralytics
from ultralytics import YOLO

from tests.imports.recording import MODEL, Found, Reference, Said, write_pictures, write_reference
from tests.imports.scenes import letterboxed, scenes, scenes_of
from tests.imports.seeding import as_batch, logit, normalised, spread

CONFIDENCE = 0.25  # the predict pipeline's own default
_SHARES = (0.01, 0.03, 0.08)  # of the anchors of each stride, whose score is to pass


@dataclass(frozen=True)
class Plan:
    """One export.

    Attributes:
        net: Configuration of the net, such as `yolo11n.yaml`.
        classes: Class names.
        size: Height and width of the model's input.
        options: What is handed to `YOLO.export`.
        takes_half: The model's input and outputs become float16, as exports made on a GPU have them.
    """

    net: str
    classes: tuple[str, ...]
    size: tuple[int, int] = (320, 320)
    options: dict[str, Any] = field(default_factory=dict)
    takes_half: bool = False


_SIX = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
_MANY = tuple(f"class{index}" for index in range(80))

PLANS = {
    "v5u-raw": Plan("yolov5n.yaml", _SIX),
    "v8-raw": Plan("yolov8n.yaml", _SIX),
    "v8-one-class": Plan("yolov8n.yaml", ("scratch",)),
    "v8-nms": Plan("yolov8n.yaml", _SIX, options={"nms": True}),
    "v8-segment": Plan("yolov8n-seg.yaml", _SIX),
    "v8-segment-nms": Plan("yolov8n-seg.yaml", _SIX, options={"nms": True}),
    "v10-end2end": Plan("yolov10n.yaml", _SIX, options={"nms": False}),
    "11-raw": Plan("yolo11n.yaml", _MANY),
    "11-wide": Plan("yolo11n.yaml", _SIX, size=(256, 448)),
    "11-half": Plan("yolo11n.yaml", _SIX, options={"half": True}),
    "11-half-input": Plan("yolo11n.yaml", _SIX, takes_half=True),
    "11-dynamic": Plan("yolo11n.yaml", _SIX, options={"dynamic": True}),
    "11-nms": Plan("yolo11n.yaml", _SIX, options={"nms": True}),
    "11-segment": Plan("yolo11n-seg.yaml", _SIX),
    "26-raw": Plan("yolo26n.yaml", _SIX),
    "26-end2end": Plan("yolo26n.yaml", _SIX, options={"nms": False}),
    "26-nms": Plan("yolo26n.yaml", _SIX, options={"nms": True}),
    "26-segment-end2end": Plan("yolo26n-seg.yaml", _SIX, options={"nms": False}),
    "v8-classify": Plan("yolov8n-cls.yaml", ("good", "scratch", "stain"), size=(224, 224)),
    "11-classify": Plan("yolo11n-cls.yaml", ("good", "scratch", "stain"), size=(224, 224)),
    "26-classify": Plan("yolo26n-cls.yaml", ("good", "scratch", "stain"), size=(224, 224)),
}


def make(name: str, folder: Path) -> None:
    """Builds a net of seeded weights, exports it, and asks the library's pipeline about the pictures."""
    plan = PLANS[name]
    torch.manual_seed(sum(map(ord, name)))
    model = _seeded(plan)
    exported = model.export(format="onnx", imgsz=plan.size, batch=1, device="cpu", **plan.options)
    shutil.move(exported, folder / MODEL)
    if plan.takes_half:
        _halve(folder / MODEL)
    # A classifier's pictures are scaled by another library (Pillow, smoothed) than detectors' are.
    pictures = scenes_of(plan.size) if model.task == "classify" else scenes()
    names = write_pictures(folder, pictures)
    # Opened anew, so that it is the file that answers, on the runtime that the library takes for it.
    peer = YOLO(folder / MODEL, task=model.task)
    said = tuple(_said(peer, plan, each, picture) for each, picture in zip(names, pictures, strict=True))
    kind = "classification" if model.task == "classify" else "detection"
    arguments = ("--good", "good") if kind == "classification" else ()
    library = f"ultralytics {ultralytics.__version__}"
    write_reference(folder, Reference(library, kind, plan.classes, CONFIDENCE, arguments, said))


def _halve(path: Path) -> None:
    import onnx
    from onnxruntime.transformers import float16

    onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=False), path)


def _said(peer: YOLO, plan: Plan, name: str, picture: np.ndarray) -> Said:
    # Into a net of no fixed size it would lay each picture without a border (`rect`), and ours has a fixed size.
    result = peer.predict(picture, imgsz=plan.size, conf=CONFIDENCE, device="cpu", rect=False, verbose=False)[0]
    if result.probs is not None:
        return Said(name, probabilities=tuple(map(float, result.probs.data.tolist())))
    rows = zip(result.boxes.cls.tolist(), result.boxes.conf.tolist(), result.boxes.xyxy.tolist(), strict=True)
    return Said(name, tuple(Found(int(index), score, tuple(box)) for index, score, box in rows))


def _seeded(plan: Plan) -> YOLO:
    """The net with its classes, its normalisation measured on the pictures, and scores that spread."""
    model = YOLO(plan.net)
    net = model.model
    rebuilt = type(net)({**net.yaml, "nc": len(plan.classes)}, ch=3, verbose=False)
    rebuilt.names = dict(enumerate(plan.classes))
    rebuilt.task, rebuilt.args = net.task, net.args
    model.model = rebuilt
    batch = _batch(plan)
    normalised(rebuilt, batch)
    head = rebuilt.model[-1]
    if model.task == "classify":
        spread(rebuilt, batch, head.linear, deviation=3.0)
        return model
    for prefix in ("", "one2one_"):
        for layer in getattr(head, f"{prefix}cv4", None) or ():
            # The library drops a box without a single pixel of mask, and masks are not what is compared.
            layer[-1].bias.data += 5
        scores, boxes = getattr(head, f"{prefix}cv3", None), getattr(head, f"{prefix}cv2", None)
        if scores is None or boxes is None:
            continue
        head.end2end = bool(prefix)
        for layer, share in zip(scores, _SHARES, strict=True):
            spread(rebuilt, batch, layer[-1], deviation=0.9, passing=share, level=logit(CONFIDENCE))
        # Distances from an anchor, in strides: as a distribution over bins, or (from 26 on) the number itself.
        is_direct = head.reg_max == 1
        mean = torch.tensor(3.0) if is_direct else -0.45 * torch.arange(head.reg_max).repeat(4)
        for layer in boxes:
            spread(rebuilt, batch, layer[-1], deviation=0.3 if is_direct else 1.0, mean=mean)
    return model


def _batch(plan: Plan) -> torch.Tensor:
    if "-cls" in plan.net:
        return as_batch(scenes_of(plan.size))
    return torch.from_numpy(np.concatenate([letterboxed(each, plan.size) for each in scenes()]))
