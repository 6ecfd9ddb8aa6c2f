"""NVML: what an NVIDIA driver says of its GPU, through the library nvidia-ml-py (BSD), whose module is `pynvml`.

Functions and reasons are those of the NVML API reference (docs.nvidia.com/deploy/nvml-api). On a Jetson NVML knows the
GPU's name and answers the rest with "not supported": `app.health.jetson` reads that box.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from app.clock import Clock, SystemClock
from app.health.collected import Collected
from app.health.health import Health, Pairs

DRIVER = "pynvml"
MIB = 1 << 20

_NOT_SUPPORTED = 3
_FUNCTION_NOT_FOUND = 13
_SILENT = (_NOT_SUPPORTED, _FUNCTION_NOT_FOUND)
"""NVML's codes for "this device has no such thing" and "this driver knows no such question"."""

_TEMPERATURE_GPU = 0
_CLOCK_SM = 1

REASONS = {
    0x002: "held to the clocks that somebody has set",
    0x004: "held to its power limit",
    0x008: "slowed by its hardware: heat, or the power supply",
    0x010: "held to the slowest of its group",
    0x020: "slowed by the driver: too hot",
    0x040: "slowed by its hardware: too hot",
    0x080: "slowed from outside: the power brake",
    0x100: "held to the clocks of the display",
    0x200: "held by a limit of its board",
    0x400: "held by a limit for its reliability",
}
"""nvmlClocksEventReasons, once called throttle reasons, without the one for having nothing to do."""


class NvmlHealth:
    """The GPU as NVML knows it. Its calls can hang with the driver: `app.health.apart` keeps it in another process.

    Args:
        library: The module `pynvml`; by default it is imported at the first reading.
        clock: Stamps the readings.
        index: Which GPU, in NVML's order.
    """

    def __init__(self, library: Any = None, clock: Clock | None = None, index: int = 0) -> None:
        self._library = library
        self._clock = clock or SystemClock()
        self._index = index
        self._handle: Any = None

    def read(self) -> Health:
        """How the device is now; as the seam says."""
        found = Collected()
        at_ns = self._clock.now_ns()
        if self._handle is None and not self._open(found):
            return Health("nvml", at_ns, remarks=tuple(found.remarks))
        health = self._gather(found, at_ns)
        if health.device is None:
            # A handle does not survive a device that was lost or reset: the next reading begins anew.
            self.close()
        return health

    def close(self) -> None:
        """Lets go of the library. Idempotent."""
        if self._handle is not None:
            self._handle = None
            _asked(Collected(), "nvmlShutdown", self._library.nvmlShutdown)

    def _open(self, found: Collected) -> bool:
        if self._library is None:
            try:
                self._library = importlib.import_module(DRIVER)
            except Exception as error:  # noqa: BLE001 - broken installations raise anything
                found.remark(f"nvidia-ml-py does not load: {error}")
                return False
        nvml = self._library
        try:
            nvml.nvmlInit()
        except Exception as error:  # noqa: BLE001 - the library's own errors share no builtin kind
            found.remark(f"NVML does not start: {error}")
            return False
        count = _asked(found, "the number of GPUs", nvml.nvmlDeviceGetCount)
        self._handle = _asked(found, f"GPU {self._index}", nvml.nvmlDeviceGetHandleByIndex, self._index)
        if isinstance(count, int) and count > 1:
            found.remark(f"there are {count} GPUs; this is number {self._index}")
        return self._handle is not None

    def _gather(self, found: Collected, at_ns: int) -> Health:
        nvml, handle = self._library, self._handle
        power_mw = _asked(found, "its power", nvml.nvmlDeviceGetPowerUsage, handle)
        power_w = found.number("power_w", power_mw / 1000 if power_mw is not None else None, of="NVML")
        memory = _asked(found, "its memory", nvml.nvmlDeviceGetMemoryInfo, handle)
        used, total = (memory.used / MIB, memory.total / MIB) if memory is not None else (None, None)
        return Health(
            "nvml",
            at_ns,
            device=_text(_asked(found, "its name", nvml.nvmlDeviceGetName, handle)),
            temperature_c=found.number("temperature_c", _temperature(found, nvml, handle), of="NVML"),
            clock_mhz=found.number("clock_mhz", _clock(found, nvml.nvmlDeviceGetClockInfo, handle), of="NVML"),
            clock_max_mhz=found.number(
                "clock_max_mhz", _clock(found, nvml.nvmlDeviceGetMaxClockInfo, handle), of="NVML"
            ),
            power_w=power_w,
            power_of="board" if power_w is not None else None,
            throttling=_throttling(found, nvml, handle),
            memory_used_mib=found.number("memory_used_mib", used, of="NVML"),
            memory_total_mib=found.number("memory_total_mib", total, of="NVML"),
            driver=_text(_asked(found, "the driver's version", nvml.nvmlSystemGetDriverVersion)),
            versions=_versions(found, nvml),
            remarks=tuple(found.remarks),
        )


def _asked(found: Collected, what: str, ask: Callable[..., Any], *arguments: Any) -> Any:
    """An answer, or `None`: with a remark unless the device just has no such thing."""
    try:
        return ask(*arguments)
    except Exception as error:  # noqa: BLE001 - the library's own errors share no builtin kind
        if getattr(error, "value", None) not in _SILENT:
            found.remark(f"NVML does not tell {what}: {error}")
        return None


def _temperature(found: Collected, nvml: Any, handle: Any) -> Any:
    # The older question is gone from a driver of CUDA 14, the newer one is unknown to those before 13.
    if hasattr(nvml, "nvmlDeviceGetTemperatureV"):
        answer = _asked(found, "its temperature", nvml.nvmlDeviceGetTemperatureV, handle, _TEMPERATURE_GPU)
        if answer is not None:
            return answer
    ask = getattr(nvml, "nvmlDeviceGetTemperature", None)
    return _asked(found, "its temperature", ask, handle, _TEMPERATURE_GPU) if ask else None


def _clock(found: Collected, ask: Callable[..., Any], handle: Any) -> Any:
    return _asked(found, "its clock", ask, handle, _CLOCK_SM)


def _throttling(found: Collected, nvml: Any, handle: Any) -> tuple[str, ...] | None:
    for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        ask = getattr(nvml, name, None)
        bits = _asked(found, "what slows it", ask, handle) if ask else None
        if isinstance(bits, int):
            return tuple(words for bit, words in REASONS.items() if bits & bit)
    return None


def _versions(found: Collected, nvml: Any) -> Pairs:
    pairs = []
    cuda = _asked(found, "the driver's CUDA", nvml.nvmlSystemGetCudaDriverVersion_v2)
    if isinstance(cuda, int) and cuda > 0:
        pairs.append(("CUDA of the driver", f"{cuda // 1000}.{cuda % 1000 // 10}"))
    own = _text(_asked(found, "its own version", nvml.nvmlSystemGetNVMLVersion))
    if own:
        pairs.append(("NVML", own))
    return tuple(pairs)


def _text(value: object) -> str | None:
    """Older versions of the library answer in bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
