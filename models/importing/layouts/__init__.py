"""The layouts that other libraries export, one library per file, in the order in which they are tried."""

from __future__ import annotations

from models.importing.layout import Candidate
from models.importing.layouts import anomalib, classifiers, detr, torchvision, ultralytics, yolov5, yolox

CANDIDATES: tuple[Candidate, ...] = (
    *ultralytics.CANDIDATES,
    *yolov5.CANDIDATES,
    *anomalib.CANDIDATES,
    *classifiers.CANDIDATES,
    *yolox.CANDIDATES,
    *detr.CANDIDATES,
    *torchvision.CANDIDATES,
)
