"""A package's ONNX file into a serialized engine, on the device that is to run it.

Which kernels TensorRT takes it decides by timing them, so that two builds may differ in their last digits ("Algorithm
Selection and Reproducible Builds", TensorRT 11.0). What is offered against that, and done: the timings of every build
are handed to the next one, which then takes the same kernels again for every layer that was timed before, and each
timing is the mean of several. What is not offered: a first build that is the same on every device of a kind. Not used:
choosing kernels by hand (`EDITABLE_TIMING_CACHE`), which does not say which of them are right. With TensorRT-RTX no
kernel is timed; it compiles them when the engine is first run ("TensorRT RTX Execution Provider", onnxruntime.ai), and
offers nothing to fix them. So an engine is built once, kept, and proven by the golden frames of its package.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from app.detect.engine_folder import OnProgress, ignore_progress
from app.detect.package import Package
from app.detect.ports import Port, check_ports
from app.detect.tensorrt_library import (
    FLAVOUR,
    IS_RTX,
    VERSION,
    complaints,
    kind_of,
    network_flags,
    one_line,
    shape_of,
    trt,
)
from app.errors import ConfigError, DetectorError, PackageError

WORKSPACE_BYTES = 1 << 30
_TIMINGS = 8
_WAITING = 256
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an engine is built; its precision is the ONNX file's.

    Attributes:
        workspace_bytes: What kernels may use of the GPU's memory beside weights and tensors.
        dla_core: Build for this deep learning accelerator, with the GPU for layers that it does not take.
        capability: Build for a GPU of this compute capability, such as `8.6`, that is not here; TensorRT-RTX only.
    """

    workspace_bytes: int = WORKSPACE_BYTES
    dla_core: int | None = None
    capability: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build gives.

    Attributes:
        plan: The serialized engine.
        timings: For the next build; empty where the library keeps none.
    """

    plan: bytes
    timings: bytes


def build_plan(
    package: Package,
    options: BuildOptions | None = None,
    timings: bytes = b"",
    on_progress: OnProgress = ignore_progress,
) -> Built:
    """Builds the engine of a package's model; seconds to minutes.

    TensorRT works in a thread of its own, so that the caller can be interrupted: an exception here, such as
    KeyboardInterrupt or one of `on_progress`, stops the build at its next step and goes on when it has stopped.

    Args:
        package: The package.
        options: How.
        timings: Of an earlier build with the same library on the same GPU; those that do not fit are passed over.
        on_progress: Is told, in this thread.

    Raises:
        PackageError: TensorRT cannot read the file, naming node and operator, or build it, or its inputs and outputs
            are not those of its manifest.
        ConfigError: An option that the library or the device does not have.
        DetectorError: TensorRT does not start.
    """
    options = options or BuildOptions()
    log = complaints()
    log.clear()
    builder = trt.Builder(log)
    if builder is None:
        raise DetectorError(f"{FLAVOUR} {VERSION} does not start: {log.first()}", "mend the GPU's driver")
    network = builder.create_network(network_flags())
    _parse(package, network)
    check_ports(package, *_ports(network))
    config = _configure(builder, options)
    cache = _give_timings(config, timings)
    plan = _run(builder, network, config, on_progress)
    if plan is None:
        raise PackageError(
            f"{package.onnx} cannot be built by {FLAVOUR} {VERSION}: {log.first()}",
            "export it again, or use the runtime onnx",
        )
    return Built(bytes(plan), bytes(cache.serialize()) if cache is not None else b"")


def _parse(package: Package, network: Any) -> None:
    parser = trt.OnnxParser(network, complaints())
    if parser.parse(package.read_onnx()):
        return
    wrong = _parser_error(parser.get_error(0)) if parser.num_errors else complaints().first()
    raise PackageError(
        f"{package.onnx} is no model that {FLAVOUR} {VERSION} can read: {wrong}",
        "export it without what is named, or use the runtime onnx",
    )


def _parser_error(error: Any) -> str:
    """`node NAME (OPERATOR): what is wrong`; the first line names the node once more."""
    name = error.node_name() if hasattr(error, "node_name") else ""
    operator = error.node_operator() if hasattr(error, "node_operator") else ""
    lines = [line for line in error.desc().splitlines() if line.strip()]
    said = lines[1:] if len(lines) > 1 and lines[0].startswith("Invalid Node") else lines
    wrong = one_line(said[0] if said else "")
    if not name and error.node() < 0:  # the file as a whole
        return wrong
    return f"node {name or error.node()}" + (f" ({operator})" if operator else "") + f": {wrong}"


def _ports(network: Any) -> tuple[list[Port], list[Port]]:
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    outputs = [network.get_output(number) for number in range(network.num_outputs)]
    return [_port(each) for each in inputs], [_port(each) for each in outputs]


def _port(tensor: Any) -> Port:
    return Port(tensor.name, kind_of(tensor.dtype), shape_of(tensor.shape))


def _configure(builder: Any, options: BuildOptions) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    # By itself TensorRT rounds float32 to 10 bits of mantissa where the GPU is faster with that.
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)  # else it may not be recorded in a graph
    if not IS_RTX:
        config.avg_timing_iterations = _TIMINGS
    if options.dla_core is not None:
        check_dla(options.dla_core, int(builder.num_DLA_cores))
        _choose_dla(config, options.dla_core)
    if options.capability:
        _choose_capability(config, options.capability)
    return config


def check_dla(core: int | None, cores: int) -> None:
    """Refuses a deep learning accelerator that the device does not have.

    Args:
        core: The one asked for, if any.
        cores: How many there are that TensorRT can use.

    Raises:
        ConfigError: There is no such core.
    """
    if core is None or 0 <= core < cores:
        return
    has = f"has {cores}, numbered from 0" if cores else "has none that this TensorRT can use"
    raise ConfigError(f"DLA core {core} is asked for and the device {has}", "build without a DLA core, or name another")


def _choose_dla(config: Any, core: int) -> None:
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)


def _choose_capability(config: Any, capability: str) -> None:
    name = f"SM{capability.replace('.', '')}"
    known = getattr(getattr(trt, "ComputeCapability", None), name, None)
    if known is None:
        raise ConfigError(
            f"{FLAVOUR} {VERSION} cannot build for compute capability {capability} on another machine",
            "build on the device that is to run it",
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(known, 0)


def _give_timings(config: Any, timings: bytes) -> Any:
    """The cache that the build reads and fills; `None` where the library has none."""
    if IS_RTX:
        return None
    for content in (timings, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def _run(builder: Any, network: Any, config: Any, on_progress: OnProgress) -> Any:
    """Builds in a thread and tells its progress in this one."""
    steps: queue.Queue[tuple[str, int, int]] = queue.Queue(_WAITING)
    stop = threading.Event()
    if hasattr(trt, "IProgressMonitor"):
        config.progress_monitor = _monitor(steps, stop)
    worker = ThreadPoolExecutor(1, thread_name_prefix="tensorrt-build")
    try:
        building = worker.submit(builder.build_serialized_network, network, config)
        while not building.done():
            _tell(steps, on_progress, _LOOK_S)
        while not steps.empty():
            _tell(steps, on_progress, 0)
        return building.result()
    finally:
        stop.set()
        worker.shutdown()


def _tell(steps: queue.Queue[tuple[str, int, int]], on_progress: OnProgress, wait_s: float) -> None:
    try:
        step = steps.get(timeout=wait_s) if wait_s else steps.get_nowait()
    except queue.Empty:
        return
    on_progress(*step)


def _monitor(steps: queue.Queue[tuple[str, int, int]], stop: threading.Event) -> Any:
    """TensorRT's view of the build; steps that nobody takes in time are dropped, as the next ones tell more."""
    base: Any = trt.IProgressMonitor

    class Monitor(base):  # type: ignore[misc]  # the library ships no types
        def __init__(self) -> None:
            super().__init__()
            self._totals: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:  # noqa: ARG002 - its names
            self._totals[phase_name] = num_steps
            self._put(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._put(phase_name, step + 1)
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            self._put(phase_name, self._totals.get(phase_name, 0))

        def _put(self, phase: str, done: int) -> None:
            try:
                steps.put_nowait((phase, done, self._totals.get(phase, 0)))
            except queue.Full:
                return

    return Monitor()
