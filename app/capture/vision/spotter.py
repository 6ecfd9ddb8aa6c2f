"""The vision trigger: parts found in the frames of a camera that runs freely above the belt."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from app.capture.vision.belt import BeltLevel
from app.capture.vision.parts import Parts, Span
from app.capture.vision.pieces import profile_of
from app.capture.vision.strip import Strip, StripView
from app.capture.vision.travel import TravelGauge
from app.config import CameraSettings, PartSettings
from app.config.vision import VisionSettings
from app.types import Frame

_MEMORY = 8
_USUAL = 24.0
_FAINTEST = 12.0
_STRONGEST = 40.0
_SHARE_OF_PART = 0.35
_NOISES = 2.5
_LOUDEST_SHARE = 0.4
_NOISE_RATE = 0.1
_FIRST_ROUNDS = 8
_SURE = 0.5
_MOST_NOISE = 80.0
_PARTS = 16
_CLEAN_PARTS = 4.0
_CLEAN_LOOKS = 200


class Spotter:
    """Finds in each frame the parts whose leading edge has newly crossed the virtual line.

    Each frame's strip is compared with the empty belt (`belt`), set against what was seen before to measure the
    travel of the belt (`travel`), and averaged into a map that moves with the belt; the map is cut into parts
    (`pieces`, `parts`).

    Args:
        settings: Of the trigger.
        camera: Of the camera above the belt; frames have the size that it names.
        part: How long parts are.
    """

    def __init__(self, settings: VisionSettings, camera: CameraSettings, part: PartSettings) -> None:
        self._view = StripView(settings, camera, part)
        self._faintness = 4.0 ** (1 - 2 * settings.sensitivity)
        self._least_share = settings.min_length_share
        self.restart()

    def restart(self) -> None:
        """Forgets everything: parts that lie beyond the line at the next frame are held to have crossed it before."""
        view = self._view
        self._belt: BeltLevel | None = None
        self._gauge = TravelGauge(view.part_columns)
        self._parts = Parts(view.part_columns, view.columns, view.line, self._least_share)
        self._map = np.zeros((0, 0, 0), np.float32)
        self._looks = np.zeros(view.columns, np.int32)
        self._contrasts: deque[float] = deque(maxlen=_PARTS)
        self._threshold = _USUAL * self._faintness
        self._clean = 0.0
        self._noise = 0.0
        self._rest = 0.0

    def look(self, frame: Frame) -> tuple[int, ...]:
        """Takes the next frame.

        Returns:
            For each part that has newly crossed the line how far its leading edge lies beyond it, in micrometres of
            belt, downstream first.
        """
        strip = self._view.cut(frame.image)
        if self._belt is None:
            self._belt = BeltLevel(strip, self._view.part_columns)
            self._map = np.zeros_like(strip)
        # Where the belt presumably lies by now: between parts that nearly touch it is gone within a frame.
        now = self._belt.differences(strip, self._belt_cells(self._gauge.last))
        travel = self._travel(now)
        self._take(now, travel or 0.0)
        amplitude = np.abs(self._map).max(axis=0)
        self._adapt(amplitude, travel or 0.0)
        profile = profile_of(amplitude, self._threshold, self._view.part_columns, self._view.squareness)
        self._follow_noise(amplitude[:, ~profile.is_solid])
        crossed = self._parts.see(profile, travel or 0.0)
        self._belt.learn(now, self._belt_cells(), profile.is_solid, travel or 0.0, self._threshold)
        for span in crossed:
            self._note(amplitude, span)
        return tuple(self._um_beyond(span) for span in crossed)

    def _belt_cells(self, travel: float = 0.0) -> NDArray[np.bool_]:
        """The cells that show belt beyond doubt: known ones, not next to a part.

        Args:
            travel: Columns that the belt has gone on since the map was made.
        """
        is_part = (np.abs(self._map).max(axis=0) > _SURE * self._threshold).astype(np.uint8)
        near = cv2.dilate(is_part, np.ones((3, 5), np.uint8)) > 0
        is_belt = np.asarray(~near & (self._looks > 0)[np.newaxis], np.bool_)
        whole = round(travel)
        if whole:
            is_belt = np.roll(is_belt, whole, axis=1)
            is_belt[:, _came_in(whole)] = False
        return is_belt

    def _travel(self, now: Strip) -> float | None:
        if not self._looks.any():
            return None
        travel = self._gauge.measure(self._map, now, self._threshold)
        self._parts.move(None if travel is None else travel - self._rest)
        return travel

    def _take(self, now: Strip, travel: float) -> None:
        """Averages a frame into the map, which moves by whole columns; the rest is made up in the frame."""
        whole = round(travel)
        self._rest = travel - whole
        if whole:
            self._map = np.roll(self._map, whole, axis=2)
            self._looks = np.roll(self._looks, whole)
            self._looks[_came_in(whole)] = 0
        placed = _shifted(now, -self._rest)
        self._looks = np.minimum(self._looks + 1, _MEMORY)
        self._map += np.asarray((placed - self._map) / self._looks.astype(np.float32), np.float32)

    def _adapt(self, amplitude: NDArray[np.float32], travel: float) -> None:
        """Sets what counts as a part: more than the belt's own texture, and a fair share of the parts seen of late."""
        if not self._noise:
            self._first_noise(amplitude)
        loudest = _MOST_NOISE
        if self._contrasts:
            loudest = min(loudest, _LOUDEST_SHARE * float(np.median(self._contrasts)))
            usual = float(np.clip(_SHARE_OF_PART * min(self._contrasts), _FAINTEST, _STRONGEST))
        else:
            self._clean += max(abs(travel) / (_CLEAN_PARTS * self._view.part_columns), 1 / _CLEAN_LOOKS)
            clean = min(1.0, self._clean)
            usual = _USUAL - clean * (_USUAL - _FAINTEST)
        self._threshold = max(usual * self._faintness, min(_NOISES * self._noise, loudest))

    def _follow_noise(self, amplitude: NDArray[np.float32]) -> None:
        """Only where no part lies: faint parts would else make the belt look noisy, and so themselves fainter yet."""
        if amplitude.size:
            self._noise += _NOISE_RATE * (_noise_below(amplitude, self._threshold) - self._noise)

    def _first_noise(self, amplitude: NDArray[np.float32]) -> None:
        threshold = self._threshold
        for _ in range(_FIRST_ROUNDS):
            self._noise = _noise_below(amplitude, threshold)
            threshold = max(threshold, min(_NOISES * self._noise, _MOST_NOISE))

    def _note(self, amplitude: NDArray[np.float32], span: Span) -> None:
        low, high = max(0, round(span.trail)), min(self._view.columns, round(span.lead))
        cells = amplitude[:, low:high]
        strong = cells[cells > self._threshold]
        if strong.size:
            self._contrasts.append(float(np.median(strong)))

    def _um_beyond(self, span: Span) -> int:
        return max(0, round((span.lead + self._rest - self._view.line) * self._view.um_per_column))


def _came_in(travel: int) -> slice:
    """The columns that were outside the picture before the belt went so many."""
    return slice(0, travel) if travel > 0 else slice(travel, None)


def _noise_below(amplitude: NDArray[np.float32], threshold: float) -> float:
    """What nine tenths of the belt's cells stay below: those that are no part."""
    cells = amplitude[:, :: max(1, amplitude.shape[1] // 200)]
    return float(np.quantile(cells[cells < threshold], 0.9)) if (cells < threshold).any() else threshold


def _shifted(strip: Strip, by: float) -> Strip:
    """A strip moved along the belt by less than a column, by linear interpolation."""
    if abs(by) < 0.01:  # noqa: PLR2004  (a hundredth of a column moves nothing)
        return strip
    beside = np.empty_like(strip)
    if by > 0:
        beside[..., 1:], beside[..., 0] = strip[..., :-1], strip[..., 0]
    else:
        beside[..., :-1], beside[..., -1] = strip[..., 1:], strip[..., -1]
    share = np.float32(abs(by))
    return np.asarray((1 - share) * strip + share * beside, np.float32)
