"""What a build holds for: this device, with these versions. Another of any of these, and it is to be made again."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.detect.gpu_probe import GpuFacts, probe_gpu
from app.detect.manifest import Role
from app.errors import TaktError

ON_CPU = ("onnxruntime", "onnxruntime-gpu", "openvino")
ON_GPU = ("tensorrt", "tensorrt_rtx_cu13", "tensorrt_rtx", "onnxruntime-gpu", "onnxruntime")
"""Distributions whose versions decide how fast and how exact a model is."""

NO_GPU = "no GPU"


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What a choice was measured on and with.

    Attributes:
        device: What computes.
        versions: Of the libraries that are installed, by name.
        threads: Of one inference; 0 on a GPU.
    """

    device: str
    versions: Mapping[str, str]
    threads: int


AskGpu = Callable[[], GpuFacts]


def ask_gpu() -> GpuFacts:
    """The GPU as its driver tells, in a child process.

    Raises:
        DetectorError: There is none.
    """
    return probe_gpu(is_driver_only=True)


def key_of(role: Role, threads: int, ask: AskGpu = ask_gpu) -> BuildKey:
    """What a build would hold for that was made now.

    Args:
        role: `standby`: the processor; `accelerator`: the GPU.
        threads: Of one inference on the processor.
        ask: Asks for the GPU.
    """
    if role == "standby":
        return BuildKey(processor(), _installed(ON_CPU), threads)
    try:
        facts = ask()
    except TaktError:
        return BuildKey(NO_GPU, _installed(ON_GPU), 0)
    versions = {**_installed(ON_GPU), "CUDA of the driver": str(facts.cuda)}
    if facts.tensorrt:
        versions["TensorRT's C++ library"] = facts.tensorrt
    return BuildKey(f"{facts.name}, compute capability {facts.capability}", versions, 0)


def difference(made: BuildKey, now: BuildKey) -> str:
    """What has changed since a build, as the end of a sentence; empty where nothing has."""
    if made.device != now.device:
        return f"was made on {made.device}, and this is {now.device}"
    for name in sorted({*made.versions, *now.versions}):
        before, after = made.versions.get(name), now.versions.get(name)
        if before != after:
            return f"was made with {_versioned(name, before)}, and now there is {_versioned(name, after)}"
    if made.threads != now.threads:
        return f"was made with {made.threads} threads of an inference, and {now.threads} are set"
    return ""


def processor(root: Path = Path("/")) -> str:
    """The processor and its cores as people know them, or the board that it is on."""
    named = _board(root) or _model(root) or platform.machine()
    return f"{named}, {os.cpu_count() or 1} cores"


def _versioned(name: str, version_: str | None) -> str:
    return f"{name} {version_}" if version_ else f"no {name}"


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _board(root: Path) -> str:
    try:
        return (root / "proc/device-tree/model").read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def _model(root: Path) -> str:
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
