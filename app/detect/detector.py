"""The seam `Detector`: pictures in, detections out, whatever runtime and output layout lie between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.types import Detection, Image


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model takes: uint8 pictures of one size.

    Attributes:
        width_px: Width of the model's input.
        height_px: Height of the model's input.
        channels: 1 for mono, 3 for BGR.
        is_golden: A second picture of the same shape, the defect-free part, is wanted.
    """

    width_px: int
    height_px: int
    channels: int
    is_golden: bool


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a detector says of one picture.

    Attributes:
        detections: Findings above the package's floor, best first; boxes in pixels of the picture given.
        anomaly_map: float32 (height, width), 0 .. 1, from models that give one.
        embedding: float32 (n,), from models that give one.
        pre_ns: Time spent on cropping, scaling and registering.
        infer_ns: Time spent in the runtime.
        decode_ns: Time spent on turning outputs into detections.
    """

    detections: tuple[Detection, ...]
    anomaly_map: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    pre_ns: int = 0
    infer_ns: int = 0
    decode_ns: int = 0


class Detector(Protocol):
    """A loaded model on one runtime. Not thread-safe: it owns fixed buffers."""

    runtime: str
    spec: InputSpec

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        """Judges one picture.

        Args:
            image: uint8, (height, width) or (height, width, 3) BGR, any size; scaled to the model's input.
            golden: The defect-free part, same shape as `image`, already registered; where the model wants one.

        Raises:
            DetectorError: The runtime failed, the outputs are not finite, or the golden sample is missing.
        """
        ...

    def close(self) -> None:
        """Frees the runtime. Idempotent."""
        ...
