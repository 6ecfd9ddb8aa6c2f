"""The whole picture of a camera that stands in no line.toml, so that nobody has to know its size to look through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.capture.camera import Knob
from app.cli.camera.choice import Choice, opened, said_of
from app.cli.camera.probe import knobs_of
from app.clock import Clock, SystemClock
from app.config import CameraSettings
from app.errors import CameraError, ConfigError, DataError
from app.toml import validated

_FULL = (("SensorWidth", "SensorHeight"), ("WidthMax", "HeightMax"))
"""GenICam, Standard Features Naming Convention 2.7, "ImageFormatControl"."""


def with_own_size(choice: Choice, clock: Clock | None = None) -> Choice:
    """The choice with the size that its camera has by itself, where it tells one.

    Args:
        choice: A camera of no line.toml, for which no size was named.
        clock: The time.

    Raises:
        CameraError: It does not open.
        MissingDriverError: Its library is not installed.
    """
    settings = choice.settings
    size = _recorded(settings) if settings.driver in ("folder", "opencv") else None
    if size is None and settings.driver == "gige":
        with opened(choice, clock or SystemClock()) as camera:
            size = _told({each.name: each for each in knobs_of(camera)})
    if size is None:
        return choice
    values = {**said_of(settings), "width_px": size[0], "height_px": size[1]}
    try:
        return replace(choice, settings=validated(CameraSettings, values, settings.source))
    except ConfigError as error:
        raise CameraError(error.what, "name a size with --size") from error


def _recorded(settings: CameraSettings) -> tuple[int, int] | None:
    """Width and height of the first picture of a folder or of a video file."""
    from app.capture.folder import FolderReel  # noqa: PLC0415 - with OpenCV, only where a picture is looked at
    from app.capture.video import VideoReel  # noqa: PLC0415

    path = Path(settings.source)
    if not path.exists() or path.is_char_device():
        return None
    reel = FolderReel(path) if settings.driver == "folder" else VideoReel(path)
    try:
        reel.open()
        picture = reel.next()
    except DataError:
        # The camera itself says what is wrong with them.
        return None
    finally:
        reel.close()
    return None if picture is None else (picture[0].shape[1], picture[0].shape[0])


def _told(knobs: dict[str, Knob]) -> tuple[int, int] | None:
    for width, height in _FULL:
        if width in knobs and height in knobs:
            sides = knobs[width].value, knobs[height].value
            if isinstance(sides[0], int) and isinstance(sides[1], int):
                return sides[0], sides[1]
    return None
