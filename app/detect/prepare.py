"""Pictures into a model's fixed input buffers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detect.decode import Placement
from app.detect.detector import InputSpec
from app.errors import DetectorError
from app.types import Image


class Preparation:
    """Owns the uint8 input buffers of one model and fills them.

    Scaling is done here and not in the graph: one `cv2.resize` on uint8 was measured faster than a float Resize node,
    and it costs nothing when the sizes agree. The picture is stretched to the input, without a border, so across and
    down may differ in scale.

    Args:
        spec: What the model takes.

    Attributes:
        image: uint8 (1, height, width, channels), the input `image`.
        golden: The same for the input `golden`, or `None` where the model wants none.
    """

    def __init__(self, spec: InputSpec) -> None:
        shape = (1, spec.height_px, spec.width_px, spec.channels)
        self._spec = spec
        self.image: NDArray[np.uint8] = np.zeros(shape, np.uint8)
        self.golden: NDArray[np.uint8] | None = np.zeros(shape, np.uint8) if spec.is_golden else None
        other_channels = 4 - spec.channels
        self._scaled = _plane(np.zeros((spec.height_px, spec.width_px, other_channels), np.uint8))

    def fill(self, image: Image, golden: Image | None) -> Placement:
        """Copies, scales and converts the pictures into the buffers.

        Args:
            image: uint8, (height, width) or (height, width, 3) BGR, any size.
            golden: The golden sample, of the same shape; ignored where the model wants none.

        Returns:
            Where a box of the input lies in `image`.

        Raises:
            DetectorError: Not such a picture, or the golden sample is missing or of another shape.
        """
        _check_picture(image, "the picture")
        self._convert(image, self.image)
        if self.golden is not None:
            if golden is None:
                raise DetectorError("the model wants a golden sample and got none", "give the part's good picture")
            _check_picture(golden, "the golden sample")
            if golden.shape[:2] != image.shape[:2]:
                raise DetectorError(
                    f"the golden sample has {_size(golden)} px and the picture {_size(image)}",
                    "take the golden sample with the same camera settings",
                )
            self._convert(golden, self.golden)
        return Placement(image.shape[1] / self._spec.width_px, image.shape[0] / self._spec.height_px)

    def _convert(self, picture: Image, buffer: NDArray[np.uint8]) -> None:
        target = _plane(buffer[0])
        is_same_kind = (picture.shape[2] if picture.ndim == 3 else 1) == self._spec.channels  # noqa: PLR2004
        if picture.shape[:2] != target.shape[:2]:
            scaled = target if is_same_kind else self._scaled
            is_smaller = target.shape[0] < picture.shape[0] or target.shape[1] < picture.shape[1]
            way = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
            cv2.resize(picture, (self._spec.width_px, self._spec.height_px), dst=scaled, interpolation=way)
            picture = scaled
        elif is_same_kind:
            np.copyto(target, _plane(picture))
        if not is_same_kind:
            code = cv2.COLOR_BGR2GRAY if self._spec.channels == 1 else cv2.COLOR_GRAY2BGR
            cv2.cvtColor(picture, code, dst=target)


def _plane(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same memory without a third axis of one: OpenCV writes into that in place."""
    return picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture  # noqa: PLR2004


def _check_picture(picture: Image, what: str) -> None:
    is_picture = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (1, 3))  # noqa: PLR2004
    if picture.dtype != np.uint8 or not is_picture or picture.size == 0:
        raise DetectorError(
            f"{what} has shape {picture.shape} and type {picture.dtype}",
            "give uint8, (height, width) for mono or (height, width, 3) in BGR",
        )


def _size(picture: Image) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
