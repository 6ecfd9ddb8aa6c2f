"""All checks of `takt doctor`, run in a child with a deadline; one at a time, and what came of them is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from app.clock import NS_PER_MS, Clock
from app.errors import DataError

LIMIT_S = 60.0
"""Twice what they took on a box with two cores that the line and others kept busy: 26 s."""

_NICE = 10
_MOST_FINDINGS = 500
_MOST_WORDS = 2_000
_LAST_WORDS = 300


class Phase(str, Enum):
    """How far they are."""

    NEVER = "never"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: What was looked at.
        level: How it is: `ok`, `warn` or `bad`.
        text: What was found.
        mend: What to do about it; empty where nothing is to be done.
    """

    topic: str
    level: str
    text: str
    mend: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The last run.

    Attributes:
        phase: How far it is.
        started_ns: When it was started; 0: never.
        at_us: The same by the wall, in microseconds since 1970 UTC.
        took_ms: How long it took.
        by: Who asked for it.
        checks: What was found.
        trouble: Why there is no result; empty where there is.
    """

    phase: Phase = Phase.NEVER
    started_ns: int = 0
    at_us: int = 0
    took_ms: float = 0.0
    by: str = ""
    checks: tuple[Check, ...] = ()
    trouble: str = ""


class Checks:
    """Runs them. Any thread may ask.

    Args:
        command: The command whose standard output is the JSON of `takt doctor`.
        environment: Variables of the child beside those of this process.
        clock: Time.
        limit_s: The child is killed after so long.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], clock: Clock, limit_s: float = LIMIT_S
    ) -> None:
        self.limit_s = limit_s
        self._command = list(command)
        self._environment = dict(environment)
        self._clock = clock
        self._order = threading.Lock()
        self._last = Checked()
        self._thread: threading.Thread | None = None

    @property
    def last(self) -> Checked:
        """The run that goes on, or the last one."""
        return self._last

    def start(self, by: str) -> bool:
        """Starts them, unless they run already.

        Args:
            by: Who asks.

        Returns:
            Whether they were started now.
        """
        with self._order:
            if self._last.phase is Phase.RUNNING:
                return False
            at_us = round(self._clock.wall().timestamp() * 1e6)
            # What was found before stays in sight until there is something newer.
            before = self._last.checks
            self._last = Checked(Phase.RUNNING, self._clock.now_ns(), at_us, by=by, checks=before)
            self._thread = threading.Thread(target=self._run, name="checks", daemon=True)
            self._thread.start()
            return True

    def wait(self, timeout_s: float | None = None) -> None:
        """Waits until they have ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        checks: tuple[Check, ...] = ()
        trouble = ""
        try:
            checks = read_checks(self._said())
        except DataError as error:
            trouble = error.what
        except subprocess.TimeoutExpired:
            trouble = f"takt doctor did not end within {self.limit_s:g} s"
        except OSError as error:
            trouble = f"takt doctor could not be started: {error.strerror or error}"
        except Exception as error:  # noqa: BLE001 - the thread's border: the page must not wait for ever
            trouble = f"the checks failed: {type(error).__name__}: {error}"
        with self._order:
            phase = Phase.FAILED if trouble else Phase.DONE
            took_ms = (self._clock.now_ns() - self._last.started_ns) / NS_PER_MS
            self._last = replace(self._last, phase=phase, took_ms=took_ms, checks=checks, trouble=trouble)

    def _said(self) -> bytes:
        """What the child says.

        Raises:
            OSError: It cannot be started.
            subprocess.TimeoutExpired: It did not end in time, and was killed with all that it has started.
            DataError: It said nothing.
        """
        with subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **self._environment},
        ) as child:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, child.pid, _NICE)
            try:
                said, complaint = child.communicate(timeout=self.limit_s)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                raise
        if not said.strip():
            words = complaint.decode(errors="replace").strip()[-_LAST_WORDS:]
            how = words or f"exit code {child.returncode}"
            raise DataError(f"takt doctor ended without an answer: {how}", "run it in a shell: takt doctor")
        return said


def doctor_command(lines: Sequence[Path]) -> list[str]:
    """`takt doctor --json` with this interpreter.

    Args:
        lines: The files of the lanes.
    """
    named = [word for path in lines for word in ("--line", str(path))]
    return [sys.executable, "-m", "app.cli", "doctor", "--json", *named]


def read_checks(data: bytes) -> tuple[Check, ...]:
    """What `takt doctor --json` has found, the worst first.

    Raises:
        DataError: It is none of its words.
    """
    try:
        said = json.loads(data)
        rows = [[str(each.get(key, ""))[:_MOST_WORDS] for key in _KEYS] for each in said["findings"][:_MOST_FINDINGS]]
        found = [Check(*row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"what takt doctor says cannot be read: {error}", "run it in a shell: takt doctor") from error
    return tuple(sorted(found, key=lambda each: _ORDER.get(each.level, 0)))


_KEYS = ("topic", "level", "text", "mend")
_ORDER = {"bad": 0, "warn": 1, "ok": 2}
