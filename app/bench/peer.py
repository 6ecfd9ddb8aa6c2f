"""Another detector on the same frames, in turn with ours, in one process.

Ultralytics is licensed under AGPL-3.0. It is no part of Takt and none of its dependencies: it is looked for when a
person asks for this comparison, and measured as its users call it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from app.bench.tape import figures_of
from app.clock import NS_PER_MS, Clock
from app.errors import DataError, MissingDriverError
from app.types import Image

LICENCE = "AGPL-3.0"
_SHARES = ("p50", "p99")

Ask = Callable[[Image], object]


def open_ultralytics(model: Path) -> Ask:
    """The peer as its users call it: `YOLO(model)(frame)`.

    Args:
        model: An ONNX file that Ultralytics exported.

    Raises:
        MissingDriverError: Ultralytics is not installed.
        DataError: There is no such file, or it does not take it.
    """
    try:
        library: Any = importlib.import_module("ultralytics")
    except (ImportError, OSError) as error:
        raise MissingDriverError("the comparison with --peer ultralytics", "ultralytics", "") from error
    if not model.is_file():
        raise DataError(f"the peer's model {model} is not there", "name an export of Ultralytics: --peer-model FILE")
    try:
        yolo = library.YOLO(str(model), task="detect")
    except Exception as error:  # its own errors are of any kind
        raise DataError(f"Ultralytics does not take {model}: {error}", "export it again") from error
    return lambda frame: yolo(frame, verbose=False)


def compare(ours: Ask, theirs: Ask, frames: Sequence[Image], rounds: int, warm_up: int, clock: Clock) -> dict[str, Any]:
    """Has both judge the same frames in turn, and who comes first in turn too.

    Args:
        ours: Judges a frame.
        theirs: Judges a frame; it is given three channels, as its users would.
        frames: uint8, (height, width) or (height, width, 3) BGR.
        rounds: How many frames count.
        warm_up: Frames before that which do not.
        clock: Times them.

    Returns:
        The figures of both in ms, and ours over theirs.
    """
    coloured = [np.dstack([frame] * 3) if frame.ndim == 2 else frame for frame in frames]  # noqa: PLR2004 - mono
    took_ns: dict[str, list[int]] = {"ours": [], "theirs": []}
    for number in range(-warm_up, rounds):
        index = number % len(frames)
        pair = [("ours", ours, frames[index]), ("theirs", theirs, np.ascontiguousarray(coloured[index]))]
        for name, ask, frame in pair if number % 2 else reversed(pair):
            start_ns = clock.now_ns()
            ask(frame)
            if number >= 0:
                took_ns[name].append(clock.now_ns() - start_ns)
    found = {name: figures_of(np.asarray(each, np.float64) / NS_PER_MS) for name, each in took_ns.items()}
    ratio = {
        share: round(getattr(found["ours"], share) / getattr(found["theirs"], share), 3)
        for share in _SHARES
        if getattr(found["theirs"], share)
    }
    return {name: asdict(each) for name, each in found.items()} | {"ratio": ratio}


def peer_version() -> str:
    """The version of Ultralytics; empty where it does not say."""
    try:
        return version("ultralytics")
    except PackageNotFoundError:
        return ""
