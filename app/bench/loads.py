"""What keeps the neighbours busy in every second block of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

LOADS: Mapping[str, str] = {
    "web": "ten browsers open the page and read its stream",
    "record": "the recorder works, and keeps every picture",
    "disk": "a process writes, and waits for the disk after each megabyte",
    "cpu": "one process per core computes at normal priority",
    "opinion": "other models judge the parts so far, one at a time at low priority",
}
CLIENTS = 10
OTHERS = ("pcb-nano", "pcb", "pcb-golden")
"""Packages that are asked. The one that judges on the line has no opinion of its own parts."""

_END_S = 5.0


class Load(Protocol):
    """A neighbour that can be busy or not."""

    name: str

    def start(self) -> None:
        """Becomes busy."""

    def stop(self) -> None:
        """Is quiet again. Idempotent."""

    def done(self) -> dict[str, int]:
        """How much it has done so far; all of it 0 shows that it was never busy."""
        ...


class Busy:
    """Processes of `app.bench.busy`.

    Args:
        name: The load.
        words: The words for each process.

    Attributes:
        name: The load.
    """

    def __init__(self, name: str, words: Sequence[Sequence[str]]) -> None:
        self.name = name
        self._words = words
        self._processes: list[subprocess.Popen[str]] = []
        self._done: Counter[str] = Counter()

    def start(self) -> None:
        """Starts them."""
        self._processes = [
            subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "app.bench.busy", str(os.getpid()), *words], stdout=subprocess.PIPE, text=True
            )
            for words in self._words
        ]

    def stop(self) -> None:
        """Ends them, and hears what they have done."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                said, _ = process.communicate(timeout=_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                said, _ = process.communicate()
            with suppress(ValueError):
                self._done.update(json.loads(said))
        self._processes = []

    def done(self) -> dict[str, int]:
        """The sum over all of them; what still runs has not said yet."""
        return dict(self._done)


class Recording:
    """The recorder: while it is not busy it is held still, and finds its work waiting.

    Args:
        pid: Its process; 0 while it does not run.
        pictures: Where it puts pictures.
    """

    name = "record"

    def __init__(self, pid: Callable[[], int], pictures: Path) -> None:
        self._pid = pid
        self._pictures = pictures

    def start(self) -> None:
        """Lets it go on."""
        self._tell(signal.SIGCONT)

    def stop(self) -> None:
        """Holds it still."""
        self._tell(signal.SIGSTOP)

    def done(self) -> dict[str, int]:
        """Pictures on the disk."""
        return {"pictures": sum(1 for _ in self._pictures.glob("*/*.png"))}

    def _tell(self, number: int) -> None:
        pid = self._pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def make_loads(
    names: Sequence[str], *, port: int, disk: Path, recorder: Recording, state: Path, line: Path
) -> tuple[Load, ...]:
    """The loads by name.

    Args:
        names: Keys of `LOADS`.
        port: Where the pages are.
        disk: The folder that is written to.
        recorder: The recorder.
        state: The station's state folder.
        line: The line's file.
    """
    words = {
        "web": [["web", str(port), str(CLIENTS)]],
        "disk": [["disk", str(disk)]],
        "cpu": [["cpu"]] * (os.cpu_count() or 1),
        "opinion": [["opinion", str(state), str(line), *OTHERS]],
    }
    return tuple(recorder if name == "record" else Busy(name, words[name]) for name in names)
