"""What each layer of a model costs in 8 bits, and which layers are better left as they are.

Layers are judged one by one: in 8 bits alone, and as the only one left in float. What they cost together is not the sum
of what they cost alone, so the choice is made by measuring again after every layer that is given back to float.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx

from app.detect.detector import Result
from app.detect.package import Package
from app.detect.runtimes import open_detector
from app.types import Detection
from models.data import LabelledPicture, read_pair
from models.measures.precision import Found, average_precision
from models.smaller.qdq import WEIGHT_BITS, FloatNet, insert_qdq

MAX_LOSS = 0.005
"""Half a point of mean average precision."""

_RUNTIME = "onnx"

OnStep = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a model lost against the float one.

    Attributes:
        map50: Mean average precision at IoU 0.5 that is gone; negative where it grew; `None` of other than detectors.
        score: Mean difference of a picture's score, 0 .. 1.
    """

    map50: float | None
    score: float

    @property
    def value(self) -> float:
        """What is compared with the loss that is wanted."""
        return self.score if self.map50 is None else self.map50

    @property
    def order(self) -> tuple[float, float]:
        """Sorts losses: small ones of equal precision differ in their scores."""
        return (round(self.value, 3), self.score)


@dataclass(frozen=True, slots=True)
class LayerLoss:
    """One layer.

    Attributes:
        layer: Its name.
        weights: Numbers in its kernel.
        alone: Lost with this layer in 8 bits and all others in float.
        spared: Lost with all others in 8 bits and this one in float.
    """

    layer: str
    weights: int
    alone: Loss
    spared: Loss


@dataclass(frozen=True, slots=True)
class SensitivityTable:
    """What every layer costs, and the choice that follows.

    Attributes:
        pictures: Pictures that were judged.
        map50: Of the float model; `None` of other than detectors.
        every: Lost with all of the layers in 8 bits.
        layers: The layers, most sensitive first.
        max_loss: The loss that was wanted at most.
        kept: Layers to leave in float for it.
        chosen: Lost with those left in float.
    """

    pictures: int
    map50: float | None
    every: Loss
    layers: tuple[LayerLoss, ...]
    max_loss: float
    kept: tuple[str, ...]
    chosen: Loss


class Judging(Protocol):
    """Says what a model loses against a float one.

    Attributes:
        pictures: Pictures it judges by.
        map50: Of the float model; `None` of other than detectors.
    """

    pictures: int
    map50: float | None

    def loss(self, model: onnx.ModelProto) -> Loss:
        """What this model loses."""
        ...


class Judge:
    """Runs models over the same pictures, as a station does but for registration, and compares them with the first.

    Args:
        package: The package that the models belong to: input, classes, kind and suppression.
        pictures: Labelled pictures, best of a split that took no part in the training.

    Raises:
        PackageError: The package's model cannot be used.
        DataError: A picture cannot be read.
        MissingDriverError: ONNX Runtime or pycocotools is not installed.
    """

    def __init__(self, package: Package, pictures: Sequence[LabelledPicture]) -> None:
        self._package, self._pictures, self.pictures = package, pictures, len(pictures)
        self.map50, self._scores = self._judge(package.read_onnx())

    def loss(self, model: onnx.ModelProto) -> Loss:
        """What a model loses against the package's own.

        Raises:
            PackageError: The model is not one of this package.
            DataError: A picture cannot be read.
            MissingDriverError: ONNX Runtime or pycocotools is not installed.
        """
        map50, scores = self._judge(model.SerializeToString())
        lost = None if map50 is None or self.map50 is None else round(self.map50 - map50, 6)
        return Loss(lost, round(float(np.abs(scores - self._scores).mean()), 6))

    def _judge(self, blob: bytes) -> tuple[float | None, np.ndarray]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(blob)
            judged = dataclasses.replace(self._package, onnx=path, onnx_sha256=hashlib.sha256(blob).hexdigest())
            detector = open_detector(judged, _RUNTIME, threads=1)
            try:
                pairs = (read_pair(each, self._package.spec.channels) for each in self._pictures)
                results = [(result.detections, _score(result)) for result in (detector.detect(*pair) for pair in pairs)]
            finally:
                detector.close()
        scores = np.array([score for _, score in results])
        if self._package.kind != "detection":
            return None, scores
        found = [self._found(detections) for detections, _ in results]
        return average_precision(self._pictures, found, self._package.classes).map50, scores

    def _found(self, detections: Sequence[Detection]) -> Found:
        boxes = np.array([each.box_px for each in detections], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([self._package.classes.index(each.label) for each in detections], np.int64)
        return Found(boxes, np.array([each.score for each in detections], np.float32), labels)


def measure_sensitivity(
    net: FloatNet,
    layers: Sequence[str],
    steps: Mapping[str, float],
    judge: Judging,
    *,
    max_loss: float = MAX_LOSS,
    weight_bits: int = WEIGHT_BITS,
    on_step: OnStep = lambda _what, _done, _all: None,
) -> SensitivityTable:
    """Judges layers one by one, and chooses which to leave in float.

    Args:
        net: The float model.
        layers: The layers that may be in 8 bits.
        steps: The step of each tensor of `net.rounded(layers)`.
        judge: Says what a model loses.
        max_loss: The loss that is wanted at most.
        weight_bits: As for `insert_qdq`.
        on_step: Told models judged and to judge; the choice may need more of them.

    Raises:
        DataError: A layer is not there.
    """
    done, total = 0, 2 * len(layers) + 1

    def lost(chosen: Collection[str]) -> Loss:
        nonlocal done
        found = judge.loss(insert_qdq(net, chosen, steps, weight_bits))
        done += 1
        on_step("judging layers", done, max(total, done))
        return found

    every = lost(layers)
    rows = [
        LayerLoss(name, net.kernel(name).size, lost([name]), lost([each for each in layers if each != name]))
        for name in layers
    ]
    rows.sort(key=lambda row: row.alone.order, reverse=True)
    kept: list[str] = []
    chosen = every
    for row in rows[:-1]:
        if chosen.value <= max_loss:
            break
        kept.append(row.layer)
        chosen = lost([each for each in layers if each not in kept])
    return SensitivityTable(judge.pictures, judge.map50, every, tuple(rows), max_loss, tuple(kept), chosen)


def _score(result: Result) -> float:
    if result.picture_score is not None:
        return result.picture_score
    return max((each.score for each in result.detections), default=0.0)
