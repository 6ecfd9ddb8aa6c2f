"""Whether a model fits into the memory of what is to run it, asked before anything is compiled."""

from __future__ import annotations

from pathlib import Path

from app.detect.gpu_probe import GpuFacts
from app.detect.package import Package
from app.errors import DetectorError

TOO_LARGE = "use a smaller model, or close what else uses the GPU"
_KIB = 1024


def check_fits(package: Package, facts: GpuFacts) -> None:
    """Refuses a model whose file alone is larger than the GPU's memory, or than what is free of it.

    Raises:
        DetectorError: It is; says both sizes.
    """
    size, free = package.onnx.stat().st_size, facts.free_bytes
    if size > facts.memory_bytes:
        raise DetectorError(
            f"{package.onnx} has {in_mb(size)} and {facts.name} {in_mb(facts.memory_bytes)} of memory", TOO_LARGE
        )
    if free is not None and size > free:
        raise DetectorError(f"{package.onnx} has {in_mb(size)} and {facts.name} {in_mb(free)} free", TOO_LARGE)


def check_fits_machine(package: Package, free_bytes: int | None) -> None:
    """Refuses a model whose file alone is larger than what is free of the machine's memory.

    Args:
        package: The model.
        free_bytes: What `free_memory_bytes` says; `None` where it says nothing.

    Raises:
        DetectorError: It is; says both sizes.
    """
    size = package.onnx.stat().st_size
    if free_bytes is not None and size > free_bytes:
        raise DetectorError(
            f"{package.onnx} has {in_mb(size)} and this machine {in_mb(free_bytes)} of memory free",
            "use a smaller model, or close what else runs here",
        )


def free_memory_bytes(root: Path = Path("/")) -> int | None:
    """What programs may still take without swapping, as the kernel estimates it; `None` where it does not say."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) * _KIB for line in lines if line.startswith("MemAvailable:")), None)
    except (OSError, ValueError, IndexError):
        return None


def in_mb(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e6:,.1f} MB"
