"""Driver `folder`: the pictures of a folder, in name order, as if a camera took them."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from app.capture.pictures import list_pictures, read_picture, with_channels
from app.clock import Clock
from app.config import CameraSettings
from app.errors import CameraError, DataError, FrameTimeoutError
from app.types import Frame

MOST_WAITING = 16


class FolderCamera:
    """A camera that shows the next picture at every trigger.

    The picture is read at the trigger, as an exposure would be made, so that `grab` never waits for a disk.

    Args:
        settings: `source` names the folder; pictures must have the size that is set, and get the channels that are.
        clock: Stamps the frames.
        is_looping: Begin again after the last picture; otherwise a trigger after the last one is an error.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, *, is_looping: bool = True) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._is_looping = is_looping
        self._paths: tuple[Path, ...] = ()
        self._shown = 0
        self._waiting: deque[Frame | CameraError] = deque()

    def open(self) -> None:
        """Lists the folder; the first trigger shows its first picture.

        Raises:
            CameraError: No such folder, or no pictures in it.
        """
        if self._paths:
            return
        try:
            self._paths = list_pictures(Path(self._settings.source))
        except DataError as error:
            raise CameraError(f"camera {self.name!r}: {error.what}", error.mend) from error
        self._shown = 0

    def trigger(self, at_ns: int) -> None:
        """Reads the next picture.

        Raises:
            CameraError: Closed, past the last picture, or too many pictures wait to be grabbed.
        """
        if not self._paths:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")
        if self._shown >= len(self._paths) and not self._is_looping:
            raise CameraError(f"camera {self.name!r} has shown all {len(self._paths)} pictures", "give it more, or loop")
        if len(self._waiting) >= MOST_WAITING:
            raise CameraError(f"camera {self.name!r}: {MOST_WAITING} pictures wait to be fetched", "grab after each trigger")
        path = self._paths[self._shown % len(self._paths)]
        self._shown += 1
        self._waiting.append(self._read(path, at_ns))

    def grab(self, deadline_ns: int) -> Frame:  # noqa: ARG002  (there is nothing to wait for)
        """The picture of the oldest trigger that has none yet.

        Raises:
            FrameTimeoutError: No trigger is unanswered.
            CameraError: Closed, or the picture cannot be read or has another size.
        """
        if not self._paths:
            raise CameraError(f"camera {self.name!r} is closed", "open it first")
        if not self._waiting:
            raise FrameTimeoutError(f"camera {self.name!r} has no frame: it was not triggered", "trigger it first")
        answer = self._waiting.popleft()
        if isinstance(answer, CameraError):
            raise answer
        return answer

    def close(self) -> None:
        """Forgets the folder and what waits. Idempotent."""
        self._paths = ()
        self._waiting.clear()

    def _read(self, path: Path, at_ns: int) -> Frame | CameraError:
        wanted = self._settings
        try:
            image = read_picture(path)
        except DataError as error:
            return CameraError(f"camera {self.name!r}: {error.what}", error.mend)
        if image.shape[:2] != (wanted.height_px, wanted.width_px):
            return CameraError(
                f"camera {self.name!r}: {path} has {image.shape[1]} x {image.shape[0]} px where width_px and height_px say"
                f" {wanted.width_px} x {wanted.height_px}",
                "correct the settings or take the picture out",
            )
        return Frame(
            image=with_channels(image, wanted.channels),
            camera=self.name,
            host_ns=at_ns,
            counter=self._shown,
            in_memory_ns=self._clock.now_ns(),
            name=path.name,
        )
