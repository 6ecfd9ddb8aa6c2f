"""An anomaly map -> the regions of it that stand out, as boxes."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app.detect.decode import Placement, score_as_told
from app.errors import DetectorError
from app.types import Detection

MAX_REGIONS = 100
"""A map with more has come apart into noise: its largest regions are told, and the one with the highest value."""

_SLACK = 1e-4
_MEND = "prove the package on this runtime, or use another one"
_LEFT, _TOP, _WIDTH, _HEIGHT, _AREA = range(5)


class Regions:
    """Reads the output of an anomaly model, in buffers made once. Not thread-safe.

    A region is what hangs together, corners included, of the map at or above the threshold. It becomes a detection of
    its bounding box, whose score is the highest value in it. Where the picture's score reaches the threshold and no
    place of the map does, the whole picture is the detection.

    Args:
        height: Rows of the map.
        width: Its columns.
        label: What the detections are called.
        threshold: The package's own.
    """

    def __init__(self, height: int, width: int, label: str, threshold: float) -> None:
        self._label = label
        # As float32 would hold it, so that a value written with the threshold's decimals reaches it.
        self._threshold = float(np.float32(threshold))
        self._mask = np.zeros((height, width), np.uint8)
        self._labels = np.zeros((height, width), np.int32)
        self._one = np.zeros((height, width), np.uint8)

    def read(
        self, score: NDArray[np.float32], heat: NDArray[np.float32], placement: Placement, size_px: tuple[int, int]
    ) -> tuple[tuple[Detection, ...], float]:
        """The detections of one picture, best first, and its score.

        Args:
            score: float32 (1, 1), 0 .. 1.
            heat: float32 (height, width), 0 .. 1, or a window of it.
            placement: From pixels of `heat` to the picture.
            size_px: Width and height of the picture, where boxes end.

        Raises:
            DetectorError: A number is not finite or outside 0 .. 1.
        """
        whole = float(score[0, 0])
        _check(whole, whole, "a score")
        _check(float(heat.min()), float(heat.max()), "a map")
        found = self._detections(heat, placement, size_px)
        if not found and whole >= self._threshold:
            found = [Detection(self._label, score_as_told(whole), (0.0, 0.0, float(size_px[0]), float(size_px[1])))]
        found.sort(key=lambda each: (-each.score, each.box_px))
        return tuple(found), score_as_told(whole)

    def _detections(self, heat: NDArray[np.float32], placement: Placement, size_px: tuple[int, int]) -> list[Detection]:
        height, width = heat.shape
        mask, labels = self._mask[:height, :width], self._labels[:height, :width]
        np.greater_equal(heat, self._threshold, out=mask.view(np.bool_))
        if not mask.any():
            return []
        _, _, found, _ = cv2.connectedComponentsWithStats(mask, labels=labels, connectivity=8, ltype=cv2.CV_32S)
        rows = np.asarray(found, np.int32)
        return [
            self._detection(index, rows[index].tolist(), heat, placement, size_px)
            for index in self._told_regions(rows, heat, labels)
        ]

    def _told_regions(self, rows: NDArray[np.int32], heat: NDArray[np.float32], labels: NDArray[np.int32]) -> list[int]:
        count = len(rows) - 1  # the first row is the background
        if count <= MAX_REGIONS:
            return list(range(1, count + 1))
        largest = 1 + np.argsort(-rows[1:, _AREA], kind="stable")[:MAX_REGIONS]
        _, _, _, place = cv2.minMaxLoc(heat)
        return sorted({int(labels[place[1], place[0]]), *largest.tolist()})

    def _detection(
        self, index: int, row: list[int], heat: NDArray[np.float32], placement: Placement, size_px: tuple[int, int]
    ) -> Detection:
        left, top, right, bottom = row[_LEFT], row[_TOP], row[_LEFT] + row[_WIDTH], row[_TOP] + row[_HEIGHT]
        window = slice(top, bottom), slice(left, right)
        one = self._one[window]
        cv2.inRange(self._labels[window], index, index, dst=one)
        highest = cv2.minMaxLoc(heat[window], mask=one)[1]
        x, x_end = (_within(edge * placement.scale_x + placement.offset_x_px, size_px[0]) for edge in (left, right))
        y, y_end = (_within(edge * placement.scale_y + placement.offset_y_px, size_px[1]) for edge in (top, bottom))
        return Detection(self._label, score_as_told(highest), (x, y, x_end - x, y_end - y))


def _check(lowest: float, highest: float, what: str) -> None:
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise DetectorError(f"the model gave {what} with numbers that are not finite", _MEND)
    if lowest < -_SLACK or highest > 1 + _SLACK:
        raise DetectorError(f"the model gave {what} from {lowest:g} to {highest:g}, outside 0 .. 1", _MEND)


def _within(place: float, size: int) -> float:
    return min(max(place, 0.0), float(size))
