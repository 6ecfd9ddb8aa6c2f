"""A `cv2.VideoCapture` that a test feeds by hand."""

import queue

import numpy as np

GONE = object()


class ScriptedDevice:
    """Hands out a frame when the test sends one, and blocks as a stalled driver does when it does not."""

    def __init__(self, *, is_there=True, shape=(24, 32, 3)):
        self._is_there = is_there
        self._shape = shape
        self._frames = queue.Queue()
        self._reads = queue.Queue()
        self.releases = 0
        self.position_ms = 0.0

    def isOpened(self):  # noqa: N802
        return self._is_there

    def read(self):
        self._reads.put(None)
        value = self._frames.get()
        if value is GONE:
            return False, None
        return True, value if isinstance(value, np.ndarray) else np.full(self._shape, value, np.uint8)

    def get(self, property_id):
        return self.position_ms

    def release(self):
        self.releases += 1

    def wait_until_read(self):
        """Returns when the camera has begun to wait for the next frame."""
        self._reads.get(timeout=10)

    def send(self, value):
        self._frames.put(value)
