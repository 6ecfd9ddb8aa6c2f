"""A GigE Vision stream whose buffers a test fills by hand: what no simulator shows, such as chunk data."""

import ctypes
import queue
from enum import Enum
from types import SimpleNamespace

import numpy as np

from app.capture.gige.bootstrap import Presence
from app.capture.gige.pixels import FORMATS
from app.clock import NS_PER_S


class BufferStatus(Enum):
    SUCCESS = "success"
    MISSING_PACKETS = "missing-packets"
    CLEARED = "cleared"

    @property
    def value_nick(self):
        return self.value


class ScriptedBuffer:
    """What is used of `Aravis.Buffer`."""

    def __init__(self, size, address):
        self._memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def fill(self, level, *, block, stamp_ns, wall_ns, status, padding, chunks):
        self._memory[:] = level
        self._said = (block, stamp_ns, wall_ns, status, padding)
        self.chunks = chunks

    def get_frame_id(self):
        return self._said[0]

    def get_timestamp(self):
        return self._said[1]

    def get_system_timestamp(self):
        return self._said[2]

    def get_status(self):
        return self._said[3]

    def get_image_padding(self):
        return self._said[4], 0

    def get_image_width(self):
        return 16

    def get_image_height(self):
        return 16

    def get_image_pixel_format(self):
        return FORMATS["Mono8"].code

    def has_chunks(self):
        return bool(self.chunks)


class ScriptedStream:
    """What is used of `Aravis.Stream`; `send` fills the next free buffer."""

    def __init__(self, clock):
        self._clock = clock
        self._free, self._full = queue.Queue(), queue.Queue()

    def push_buffer(self, buffer):
        self._free.put(buffer)

    def timeout_pop_buffer(self, _us):
        try:
            return self._full.get(timeout=0.01)
        except queue.Empty:
            return None

    def send(self, level=1, *, block, stamp_ns=0, ago_ns=0, status=BufferStatus.SUCCESS, padding=0, chunks=None):
        wall_ns = round(self._clock.wall().timestamp() * NS_PER_S) - ago_ns
        buffer = self._free.get(timeout=10)
        buffer.fill(
            level, block=block, stamp_ns=stamp_ns, wall_ns=wall_ns, status=status, padding=padding, chunks=chunks or {}
        )
        self._full.put(buffer)


class ScriptedParser:
    """What is used of `Aravis.ChunkParser`."""

    def get_integer_value(self, buffer, name):
        return buffer.chunks[name]

    def get_float_value(self, buffer, name):
        return buffer.chunks[name]


class ScriptedFeatures:
    """A camera with chunk data."""

    def __init__(self, *chunks):
        self._chunks = chunks
        self.taken = []

    def has(self, _):
        return bool(self._chunks)

    def knobs(self):
        return (SimpleNamespace(name="ChunkSelector", choices=self._chunks),)

    def set(self, name, value):
        self.taken.append((name, value))


class Present:
    """Instead of `Bootstrap`: the camera is there and ours, for as long as the test says."""

    def __init__(self):
        self.seen = Presence(is_there=True, holder="us")

    def presence(self):
        return self.seen


LIBRARY = SimpleNamespace(
    BufferStatus=SimpleNamespace(
        SUCCESS=BufferStatus.SUCCESS, CLEARED=BufferStatus.CLEARED, ABORTED=object(), TORN=BufferStatus.MISSING_PACKETS
    ),
    Buffer=SimpleNamespace(new_full=lambda size, address, _data, _free: ScriptedBuffer(size, address)),
)
