"""Optional libraries of this room, imported by name where they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from app.errors import MissingDriverError


def require(library: str, purpose: str, extra: str = "train") -> ModuleType:
    """Imports a library of one of the distribution's extras.

    Args:
        library: Its import name: "torch", "onnx", "pycocotools.coco".
        purpose: What needs it, to begin the error's sentence.
        extra: The extra that brings it.

    Raises:
        MissingDriverError: It is not installed or does not load; names the install line.
    """
    try:
        return importlib.import_module(library)
    except (ImportError, OSError) as error:
        raise MissingDriverError(purpose, library.partition(".")[0], extra) from error
