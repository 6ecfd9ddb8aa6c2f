"""The detector drivers by name, imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from app.clock import Clock, SystemClock
from app.detect.detector import Detector
from app.detect.engine import LocalDetector
from app.detect.engine_folder import Keeping
from app.detect.package import Package
from app.detect.prepare import Preparation
from app.errors import ConfigError, MissingDriverError

AUTO, BLANK, SICK = "auto", "blank", "sick"

RUNTIMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "openvino": ("app.detect.openvino", "open_openvino"),
        "onnx": ("app.detect.onnx", "open_onnx"),
        "tensorrt": ("app.detect.tensorrt", "open_tensorrt"),
        "onnx-tensorrt": ("app.detect.onnx_gpu", "open_onnx_tensorrt"),
        "onnx-cuda": ("app.detect.onnx_gpu", "open_onnx_cuda"),
        BLANK: ("app.detect.blank", "open_blank"),
    }
)
"""Runtime -> module and the function that opens a package."""

PREFERRED = ("openvino", "onnx")
"""What `auto` means on the processor, the preferred one first."""

ON_GPU = ("tensorrt", "onnx-tensorrt", "onnx-cuda")
"""What runs on a GPU, the preferred one first."""


def open_detector(package: Package, runtime: str = "auto", threads: int = 2, clock: Clock | None = None) -> Detector:
    """Loads a package on a runtime and warms it up.

    The runtime's own threads take over the scheduling and the cores of the thread that calls this. So call it in the
    thread that will judge, once that has its real-time priority; with a model that was loaded before, the inference
    waits for every neighbour in ordinary threads, whatever the priority of who asks.

    Args:
        package: The package.
        runtime: A key of `RUNTIMES`, or `auto`: OpenVINO where it is installed, else ONNX Runtime.
        threads: Threads of one inference.
        clock: Times the stages; by default the machine's own, as inference takes real time even on the twin.

    Raises:
        ConfigError: No such runtime.
        MissingDriverError: Its library is not installed.
        PackageError: The file is no such model, or has other inputs or outputs than its manifest says.
        DetectorError: It does not run.
    """
    opener = _opener(runtime if runtime != AUTO else next(filter(is_installed, PREFERRED), PREFERRED[-1]))
    detector: Detector = opener(package, threads, clock or SystemClock())
    return detector


def open_local(
    package: Package,
    runtime: str,
    threads: int,
    clock: Clock,
    preparation: Preparation,
    keeping: Keeping | None = None,
) -> LocalDetector:
    """Loads a package on a runtime, bound to input buffers that somebody else has made, and warms it up.

    Args:
        package: The package.
        runtime: A key of `RUNTIMES`.
        threads: Threads of one inference.
        clock: Times the stages.
        preparation: Owner of the input buffers.
        keeping: Where engines are kept that it builds, and who is told of that.

    Raises:
        ConfigError: No such runtime, or it takes no input.
        TaktError: As `open_detector`.
    """
    opener = _opener(runtime)
    if runtime == BLANK:
        raise ConfigError(f"the runtime {runtime} looks at nothing", f"use one of {', '.join(PREFERRED)}")
    told: dict[str, Any] = {}
    if keeping is not None and runtime in ON_GPU:
        told = {"folder": keeping.folder, "on_note": keeping.on_note, "on_progress": keeping.on_progress}
    detector: LocalDetector = opener(package, threads, clock, preparation, **told)
    return detector


def accelerators(wanted: str) -> tuple[str, ...]:
    """The runtimes of an accelerator's process, the preferred one first.

    Args:
        wanted: A runtime, or `auto`: TensorRT, then ONNX Runtime's ways to a GPU where it was built with them.
    """
    if wanted != AUTO:
        return (wanted,)
    return tuple(each for each in ON_GPU if each == ON_GPU[0] or is_installed(each))


def is_installed(runtime: str) -> bool:
    """The library of a runtime loads, and was built with what the runtime is.

    Raises:
        ConfigError: No such runtime.
    """
    try:
        _opener(runtime)
        if runtime in ("onnx-tensorrt", "onnx-cuda"):
            importlib.import_module("app.detect.onnx_gpu").check_built_with(runtime)
    except MissingDriverError:
        return False
    return True


def check_runtime(runtime: str) -> None:
    """Refuses a name that is no runtime's.

    Raises:
        ConfigError: It is none.
    """
    if runtime not in RUNTIMES:
        raise ConfigError(f"there is no detector runtime {runtime!r}", f"use auto or one of {', '.join(RUNTIMES)}")


def _opener(runtime: str) -> Callable[..., Any]:
    check_runtime(runtime)
    module, function = RUNTIMES[runtime]
    opener: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return opener
