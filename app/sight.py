"""What a station sees with: its cameras, what is wrong with each, and what each has forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from threading import Lock

from app.capture.camera import Camera
from app.errors import CameraError, FrameTimeoutError
from app.reject.tracking import Tracker
from app.status import CameraStatus, Trouble
from app.types import Frame


class Sight:
    """The cameras of a lane.

    Frames are taken in the thread that judges, exposures are asked for in the line's.

    Args:
        cameras: Open cameras by name.
        tracker: Told how each camera is.
        turn: Held by whoever uses the tracker.
    """

    def __init__(self, cameras: Mapping[str, Camera], tracker: Tracker, turn: Lock) -> None:
        self._cameras = cameras
        self._tracker = tracker
        self._turn = turn
        self._faults = dict.fromkeys(cameras, "")
        self._codes = dict.fromkeys(cameras, "")
        self._lost: set[str] = set()
        self._deaf: set[str] = set()
        self._early: dict[str, Frame] = {}
        self._frames = dict.fromkeys(cameras, 0)
        self._last_frame_ns = dict.fromkeys(cameras, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras."""
        return tuple(self._cameras)

    @property
    def fault(self) -> str:
        """What is wrong with the first camera that has a fault; empty while none has."""
        for text in self._faults.values():
            if text:
                return text
        return ""

    @property
    def code(self) -> str:
        """The same as a code of `Trouble`."""
        return next((self._codes[name] for name, text in self._faults.items() if text), "")

    def grab(self, name: str, now_ns: int) -> Frame | None:
        """The frame that a camera has now, which is the caller's to release; `None` where it has none.

        One that was set aside comes again first.
        """
        try:
            frame = self._early.pop(name, None) or self._cameras[name].grab(now_ns)
        except FrameTimeoutError:
            self._hear(name)
            return None
        except CameraError as error:
            self._codes[name] = error.code or Trouble.OTHER.value
            self._lose(name, str(error))
            return None
        self._deaf.discard(name)
        self._hear(name)
        self._last_frame_ns[name] = frame.in_memory_ns
        return frame

    def set_aside(self, name: str, frame: Frame) -> None:
        """Keeps a frame that has come before its part's trigger, until the next `grab`."""
        self._early[name] = frame

    def count(self, name: str) -> None:
        """A frame is done with."""
        self._frames[name] += 1

    def trigger(self, name: str, now_ns: int) -> str:
        """Asks a camera for an exposure, with the turn held.

        Returns:
            Why there will be none; empty where it was asked.
        """
        if name in self._lost:
            return self._faults[name]
        try:
            self._cameras[name].trigger(now_ns)
        except CameraError as error:
            text = str(error)
            self._deaf.add(name)
            if not self._faults[name]:
                self._tracker.camera(name, text, is_lost=False)
            self._faults[name], self._codes[name] = text, error.code or Trouble.OTHER.value
            return text
        return ""

    def status(self) -> tuple[CameraStatus, ...]:
        """How each camera is."""
        return tuple(self._status(name) for name in self._cameras)

    def close(self) -> None:
        """Lets go of frames and cameras. Idempotent."""
        while self._early:
            self._early.popitem()[1].release()
        for camera in self._cameras.values():
            camera.close()

    def _lose(self, name: str, text: str) -> None:
        """A camera gives no frames, and has forgotten what it was asked for."""
        self._faults[name] = text
        if name in self._early:
            self._early.pop(name).release()
        if name not in self._lost:
            self._lost.add(name)
            self._deaf.discard(name)
            with self._turn:
                self._tracker.camera(name, text, is_lost=True)

    def _hear(self, name: str) -> None:
        """A camera works: whatever is wrong with its frames, it says itself."""
        said: CameraStatus | None = getattr(self._cameras[name], "said", None)
        text = said.text if said else ""
        before, was_lost = self._faults[name], name in self._lost
        if name in self._deaf or (text == before and not was_lost):
            return
        self._lost.discard(name)
        self._faults[name], self._codes[name] = text, said.code if said else ""
        if was_lost or not (text and before):
            with self._turn:
                self._tracker.camera(name, text, is_lost=False)

    def _status(self, name: str) -> CameraStatus:
        said: CameraStatus = getattr(self._cameras[name], "said", None) or CameraStatus(name)
        return replace(
            said,
            text=self._faults[name],
            code=self._codes[name] if self._faults[name] else "",
            frames=self._frames[name],
            last_frame_ns=self._last_frame_ns[name],
            is_away=name in self._lost,
        )
