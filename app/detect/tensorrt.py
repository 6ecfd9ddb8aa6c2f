"""Driver `tensorrt`: TensorRT, or TensorRT-RTX, on an NVIDIA GPU.

The engine is built on the device that runs it, which takes seconds to minutes, and kept (`app.detect.engine_cache`). A
frame's whole step, copy in, infer, copy out, is recorded once as a graph and launched as one, where cuda-bindings is
installed; else its parts are queued one after another. Nothing is allocated for a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.clock import Clock
from app.detect.cuda import Cuda, open_cuda
from app.detect.engine import LocalDetector
from app.detect.engine_cache import EngineCache, EngineKey
from app.detect.engine_folder import Note, OnProgress, ignore_note, ignore_progress
from app.detect.gpu_probe import GpuFacts, probe_gpu
from app.detect.package import Package
from app.detect.prepare import Preparation
from app.detect.room import check_fits
from app.detect.tensorrt_build import (
    WORKSPACE_BYTES,
    BuildOptions,
    Built,
    build_plan,
    check_dla,
)
from app.detect.tensorrt_engine import (
    LIBRARY,
    Inputs,
    TensorRtEngine,
    adopted_inputs,
    locked_inputs,
)
from app.errors import EngineRefusedError

RUNTIME = "tensorrt"

Build = Callable[[bytes], Built]
"""Builds an engine, with the timings of earlier builds."""


@dataclass(frozen=True, slots=True)
class TensorRtOptions:
    """How an engine is built, kept and run.

    Attributes:
        folder: Where engines are kept; by default `engines` in the station's state.
        workspace_bytes: What kernels may use of the GPU's memory beside weights and tensors.
        dla_core: Run on this deep learning accelerator, with the GPU for layers that it does not take.
        is_recorded: Launch a frame's step as one graph, where that can be.
    """

    folder: Path | None = None
    workspace_bytes: int = WORKSPACE_BYTES
    dla_core: int | None = None
    is_recorded: bool = True


class TensorRtDetector(LocalDetector):
    """A `LocalDetector` that gives the GPU back when it is closed.

    Args:
        package: The package.
        preparation: Owner of the input buffers that `engine` is bound to.
        engine: The engine.
        clock: Times the stages.

    Attributes:
        why_not_recorded: Why a frame is queued in parts; empty where it is launched as one graph.
    """

    def __init__(self, package: Package, preparation: Preparation, engine: TensorRtEngine, clock: Clock) -> None:
        self._device_engine = engine
        self.why_not_recorded = engine.why_not_recorded
        super().__init__(package, RUNTIME, preparation, engine, clock)

    def close(self) -> None:
        """Frees the engine and the GPU. Idempotent."""
        super().close()
        self._device_engine.close()


class KeptEngines:
    """The engines of one package on one GPU: those that are kept, and new ones where none is.

    Args:
        package: The package.
        facts: The GPU.
        options: How engines are built and kept.
        on_progress: Is told of a build.
        on_note: Is told why a kept engine was not taken.
    """

    def __init__(
        self, package: Package, facts: GpuFacts, options: TensorRtOptions, on_progress: OnProgress, on_note: Note
    ) -> None:
        self._package = package
        self._build_options = BuildOptions(options.workspace_bytes, options.dla_core)
        self._on_progress = on_progress
        self._on_note = on_note
        self._cache = EngineCache(options.folder, note=on_note)
        dla = "none" if options.dla_core is None else str(options.dla_core)
        chosen = {"dla_core": dla, "workspace_bytes": str(options.workspace_bytes)}
        self.key = EngineKey(facts.name, facts.capability, LIBRARY, package.onnx_sha256, chosen)
        self.timings_key = EngineKey(facts.name, facts.capability, LIBRARY, "", {"kind": "timings"})

    def open(self, start: Callable[[bytes], TensorRtEngine]) -> TensorRtEngine:
        """Starts the engine that is kept, or a new one where there is none or TensorRT does not take it.

        Args:
            start: Makes an engine of its plan.

        Raises:
            TaktError: As `start` and `build_plan`.
        """
        kept = self._cache.load(self.key)
        if kept is None:
            return start(self._built())
        try:
            return start(kept)
        except EngineRefusedError as error:
            self._on_note(f"{self._cache.folder / self.key.file_name}: {error.what}; the engine is built anew")
            self._cache.forget(self.key)
        return start(self._built())

    def _built(self) -> bytes:
        earlier = self._cache.load(self.timings_key) or b""
        built = build_plan(self._package, self._build_options, earlier, self._on_progress)
        self._cache.store(self.key, built.plan)
        if built.timings:
            self._cache.store(self.timings_key, built.timings)
        return built.plan


def open_tensorrt(
    package: Package,
    threads: int,  # noqa: ARG001 - as every driver is opened
    clock: Clock,
    preparation: Preparation | None = None,
    options: TensorRtOptions | None = None,
    *,
    folder: Path | None = None,
    on_progress: OnProgress = ignore_progress,
    on_note: Note = ignore_note,
) -> TensorRtDetector:
    """Loads a package's engine on the GPU and warms it up; builds it first where none is kept that fits.

    Args:
        package: The package.
        threads: Of no meaning on a GPU.
        clock: Times the stages.
        preparation: Input buffers that somebody else has made, such as memory that another process fills.
        options: How the engine is built, kept and run.
        folder: Where engines are kept, in the place of what the options say.
        on_progress: Is told of a build.
        on_note: Is told why a kept engine was not taken, or why frames are not launched as graphs.

    Raises:
        MissingDriverError: pycuda is not installed.
        DetectorError: There is no driver or GPU, the model does not fit its memory, or it does not run.
        PackageError: The file is no such model.
        ConfigError: The device has no such DLA core.
    """
    options = options or TensorRtOptions()
    options = replace(options, folder=folder or options.folder)
    facts = probe_gpu()
    check_fits(package, facts)
    check_dla(options.dla_core, facts.dla_cores)
    cuda = open_cuda()
    try:
        inputs = adopted_inputs(preparation, cuda) if preparation else locked_inputs(package.spec, cuda)
        engines = KeptEngines(package, facts, options, on_progress, on_note)
        engine = engines.open(lambda plan: _start(package, plan, cuda, inputs, options))
        if engine.why_not_recorded:
            on_note(f"frames are queued in parts and not launched as one graph: {engine.why_not_recorded}")
        return TensorRtDetector(package, inputs.preparation, engine, clock)
    except BaseException:
        cuda.close()
        raise


def _start(package: Package, plan: bytes, cuda: Cuda, inputs: Inputs, options: TensorRtOptions) -> TensorRtEngine:
    return TensorRtEngine(package, plan, cuda, inputs, dla_core=options.dla_core, is_recorded=options.is_recorded)
