"""Driver `csi`: a sensor on the CSI connector of a Jetson, through GStreamer's `nvarguscamerasrc`.

OpenCV must be one that has GStreamer: that of the system, not the one from PyPI.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2

from app.capture.camera import Found
from app.capture.live import LiveCamera
from app.capture.pictures import quiet
from app.capture.reader import Device
from app.clock import NS_PER_MS, Clock
from app.config import CameraSettings
from app.config.csi import CsiSettings, Flip, WhiteBalance
from app.errors import CameraError
from app.status import Trouble

MOST_SENSORS = 16
_SENSOR = re.compile(r"vi-output, (\S+) (\S+)")
_GAIN_DB = (0.0, 48.0)


@dataclass(frozen=True, slots=True)
class Front:
    """The elements of a pipeline that depend on the machine.

    Attributes:
        source: The element that gives frames, with its properties.
        memory: In which memory they lie, as caps write it.
        turn: The element that turns them and brings them to ordinary memory, with its properties.
    """

    source: Callable[[CameraSettings], str]
    memory: str
    turn: Callable[[CameraSettings], str]


def _argus_source(settings: CameraSettings) -> str:
    csi = settings.csi
    properties = {
        "sensor-id": sensor_of(settings),
        "sensor-mode": -1 if csi.sensor_mode is None else csi.sensor_mode,
        "wbmode": get_args(WhiteBalance).index(csi.white_balance),
        "aelock": _word(csi.is_exposure_locked),
        "awblock": _word(csi.is_white_balance_locked),
        "tnr-mode": int(csi.is_denoised),
        "ee-mode": int(csi.is_sharpened),
    }
    if csi.is_exposure_locked:
        exposure_ns = round(settings.exposure_ms * NS_PER_MS)
        properties["exposuretimerange"] = f'"{exposure_ns} {exposure_ns}"'
    if csi.is_exposure_locked and settings.gain_db is not None:
        gain = 10 ** (settings.gain_db / 20)
        properties["gainrange"] = f'"{gain:.4g} {gain:.4g}"'
        properties["ispdigitalgainrange"] = '"1 1"'
    return " ".join(["nvarguscamerasrc", *(f"{name}={value}" for name, value in properties.items())])


def _word(value: bool) -> str:
    return "true" if value else "false"


ARGUS = Front(
    source=_argus_source,
    memory="(memory:NVMM)",
    turn=lambda settings: f"nvvidconv flip-method={get_args(Flip).index(settings.csi.flip)}",
)
"""The elements of a Jetson."""


def pattern(frames: int = -1) -> Front:
    """A test pattern in place of the sensor, for any machine with GStreamer.

    Args:
        frames: The stream ends after so many; -1: never.
    """
    return Front(
        source=lambda _: f"videotestsrc is-live=true pattern=smpte num-buffers={frames}",
        memory="",
        turn=lambda settings: f"videoflip video-direction={_DIRECTIONS[settings.csi.flip]}",
    )


_DIRECTIONS: dict[Flip, str] = {
    "none": "identity",
    "counterclockwise": "90l",
    "rotate-180": "180",
    "clockwise": "90r",
    "horizontal-flip": "horiz",
    "upper-right-diagonal": "ur-ll",
    "vertical-flip": "vert",
    "upper-left-diagonal": "ul-lr",
}
_SIDEWAYS: tuple[Flip, ...] = ("counterclockwise", "clockwise", "upper-right-diagonal", "upper-left-diagonal")


def pipeline_of(settings: CameraSettings, front: Front = ARGUS) -> str:
    """The GStreamer pipeline that gives what the settings ask for, newest frame first and no older one kept.

    Args:
        settings: The camera; `source` is the number of the sensor.
        front: The elements that depend on the machine.

    Raises:
        CameraError: `source` is no number of a sensor, or `gain_db` is out of bounds.
    """
    sensor_of(settings)
    if settings.gain_db is not None and not _GAIN_DB[0] <= settings.gain_db <= _GAIN_DB[1]:
        raise CameraError(
            f"gain_db = {settings.gain_db:g} is no gain of a CSI sensor",
            f"choose one from {_GAIN_DB[0]:g} to {_GAIN_DB[1]:g}",
            code=Trouble.UNFIT.value,
        )
    csi = settings.csi
    size = (settings.width_px, settings.height_px)
    width, height = size[::-1] if csi.flip in _SIDEWAYS else size
    turned = f"width=(int){size[0]},height=(int){size[1]}"
    # nvvidconv gives grey itself; for colour it has no format of three bytes.
    end = ["video/x-raw,format=(string)GRAY8," + turned]
    if settings.channels != 1:
        end = ["video/x-raw,format=(string)BGRx," + turned, "videoconvert", "video/x-raw,format=(string)BGR"]
    return " ! ".join(
        [
            front.source(settings),
            f"video/x-raw{front.memory},width=(int){width},height=(int){height},format=(string)NV12,{_fraction(csi)}",
            front.turn(settings),
            *([] if front.memory else ["videoconvert"]),
            *end,
            "appsink drop=true max-buffers=1 sync=false",
        ]
    )


def _fraction(csi: CsiSettings) -> str:
    numerator = round(csi.frame_rate_hz * 1000)
    common = math.gcd(numerator, 1000)
    return f"framerate=(fraction){numerator // common}/{1000 // common}"


def sensor_of(settings: CameraSettings) -> int:
    """The number of the sensor that the settings name.

    Raises:
        CameraError: It is no such number.
    """
    if re.fullmatch(r"\d{1,2}", settings.source) and int(settings.source) < MOST_SENSORS:
        return int(settings.source)
    raise CameraError(
        f"source {settings.source!r} is no number of a CSI sensor",
        f"give one from 0 to {MOST_SENSORS - 1}",
        code=Trouble.UNFIT.value,
    )


class ArgusCamera(LiveCamera):
    """A CSI camera of a Jetson: a `LiveCamera` on a GStreamer pipeline.

    Args:
        settings: `source` is the number of the sensor; `csi` has what only such a camera has.
        clock: Stamps the frames.
        front: The elements of the pipeline that depend on the machine.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, front: Front = ARGUS) -> None:
        super().__init__(settings, clock, lambda _: _open_pipeline(settings, front))
        self._sensor = settings.source

    def why_closed(self, *, is_gone: bool) -> tuple[str, str, Trouble]:
        """As for every `LiveCamera`."""
        how = "does not open" if is_gone else "hangs while it opens"
        mend = (
            "check its ribbon cable, that takt camera list shows it and that gst-inspect-1.0 nvarguscamerasrc answers,"
            " then run: sudo systemctl restart nvargus-daemon"
        )
        return f"CSI sensor {self._sensor} {how}", mend, Trouble.ABSENT


def _open_pipeline(settings: CameraSettings, front: Front) -> Device:
    pipeline = pipeline_of(settings, front)
    if settings.controls:
        raise CameraError(
            f"controls {', '.join(settings.controls)}: a CSI sensor has none by name",
            "take them out; [camera.csi] has its settings",
            code=Trouble.UNFIT.value,
        )
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise CameraError(
            f"driver csi needs an OpenCV with GStreamer, and that in {cv2.__file__} has none",
            "use the system's: make the virtual environment with --system-site-packages and run: pip uninstall"
            " opencv-python",
            code=Trouble.UNFIT.value,
        )
    with quiet():
        return cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)  # type: ignore[return-value]


def discover(root: Path = Path("/")) -> tuple[Found, ...]:
    """The CSI sensors of a Jetson, as its kernel names them; elsewhere none.

    Args:
        root: Where the file system begins.
    """
    nodes = (root / "sys" / "class" / "video4linux").glob("video*/name")
    names = [path.read_text(errors="replace").strip() for path in sorted(nodes, key=_number_of)]
    sensors = [found for name in names if (found := _SENSOR.fullmatch(name))]
    return tuple(Found("csi", str(index), f"{each[1]} ({each[2]})") for index, each in enumerate(sensors))


def _number_of(path: Path) -> int:
    digits = path.parent.name.removeprefix("video")
    return int(digits) if digits.isdigit() else -1
