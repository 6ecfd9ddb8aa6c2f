"""From a whole picture to findings: crop, golden sample, registration, detection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.clock import Clock, SystemClock
from app.detect.detector import Detector, Result, Timed
from app.detect.golden import Goldens
from app.detect.registration import Rect, Registrar
from app.errors import DataError
from app.recipe import Recipe
from app.types import Image

_CODES = {1: cv2.COLOR_BGR2GRAY, 3: cv2.COLOR_GRAY2BGR}


@dataclass(frozen=True, slots=True, eq=False)
class LaidOut:
    """A golden sample, laid out for the pictures that come. Holds arrays and sizes only, so that it can be handed over.

    Attributes:
        goldens: The golden samples; `None` where the model wants none.
        golden: The one that is laid out; `None` where none is yet.
        size: Height and width of the pictures that it is laid out for.
        registrar: Lays it over part after part.
    """

    goldens: Goldens | None
    golden: Image | None
    size: tuple[int, ...]
    registrar: Registrar | None


class Inspector(Timed):
    """What the station and `takt inspect` both ask, so that one picture gets one answer. Not thread-safe.

    Args:
        detector: The detector; it stays the caller's to close.
        recipe: Names the region that is judged and how far a part may lie off.
        goldens: The golden samples; may be `None` where the model wants none.
        clock: Times cropping and registration.
        laid_out: What `laid_out` of another one gave, which had the same recipe and golden samples.

    Raises:
        DataError: The model wants golden samples and there are none.
    """

    def __init__(
        self,
        detector: Detector,
        recipe: Recipe,
        goldens: Goldens | None = None,
        clock: Clock | None = None,
        laid_out: LaidOut | None = None,
    ) -> None:
        if detector.spec.is_golden and goldens is None:
            raise DataError(
                "this model compares each part with its golden sample, and there is none",
                "name one in the recipe (golden_sample), or give --golden",
            )
        self._detector = detector
        self._recipe = recipe
        self._goldens = goldens if detector.spec.is_golden else None
        self._clock = clock or SystemClock()
        self._golden: Image | None = None
        self._size: tuple[int, ...] = ()
        self._converted: Image = np.zeros((0, 0), np.uint8)
        self._registrar: Registrar | None = None
        if laid_out is not None:
            self._golden, self._size, self._registrar = laid_out.golden, laid_out.size, laid_out.registrar

    @property
    def laid_out(self) -> LaidOut:
        """What `prepare` has made, to be handed over to another one."""
        return LaidOut(self._goldens, self._golden, self._size, self._registrar)

    def begin(self, since_ns: int) -> None:
        """Says when the frame of the next picture was in memory."""
        self._detector.begin(since_ns)

    def prepare(self, size: tuple[int, int] | None = None) -> None:
        """Does what the first picture would else wait for, and checks what it would else be refused for.

        Args:
            size: Height and width of the pictures that come; by default the golden sample's.

        Raises:
            DataError: The golden sample cannot be had or has another size, or the region lies outside the picture.
        """
        golden = self._goldens.find("") if self._goldens else None
        if golden is not None and size is None:
            size = golden.shape[0], golden.shape[1]
        if size is None:
            return
        whole = np.zeros(size, np.uint8)
        rect = self._rect(whole)
        if golden is not None:
            self._lay(golden, size, rect)

    def done(self, total_ns: int) -> None:
        """Says how long the last picture took from its frame in memory to its verdict."""
        self._detector.done(total_ns)

    def inspect(self, image: Image, name: str = "") -> Result:
        """Judges one picture.

        Args:
            image: uint8, (height, width) or (height, width, 3) BGR: the camera's whole frame.
            name: File name of the picture, where golden samples go by name.

        Returns:
            The detections with boxes in pixels of the whole frame; `pre_ns` includes the registration.

        Raises:
            DataError: The region lies outside the picture, or the golden sample cannot be had. Whoever has a part to
                judge rejects it.
            DetectorError: The part is not where the golden sample says, or inference failed. The same holds.
        """
        start_ns = self._clock.now_ns()
        rect = self._rect(image)
        x, y, width, height = rect
        judged = self._in_channels(image[y : y + height, x : x + width])
        golden = self._registered(judged, image.shape[:2], rect, name) if self._goldens else None
        before_ns = self._clock.now_ns() - start_ns
        result = self._detector.detect(judged, golden)
        moved = tuple(
            replace(each, box_px=(each.box_px[0] + x, each.box_px[1] + y, each.box_px[2], each.box_px[3]))
            for each in result.detections
        )
        return replace(result, detections=moved if x or y else result.detections, pre_ns=before_ns + result.pre_ns)

    def _rect(self, image: Image) -> Rect:
        height, width = image.shape[:2]
        roi = self._recipe.roi
        if roi is None:
            return 0, 0, width, height
        if roi.x_px + roi.width_px > width or roi.y_px + roi.height_px > height:
            raise DataError(
                f"the recipe's roi ends at x={roi.x_px + roi.width_px} y={roi.y_px + roi.height_px}, outside the"
                f" picture of {width} x {height} px",
                "move or shrink the roi",
            )
        return roi.x_px, roi.y_px, roi.width_px, roi.height_px

    def _in_channels(self, judged: Image) -> Image:
        """What is judged, in the model's channels: a grey picture stored in colour is registered just as it is."""
        channels = self._detector.spec.channels
        if _channels(judged) == channels:
            return judged
        shape = (*judged.shape[:2], 3) if channels > 1 else judged.shape[:2]
        if self._converted.shape != shape:
            self._converted = np.zeros(shape, np.uint8)
        cv2.cvtColor(judged, _CODES[channels], dst=self._converted)
        return self._converted

    def _registered(self, judged: Image, size: tuple[int, ...], rect: Rect, name: str) -> Image:
        assert self._goldens is not None
        golden = self._goldens.find(name)
        if self._registrar is None or golden is not self._golden or size != self._size:
            self._registrar = self._lay(golden, size, rect)
        return self._registrar.register(judged).golden

    def _lay(self, golden: Image, size: tuple[int, ...], rect: Rect) -> Registrar:
        alike = _alike(golden, size, self._detector.spec.channels)
        self._registrar = Registrar(alike, self._recipe.registration_px, rect)
        self._golden, self._size = golden, size
        return self._registrar


def _alike(golden: Image, size: tuple[int, ...], channels: int) -> Image:
    """The golden sample in the model's channels; it must have the picture's size."""
    if golden.shape[:2] != size:
        raise DataError(
            f"the golden sample has {golden.shape[1]} x {golden.shape[0]} px and the picture {size[1]} x {size[0]}",
            "take the golden sample with the same camera settings",
        )
    if _channels(golden) == channels:
        return golden
    return np.asarray(cv2.cvtColor(golden, _CODES[channels]), np.uint8)


def _channels(image: Image) -> int:
    return image.shape[2] if image.ndim == 3 else 1  # noqa: PLR2004
