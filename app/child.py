"""One row of the table at work: started, heard, watched, buried, started again."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.bus.notify import VARIABLES
from app.clock import NS_PER_MS, NS_PER_S
from app.processes import Process, Restart
from app.signs import Watch
from app.tied import tie

REFUSALS = range(2, 13)
"""Exit codes that tell of something a person has to mend: trying again changes nothing."""

_PIPE_BYTES = 1 << 20
"""Room for what a child says while nobody listens, so that it is never held up by its own words."""

_READ_BYTES = 1 << 16
_LONGEST_LINE = 2_000
_BURST = 20
_LINES_PER_S = 2
_MOST_TOLD = 256

Say = Callable[[str, str], None]
"""Tells a person something: the process's name, and one line."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A process cannot start as things are.

    Attributes:
        exit_code: What it ended with.
        sentence: What it said, without the command's name.
    """

    exit_code: int
    sentence: str


class Backoff:
    """When a process that has ended starts again.

    Args:
        restart: The row's rule.

    Attributes:
        ends: How often it has ended since it last lived long.
    """

    def __init__(self, restart: Restart) -> None:
        self.ends = 0
        self._restart = restart

    def ended(self, now_ns: int, since_ns: int) -> int:
        """Counts an end.

        Args:
            now_ns: The time.
            since_ns: When it was started.

        Returns:
            When it is due.
        """
        if self.has_proven(now_ns, since_ns):
            self.ends = 0
        delay_ms = self._restart.delay_ms(self.ends)
        self.ends += 1
        return now_ns + round(delay_ms * NS_PER_MS)

    def has_proven(self, now_ns: int, since_ns: int) -> bool:
        """A life from `since_ns` until now is a long one."""
        return now_ns - since_ns >= self._restart.reset_s * NS_PER_S


class Words:
    """Lets through what a child says, and neither a flood nor the same again from each of its lives."""

    def __init__(self) -> None:
        self.left_out = 0
        self._told: dict[str, int] = {}
        self._room = float(_BURST)
        self._at_ns: int | None = None

    def passes(self, line: str, life: int, now_ns: int) -> bool:
        """Whether a line is told.

        Args:
            line: What it said.
            life: How many times it has been started; what an earlier life said is known.
            now_ns: The time.
        """
        if self._told.get(line, life) != life:
            return False
        elapsed_ns = now_ns - (self._at_ns if self._at_ns is not None else now_ns)
        self._at_ns = now_ns
        self._room = min(_BURST, self._room + _LINES_PER_S * elapsed_ns / NS_PER_S)
        if self._room < 1:
            self.left_out += 1
            return False
        self._room -= 1
        if len(self._told) < _MOST_TOLD:
            self._told[line] = life
        return True

    def forget(self) -> None:
        """What is said again after a long life is news."""
        self._told.clear()


class Child:
    """A process and its successors.

    Args:
        row: What it is.
        command: The command line.
        cores: Where it may run; empty: anywhere.
        watch: What shows that it lives.
        say: Takes its words and what becomes of it.

    Attributes:
        row: What it is.
        pid: Its process id; 0 while it does not run.
        since_ns: When it was started, or ended.
        starts: How often it was started.
        last_exit: How it last ended, in words; empty before.
        refusal: It cannot start as things are; only ever set at its first start.
    """

    def __init__(self, row: Process, command: Sequence[str], cores: Sequence[int], watch: Watch, say: Say) -> None:
        self.row = row
        self.pid = 0
        self.since_ns = 0
        self.starts = 0
        self.last_exit = ""
        self.refusal: Refusal | None = None
        self.watch = watch
        self._command = list(command)
        self._cores = tuple(cores)
        self._say = say
        self._backoff = Backoff(row.restart)
        self._words = Words()
        self._process: subprocess.Popen[bytes] | None = None
        self._due_ns = 0
        self._tail = b""
        self._held = ""
        self._why = ""
        self._is_wanted = True

    @property
    def is_running(self) -> bool:
        """There is a process."""
        return self._process is not None

    def start(self, now_ns: int) -> None:
        """Starts it."""
        self.watch.start(now_ns)
        self.starts += 1
        self.since_ns = now_ns
        self._why = self._held = ""
        self._tail = b""
        try:
            self._process = _spawn(self._command, self.row, self._cores)
        except (OSError, subprocess.SubprocessError) as error:
            self._ended(now_ns, f"could not be started: {error}")
            return
        self.pid = self._process.pid

    def look(self, now_ns: int) -> None:
        """Does what is due: starts it, passes on what it said, sees whether it ended or hangs."""
        if self._process is None:
            if self._is_wanted and now_ns >= self._due_ns:
                self.start(now_ns)
            return
        self._listen(now_ns)
        if _has_ended(self._process.pid):
            self._bury(now_ns)
            return
        self.watch.look(now_ns)
        if self.watch.is_hung and not self._why:
            self.kill(f"hung, no sign of life for {self.watch.age_ms / 1000:.1f} s")

    def retire(self) -> None:
        """It will not be started again."""
        self._is_wanted = False

    def terminate(self) -> None:
        """Asks it to end."""
        if self._process is not None:
            self._why = self._why or "stopped"
            os.kill(self._process.pid, signal.SIGTERM)
            os.kill(self._process.pid, signal.SIGCONT)  # a suspended one cannot hear

    def kill(self, why: str) -> None:
        """Ends it at once, with whatever it has started.

        Args:
            why: What is told as its end.
        """
        if self._process is not None:
            self._why = why
            _kill_group(self._process.pid)

    def _listen(self, now_ns: int) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with suppress(BlockingIOError):
            said = os.read(self._process.stdout.fileno(), _READ_BYTES)
            *lines, tail = (self._tail + said).split(b"\n")
            self._tail = tail[:_LONGEST_LINE]
            for line in lines:
                self._hear(line[:_LONGEST_LINE].decode(errors="replace").rstrip(), now_ns)

    def _hear(self, line: str, now_ns: int) -> None:
        held, self._held = self._held, ""
        if held:
            self._tell(held, now_ns)
        if line.startswith("takt: "):
            # Perhaps its last words: then they tell why it cannot start, and are told once.
            self._held = line
        elif line:
            self._tell(line, now_ns)

    def _tell(self, line: str, now_ns: int) -> None:
        if self._words.passes(line, self.starts, now_ns):
            left_out, self._words.left_out = self._words.left_out, 0
            if left_out:
                self._say(self.row.name, f"({left_out} more lines)")
            self._say(self.row.name, line)

    def _bury(self, now_ns: int) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        _kill_group(self._process.pid)  # before its number is free for another
        code = self._process.wait()
        self._listen(now_ns)
        self._process.stdout.close()
        self._process = None
        if self._tail:
            self._hear(self._tail.decode(errors="replace"), now_ns)
        is_first = self.starts == 1 and not self.watch.is_alive
        if is_first and code in REFUSALS and self.row.is_essential and self._is_wanted:
            self.refusal = Refusal(code, self._held.removeprefix("takt: ") or f"{self.row.name} ends with code {code}")
            self._held = ""
        if self._held:
            self._tell(self._held, now_ns)
        self._ended(now_ns, self._why or in_words(code))

    def _ended(self, now_ns: int, how: str) -> None:
        if self._backoff.has_proven(now_ns, self.since_ns):
            self._words.forget()
        self._due_ns = self._backoff.ended(now_ns, self.since_ns)
        self.pid = 0
        self.since_ns = now_ns
        self.last_exit = how
        ends = self._backoff.ends
        is_news = ends <= 3 or ends & (ends - 1) == 0  # noqa: PLR2004 - then at 4, 8, 16 ...
        if self._is_wanted and self.refusal is None and is_news:
            wait_s = (self._due_ns - now_ns) / NS_PER_S
            often = f" {ends} times, the last time" if ends > 1 else ""
            when = f"in {wait_s:g} s" if wait_s else "at once"
            self._say(self.row.name, f"ended{often}: {how}; starts again {when}")


def in_words(code: int) -> str:
    """How a process ended.

    Args:
        code: Its return code; negative for the signal that ended it.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _spawn(command: list[str], row: Process, cores: tuple[int, ...]) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    when_orphaned = signal.SIGTERM if row.stop.is_clean_orphan else signal.SIGKILL
    nice = min(each.nice for each in row.threads.values())

    def prepare() -> None:
        tie(parent, when_orphaned)
        # Before it loads anything: what comes late is the station's, even while all of them start.
        os.nice(nice)
        if cores:
            with suppress(OSError):
                os.sched_setaffinity(0, cores)

    process = subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in VARIABLES},
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with suppress(OSError):
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
