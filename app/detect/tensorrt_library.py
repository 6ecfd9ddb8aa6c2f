"""The one place that chooses a TensorRT: `tensorrt` where it is installed, else `tensorrt_rtx`; and what differs.

Common to all, and all that this room calls: strongly typed networks, `num_io_tensors`, `get_tensor_mode`,
`set_tensor_address`, `execute_async_v3`. What differs, and from where that is known:

- TensorRT 11 knows strongly typed networks only, no builder flags for precision and no calibrators; so precision lives
  in the ONNX, with 10 too ("Removed Python APIs and Replacements", docs.nvidia.com, TensorRT 11.4). The flag
  `STRONGLY_TYPED` is "deprecated and ignored" in 11 ("DLA Standalone Mode", 11.3), so it is set where it exists.
- `ICudaEngine.device_memory_size` is gone in 11; `device_memory_size_v2` is in both (the same list).
- A timing cache is kept by TensorRT; of TensorRT-RTX its calls are "no-ops" since 1.2, and warn (its Python bindings,
  1.7.1.116).
- TensorRT-RTX builds for a compute capability, the present GPU's by default or one that is not here, 7.5 to 12.1 but
  for 8.7 and 9.0 (`ComputeCapability`, same bindings). TensorRT builds for the GPU at hand only.
- TensorRT-RTX may allocate while it runs, which a graph cannot capture, unless built with `REQUIRE_USER_ALLOCATION`;
  `is_stream_capturable` says (release notes 1.2). TensorRT has neither.
- DLA cores: up to TensorRT 10.7, then from 11.4.1 on AGX Orin with JetPack 7.2.2; Thor has none ("Working with DLA",
  TensorRT 11.4.1). `num_DLA_cores` says.
"""

from __future__ import annotations

import importlib
import re
from collections import deque
from functools import lru_cache
from typing import Any

from app.errors import MissingDriverError

_NAMES = (("tensorrt", "TensorRT"), ("tensorrt_rtx", "TensorRT-RTX"))
_KEPT = 32
_WRAPPED = re.compile(r"Error Code \d+: [^(]*\((.+?)(?:\.? In \w+ at [^()]*)?\)?$")
"""What stands in the brackets of `Error Code 4: API Usage Error (what is wrong. In checkType at /src/file.cpp:456)`."""

_PLACE = re.compile(r"^\[[\w./]+:\d+: \w+\] ")
"""`[pass.cpp:337: check_turing_op_compatibility] `, which TensorRT-RTX begins with."""


def _load() -> tuple[Any, str]:
    """The library and what it is called.

    Raises:
        MissingDriverError: None is installed, or none loads.
    """
    last: Exception | None = None
    for module, flavour in _NAMES:
        try:
            return importlib.import_module(module), flavour
        except Exception as error:  # noqa: BLE001 - a library that does not fit this machine raises what it likes
            last = error
    raise MissingDriverError("the detector runtime tensorrt", "tensorrt", "gpu") from last


trt, FLAVOUR = _load()
VERSION = str(trt.__version__)
IS_RTX = FLAVOUR != "TensorRT"


_Logger: Any = trt.ILogger


class Complaints(_Logger):  # type: ignore[misc]  # the library ships no types
    """Keeps the last warnings and errors that TensorRT logs, as what it returns says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: deque[str] = deque(maxlen=_KEPT)
        self._warnings: deque[str] = deque(maxlen=_KEPT)

    def log(self, severity: Any, message: str) -> None:
        """Called by TensorRT, from any of its threads."""
        if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
            self._errors.append(message)
        elif severity == trt.ILogger.WARNING:
            self._warnings.append(message)

    def clear(self) -> None:
        """Forgets them, before something is tried."""
        self._errors.clear()
        self._warnings.clear()

    def first(self) -> str:
        """The first error since `clear`, as later ones follow from it; the last warning where there is none."""
        said = self._errors[0] if self._errors else self._warnings[-1] if self._warnings else "it does not say why"
        return one_line(said)


@lru_cache(maxsize=1)
def complaints() -> Complaints:
    """The process's one logger: TensorRT keeps the first that it is given, and writes into it as long as it lives."""
    return Complaints()


def one_line(text: str) -> str:
    """The first line of what TensorRT says, without its own functions and places in its source."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "it does not say why")
    found = _WRAPPED.search(line)
    return _PLACE.sub("", found[1] if found else line)


def network_flags() -> int:
    """Every tensor keeps the type that the ONNX file gives it."""
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def kind_of(data_type: Any) -> str:
    """An element type as numpy spells it; what numpy has no name for as TensorRT spells it."""
    try:
        return str(trt.nptype(data_type).__name__)
    except (TypeError, AttributeError):
        return str(data_type)


def shape_of(dimensions: Any) -> tuple[int | None, ...]:
    """Sizes; `None` for one that is not fixed."""
    return tuple(int(size) if size >= 0 else None for size in dimensions)


def activation_bytes(engine: Any) -> int:
    """How much of the GPU's memory an engine computes in, beside its weights."""
    size = "device_memory_size_v2" if hasattr(engine, "device_memory_size_v2") else "device_memory_size"
    return int(getattr(engine, size))


def is_capturable(context: Any, stream: int) -> bool:
    """Whether a graph can be recorded of it; only TensorRT-RTX can say no."""
    return bool(context.is_stream_capturable(stream)) if hasattr(context, "is_stream_capturable") else True
