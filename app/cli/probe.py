"""Tries one runtime in a process of its own: `python -m app.cli.probe onnx | openvino | tensorrt | cuda | providers`.

A library that does not fit this machine may end the process it is loaded into; whoever asks reads the exit instead.
Prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import TaktError

LIMIT_S = 120.0
TENSORRT_NAMES = ("tensorrt", "tensorrt_rtx", "tensorrt_lean")
CUDA_LIBRARY, GRAPH_LIBRARY = "pycuda.driver", "cuda.bindings.driver"
GPU_PROVIDERS = ("TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider", "CUDAExecutionProvider")
LONGEST_WHY = 200
NO_GPU = "see to the driver until nvidia-smi lists a GPU; without one nothing is to be done, and the CPU judges"


def probe(what: str) -> dict[str, Any]:
    """Runs the probe in a child process.

    Args:
        what: `onnx`, `openvino`, `tensorrt`, `cuda` or `providers`.

    Returns:
        What the child said: `ok` or `error`, with details. A child that dies or hangs gives an `error` too.
    """
    command = [sys.executable, "-m", "app.cli.probe", what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return {"error": f"it does not answer within {LIMIT_S:g} s"}
    return heard(done.returncode, done.stdout, done.stderr)


def heard(code: int, said: str, complained: str) -> dict[str, Any]:
    """What a child has to say, whatever became of it.

    Args:
        code: Its return code; negative for the signal that killed it.
        said: Its stdout; the last line counts, as libraries print too.
        complained: Its stderr.
    """
    if code < 0:
        return {"error": f"it crashes with {signal.Signals(-code).name}"}
    try:
        answer = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = complained.strip().splitlines()[-1:] or ["it said nothing"]
        return {"error": f"it ends with code {code}: {last[0]}"}
    return answer if isinstance(answer, dict) else {"error": f"it said {answer!r}"}


def try_runtime(name: str) -> dict[str, Any]:
    """Judges the golden frames of the default package on a runtime."""
    from app.capture.pictures import read_picture  # noqa: PLC0415 - the child loads only what it tries
    from app.detect.proof import prove  # noqa: PLC0415
    from app.detect.runtimes import open_detector  # noqa: PLC0415
    from app.detect.zoo import DEFAULT, find_package, zoo_folder  # noqa: PLC0415

    package = find_package(DEFAULT, zoo_folder())
    detector = open_detector(package, name)
    try:
        report = prove(package, detector, read_picture)
    finally:
        detector.close()
    said = {"ok": f"the golden frames of {package.name} reproduce", "worst_score": report.worst_score}
    if name == "onnx":
        said["providers"] = importlib.import_module("onnxruntime").get_available_providers()
    return said


def try_tensorrt() -> dict[str, Any]:
    """Creates a TensorRT runtime, which needs a GPU."""
    for name in TENSORRT_NAMES:
        try:
            library: Any = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - broken installations raise anything
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                continue
            return {"error": f"{name} does not load: {error}"}
        runtime = library.Runtime(library.Logger(library.Logger.ERROR))
        if runtime is None or not hasattr(runtime, "deserialize_cuda_engine"):
            return {"error": f"{name} {library.__version__} finds no GPU that it can use", "mend": NO_GPU}
        return {"ok": f"{name} {library.__version__} starts"}
    return {"absent": "TensorRT is not installed"}


def try_cuda() -> dict[str, Any]:
    """Asks the driver for its GPU, and loads the libraries through which TensorRT is run."""
    from app.detect.gpu_probe import ask_driver  # noqa: PLC0415 - the child loads only what it tries

    facts = ask_driver()
    cuda = f"{facts.cuda // 1000}.{facts.cuda % 1000 // 10}"
    text = f"{facts.name}, capability {facts.capability}, CUDA {cuda} of the driver"
    why = _why_absent(CUDA_LIBRARY)
    if why:
        mend = 'run: pip install "takt-inspect[gpu]"'
        return {"error": f"{text}; TensorRT cannot be run, as {CUDA_LIBRARY} does not load: {why}", "mend": mend}
    why = _why_absent(GRAPH_LIBRARY)
    return {"ok": text + (f"; without CUDA graphs, as {GRAPH_LIBRARY} does not load: {why}" if why else "")}


def try_providers(library: Any = None) -> dict[str, Any]:
    """Runs one inference on each GPU provider that ONNX Runtime lists, as it lists them without a GPU too.

    Args:
        library: The module `onnxruntime`; by default it is imported.
    """
    from app.detect.zoo import DEFAULT, find_package, zoo_folder  # noqa: PLC0415 - the child loads only what it tries

    library = library or importlib.import_module("onnxruntime")
    path = str(find_package(DEFAULT, zoo_folder()).onnx)
    problems = {name: _why_not(library, path, name) for name in gpu_providers(library.get_available_providers())}
    good = [name for name, why in problems.items() if not why]
    bad = "; ".join(f"{name} does not run: {why}" for name, why in problems.items() if why)
    if not good:
        return {"error": bad or "it lists no provider for a GPU", "mend": NO_GPU}
    return {"ok": f"{' and '.join(good)} run" + (f"; {bad}" if bad else "")}


def gpu_providers(listed: Sequence[str]) -> list[str]:
    """Those of ONNX Runtime's providers that need an NVIDIA GPU."""
    return [name for name in listed if name in GPU_PROVIDERS]


def _why_not(library: Any, path: str, name: str) -> str:
    """What keeps a provider from judging; empty where it does."""
    try:
        session = library.InferenceSession(path, providers=[name])
        if name not in session.get_providers():
            return "it does not load, and the CPU takes its place"
        session.run(None, {each.name: _zeros(each) for each in session.get_inputs()})
    except Exception as error:  # noqa: BLE001 - the border of the child: what the library raises is its answer
        return " ".join(str(error).split())[:LONGEST_WHY]
    return ""


def _zeros(tensor: Any) -> NDArray[Any]:
    kind = {"tensor(uint8)": "uint8", "tensor(float16)": "float16"}.get(tensor.type, "float32")
    return np.zeros([size if isinstance(size, int) else 1 for size in tensor.shape], kind)


def _why_absent(name: str) -> str:
    try:
        importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - broken installations raise anything
        return " ".join(str(error).split())[:LONGEST_WHY]
    return ""


def _main(what: str) -> None:
    tries = {"tensorrt": try_tensorrt, "cuda": try_cuda, "providers": try_providers}
    try:
        said = tries[what]() if what in tries else try_runtime(what)
    except TaktError as error:
        said = {"error": error.what, "mend": error.mend}
    print(json.dumps(said))  # noqa: T201 - the answer


if __name__ == "__main__":
    _main(sys.argv[1])
