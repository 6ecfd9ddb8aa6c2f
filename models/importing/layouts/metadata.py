"""What the exporters of Ultralytics and YOLOv5 write into a file beside the graph; text of a stranger, never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from app.errors import UsageError
from models.importing.tensors import Source


def is_ultralytics(source: Source) -> bool:
    """Whether the metadata are those of its exporter."""
    return "task" in source.metadata and "names" in source.metadata


def names_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Class names by index out of `names`, a Python dictionary or list written as text.

    Raises:
        UsageError: It is there and says no such thing.
    """
    text = metadata.get("names", "")
    if not text:
        return ()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        value = None
    if isinstance(value, dict) and sorted(value) == list(range(len(value))):
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError("the metadata of the file name its classes in no known way", "give --classes a,b,c")
    return tuple(value)


def arguments_of(source: Source) -> dict[str, object]:
    """What the model was exported with, a dictionary written as text."""
    try:
        said = ast.literal_eval(source.metadata.get("args", "{}"))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return {}
    return said if isinstance(said, dict) else {}
