"""Where recipes are prepared beside a running line: `python -m app.entries.toolroom DESCRIPTOR`.

It is a process of its own, without the line's priority, that waits at a socket. What it makes goes back as memory
without a name: a pickle with its arrays behind it, each on a page of its own, so that the station maps them and copies
nothing. It ends with the station.

Whoever prepares is the child of a process that does nothing else than start it again when it has ended. The station
itself starts nothing while it runs: both of its threads would stand still until the new process, which has ordinary
priority, has come to its first command.
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
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.realtime import OTHER, schedule
from app.tied import tie

MOST_BYTES = 160_000
"""Of one message; those of the kernel's default are larger."""

SETTLE_S = 3.0
"""Its libraries are loaded so long after its start, or when they are needed: the start of a station is not slowed."""

LET_GO = signal.SIGUSR1
"""Tells the process that was started that whoever prepares takes too long, and is to have a successor."""

NOBODY = 0
"""No recipe has this number."""

_FIRST_S, _LONGEST_S = 0.25, 10.0
_PROVEN_S = 30.0
_NO_PROCESS = 0
_OUT_OF_MEMORY = "500"
"""Before the station and all that it needs: a recipe that takes all of the memory costs itself."""


def wait_s(ends: int) -> float:
    """How long to wait before whoever prepares is started again.

    Args:
        ends: How often it has ended soon after its start, without a longer life in between; 1 or more.
    """
    return min(_LONGEST_S, _FIRST_S * 2.0 ** min(ends - 1, 16))


class Keeper:
    """Has somebody prepare recipes until the station has gone: whoever dies over it has a successor.

    What waits in the socket then is the successor's. A recipe that somebody died over is refused and not tried again,
    as it may be what killed him.

    Args:
        door: Where the station asks.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        # Seen by both: the number of the recipe that is being prepared.
        self._at_work = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        self._pid = _NO_PROCESS
        signal.signal(LET_GO, self._let_go)

    def run(self) -> None:
        """Starts one after another. Returns in each of them too, once the station has gone."""
        parent, ends = os.getpid(), 0
        while True:
            since_s = time.monotonic()
            self._pid = os.fork()
            if self._pid == _NO_PROCESS:
                signal.signal(LET_GO, signal.SIG_DFL)
                tie(parent)
                with suppress(OSError):
                    Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY, encoding="ascii")
                serve(self._door, self._at_work)
                return
            code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            self._pid = _NO_PROCESS
            if code == 0 or not self._tell(code):
                return
            ends = 1 if time.monotonic() - since_s >= _PROVEN_S else ends + 1
            time.sleep(wait_s(ends))

    def _let_go(self, _number: int, _frame: object) -> None:
        if self._pid != _NO_PROCESS:
            os.kill(self._pid, signal.SIGKILL)

    def _tell(self, code: int) -> bool:
        """Refuses the recipe that nobody prepares any more; says whether the station is still there."""
        number, self._at_work[0] = self._at_work[0], NOBODY
        if number == NOBODY:
            return True
        how = signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"
        what = f"the process that prepares recipes has ended over this one ({how})"
        mend = "it is started again by itself: try again; until then the old recipe stays"
        try:
            self._door.send(json.dumps({"number": number, "kind": "", "what": what, "mend": mend}).encode())
        except OSError:
            return False
        return True


def paged(size: int) -> int:
    """So many bytes in whole pages."""
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def serve(door: socket.socket, at_work: memoryview) -> None:
    """Prepares one recipe after another, until the station has gone.

    Args:
        door: Where it asks.
        at_work: Its first number is that of the recipe that is being prepared, or `NOBODY`.
    """
    is_asked, _, _ = select.select([door], [], [], SETTLE_S)
    if not is_asked:
        importlib.import_module("app.entries.adopting")
    while True:
        asked = door.recv(MOST_BYTES)
        if not asked:
            return
        question = json.loads(asked)
        at_work[0] = question["number"]
        told, memory = _answer(question)
        try:
            socket.send_fds(door, [json.dumps(told).encode()], [] if memory is None else [memory])
        except OSError:
            return
        finally:
            if memory is not None:
                os.close(memory)
        at_work[0] = NOBODY


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
    Keeper(socket.socket(fileno=int(sys.argv[1]))).run()
