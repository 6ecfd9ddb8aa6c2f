"""The side of `takt run` of the log: hands lines to the process that writes them, and never waits for it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from app.clock import Clock
from app.record.walltime import micros
from app.support.log_lines import tidy
from app.support.processes import kind_of

_PIPE_BYTES = 1 << 20
_END_S = 1.0
_READ_BYTES = 4096


class KeptLog:
    """Keeps what processes say. Belongs to one thread; nothing of it raises.

    Args:
        folder: The log's folder.
        clock: For the times.

    Attributes:
        lost: Lines that the writer had no room for.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.lost = 0
        self._clock = clock
        self._trouble = ""
        self._told_lost = 0
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "app.support.log_writer", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._trouble = f"the log is not kept: {error}; the line is not affected"
            return
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            with suppress(OSError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def say(self, process: str, text: str) -> None:
        """Keeps a line, or counts it as lost.

        Args:
            process: Who said it, by the name in the process table.
            text: The words.
        """
        untold = self.lost - self._told_lost
        if untold and self._put(process, f"({untold} lines of the log were lost)"):
            self._told_lost = self.lost
        if not self._put(process, text):
            self.lost += 1

    def trouble(self) -> str:
        """Why lines are lost, in words, told once; empty where there is nothing to tell."""
        said, self._trouble = self._trouble, ""
        if not said and self._process is not None:
            assert self._process.stdout is not None
            with suppress(OSError):
                said = os.read(self._process.stdout.fileno(), _READ_BYTES).decode(errors="replace").strip()
        return said

    def close(self) -> None:
        """Lets the writer end once it has written everything. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        # One that waits for a disk is left behind: it ends by itself.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)

    def _put(self, process: str, text: str) -> bool:
        if self._process is None:
            return False
        assert self._process.stdin is not None
        said = json.dumps([micros(self._clock.wall()), process, kind_of(process)[1], tidy(text)], ensure_ascii=False)
        try:
            # No longer than a pipe takes as a whole: all of it or nothing.
            os.write(self._process.stdin.fileno(), said.encode() + b"\n")
        except OSError:
            return False
        return True
