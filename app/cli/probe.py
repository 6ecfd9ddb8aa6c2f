"""Tries one runtime in a process of its own: `python -m app.cli.probe onnx | openvino | tensorrt`.

A library that does not fit this machine may end the process it is loaded into; whoever asks reads the exit instead.
Prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
from typing import Any

from app.errors import TaktError

LIMIT_S = 120.0
TENSORRT_NAMES = ("tensorrt", "tensorrt_rtx", "tensorrt_lean")


def probe(what: str) -> dict[str, Any]:
    """Runs the probe in a child process.

    Args:
        what: `onnx`, `openvino` or `tensorrt`.

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
    return {"ok": f"the golden frames of {package.name} reproduce", "worst_score": report.worst_score}


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
            return {"error": f"{name} {library.__version__} finds no GPU that it can use"}
        return {"ok": f"{name} {library.__version__} starts"}
    return {"absent": "TensorRT is not installed"}


def _main(what: str) -> None:
    try:
        said = try_tensorrt() if what == "tensorrt" else try_runtime(what)
    except TaktError as error:
        said = {"error": error.what, "mend": error.mend}
    print(json.dumps(said))  # noqa: T201 - the answer


if __name__ == "__main__":
    _main(sys.argv[1])
