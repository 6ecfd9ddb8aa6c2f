"""The seam `Detector`: pictures in, detections out, whatever runtime and output layout lie between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.types import Detection, Image

Fit = Literal["stretch", "letterbox", "corner", "crop"]
"""How a picture of another size or shape is laid into the model's input.

- `stretch`: across and down each scaled as needed; no border.
- `letterbox`: scaled evenly, in the middle, the rest at the pad level.
- `corner`: scaled evenly, in the upper left corner, the rest at the pad level.
- `crop`: scaled evenly until it fills the input, the middle taken. The model does not see what is cut off.
"""

PAD_LEVEL = 114


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model takes: uint8 pictures of one size.

    Attributes:
        width_px: Width of the model's input.
        height_px: Height of the model's input.
        channels: 1 for mono, 3 for BGR.
        is_golden: A second picture of the same shape, the defect-free part, is wanted.
        fit: How pictures of another size are laid into it.
        pad_level: Level of the border that `letterbox` and `corner` leave, 0 .. 255 in every channel.
    """

    width_px: int
    height_px: int
    channels: int
    is_golden: bool
    fit: Fit = "stretch"
    pad_level: int = PAD_LEVEL


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a detector says of one picture.

    The two arrays are read-only views of the detector's own buffers: they hold until it judges the next picture, so
    whoever keeps one copies it.

    Attributes:
        detections: Findings above the package's floor, best first; boxes in pixels of the picture given.
        anomaly_map: float32 (height, width), 0 .. 1, from models that give one; it covers the whole picture, at the
            model's resolution.
        embedding: float32 (n,), from models that give one.
        picture_score: 0 .. 1, how surely something is wrong with the picture as a whole: the score of an anomaly
            model, whether or not a detection came of it, or one less the good classes of a classifier. `None` from
            models that say no such thing.
        pre_ns: Time spent on cropping, scaling and registering.
        infer_ns: Time spent in the runtime.
        decode_ns: Time spent on turning outputs into detections.
    """

    detections: tuple[Detection, ...]
    anomaly_map: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    picture_score: float | None = None
    pre_ns: int = 0
    infer_ns: int = 0
    decode_ns: int = 0


class Timed(Protocol):
    """Whoever judges pictures against the clock; one with all the time for itself takes no notice of either."""

    def begin(self, since_ns: int) -> None:  # noqa: ARG002 - what others take notice of
        """Says when the frame of the next picture was in memory."""
        return

    def done(self, total_ns: int) -> None:  # noqa: ARG002 - what others take notice of
        """Says how long the last picture took from its frame in memory to its verdict."""
        return


class Detector(Timed, Protocol):
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
