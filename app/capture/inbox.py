"""Where the thread that reads a camera puts its frames, and `grab` finds them."""

from __future__ import annotations

import os
import threading
from collections import deque

from app.errors import CameraError
from app.types import Frame


class Inbox:
    """Frames on their way from one thread to another, at most a few; the oldest goes first when one too many comes.

    Args:
        most: Most that wait.

    Attributes:
        dropped: Frames that went because nobody fetched them.
    """

    def __init__(self, most: int) -> None:
        self.dropped = 0
        self._most = most
        self._waiting: deque[Frame | CameraError] = deque()
        self._failure: CameraError | None = None
        self._changed = threading.Condition()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable while something waits to be fetched."""
        return self._event

    def put(self, item: Frame | CameraError) -> None:
        """A frame, or what is said in place of one."""
        with self._changed:
            if len(self._waiting) == self._most:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(item)
            self._tell()

    def fail(self, error: CameraError) -> None:
        """From now on every fetch says this, once what waits is fetched; the first cause stays."""
        with self._changed:
            self._failure = self._failure or error
            self._tell()

    @property
    def failure(self) -> CameraError | None:
        """Why nothing will come any more."""
        return self._failure

    def take(self, timeout_s: float) -> Frame | None:
        """The oldest frame; waits for one.

        Returns:
            `None` where none came in time.

        Raises:
            CameraError: It was put in place of a frame, or nothing will come any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._failure, timeout=max(0.0, timeout_s))
            if self._waiting:
                item: Frame | CameraError | None = self._waiting.popleft()
            else:
                item = self._failure
            if not self._waiting and self._failure is None:
                self._silence()
        if isinstance(item, CameraError):
            raise CameraError(item.what, item.mend, code=item.code)
        return item

    def close(self) -> None:
        """Closes the descriptor. Idempotent."""
        with self._changed:
            event, self._event = self._event, -1
            self._waiting.clear()
        if event >= 0:
            os.close(event)

    def _tell(self) -> None:
        if self._event >= 0:
            os.eventfd_write(self._event, 1)
        self._changed.notify_all()

    def _silence(self) -> None:
        if self._event >= 0:
            try:
                os.eventfd_read(self._event)
            except BlockingIOError:
                return
