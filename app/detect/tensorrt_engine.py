"""An engine of TensorRT bound to memory of the GPU, and what it takes to run it once for each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detect.cuda import Buffer, Cuda
from app.detect.detector import InputSpec
from app.detect.package import Package
from app.detect.ports import Outputs, Port, check_ports
from app.detect.prepare import Preparation
from app.detect.room import TOO_LARGE, in_mb
from app.detect.tensorrt_library import (
    FLAVOUR,
    VERSION,
    activation_bytes,
    complaints,
    is_capturable,
    kind_of,
    shape_of,
    trt,
)
from app.errors import DetectorError, EngineRefusedError

LIBRARY = f"{FLAVOUR} {VERSION}"


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """The input buffers of a model, and where the GPU finds them.

    Attributes:
        preparation: Fills them.
        buffers: By the name of the input.
        copies: From memory that the driver does not lock into memory that it does, before each frame.
    """

    preparation: Preparation
    buffers: Mapping[str, Buffer]
    copies: tuple[tuple[NDArray[Any], NDArray[Any]], ...] = ()


def locked_inputs(spec: InputSpec, cuda: Cuda) -> Inputs:
    """Input buffers in page-locked memory."""
    preparation = Preparation(spec)
    buffers = {
        name: cuda.buffer(each.shape, each.dtype.name, is_input=True) for name, each in _pictures(preparation).items()
    }
    preparation.image = buffers["image"].host
    if preparation.golden is not None:
        preparation.golden = buffers["golden"].host
    return Inputs(preparation, buffers)


def adopted_inputs(preparation: Preparation, cuda: Cuda) -> Inputs:
    """Input buffers that somebody else has made; locked where they lie, or else copied before each frame."""
    buffers: dict[str, Buffer] = {}
    copies = []
    for name, picture in _pictures(preparation).items():
        adopted = cuda.adopted(picture)
        buffers[name] = adopted or cuda.buffer(picture.shape, picture.dtype.name, is_input=True)
        if adopted is None:
            copies.append((buffers[name].host, picture))
    return Inputs(preparation, buffers, tuple(copies))


class TensorRtEngine:
    """An engine bound to fixed memory of the GPU and page-locked memory of the machine.

    Args:
        package: The package.
        plan: Its serialized engine.
        cuda: The GPU; the engine closes it.
        inputs: The input buffers.
        dla_core: The deep learning accelerator that the engine was built for.
        is_recorded: Launch a frame's step as one graph, where that can be.

    Attributes:
        outputs: As of every engine, in page-locked memory.
        why_not_recorded: Why a frame is queued in parts; empty where it is launched as one graph.

    Raises:
        EngineRefusedError: TensorRT refuses the plan.
        DetectorError: It does not fit the GPU's memory, with both sizes, or does not run.
        PackageError: The engine has other inputs or outputs than the manifest.
    """

    def __init__(
        self, package: Package, plan: bytes, cuda: Cuda, inputs: Inputs, *, dla_core: int | None, is_recorded: bool
    ) -> None:
        self._cuda = cuda
        self._stream = cuda.stream
        with cuda.current():
            self._runtime, self._engine = _deserialize(plan, cuda, dla_core)
            found = check_ports(package, *_ports(self._engine)).by_name()
            _check_room(cuda, activation_bytes(self._engine), "to compute in")
            self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise DetectorError(f"{LIBRARY} cannot prepare the engine: {complaints().first()}", TOO_LARGE)
        outputs = {name: cuda.buffer(each.shape, each.dtype.name, is_input=False) for name, each in found.items()}
        for name, buffer in (*inputs.buffers.items(), *outputs.items()):
            self._bind(name, buffer)
        self._inputs = inputs  # keeps the memory alive that the GPU reads
        self._sent = [each for each in inputs.buffers.values() if not each.is_mapped]
        self._fetched = list(outputs.values())
        self.outputs = Outputs({name: each.host for name, each in outputs.items()})
        self._step: Callable[[], None] = self._launch
        self.why_not_recorded = self._record() if is_recorded else "it was not asked for"

    def infer(self) -> None:
        """Copies the inputs in, runs the engine, copies the outputs out, and waits for that.

        Raises:
            DetectorError: CUDA or TensorRT failed, now or before.
        """
        for target, source in self._inputs.copies:
            np.copyto(target, source)
        self._cuda.run(self._step)

    def close(self) -> None:
        """Gives the GPU's memory back. Idempotent; the outputs' arrays stay readable."""
        self._step = self._launch
        self._context = self._engine = self._runtime = None
        self._cuda.close()

    def _launch(self) -> None:
        for buffer in self._sent:
            self._cuda.send(buffer)
        if not self._context.execute_async_v3(self._stream):
            raise DetectorError(f"{LIBRARY} failed: {complaints().first()}", "restart the process that owns the GPU")
        for buffer in self._fetched:
            self._cuda.fetch(buffer)

    def _record(self) -> str:
        """Records a frame's step; else says why not."""
        if not self._cuda.has_graphs:
            return "cuda-bindings is not installed"
        self._cuda.run(self._launch)
        with self._cuda.current():
            if not is_capturable(self._context, self._stream):
                return f"{LIBRARY} says that this engine cannot be"
        try:
            self._step = self._cuda.record(self._launch)
        except DetectorError as error:
            return error.what
        return ""

    def _bind(self, name: str, buffer: Buffer) -> None:
        if not self._context.set_tensor_address(name, buffer.address):
            raise DetectorError(f"{LIBRARY} takes no memory for {name}: {complaints().first()}", "build it again")


def _deserialize(plan: bytes, cuda: Cuda, dla_core: int | None) -> tuple[Any, Any]:
    log = complaints()
    log.clear()
    _check_room(cuda, len(plan), "for its weights")
    runtime = trt.Runtime(log)
    if dla_core is not None:
        runtime.DLA_core = dla_core
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineRefusedError(f"{LIBRARY} refuses the engine: {log.first()}", "build it again")
    return runtime, engine


def _check_room(cuda: Cuda, needed: int, what: str) -> None:
    free = cuda.free_bytes()
    if needed > free:
        raise DetectorError(
            f"the engine needs {in_mb(needed)} of the GPU's memory {what}, which has {in_mb(free)} free", TOO_LARGE
        )


def _ports(engine: Any) -> tuple[list[Port], list[Port]]:
    inputs: list[Port] = []
    outputs: list[Port] = []
    for number in range(engine.num_io_tensors):
        name = engine.get_tensor_name(number)
        port = Port(name, kind_of(engine.get_tensor_dtype(name)), shape_of(engine.get_tensor_shape(name)))
        (inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else outputs).append(port)
    return inputs, outputs


def _pictures(preparation: Preparation) -> dict[str, NDArray[np.uint8]]:
    pictures = {"image": preparation.image, "golden": preparation.golden}
    return {name: each for name, each in pictures.items() if each is not None}
