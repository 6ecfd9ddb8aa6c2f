"""A GPU made of arrays: what is queued on its stream happens when somebody waits for it, as on a real one.

Stands in for `pycuda.driver` (`FakeDriver`) and `cuda.bindings.driver` (`FakeBindings`), as far as `app.detect.cuda`
calls them; signatures as in pycuda's `wrap_cudadrv.cpp` and as cuda-bindings 13.5 documents them.
"""

import ctypes
from types import SimpleNamespace

import numpy as np

BEGIN, END = "begin capture", "end capture"


class FakeDriver:
    """`pycuda.driver`.

    `calls` lists what was asked, in order. `faults` maps a call to the text of the error that it raises; `later` is one
    of the queued work itself, which shows at the next wait. `free` is how much device memory is left.
    """

    class Error(Exception):
        pass

    class LogicError(Error):
        pass

    host_alloc_flags = SimpleNamespace(DEVICEMAP=2)
    event_flags = SimpleNamespace(DISABLE_TIMING=2)
    device_attribute = SimpleNamespace(INTEGRATED=18)

    def __init__(self, *, is_integrated=False, free=1 << 30):
        self.is_integrated, self.free, self.total = is_integrated, free, free
        self.calls, self.faults, self.later = [], {}, ""
        self.memory, self.queue, self.recording = {}, [], None
        self.depth = 0
        self.Context = SimpleNamespace(pop=self._pop)

    def note(self, name, *details):
        self.calls.append((name, *details))
        if name in self.faults:
            raise self.LogicError(f"{name} failed: {self.faults[name]}")

    def within(self, name, *details):
        """A call that needs the context to be current."""
        if not self.depth:
            raise self.LogicError(f"{name} failed: invalid device context")
        self.note(name, *details)

    def submit(self, operation):
        (self.queue if self.recording is None else self.recording).append(operation)

    def address_of(self, view):
        address = 0x10000 * (len(self.memory) + 1)
        self.memory[address] = view
        return address

    # what pycuda has

    def init(self):
        self.note("init")

    def Device(self, number):  # noqa: N802 - pycuda's name
        return SimpleNamespace(
            get_attribute=lambda _which: int(self.is_integrated),
            retain_primary_context=lambda: SimpleNamespace(push=self._push, detach=lambda: None),
        )

    def _push(self):
        self.note("push")
        self.depth += 1

    def _pop(self):
        self.note("pop")
        self.depth -= 1

    def Stream(self, flags):  # noqa: N802
        self.within("stream", flags)
        return SimpleNamespace(handle=77)

    def Event(self, flags):  # noqa: N802
        return SimpleNamespace(record=self._record, synchronize=self._synchronize)

    def _record(self, stream):
        self.within("record", stream.handle)

    def _synchronize(self):
        self.within("wait")
        waiting, self.queue = self.queue, []
        if self.later:
            raise self.LogicError(f"cuEventSynchronize failed: {self.later}\nmore lines")
        for operation in waiting:
            operation()

    def mem_get_info(self):
        self.within("mem_get_info")
        return self.free, self.total

    def mem_alloc(self, size):
        self.within("mem_alloc", size)
        if size > self.free:
            raise self.LogicError("cuMemAlloc failed: out of memory")
        self.free -= size
        return FakeAllocation(self, size)

    def pagelocked_empty(self, shape, dtype, order="C", mem_flags=0):
        self.within("pagelocked_empty", shape, mem_flags)
        locked = Locked(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        locked.setup(self)
        return np.ndarray(shape, dtype, buffer=locked)

    def memcpy_htod_async(self, address, source, stream):
        self.within("send", address, stream.handle)
        self.submit(lambda: np.copyto(self.memory[address], source.reshape(-1).view(np.uint8)))

    def memcpy_dtoh_async(self, target, address, stream):
        self.within("fetch", address, stream.handle)
        self.submit(lambda: np.copyto(target.reshape(-1).view(np.uint8), self.memory[address]))


class FakeAllocation:
    def __init__(self, driver, size):
        self._driver, self._size = driver, size
        self._address = driver.address_of(np.full(size, 0xAA, np.uint8))

    def __int__(self):
        return self._address

    def free(self):
        self._driver.within("free", self._address)
        self._driver.free += self._size
        del self._driver.memory[self._address]


class Locked(bytearray):
    """Page-locked memory; the base of the array over it, as in pycuda."""

    def setup(self, driver):
        self._driver = driver

    def get_device_pointer(self):
        return self._driver.address_of(np.frombuffer(self, np.uint8))


class FakeBindings:
    """`cuda.bindings.driver`: errors come first in what a call returns; `faults` maps a call to its error's number."""

    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)
    CUstream = int

    def __init__(self, driver):
        self._driver, self.faults = driver, {}

    def _answer(self, name, *given):
        return (self.faults.get(name, 0), *given)

    def cuStreamBeginCapture(self, stream, mode):  # noqa: N802 - cuda-bindings' names
        self._driver.within(BEGIN, stream, mode)
        answer = self._answer("cuStreamBeginCapture")
        self._driver.recording = None if answer[0] else []
        return answer

    def cuStreamEndCapture(self, stream):  # noqa: N802
        self._driver.within(END, stream)
        graph, self._driver.recording = self._driver.recording, None
        return self._answer("cuStreamEndCapture", graph)

    def cuGraphInstantiate(self, graph, flags):  # noqa: N802
        return self._answer("cuGraphInstantiate", list(graph))

    def cuGraphDestroy(self, graph):  # noqa: N802
        return self._answer("cuGraphDestroy")

    def cuGraphLaunch(self, executable, stream):  # noqa: N802
        self._driver.within("launch graph", stream)
        self._driver.queue += executable
        return self._answer("cuGraphLaunch")

    def cuGraphExecDestroy(self, executable):  # noqa: N802
        self._driver.within("destroy graph")
        return self._answer("cuGraphExecDestroy")

    def cuMemHostRegister(self, start, size, flags):  # noqa: N802
        self._driver.within("register", start, size, flags)
        return self._answer("cuMemHostRegister")

    def cuMemHostGetDevicePointer(self, start, flags):  # noqa: N802
        self._driver.within("map", start, flags)
        size = next(each[2] for each in self._driver.calls if each[:2] == ("register", start))
        view = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(start))
        return self._answer("cuMemHostGetDevicePointer", self._driver.address_of(view))

    def cuMemHostUnregister(self, start):  # noqa: N802
        self._driver.within("unregister", start)
        return self._answer("cuMemHostUnregister")

    def cuGetErrorString(self, error):  # noqa: N802
        return 0, f"error number {error}".encode()
