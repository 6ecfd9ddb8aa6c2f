"""Chunk data: what a GenICam camera puts beside the pixels of each picture (SFNC 2.7, chapter Chunk Data Control)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.capture.gige.features import Features
from app.errors import CameraError
from app.status import Trouble

_NS_PER_US = 1000

# The selector's name of each, and where its value is found. A counter of triggers counts those that the camera missed,
# so it is asked before the number of the frame.
_WANTED = ("CounterValue", "FrameID", "Timestamp", "ExposureTime")


@dataclass(frozen=True, slots=True)
class ChunkData:
    """What a picture says of itself; `None` where it does not.

    Attributes:
        counter: The camera's counter.
        stamp_ns: Its stamp.
        exposure_ns: How long it exposed.
    """

    counter: int | None = None
    stamp_ns: int | None = None
    exposure_ns: int | None = None


class Chunks:
    """Switches the chunks on and reads them.

    Args:
        camera: The camera, before its payload is asked: chunks make it greater.
        features: Its features.
        tick_hz: Ticks of its stamps in a second.
        who: What errors call it.

    Raises:
        CameraError: It offers no chunk data.
    """

    def __init__(self, camera: Any, features: Features, tick_hz: int, who: str) -> None:
        if not features.has("ChunkModeActive"):
            raise CameraError(f"{who} has no chunk data", "set camera.gige.chunks = false", code=Trouble.UNFIT.value)
        features.set("ChunkModeActive", True)
        offered = next((knob.choices for knob in features.knobs() if knob.name == "ChunkSelector"), ())
        self._names = tuple(name for name in _WANTED if name in offered)
        for name in self._names:
            features.set("ChunkSelector", name)
            if features.has("ChunkEnable"):
                features.set("ChunkEnable", True)
        self._parser = camera.create_chunk_parser()
        self._ns_per_tick = 1e9 / tick_hz if tick_hz else 1.0
        self._counter = next((name for name in ("CounterValue", "FrameID") if name in self._names), "")

    def read(self, buffer: Any) -> ChunkData:
        """What the picture in a whole buffer says of itself."""
        if not buffer.has_chunks():
            return ChunkData()
        stamp = self._integer(buffer, "Timestamp")
        exposure_us = (
            self._parser.get_float_value(buffer, "ChunkExposureTime") if "ExposureTime" in self._names else None
        )
        return ChunkData(
            self._integer(buffer, self._counter),
            None if stamp is None else round(stamp * self._ns_per_tick),
            None if exposure_us is None else round(exposure_us * _NS_PER_US),
        )

    def _integer(self, buffer: Any, name: str) -> int | None:
        return int(self._parser.get_integer_value(buffer, f"Chunk{name}")) if name in self._names else None
