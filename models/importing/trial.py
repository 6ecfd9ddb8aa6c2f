"""One run of a graph on ONNX Runtime, to learn what reading alone does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import PackageError
from models.extras import require

_LOG_FATAL = 4


def run_once(path: Path, content: bytes, feeds: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """All outputs by name.

    Args:
        path: The file, for messages.
        content: The model.
        feeds: Its inputs.

    Raises:
        PackageError: ONNX Runtime refuses the model, or it does not run.
        MissingDriverError: ONNX Runtime is not installed.
    """
    ort = require("onnxruntime", "importing", "")
    options = ort.SessionOptions()
    options.log_severity_level = _LOG_FATAL
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs()]
        found = session.run(names, dict(feeds))
    except Exception as error:  # its refusals share no base class
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        mend = "export it again with opset 17" if "opset" in text.lower() else "export it again in another way"
        raise PackageError(f"{path} does not run on ONNX Runtime {ort.__version__}: {text}", mend) from error
    return dict(zip(names, map(np.asarray, found), strict=True))
