"""Driver `onnx`: ONNX Runtime on the CPU."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from app.clock import Clock
from app.detect.engine import LocalDetector
from app.detect.package import Package
from app.detect.ports import Port, check_ports
from app.detect.prepare import Preparation
from app.errors import DetectorError, MissingDriverError, PackageError

try:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as states
except (ImportError, OSError) as error:
    raise MissingDriverError("the detector runtime onnx", "onnxruntime", "") from error

PROVIDER = "CPUExecutionProvider"
LOG_FATAL = 4
_PLACE = re.compile(r"/\S+\.(?:cc|h):\d+ [^()]*\([^()]*\)(?: const)? ")
REFUSALS: tuple[type[Exception], ...] = (
    *(each for each in vars(states).values() if isinstance(each, type) and issubclass(each, Exception)),
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises for a file or a run that it does not like."""


class OnnxEngine:
    """A session whose inputs and outputs are bound to fixed buffers once.

    Args:
        package: The package.
        threads: Threads of the one inference.
        preparation: The input buffers.

    Raises:
        PackageError: ONNX Runtime refuses the file, or its tensors are not what the layout says.
    """

    def __init__(self, package: Package, threads: int, preparation: Preparation) -> None:
        self._session = _open_session(package, threads)
        self.outputs = check_ports(package, ports_of(self._session.get_inputs()), ports_of(self._session.get_outputs()))
        self._inputs = preparation  # keeps the memory alive that the session reads
        self._binding = self._session.io_binding()
        inputs = {"image": preparation.image, "golden": preparation.golden}
        for name, buffer in inputs.items():
            if buffer is not None:
                self._binding.bind_input(name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
        for name, output in self.outputs.by_name().items():
            self._binding.bind_output(name, "cpu", 0, output.dtype, output.shape, output.ctypes.data)

    def infer(self) -> None:
        """Runs the session on its buffers."""
        try:
            self._session.run_with_iobinding(self._binding)
        except REFUSALS as error:
            raise DetectorError(f"ONNX Runtime failed: {first_line(error)}", "prove the package again") from error


def open_onnx(package: Package, threads: int, clock: Clock, preparation: Preparation | None = None) -> LocalDetector:
    """Loads a package on ONNX Runtime and warms it up.

    Raises:
        PackageError: The file is no such model.
        DetectorError: It does not run.
    """
    preparation = preparation or Preparation(package.spec)
    return LocalDetector(package, "onnx", preparation, OnnxEngine(package, threads, preparation), clock)


def _open_session(package: Package, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = LOG_FATAL  # what it would print stands in the exception
    try:
        session = ort.InferenceSession(package.read_onnx(), options, providers=[PROVIDER])
    except REFUSALS as error:
        raise PackageError(
            f"{package.onnx} is no model that ONNX Runtime {ort.__version__} can run: {first_line(error)}",
            "export it again, or install a newer onnxruntime",
        ) from error
    if session.get_providers() != [PROVIDER]:
        raise PackageError(f"{package.onnx} would run on {session.get_providers()}", f"make {PROVIDER} available")
    return session


def ports_of(found: Any) -> list[Port]:
    """Inputs or outputs as a session tells them."""
    return [
        Port(each.name, _kind(each.type), tuple(size if isinstance(size, int) else None for size in each.shape))
        for each in found
    ]


def _kind(onnx_type: str) -> str:
    """`tensor(float)` -> `float32`, as numpy spells it; what is unknown stays as it is."""
    inner = onnx_type.removeprefix("tensor(").removesuffix(")")
    inner = {"float": "float32", "double": "float64"}.get(inner, inner)
    try:
        return str(np.dtype(inner).name)
    except TypeError:
        return inner


def first_line(error: Exception) -> str:
    """The first line of what ONNX Runtime says, as the rest repeats it, without its own places in the source."""
    lines = str(error).strip().splitlines()
    return _PLACE.sub("", lines[0]) if lines else type(error).__name__
