"""Drivers `onnx-tensorrt` and `onnx-cuda`: ONNX Runtime on an NVIDIA GPU, the second way to an accelerator.

Two drivers and not one with a list: what judged stands in the ledger by its name, and a build times each for itself.
How a session is kept from using the processor in silence: `app.detect.onnx_bound`.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from app.clock import Clock
from app.detect.engine import LocalDetector
from app.detect.engine_cache import EngineKey
from app.detect.engine_folder import Note, OnProgress, folder_for, ignore_note, ignore_progress
from app.detect.gpu_probe import GpuFacts, probe_gpu
from app.detect.onnx_bound import BoundEngine, Options, Way, check_way
from app.detect.package import Package
from app.detect.prepare import Preparation
from app.detect.room import check_fits
from app.errors import MissingDriverError

try:
    import onnxruntime as ort
except (ImportError, OSError) as error:
    raise MissingDriverError("the detector runtimes onnx-tensorrt and onnx-cuda", "onnxruntime-gpu", "") from error

TENSORRT, CUDA = "onnx-tensorrt", "onnx-cuda"


# What TensorRT does not take goes to CUDA, which is the same device.
BY_TENSORRT = Way(TENSORRT, ("TensorrtExecutionProvider", "CUDAExecutionProvider"))
BY_CUDA = Way(CUDA, ("CUDAExecutionProvider",))


def open_onnx_tensorrt(
    package: Package,
    threads: int,  # noqa: ARG001 - as every driver is opened
    clock: Clock,
    preparation: Preparation | None = None,
    *,
    folder: Path | None = None,
    on_note: Note = ignore_note,
    on_progress: OnProgress = ignore_progress,  # noqa: ARG001 - ONNX Runtime does not tell
) -> LocalDetector:
    """Loads a package on ONNX Runtime's TensorRT provider and warms it up; the first time it builds the engine.

    Args:
        package: The package.
        threads: Of no meaning on a GPU.
        clock: Times the stages.
        preparation: Input buffers that somebody else has made.
        folder: Where engines are kept; by default `engines` in the station's state.
        on_note: Is told why engines are not kept.
        on_progress: Of no meaning.

    Raises:
        MissingDriverError: The ONNX Runtime that is installed has no such provider.
        DetectorError: There is no driver or GPU, the model does not fit its memory, or would not run there.
        PackageError: The file is no such model.
    """
    facts = _found(BY_TENSORRT, package, on_note)
    kept = _kept_in(package, facts, folder, on_note)
    options = {BY_TENSORRT.providers[0]: tensorrt_options(package, kept), BY_CUDA.providers[0]: cuda_options()}
    return open_way(package, BY_TENSORRT, options, clock, preparation)


def open_onnx_cuda(
    package: Package,
    threads: int,  # noqa: ARG001 - as every driver is opened
    clock: Clock,
    preparation: Preparation | None = None,
    *,
    folder: Path | None = None,  # noqa: ARG001 - as every driver of a GPU is opened
    on_note: Note = ignore_note,
    on_progress: OnProgress = ignore_progress,  # noqa: ARG001 - the same
) -> LocalDetector:
    """Loads a package on ONNX Runtime's CUDA provider and warms it up.

    Args:
        package: The package.
        threads: Of no meaning on a GPU.
        clock: Times the stages.
        preparation: Input buffers that somebody else has made.
        folder: Of no meaning: nothing is built that could be kept.
        on_note: Is told what the search for CUDA's libraries says.
        on_progress: Of no meaning.

    Raises:
        TaktError: As `open_onnx_tensorrt`.
    """
    _found(BY_CUDA, package, on_note)
    return open_way(package, BY_CUDA, {BY_CUDA.providers[0]: cuda_options()}, clock, preparation)


def open_way(
    package: Package, way: Way, options: Options, clock: Clock, preparation: Preparation | None = None
) -> LocalDetector:
    """Loads a package on a way of ONNX Runtime and warms it up.

    Raises:
        TaktError: As `BoundEngine`.
    """
    preparation = preparation or Preparation(package.spec)
    return LocalDetector(package, way.runtime, preparation, BoundEngine(package, way, options, preparation), clock)


def cuda_options() -> dict[str, str]:
    """Float32 is float32: by itself the provider rounds to 10 bits of mantissa where the GPU is faster with that."""
    return {"device_id": "0", "use_tf32": "0"}


def tensorrt_options(package: Package, folder: Path | None) -> dict[str, str]:
    """The provider's options ("TensorRT Execution Provider", onnxruntime.ai).

    Precision is the ONNX file's: FP16 and INT8 are permitted where the file computes in them, and not otherwise.

    Args:
        package: The model.
        folder: Where engines are kept; `None`: nowhere.
    """
    options = {
        "device_id": "0",
        "trt_fp16_enable": "1" if package.precision == "fp16" else "0",
        "trt_int8_enable": "1" if package.precision == "int8" else "0",
    }
    if folder is not None:
        options |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder),
        }
    return options


def _found(way: Way, package: Package, on_note: Note) -> GpuFacts:
    """The GPU, once it is certain that this ONNX Runtime may use it and the model fits."""
    check_way(way)
    facts = probe_gpu(is_driver_only=True)
    check_fits(package, facts)
    _preload(on_note)
    return facts


def check_built_with(runtime: str) -> None:
    """Refuses a way that the ONNX Runtime which is installed was built without.

    Args:
        runtime: `onnx-tensorrt` or `onnx-cuda`.

    Raises:
        MissingDriverError: It was; says how to install the one that has it.
    """
    check_way(next(each for each in (BY_TENSORRT, BY_CUDA) if each.runtime == runtime))


def _preload(on_note: Note) -> None:
    """Loads CUDA's libraries from where pip puts them; what is missing it prints, and the session then says."""
    if hasattr(ort, "preload_dlls"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            ort.preload_dlls()
        if said.getvalue().strip():
            on_note(f"ONNX Runtime says of CUDA's libraries: {' '.join(said.getvalue().split())}")


def _kept_in(package: Package, facts: GpuFacts, folder: Path | None, on_note: Note) -> Path | None:
    """Where the provider keeps its engines; it looks at their names only, so that all they depend on is in the path."""
    if not facts.tensorrt:
        on_note("which TensorRT this is cannot be told, so the engines of ONNX Runtime are not kept")
        return None
    library = f"ONNX Runtime {ort.__version__}, TensorRT {facts.tensorrt}"
    options = {"provider": BY_TENSORRT.providers[0]}
    key = EngineKey(facts.name, facts.capability, library, package.onnx_sha256, options)
    return folder_for(key.name, folder, on_note)
