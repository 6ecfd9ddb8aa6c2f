"""Driver `opencv`: V4L2 devices and network streams, which run freely, and video files (`app.capture.video`)."""

from __future__ import annotations

from functools import partial

import cv2

from app.capture import v4l2
from app.capture.address import device_of, is_stream
from app.capture.arrivals import KernelStamps, StreamTimes, read_times
from app.capture.camera import Camera
from app.capture.live import LiveCamera
from app.capture.pictures import quiet
from app.capture.reader import Device
from app.capture.video import VideoCamera
from app.clock import Clock
from app.config import CameraSettings
from app.errors import CameraError, redacted
from app.status import Trouble

_CONNECT_MS = 4000
"""Longest wait for a stream, below that for any camera (`app.capture.live.OPEN_S`), so that its thread comes back."""

_BUFFERS = 2
"""One is filled while the other is read; a frame that waited in one is known by its stamp."""


def open_opencv(settings: CameraSettings, clock: Clock) -> Camera:
    """The camera for `settings.source`: a V4L2 device, an address with `://`, or a video file.

    A device is `/dev/videoN`, its number, or a link below `/dev/v4l`.
    """
    if is_stream(settings.source):
        # MJPEG over HTTP carries no times; FFMPEG makes some up, at 25 frames per second.
        is_timed = not settings.source.lower().startswith("http")
        return LiveCamera(settings, clock, open_stream, StreamTimes if is_timed else lambda: read_times)
    if device_of(settings.source) is not None:
        stamps = partial(KernelStamps, _BUFFERS)
        return LiveCamera(settings, clock, open_device, stamps, lambda: v4l2.Controls(_path_of(settings)))
    return VideoCamera(settings, clock)


def open_stream(settings: CameraSettings) -> Device:
    """Opens a network stream by FFMPEG, over TCP where the server offers it, as OpenCV's own default is.

    Other options of FFMPEG can be set only by a variable of the whole process (OPENCV_FFMPEG_CAPTURE_OPTIONS), and are
    left alone.

    Raises:
        CameraError: The settings ask for what can be set only where the stream is served.
    """
    asked = [*settings.controls, *(["gain_db"] if settings.gain_db is not None else [])]
    if asked:
        raise CameraError(
            f"{', '.join(asked)} cannot be set on {redacted(settings.source)}, which is a stream",
            "take it out, and set it at the camera itself",
            code=Trouble.UNFIT.value,
        )
    wanted = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _CONNECT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(settings.silent_ms)]
    # A decoder with n threads hands each frame out n - 1 frames late.
    wanted += [cv2.CAP_PROP_N_THREADS, 1]
    with quiet():
        return cv2.VideoCapture(settings.source, cv2.CAP_FFMPEG, wanted)  # type: ignore[return-value]


def _path_of(settings: CameraSettings) -> str:
    """The device file, asked anew at each opening: a camera that was plugged in again may have another number."""
    return device_of(settings.source) or settings.source


def open_device(settings: CameraSettings) -> Device:
    """Opens a V4L2 device.

    Raises:
        CameraError: It does not take the pixel format, the frame rate or the size that is set.
    """
    path = _path_of(settings)
    number = path.removeprefix("/dev/video")
    if not number.isdigit():
        raise CameraError(
            f"{path} is no device that is plugged in",
            "check its cable; takt camera list shows what is",
            code=Trouble.ABSENT.value,
        )
    wanted: list[int] = []
    fourcc, rate_hz = v4l2.format_of(settings)
    if fourcc:
        wanted += [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc)]
    wanted += [cv2.CAP_PROP_FRAME_WIDTH, settings.width_px, cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px]
    if rate_hz:
        wanted += [cv2.CAP_PROP_FPS, rate_hz]
    wanted += [cv2.CAP_PROP_BUFFERSIZE, _BUFFERS]
    with quiet():
        device = cv2.VideoCapture(int(number), cv2.CAP_V4L2, wanted)
    taken = (round(device.get(cv2.CAP_PROP_FRAME_WIDTH)), round(device.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    if device.isOpened() and taken != (settings.width_px, settings.height_px):
        device.release()
        raise CameraError(
            f"{path} gives {taken[0]} x {taken[1]} px where width_px and height_px say"
            f" {settings.width_px} x {settings.height_px}",
            f"set one of its sizes: {v4l2.sizes_of(path) or 'it names none'}",
            code=Trouble.UNFIT.value,
        )
    return device  # type: ignore[return-value]
