"""Driver `openvino`: OpenVINO on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.clock import Clock
from app.detect.engine import LocalDetector
from app.detect.package import Package
from app.detect.ports import Port, check_ports
from app.detect.prepare import Preparation
from app.errors import DetectorError, MissingDriverError, PackageError

try:
    import openvino as ov
except (ImportError, OSError) as error:
    raise MissingDriverError("the detector runtime openvino", "openvino", "openvino") from error


class OpenVinoEngine:
    """One inference request whose tensors share memory with fixed buffers.

    Args:
        package: The package.
        threads: Threads of the one inference.
        preparation: The input buffers.

    Raises:
        PackageError: OpenVINO refuses the file, or its tensors are not what the layout says.
    """

    def __init__(self, package: Package, threads: int, preparation: Preparation) -> None:
        content = package.read_onnx()
        try:
            core = ov.Core()
            model = core.read_model(content)
            self.outputs = check_ports(package, _ports(model.inputs), _ports(model.outputs))
            compiled = core.compile_model(model, "CPU", _settings(threads))
            self._request = compiled.create_infer_request()
        except RuntimeError as error:
            raise PackageError(
                f"{package.onnx} is no model that OpenVINO {ov.__version__.split('-')[0]} can run: {_last_line(error)}",
                "export it again, or use the runtime onnx",
            ) from error
        self._inputs = preparation  # keeps the memory alive that the request reads
        self._request.set_tensor("image", ov.Tensor(preparation.image, shared_memory=True))
        if preparation.golden is not None:
            self._request.set_tensor("golden", ov.Tensor(preparation.golden, shared_memory=True))
        for name, output in self.outputs.by_name().items():
            self._request.set_tensor(name, ov.Tensor(output, shared_memory=True))

    def infer(self) -> None:
        """Runs the request on its tensors."""
        try:
            # infer() would copy every output into a new array.
            self._request.start_async()
            self._request.wait()
        except RuntimeError as error:
            raise DetectorError(f"OpenVINO failed: {_last_line(error)}", "prove the package again") from error


def open_openvino(
    package: Package, threads: int, clock: Clock, preparation: Preparation | None = None
) -> LocalDetector:
    """Loads a package on OpenVINO and warms it up.

    Raises:
        PackageError: The file is no such model.
        DetectorError: It does not run.
    """
    preparation = preparation or Preparation(package.spec)
    return LocalDetector(package, "openvino", preparation, OpenVinoEngine(package, threads, preparation), clock)


def _settings(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Precision lives in the ONNX file; by itself OpenVINO takes bfloat16 where the CPU has it.
        "INFERENCE_PRECISION_HINT": "f32",
    }


def _ports(found: Any) -> list[Port]:
    return [
        Port(
            each.any_name,
            np.dtype(each.element_type.to_dtype()).name,
            tuple(size.get_length() if size.is_static else None for size in each.partial_shape),
        )
        for each in found
    ]


def _last_line(error: Exception) -> str:
    """OpenVINO puts its source places first and what is wrong last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
