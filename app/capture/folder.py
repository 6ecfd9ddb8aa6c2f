"""Driver `folder`: the pictures of a folder, in name order."""

from __future__ import annotations

from pathlib import Path

from app.capture.pictures import list_pictures, read_picture
from app.capture.playback import PlaybackCamera
from app.clock import Clock
from app.config import CameraSettings
from app.types import Image


class FolderReel:
    """The picture files of a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: tuple[Path, ...] = ()
        self._place = 0

    def open(self) -> None:
        """Lists the folder, so that pictures that came since are seen.

        Raises:
            DataError: No such folder, or no pictures in it.
        """
        self._paths = list_pictures(self._folder)
        self._place = 0

    def next(self) -> tuple[Image, str] | None:
        """Reads the next file.

        Raises:
            DataError: It is no picture that can be judged.
        """
        if self._place >= len(self._paths):
            return None
        path = self._paths[self._place]
        self._place += 1
        return read_picture(path), path.name

    def close(self) -> None:
        """Forgets the list."""
        self._paths = ()


class FolderCamera(PlaybackCamera):
    """A camera that shows the pictures of a folder.

    Args:
        settings: `source` names the folder.
        clock: Stamps the frames.
        is_looping: Begin again after the last picture.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, *, is_looping: bool = True) -> None:
        super().__init__(settings, clock, FolderReel(Path(settings.source)), is_looping=is_looping)
