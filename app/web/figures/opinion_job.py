"""Asking another model, by a command that steps back behind everything else; one at a time, and it can be ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from app.clock import NS_PER_MS, Clock
from app.record.walltime import micros

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "app.cli", "models", "opinion")
LIMIT_S = 3600.0
"""What is not judged by then is left for the next time."""

_END_S = 15.0
_LONGEST_LINE = 64 * 1024
_LAST_LINES = 4
_MOST_WORDS = 600


class Phase(str, Enum):
    """How far it is."""

    NEVER = "never"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Errand:
    """What is asked.

    Attributes:
        name: The model as the command takes it: a name of the zoo or a folder, each with `:MODEL`.
        title: The model as people call it.
        lane: Only parts of this lane.
        lot: Only parts of this lot.
        most: At most so many parts.
    """

    name: str
    title: str
    lane: int | None = None
    lot: str | None = None
    most: int = 500

    @property
    def words(self) -> list[str]:
        """The words of the command."""
        lane = [] if self.lane is None else ["--lane", str(self.lane)]
        lot = [] if self.lot is None else ["--lot", self.lot]
        return [*lane, *lot, "--most", str(self.most), "--lines", "--", self.name]


@dataclass(frozen=True, slots=True)
class Progress:
    """The errand that goes on, or the last one.

    Attributes:
        phase: How far it is.
        title: The model.
        by: Who asked.
        started_ns: When; 0: never.
        at_us: The same by the wall, in microseconds since 1970 UTC.
        took_ms: How long it took; 0 while it goes on.
        parts: How many parts there are to judge; `None` before that is known.
        done: How many were judged, or found not to be judgeable.
        different: How many would have been sent elsewhere.
        account: The command's account at the end; empty where there is none.
        trouble: Why it failed, in the command's own words.
    """

    phase: Phase = Phase.NEVER
    title: str = ""
    by: str = ""
    started_ns: int = 0
    at_us: int = 0
    took_ms: float = 0.0
    parts: int | None = None
    done: int = 0
    different: int = 0
    account: Mapping[str, Any] | None = None
    trouble: str = ""


class OpinionJob:
    """Runs the command. Any thread may ask.

    Args:
        program: The command, without its words.
        more: Words that every errand has, such as the state folder.
        clock: Time.
        limit_s: It is ended after so long.
    """

    def __init__(self, program: Sequence[str], more: Sequence[str], clock: Clock, limit_s: float = LIMIT_S) -> None:
        self._program = [*program, *more]
        self._clock = clock
        self._limit_s = limit_s
        self._order = threading.Lock()
        self._last = Progress()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    @property
    def last(self) -> Progress:
        """The errand that goes on, or the last one."""
        return self._last

    def start(self, errand: Errand, by: str) -> bool:
        """Starts an errand, unless one goes on.

        Args:
            errand: What is asked.
            by: Who asks.

        Returns:
            Whether it was started.
        """
        with self._order:
            if self._last.phase is Phase.RUNNING:
                return False
            self._is_stopped = False
            at_us = micros(self._clock.wall())
            self._last = Progress(Phase.RUNNING, errand.title, by, self._clock.now_ns(), at_us)
            self._thread = threading.Thread(target=self._run, args=(errand,), name="opinion", daemon=True)
            self._thread.start()
            return True

    def stop(self) -> bool:
        """Asks the one that goes on to end after its present part; what was judged stays.

        Returns:
            Whether one went on.
        """
        with self._order:
            if self._last.phase is not Phase.RUNNING:
                return False
            self._is_stopped = True
            self._signal(signal.SIGTERM)
            grace = threading.Timer(_END_S, self._kill, args=(self._child,))
            grace.daemon = True
            grace.start()
            return True

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until it has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, errand: Errand) -> None:
        trouble = ""
        try:
            trouble = self._listen(errand)
        except OSError as error:
            trouble = f"it could not be started: {error.strerror or error}"
        except Exception as error:  # noqa: BLE001 - the thread's border: the page must not wait for ever
            trouble = f"{type(error).__name__}: {error}"
        with self._order:
            self._child = None
            phase = Phase.STOPPED if self._is_stopped else Phase.FAILED if trouble else Phase.DONE
            took_ms = (self._clock.now_ns() - self._last.started_ns) / NS_PER_MS
            trouble = "" if phase is Phase.STOPPED else trouble
            self._last = replace(self._last, phase=phase, took_ms=took_ms, trouble=trouble)

    def _listen(self, errand: Errand) -> str:
        """Follows the command to its end.

        Returns:
            Why it failed, in its own words; empty where it did not.

        Raises:
            OSError: It cannot be started.
        """
        with subprocess.Popen(  # noqa: S603 - our own command
            [*self._program, *errand.words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as child:
            complaint: deque[bytes] = deque(maxlen=_LAST_LINES)
            ear = threading.Thread(target=self._overhear, args=(child, complaint), daemon=True)
            limit = threading.Timer(self._limit_s, self.stop)
            limit.daemon = True
            try:
                with self._order:
                    self._child = child
                    if self._is_stopped:
                        self._signal(signal.SIGTERM)
                limit.start()
                ear.start()
                self._hear(child)
                code = child.wait(_END_S)
                ear.join(_END_S)
            except BaseException:
                self._signal(signal.SIGKILL)
                raise
            finally:
                limit.cancel()
        words = b"".join(complaint).decode(errors="replace").strip().removeprefix("takt: ")
        return (words[-_MOST_WORDS:] or f"it ended with code {code}") if code else ""

    def _hear(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        while line := child.stdout.readline(_LONGEST_LINE):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                self._note(said)

    def _overhear(self, child: subprocess.Popen[bytes], complaint: deque[bytes]) -> None:
        assert child.stderr is not None
        while line := child.stderr.readline(_LONGEST_LINE):
            complaint.append(line)

    def _note(self, said: Mapping[str, Any]) -> None:
        with self._order:
            last = self._last
            if "part" in said:
                different = last.different + bool(said.get("judged") and said.get("said") != said.get("would"))
                self._last = replace(last, done=last.done + 1, different=different)
            elif isinstance(said.get("parts"), int):
                self._last = replace(last, parts=said["parts"])
            elif "onnx_sha256" in said:
                self._last = replace(last, account=dict(said))

    def _kill(self, child: subprocess.Popen[bytes] | None) -> None:
        """Ends one that has not ended by itself; a later one is another matter."""
        with self._order:
            if child is not None and child is self._child:
                self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
