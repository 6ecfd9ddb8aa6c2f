"""Recipes prepared beside the line: the station's side of `app.entries.toolroom`.

The station has two threads, and neither may read a golden sample or lay it out: 13 ms for a picture of 640 px, 180 ms
for one of 2448, while a part waits. So a process of its own does it, and what it has made is mapped piece by piece.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import socket
import subprocess
import sys
from typing import Any

from app import errors
from app.changeover import Size
from app.clock import NS_PER_S, Clock
from app.detect.detector import Detector
from app.detect.package import Package
from app.entries.adopting import put_to_work
from app.entries.toolroom import LET_GO, MOST_BYTES, paged
from app.errors import CommandRefusedError, TaktError
from app.setup import Setup
from app.tied import tied
from app.verdicts import AtWork

LIMIT_NS = 60 * NS_PER_S
"""So long a recipe may take to be prepared; a first one loads the libraries too."""

_GONE = "start the station anew with it; until then the old recipe stays"


class PreparingApart:
    """Has recipes prepared in a process of its own, which starts itself again when it dies over one.

    Started before the station has its priority, as a process takes over that of whoever starts it.

    Args:
        setup: The line.
        clock: The time, and times the judging.
    """

    def __init__(self, setup: Setup, clock: Clock) -> None:
        self._setup = setup
        self._clock = clock
        self._detector: Detector | None = None
        self._bench = ""
        self._number = self._since_ns = 0
        self._text = ""
        self._memory = -1
        self._left: list[tuple[int, int]] = []
        self._pieces: list[mmap.mmap] = []
        self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._door.setblocking(False)
            command = [sys.executable, "-m", "app.entries.toolroom", str(theirs.fileno())]
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                tied(command), stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
            )

    def judge_with(self, detector: Detector, package: Package) -> None:
        """Says what judges by the recipes that come.

        Args:
            detector: The model, loaded.
            package: The same.
        """
        self._detector = detector
        bench = {
            "line": self._setup.line.model_dump(mode="json", by_alias=True, exclude_none=True),
            "folder": str(self._setup.folder.absolute()),
            "file": self._setup.file,
            "package": str(package.folder.absolute()),
            "variant": package.variant,
            "is_golden": detector.spec.is_golden,
        }
        self._bench = json.dumps(bench, separators=(",", ":")).removeprefix("{")

    def begin(self, text: str, seen: Size | None) -> None:
        """Asks for a recipe; as `app.changeover.Preparing` says."""
        self._forget()
        self._number += 1
        self._text, self._since_ns = text, self._clock.now_ns()
        asked = json.dumps({"number": self._number, "text": text, "seen": seen}).removesuffix("}")
        try:
            self._door.send(f"{asked},{self._bench}".encode())
        except OSError as error:
            raise CommandRefusedError("the process that prepares recipes has ended", _GONE) from error

    def result(self) -> AtWork | TaktError | None:
        """Takes the next piece of what was made; as `app.changeover.Preparing` says."""
        if self._left:
            at, size = self._left.pop(0)
            self._pieces.append(mmap.mmap(self._memory, size, offset=at))
            return None
        if self._memory >= 0:
            return self._whole()
        try:
            told, memory, _, _ = socket.recv_fds(self._door, MOST_BYTES, 1)
        except BlockingIOError:
            return self._late() if self._clock.now_ns() - self._since_ns > LIMIT_NS else None
        except OSError:
            told, memory = b"", []
        if not told:
            return _refusal("the process that prepares recipes has ended", _GONE)
        return self._heard(json.loads(told), memory)

    def close(self) -> None:
        """Ends the process. Idempotent."""
        self._forget()
        self._door.close()
        self._child.kill()
        self._child.wait()

    def _late(self) -> TaktError:
        """Whoever hangs over it has a successor for the next one."""
        self._child.send_signal(LET_GO)
        return _refusal("the recipe was not prepared in time", "try again; the old recipe stays")

    def _heard(self, said: dict[str, Any], memory: list[int]) -> TaktError | None:
        if said["number"] != self._number:  # an answer that nobody waits for any more
            for each in memory:
                os.close(each)
            return None
        if "what" in said:
            kind: Any = getattr(errors, said["kind"], CommandRefusedError)
            refusal: TaktError = kind(said["what"], said["mend"])
            return refusal
        self._memory, at = memory[0], 0
        for size in said["sizes"]:
            self._left.append((at, size))
            at += paged(size)
        return None

    def _whole(self) -> AtWork:
        assert self._detector is not None, "nobody asks before it is told who judges"
        head, *arrays = self._pieces
        recipe, laid_out = pickle.loads(head, buffers=arrays)  # noqa: S301 - written by our own process
        self._forget()
        return put_to_work(recipe, laid_out, self._text, self._detector, self._clock)

    def _forget(self) -> None:
        """Lets go of the last one; what is at work keeps its memory."""
        self._left, self._pieces = [], []
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1


def _refusal(what: str, mend: str) -> TaktError:
    return CommandRefusedError(what, mend)
