"""What a measurement was made on: machine, load and versions. A figure without them means nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app import __version__

_LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "openvino")
_OF_RUNTIME = {"onnx": "onnxruntime", "openvino": "openvino"}
UNKNOWN = "unknown"


def load_average() -> tuple[float, float, float]:
    """Processes that ran or wanted to, over 1, 5 and 15 minutes."""
    one, five, fifteen = os.getloadavg()
    return round(one, 2), round(five, 2), round(fifteen, 2)


def versions(runtime: str = "") -> dict[str, str]:
    """The versions of Takt, Python and the libraries that the figures depend on.

    Args:
        runtime: What ran the model; its library's version is also told as `runtime`.
    """
    found = {"takt": __version__, "python": platform.python_version()}
    found |= {name: each for name in _LIBRARIES if (each := _version(name))}
    if runtime in _OF_RUNTIME:
        found["runtime"] = f"{runtime} {found.get(_OF_RUNTIME[runtime], UNKNOWN)}"
    return found


def device(root: Path = Path("/")) -> dict[str, str | int | float]:
    """The machine.

    Args:
        root: Where `proc` is.
    """
    return {
        "cpu": _model(root),
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "memory_gb": _memory_gb(root),
        "kernel": platform.release(),
    }


def _model(root: Path) -> str:
    """The board's name where it has one, as on ARM, else the processor's."""
    board = _read(root / "proc/device-tree/model").strip("\0 \n")
    lines = _read(root / "proc/cpuinfo").splitlines()
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return ", ".join(each for each in (board, named) if each) or platform.processor() or UNKNOWN


def _memory_gb(root: Path) -> float:
    lines = _read(root / "proc/meminfo").splitlines()
    total = next((line.split()[1] for line in lines if line.startswith("MemTotal:")), "0")
    return round(int(total) / (1 << 20), 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
