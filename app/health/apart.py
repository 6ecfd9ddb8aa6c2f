"""A source in a process of its own, so that a driver that hangs holds up nobody."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.clock import NS_PER_MS, Clock, SystemClock
from app.errors import DataError
from app.health.health import Health, decode_health

DEADLINE_MS = 200.0
HUNG_MS = 10_000.0
"""A driver that has not answered for so long will not. A GPU that was never used may take seconds for its first."""

ENDING_MS = 1_000.0
"""A process that was killed is gone long before, unless its driver keeps it."""

BACKOFF_MS = (0.0, 1_000.0, 5_000.0, 30_000.0)
"""Waits before the reader is started again, by how often it ended since its last answer."""

_LONGEST_BYTES = 1 << 16


def reader_command(name: str, root: Path) -> list[str]:
    """The command line of the process that reads a source."""
    return [sys.executable, "-m", "app.health.reader", name, str(root)]


class ApartHealth:
    """Asks a process for each reading, and waits no longer than the deadline.

    A reading that is not there in time is `None` in every field, with a remark. Its answer is kept for the next call,
    in case the next one is late too; `at_ns` tells how old it is. A process that is silent for `hung_ms` is killed.
    One that cannot even be killed, as its driver never returns, is left alone, and has no successor while it is there.

    Args:
        name: The source's name, for readings that say nothing.
        command: Starts the process; see `reader_command`.
        deadline_ms: How long `read` waits.
        hung_ms: How long the process may be silent after a question.
        clock: Times the waits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        deadline_ms: float = DEADLINE_MS,
        hung_ms: float = HUNG_MS,
        clock: Clock | None = None,
    ) -> None:
        self._name = name
        self._command = list(command)
        self._deadline_ms = deadline_ms
        self._hung_ms = hung_ms
        self._clock = clock or SystemClock()
        self._child: subprocess.Popen[bytes] | None = None
        self._dying: subprocess.Popen[bytes] | None = None
        self._tail = b""
        self._killed_ns = 0
        self._asked_ns: int | None = None
        self._due_ns = 0
        self._ends = 0

    def read(self) -> Health:
        """How the device is now; as the seam says."""
        began_ns = self._clock.now_ns()
        problem = self._start(began_ns)
        if problem:
            return self._nothing(problem)
        late = self._answer(began_ns) if self._asked_ns is not None else None
        if late is not None:
            self._asked_ns = None
        if self._asked_ns is None and not self._ask(began_ns):
            return self._ended("the reader has ended")
        line = self._answer(began_ns + round(self._deadline_ms * NS_PER_MS))
        if line is not None:
            self._asked_ns = None
        else:
            line = late
        return self._waited() if line is None else self._decoded(line)

    def close(self) -> None:
        """Ends the process. Idempotent."""
        self._bury()
        if self._dying is not None:
            with suppress(subprocess.TimeoutExpired):
                self._dying.wait(ENDING_MS / 1000)

    def _start(self, now_ns: int) -> str:
        """Starts the process where there is none; says what keeps it from that, and nothing where it is there."""
        if self._dying is not None and self._dying.poll() is None:
            if now_ns - self._killed_ns < ENDING_MS * NS_PER_MS:
                return "the reader is ending"
            return "the driver does not return, and whoever asked it cannot be ended: the device is as good as gone"
        self._dying = None
        if self._child is not None:
            return ""
        if now_ns < self._due_ns:
            return "the reader ended again and again; it is started later"
        try:
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except OSError as error:
            self._back_off()
            return f"the reader cannot be started: {error.strerror}"
        return ""

    def _ask(self, now_ns: int) -> bool:
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(b"\n")
        except OSError:
            return False
        self._asked_ns = now_ns
        return True

    def _answer(self, until_ns: int) -> bytes | None:
        """One line; `None` while there is none, empty when there will be none."""
        assert self._child is not None
        assert self._child.stdout is not None
        while b"\n" not in self._tail:
            left_ms = max(0.0, (until_ns - self._clock.now_ns()) / NS_PER_MS)
            ready, _, _ = select.select([self._child.stdout], [], [], left_ms / 1000)
            if not ready:
                return None
            data = os.read(self._child.stdout.fileno(), _LONGEST_BYTES)
            if not data:
                return b""
            self._tail += data
        line, _, self._tail = self._tail.partition(b"\n")
        return line

    def _decoded(self, line: bytes) -> Health:
        if not line:
            return self._ended("the reader has ended")
        try:
            health = decode_health(line)
        except DataError as error:
            return self._ended(error.what)
        self._ends = 0
        return health

    def _waited(self) -> Health:
        """Nothing came within the deadline: the process has a while longer, or has had it."""
        assert self._asked_ns is not None
        silent_ms = (self._clock.now_ns() - self._asked_ns) / NS_PER_MS
        if silent_ms < self._hung_ms:
            return self._nothing(f"no answer for {silent_ms:.0f} ms")
        return self._ended(f"the driver has hung for {silent_ms / 1000:.1f} s; the reader was killed")

    def _ended(self, why: str) -> Health:
        self._bury()
        self._back_off()
        return self._nothing(why)

    def _back_off(self) -> None:
        wait_ms = BACKOFF_MS[min(self._ends, len(BACKOFF_MS) - 1)]
        self._ends += 1
        self._due_ns = self._clock.now_ns() + round(wait_ms * NS_PER_MS)

    def _bury(self) -> None:
        child, self._child = self._child, None
        self._asked_ns, self._tail = None, b""
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        # Waited for at the next reading only: a process that its driver keeps does not end, not even killed.
        self._dying, self._killed_ns = child, self._clock.now_ns()

    def _nothing(self, why: str) -> Health:
        return Health(self._name, self._clock.now_ns(), remarks=(why,))
