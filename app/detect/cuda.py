"""The little that is needed of CUDA: buffers on both sides, one stream, the wait for it, and a graph of what it does.

pycuda gives the context, page-locked memory, streams and events. It has no graphs, and its `register_host_memory` is
broken (inducer/pycuda issue 459, not mended in 2026.1): both come from cuda-bindings, on the same stream, where that is
installed. Every call of either library stands in this module.

The context is the device's primary one, which TensorRT's own calls use too ("Primary Context Management", CUDA Driver
API reference). It is current only while something here is done: so a detector may be opened in one thread and used in
another, and a process that ends without closing it ends well, where pycuda aborts one that leaves a context current.
"""

from __future__ import annotations

import atexit
import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import DetectorError, MissingDriverError

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING: nothing waits for the default stream."""

_DEVICE_MAP = 2
"""CU_MEMHOSTREGISTER_DEVICEMAP: the device gets an address for it."""

_MEND = "restart the process that owns the GPU, and look for NVRM or Xid in `dmesg` if it fails again"

Work = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """A tensor's memory on both sides.

    Attributes:
        host: Page-locked.
        address: Where the device finds it.
        is_mapped: Both are the same memory, so nothing is copied.
    """

    host: NDArray[Any]
    address: int
    is_mapped: bool = False


class Cuda:
    """The first GPU, and one stream on it. Not thread-safe.

    Args:
        driver: `pycuda.driver`.
        bindings: `cuda.bindings.driver`, or `None` where it is not installed.

    Raises:
        DetectorError: There is no such device, or it gives no context.
    """

    def __init__(self, driver: Any, bindings: Any = None) -> None:
        self._driver = driver
        self._bindings = bindings
        self._broken = ""
        self._executables: list[Any] = []
        self._allocations: list[Any] = []
        self._adopted: list[int] = []
        self._stream: Any = None
        with self._asking("start"):
            driver.init()
            self.is_integrated = bool(driver.Device(0).get_attribute(driver.device_attribute.INTEGRATED))
            self._context: Any = _primary_context(driver)
        with self.current(), self._asking("make a stream"):
            self._stream = driver.Stream(_NON_BLOCKING)
            self._done: Any = driver.Event(int(driver.event_flags.DISABLE_TIMING))

    @property
    def stream(self) -> int:
        """The stream's handle, as TensorRT takes it."""
        return int(self._stream.handle)

    @property
    def has_graphs(self) -> bool:
        """What it does can be recorded."""
        return self._bindings is not None

    @contextmanager
    def current(self) -> Iterator[None]:
        """What is called within finds the device's context."""
        if self._context is None:
            raise DetectorError("the GPU was given back", "open the detector again")
        with self._asking("take its context"):
            self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def free_bytes(self) -> int:
        """How much of the device's memory nobody has taken."""
        with self.current(), self._asking("tell its free memory"):
            return int(self._driver.mem_get_info()[0])

    def buffer(self, shape: Sequence[int], kind: str, *, is_input: bool) -> Buffer:
        """Memory of both sides, the host's filled with zeros; for an input of an integrated GPU one and the same.

        Raises:
            DetectorError: There is not enough.
        """
        flags = self._driver.host_alloc_flags
        is_mapped = is_input and self.is_integrated
        with self.current(), self._asking(f"give page-locked memory for {tuple(shape)} {kind}"):
            host = self._driver.pagelocked_empty(
                tuple(shape), np.dtype(kind), mem_flags=flags.DEVICEMAP if is_mapped else 0
            )
            host.fill(0)
            if is_mapped:
                return Buffer(host, int(host.base.get_device_pointer()), is_mapped=True)
            return Buffer(host, self._allocated(host.nbytes))

    def adopted(self, memory: NDArray[Any]) -> Buffer | None:
        """An input whose memory somebody else has made, such as memory that another process writes.

        Returns:
            `None` where that memory cannot be locked: then it is to be copied into a `buffer` before it is sent.
        """
        if self._bindings is None:
            return None
        start, flags = memory.ctypes.data, _DEVICE_MAP if self.is_integrated else 0
        with self.current(), self._asking(f"give memory for {memory.shape}"):
            try:
                self._call(self._bindings.cuMemHostRegister, start, memory.nbytes, flags)
                self._adopted.append(start)
                if self.is_integrated:
                    address = self._call(self._bindings.cuMemHostGetDevicePointer, start, 0)
                    return Buffer(memory, int(address), is_mapped=True)
            except (_RefusedError, RuntimeError):
                return None
            return Buffer(memory, self._allocated(memory.nbytes))

    def _allocated(self, size: int) -> int:
        self._allocations.append(self._driver.mem_alloc(size))
        return int(self._allocations[-1])

    def send(self, buffer: Buffer) -> None:
        """Queues the copy to the device; within `run` or `record`."""
        self._driver.memcpy_htod_async(buffer.address, buffer.host, self._stream)

    def fetch(self, buffer: Buffer) -> None:
        """Queues the copy from the device; within `run` or `record`."""
        self._driver.memcpy_dtoh_async(buffer.host, buffer.address, self._stream)

    def run(self, work: Work) -> None:
        """Queues work on the stream and waits until all of it is done.

        Raises:
            DetectorError: CUDA failed now, or before: the context counts as broken from then on.
        """
        if self._broken:
            raise DetectorError(f"the GPU is not used any more, as it failed before: {self._broken}", _MEND)
        try:
            with self.current():
                work()
                self._done.record(self._stream)
                self._done.synchronize()
        except (self._driver.Error, _RefusedError) as error:
            self._broken = _first_line(error)
            raise DetectorError(f"CUDA failed: {self._broken}", _MEND) from error
        except DetectorError as error:
            self._broken = error.what
            raise

    def record(self, work: Work) -> Work:
        """A graph of work: what is returned does all of it in one launch.

        The work must have run once before, as TensorRT settles things at its first launch that a graph cannot hold
        ("CUDA Graphs", TensorRT developer guide).

        Raises:
            DetectorError: It cannot be recorded; it can still be run.
        """
        bindings = self._bindings
        if bindings is None:
            raise DetectorError("cuda-bindings is not installed", 'run: pip install "takt-inspect[gpu]"')
        stream = bindings.CUstream(self.stream)
        mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        try:
            with self.current():
                self._call(bindings.cuStreamBeginCapture, stream, mode)
                try:
                    work()
                finally:
                    # Also where the work failed: the stream records until it is told to stop.
                    ended, graph = bindings.cuStreamEndCapture(stream)
                self._check(ended)
                executable = self._call(bindings.cuGraphInstantiate, graph, 0)
                self._executables.append(executable)
                self._call(bindings.cuGraphDestroy, graph)
        except (self._driver.Error, RuntimeError, _RefusedError) as error:
            raise DetectorError(f"the work cannot be recorded: {_first_line(error)}", "run it as it is") from error

        def replay() -> None:
            self._check(bindings.cuGraphLaunch(executable, stream)[0])

        return replay

    def close(self) -> None:
        """Gives back the device's memory and its context. Idempotent.

        Page-locked arrays live as long as anybody holds one.
        """
        if self._context is None:
            return
        # A broken context frees nothing any more, and loses all when its process ends.
        with suppress(DetectorError, self._driver.Error, _RefusedError), self.current():
            for executable in self._executables:
                self._call(self._bindings.cuGraphExecDestroy, executable)
            for allocation in self._allocations:
                allocation.free()
            for start in self._adopted:
                self._call(self._bindings.cuMemHostUnregister, start)  # its owner may unmap it from now on
        self._executables, self._allocations, self._adopted = [], [], []
        self._stream = self._done = self._context = None

    def _call(self, function: Callable[..., tuple[Any, ...]], *arguments: Any) -> Any:
        """A function of cuda-bindings, which returns its error before what it gives."""
        error, *given = function(*arguments)
        self._check(error)
        return given[0] if given else None

    def _check(self, error: Any) -> None:
        if int(error) != 0:
            _, text = self._bindings.cuGetErrorString(error)
            raise _RefusedError(text.decode() if isinstance(text, bytes) else str(error))

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            raise DetectorError(f"the GPU cannot {what}: {_first_line(error)}", _MEND) from error


class _RefusedError(Exception):
    """A call of cuda-bindings failed; the driver's text."""


def open_cuda() -> Cuda:
    """The first GPU, after a child process found one that answers (`app.detect.gpu_probe`).

    Raises:
        MissingDriverError: pycuda is not installed.
        DetectorError: The GPU gives no context.
    """
    try:
        driver = importlib.import_module("pycuda.driver")
    except (ImportError, OSError) as error:
        raise MissingDriverError("the detector runtime tensorrt", "pycuda", "gpu") from error
    try:
        bindings = importlib.import_module("cuda.bindings.driver")
    except (ImportError, OSError, RuntimeError):
        bindings = None
    return Cuda(driver, bindings)


@lru_cache(maxsize=1)
def _primary_context(driver: Any) -> Any:
    """The one that CUDA has for this process; taken once, as arrays free themselves in it whenever they are let go."""
    context = driver.Device(0).retain_primary_context()
    # What pycuda does by itself when the object is destroyed is meant for contexts that it made, and complains.
    atexit.register(context.detach)
    return context


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
