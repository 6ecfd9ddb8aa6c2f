"""Where recipes are prepared beside a running line: `python -m app.entries.toolroom DESCRIPTOR`.

It is a process of its own, without the line's priority, that waits at a socket. What it makes goes back as memory
without a name: a pickle with its arrays behind it, each on a page of its own, so that the station maps them and copies
nothing. It ends with the station.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import pickle
import select
import signal
import socket
import sys
from typing import Any

from app.realtime import OTHER, schedule

MOST_BYTES = 160_000
"""Of one message; those of the kernel's default are larger."""

SETTLE_S = 3.0
"""Its libraries are loaded so long after its start, or when they are needed: the start of a station is not slowed."""


def paged(size: int) -> int:
    """So many bytes in whole pages."""
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def serve(door: socket.socket) -> None:
    """Prepares one recipe after another, until the station has gone."""
    is_asked, _, _ = select.select([door], [], [], SETTLE_S)
    if not is_asked:
        importlib.import_module("app.entries.adopting")
    while True:
        asked = door.recv(MOST_BYTES)
        if not asked:
            return
        told, memory = _answer(json.loads(asked))
        try:
            socket.send_fds(door, [json.dumps(told).encode()], [] if memory is None else [memory])
        except OSError:
            return
        finally:
            if memory is not None:
                os.close(memory)


def _answer(asked: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    # Not before it is needed: until then a station's start and its memory have nothing of this.
    from app.errors import TaktError  # noqa: PLC0415

    try:
        made = _made(asked)
    except TaktError as error:
        return {"number": asked["number"], "kind": type(error).__name__, "what": error.what, "mend": error.mend}, None
    except Exception as error:  # noqa: BLE001 - the border of this process: the station is told of what nobody thought of
        what = f"the recipe cannot be prepared: {type(error).__name__}: {error}"
        return {"number": asked["number"], "kind": "", "what": what, "mend": "report it; the old recipe stays"}, None
    memory, sizes = laid_down(made)
    return {"number": asked["number"], "sizes": sizes}, memory


def _made(asked: dict[str, Any]) -> object:
    from dataclasses import replace  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from app.config import Line  # noqa: PLC0415
    from app.detect.package import load_package  # noqa: PLC0415
    from app.entries.adopting import Bench, prepare  # noqa: PLC0415

    package = load_package(Path(asked["package"]), variant=asked["variant"])
    spec = replace(package.spec, is_golden=asked["is_golden"])
    folder = Path(asked["folder"])
    bench = Bench(Line.model_validate(asked["line"]), folder, asked["file"], package, spec)
    seen = asked["seen"]
    return prepare(bench, asked["text"], (seen[0], seen[1]) if seen else None)


def laid_down(made: object) -> tuple[int, list[int]]:
    """An object in memory without a name.

    Args:
        made: The object; its arrays lie in one piece each.

    Returns:
        The memory, and the sizes of its pieces: the pickle's, then each array's. Every piece begins on a page.
    """
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(made, protocol=5, buffer_callback=arrays.append)
    pieces = [memoryview(head), *(each.raw() for each in arrays)]
    memory = os.memfd_create("recipe", os.MFD_CLOEXEC)
    at = 0
    for piece in pieces:
        done = 0
        while done < piece.nbytes:
            done += os.pwrite(memory, piece[done:], at + done)
        at += paged(piece.nbytes)
    os.ftruncate(memory, at)
    return memory, [piece.nbytes for piece in pieces]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the station, and the end of that is this one's
    schedule(OTHER, 0)
    serve(socket.socket(fileno=int(sys.argv[1])))
