"""Pictures into a model's fixed input buffers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detect.decode import Placement
from app.detect.detector import InputSpec
from app.errors import DetectorError
from app.types import Image

_PAGE = 4096
_Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Layout:
    """How pictures of one size lie in the input of a model.

    Attributes:
        taken: Rows and columns of the picture that the model sees.
        filled: Rows and columns of the input that they are scaled into; the rest is border.
        placement: Where a box of the input lies in the picture.
    """

    taken: _Window
    filled: _Window
    placement: Placement


def layout_of(spec: InputSpec, width_px: int, height_px: int) -> Layout:
    """How a picture is laid into an input, as `Fit` says.

    `letterbox` rounds as Ultralytics does (`LetterBox` and `scale_boxes` of 8.4) and cuts boxes off at the picture's
    edges as that does; `corner` truncates as YOLOX does. So an imported model sees the very pixels that it saw there.

    Args:
        spec: What the model takes.
        width_px: Width of the picture.
        height_px: Its height.
    """
    if spec.fit == "stretch":
        placement = Placement(width_px / spec.width_px, height_px / spec.height_px)
        return Layout(_window(0, 0, width_px, height_px), _window(0, 0, spec.width_px, spec.height_px), placement)
    if spec.fit == "crop":
        return _cropped(spec, width_px, height_px)
    return _bordered(spec, width_px, height_px)


def input_bytes(spec: InputSpec) -> int:
    """How much memory the input buffers of a model take; each begins on a page."""
    return _picture_room(spec) * (2 if spec.is_golden else 1)


def _picture_room(spec: InputSpec) -> int:
    return -(-spec.height_px * spec.width_px * spec.channels // _PAGE) * _PAGE


class Preparation:
    """Owns the uint8 input buffers of one model and fills them.

    Scaling is done here and not in the graph: one `cv2.resize` on uint8 was measured faster than a float Resize node,
    and it costs nothing when the sizes agree.

    Args:
        spec: What the model takes.
        memory: Where the buffers lie, uint8 (`input_bytes(spec)`,), such as memory that another process sees; by
            default memory of their own.

    Attributes:
        image: uint8 (1, height, width, channels), the input `image`.
        golden: The same for the input `golden`, or `None` where the model wants none.
    """

    def __init__(self, spec: InputSpec, memory: NDArray[np.uint8] | None = None) -> None:
        shape = (1, spec.height_px, spec.width_px, spec.channels)
        size, room = math.prod(shape), _picture_room(spec)
        memory = np.zeros(input_bytes(spec), np.uint8) if memory is None else memory
        self._spec = spec
        self.image: NDArray[np.uint8] = memory[:size].reshape(shape)
        golden = memory[room : room + size].reshape(shape) if spec.is_golden else None
        self.golden: NDArray[np.uint8] | None = golden
        other_channels = 4 - spec.channels
        self._scaled = np.zeros((spec.height_px, spec.width_px, other_channels), np.uint8)
        # Libraries scale between two pixels where they leave a border, however much smaller the picture becomes.
        self._is_bordered = spec.fit in ("letterbox", "corner")
        self._size = (0, 0)
        self._layout = layout_of(spec, spec.width_px, spec.height_px)

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
        self._lay_out(image.shape[1], image.shape[0])
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
        return self._layout.placement

    def _lay_out(self, width_px: int, height_px: int) -> None:
        """For pictures of another size than the last: lays them out, and draws the border anew."""
        if (width_px, height_px) == self._size:
            return
        self._layout, self._size = layout_of(self._spec, width_px, height_px), (width_px, height_px)
        if self._is_bordered:
            self.image.fill(self._spec.pad_level)
            if self.golden is not None:
                self.golden.fill(self._spec.pad_level)

    def _convert(self, picture: Image, buffer: NDArray[np.uint8]) -> None:
        is_same_kind = (picture.shape[2] if picture.ndim == 3 else 1) == self._spec.channels  # noqa: PLR2004
        picture = picture[self._layout.taken]
        target = _plane(buffer[0][self._layout.filled])
        if picture.shape[:2] != target.shape[:2]:
            scaled = target if is_same_kind else _plane(self._scaled[self._layout.filled])
            is_smaller = target.shape[0] < picture.shape[0] or target.shape[1] < picture.shape[1]
            way = cv2.INTER_AREA if is_smaller and not self._is_bordered else cv2.INTER_LINEAR
            cv2.resize(picture, (target.shape[1], target.shape[0]), dst=scaled, interpolation=way)
            picture = scaled
        elif is_same_kind:
            np.copyto(target, _plane(picture))
        if not is_same_kind:
            code = cv2.COLOR_BGR2GRAY if self._spec.channels == 1 else cv2.COLOR_GRAY2BGR
            cv2.cvtColor(picture, code, dst=target)


def _bordered(spec: InputSpec, width_px: int, height_px: int) -> Layout:
    scale = min(spec.width_px / width_px, spec.height_px / height_px)
    whole = _window(0, 0, width_px, height_px)
    if spec.fit == "corner":
        width, height = max(1, int(width_px * scale)), max(1, int(height_px * scale))
        return Layout(whole, _window(0, 0, width, height), Placement(1 / scale, 1 / scale))
    width, height = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    # Of an odd border the smaller half lies left and above.
    left, top = round((spec.width_px - width) / 2 - 0.1), round((spec.height_px - height) / 2 - 0.1)
    across, down = width_px / width, height_px / height
    limit = (float(width_px), float(height_px))
    return Layout(whole, _window(left, top, width, height), Placement(across, down, -left * across, -top * down, limit))


def _cropped(spec: InputSpec, width_px: int, height_px: int) -> Layout:
    scale = max(spec.width_px / width_px, spec.height_px / height_px)
    width, height = (
        max(1, min(whole, round(part / scale)))
        for whole, part in ((width_px, spec.width_px), (height_px, spec.height_px))
    )
    left, top = (width_px - width) // 2, (height_px - height) // 2
    placement = Placement(width / spec.width_px, height / spec.height_px, float(left), float(top))
    return Layout(_window(left, top, width, height), _window(0, 0, spec.width_px, spec.height_px), placement)


def _window(left: int, top: int, width: int, height: int) -> _Window:
    return slice(top, top + height), slice(left, left + width)


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
