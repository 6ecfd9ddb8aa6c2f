"""What GPU there is, asked in a process of its own: `python -m app.detect.gpu_probe [driver]`.

Some TensorRT libraries give an object without a GPU that ends the process once it is touched, and a driver may hang. So
nothing of either is loaded here before a child has tried it. The child asks the driver itself (`libcuda.so.1`, through
ctypes: CUDA Driver API reference, "Initialization" and "Device Management"), so that it needs no library of Python.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.errors import DetectorError, MissingDriverError, TaktError

LIMIT_S = 60.0
DRIVER_ONLY = "driver"
_INFER = ("libnvinfer.so.11", "libnvinfer.so.10")
_DRIVER = "libcuda.so.1"
_NAME_BYTES = 256
_INTEGRATED, _MAJOR, _MINOR = 18, 75, 76  # CUdevice_attribute
_MEND = "mend the GPU's driver until `nvidia-smi` shows the GPU, or use the runtime openvino or onnx"


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """The first GPU that CUDA shows.

    Attributes:
        name: Its name.
        capability: Its compute capability, such as `8.7`.
        memory_bytes: All of its memory; the machine's, of one that shares it.
        is_integrated: It shares the machine's memory, as on Jetson.
        cuda: The newest CUDA that the driver speaks, such as 12060.
        dla_cores: Its deep learning accelerators that TensorRT can use; 0 where only the driver was asked.
        free_bytes: How much of its memory nobody has taken; `None` where that was not asked.
        tensorrt: Versions of TensorRT's C++ library that the loader finds, such as `10.3.0`; empty where it finds none.
    """

    name: str
    capability: str
    memory_bytes: int
    is_integrated: bool
    cuda: int
    dla_cores: int = 0
    free_bytes: int | None = None
    tensorrt: str = ""


def probe_gpu(limit_s: float = LIMIT_S, *, is_driver_only: bool = False) -> GpuFacts:
    """Asks in a child process.

    Args:
        limit_s: How long the child may take.
        is_driver_only: Leave TensorRT out.

    Raises:
        DetectorError: There is no driver or GPU, or the driver or TensorRT fails; says which and how to mend it.
        MissingDriverError: TensorRT is not installed.
    """
    command = [sys.executable, "-m", "app.detect.gpu_probe", *([DRIVER_ONLY] if is_driver_only else [])]
    paths = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )
    except subprocess.TimeoutExpired as error:
        raise DetectorError(f"the GPU does not answer within {limit_s:g} s", _MEND) from error
    except OSError as error:
        raise DetectorError(f"the GPU cannot be asked: {error.strerror}", _MEND) from error
    return heard(done.returncode, done.stdout, done.stderr)


def heard(code: int, said: str, complained: str) -> GpuFacts:
    """What a child found, whatever became of it.

    Args:
        code: Its return code; negative for the signal that killed it.
        said: Its stdout; the last line counts, as libraries print too.
        complained: Its stderr.

    Raises:
        DetectorError: It found none, or died.
        MissingDriverError: TensorRT is not installed.
    """
    if code < 0:
        name = signal.Signals(-code).name
        raise DetectorError(f"TensorRT ended with {name} when it was tried on this machine's GPU", _MEND)
    try:
        answer = json.loads(said.strip().splitlines()[-1])
        problem = answer.pop("problem", None)
        facts = None if problem else GpuFacts(**answer)
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        last = (complained.strip().splitlines() or ["it said nothing"])[-1]
        raise DetectorError(f"trying the GPU ended with code {code}: {last}", _MEND) from error
    if facts is None:
        if problem == "absent":
            raise MissingDriverError("the detector runtime tensorrt", "tensorrt", "gpu")
        raise DetectorError(str(problem), str(answer.get("mend", _MEND)))
    return facts


def ask_driver() -> GpuFacts:
    """Asks the driver, in this process.

    Raises:
        DetectorError: There is none, or it shows no GPU.
    """
    try:
        driver: Any = ctypes.CDLL(_DRIVER)
    except OSError as error:
        raise DetectorError(
            f"this machine has no NVIDIA driver ({error})",
            "install the GPU's driver, or use the runtime openvino or onnx",
        ) from error
    number, device = ctypes.c_int(), ctypes.c_int()
    _check(driver, "start", driver.cuInit(0))
    _check(driver, "count its GPUs", driver.cuDeviceGetCount(ctypes.byref(number)))
    if number.value == 0:
        raise DetectorError("the NVIDIA driver shows no GPU", _MEND)
    _check(driver, "open the first GPU", driver.cuDeviceGet(ctypes.byref(device), 0))
    name, memory, cuda = ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_size_t(), ctypes.c_int()
    _check(driver, "name the GPU", driver.cuDeviceGetName(name, _NAME_BYTES, device))
    _check(driver, "tell the GPU's memory", driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    _check(driver, "tell its version", driver.cuDriverGetVersion(ctypes.byref(cuda)))
    major, minor, integrated = (_attribute(driver, device, each) for each in (_MAJOR, _MINOR, _INTEGRATED))
    return GpuFacts(name.value.decode(), f"{major}.{minor}", memory.value, bool(integrated), cuda.value)


def ask_free_bytes() -> int:
    """How much of the first GPU's memory nobody has taken, this process's context counted as taken.

    Raises:
        DetectorError: The driver does not say.
    """
    driver: Any = ctypes.CDLL(_DRIVER)
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _check(driver, "open the first GPU", driver.cuDeviceGet(ctypes.byref(device), 0))
    _check(driver, "start on the GPU", driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    _check(driver, "start on the GPU", driver.cuCtxSetCurrent(context))
    _check(driver, "tell its free memory", driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
    return free.value


def ask_infer() -> str:
    """Versions of TensorRT's C++ library, which ONNX Runtime loads by itself; empty where there is none.

    `getInferLibVersion` counts in ten thousands and hundreds since TensorRT 10 ("NvInferVersion.h").
    """
    found = []
    for name in _INFER:
        try:
            number = int(ctypes.CDLL(name).getInferLibVersion())
        except (OSError, AttributeError):
            continue
        found.append(f"{number // 10_000}.{number // 100 % 100}.{number % 100}")
    return " and ".join(found)


def _attribute(driver: Any, device: ctypes.c_int, which: int) -> int:
    found = ctypes.c_int()
    _check(driver, "describe the GPU", driver.cuDeviceGetAttribute(ctypes.byref(found), which, device))
    return found.value


def _check(driver: Any, what: str, code: int) -> None:
    if code:
        text = ctypes.c_char_p()
        driver.cuGetErrorString(code, ctypes.byref(text))
        said = text.value.decode() if text.value else "it does not say why"
        raise DetectorError(f"the NVIDIA driver cannot {what}: {said} (CUDA error {code})", _MEND)


def _ask_tensorrt() -> int:
    """How many DLA cores TensorRT finds; loads it and touches its runtime, which is the test."""
    from app.detect.tensorrt_library import FLAVOUR, VERSION, complaints, trt  # noqa: PLC0415 - only in the child

    runtime = trt.Runtime(complaints())
    if runtime is None:
        raise DetectorError(f"{FLAVOUR} {VERSION} finds no GPU that it can use: {complaints().first()}", _MEND)
    return int(getattr(runtime, "num_DLA_cores", 0))


def _main(is_driver_only: bool) -> None:
    try:
        said: dict[str, Any] = {**asdict(ask_driver()), "free_bytes": ask_free_bytes(), "tensorrt": ask_infer()}
        if not is_driver_only:
            said["dla_cores"] = _ask_tensorrt()
    except MissingDriverError:
        said = {"problem": "absent"}
    except TaktError as error:
        said = {"problem": error.what, "mend": error.mend}
    print(json.dumps(said))  # noqa: T201 - the answer


if __name__ == "__main__":
    _main(DRIVER_ONLY in sys.argv[1:])
