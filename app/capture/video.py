"""Video files as a camera, by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from app.capture.pictures import quiet
from app.capture.playback import PlaybackCamera
from app.clock import Clock
from app.config import CameraSettings
from app.errors import DataError
from app.types import Image


class VideoReel:
    """The frames of a video file; each has the name of the file and its number.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._video: cv2.VideoCapture | None = None
        self._shown = 0

    def open(self) -> None:
        """Opens the file at its first frame.

        Raises:
            DataError: Absent, or no video that OpenCV decodes.
        """
        self.close()
        if not self._path.is_file():
            raise DataError(f"{self._path} is no file", "name a video file, or a device such as /dev/video0")
        with quiet():
            video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not video.isOpened():
            video.release()
            raise DataError(f"{self._path} is no video that OpenCV can decode", "convert it, such as to MJPEG in AVI")
        self._video = video
        self._shown = 0

    def next(self) -> tuple[Image, str] | None:
        """Decodes the next frame."""
        if self._video is None:
            return None
        is_read, frame = self._video.read()
        if not is_read:
            return None
        self._shown += 1
        return np.asarray(frame, np.uint8), f"{self._path.stem}-{self._shown:06d}"

    def close(self) -> None:
        """Closes the file. Idempotent."""
        if self._video is not None:
            self._video.release()
            self._video = None


class VideoCamera(PlaybackCamera):
    """A camera that shows the frames of a video file.

    Args:
        settings: `source` names the file.
        clock: Stamps the frames.
        is_looping: Begin again after the last frame.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, *, is_looping: bool = True) -> None:
        super().__init__(settings, clock, VideoReel(Path(settings.source)), is_looping=is_looping)
