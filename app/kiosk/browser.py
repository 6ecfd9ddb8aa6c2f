"""One life of the browser: started with a pipe to it, and ended with everything that it has started."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Mapping, Sequence

from app.bus.notify import VARIABLES
from app.child import in_words
from app.errors import ConfigError
from app.kiosk.pipe import Pipe
from app.kiosk.tree import Member, below, bury, kill, memory_mb, tree_of
from app.tied import tie

ENDS_S = 0.8
"""After SIGTERM it may take so long, then it is killed."""

_KILLED_S = 0.6
_NAP_S = 0.02
_ABOVE = 64
_TAIL_BYTES = 4_096


class Browser:
    """A browser at work.

    Args:
        command: Its command line.
        environ: Its environment.
        is_only_child: This process has no other, and adopts what the browser leaves: all below it is the browser's.

    Attributes:
        pipe: The control pipe.
        pid: Its first process.

    Raises:
        ConfigError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], *, is_only_child: bool = False) -> None:
        # All four at once, before anything is closed: so none of what `Popen` opens for itself is 3 or 4.
        theirs_in, ours_out = os.pipe2(os.O_CLOEXEC)
        ours_in, theirs_out = os.pipe2(os.O_CLOEXEC)
        self._is_only_child = is_only_child
        self._known: set[Member] = set()
        self._tail = b""
        try:
            self._process = _spawn(command, environ, theirs_in, theirs_out)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(ours_in)
            os.close(ours_out)
            raise ConfigError(f"{command[0]} cannot be started: {error}", "name a Chromium with --browser") from error
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.pid = self._process.pid
        self.pipe = Pipe(ours_in, ours_out)

    @property
    def has_ended(self) -> bool:
        """Its first process is gone."""
        self._listen()
        return self._process.poll() is not None

    @property
    def how(self) -> str:
        """How it ended, and what it said last, in words."""
        last = self._tail.decode(errors="replace").strip().rpartition("\n")[2].strip()
        code = self._process.poll()
        how = "still runs" if code is None else in_words(code)
        return f"{how}, after it said: {last[:300]}" if last and code and code > 0 else how

    def memory_mb(self) -> float:
        """What all its processes hold in memory, in MB."""
        found = self._tree()
        self._known |= found  # who leaves the tree later is still known at the end
        self._bury()
        return memory_mb(found)

    def end(self, *, is_gentle: bool = True) -> None:
        """Ends it and everything that it has started, within two seconds. Idempotent.

        Args:
            is_gentle: It may write down first what it keeps.
        """
        self._known |= self._tree()
        if is_gentle and self._process.poll() is None:
            self._process.terminate()
            self._wait(ENDS_S)
        end_s = time.monotonic() + _KILLED_S
        # More than once: one that was just starting another may have been killed before that one was known.
        while (left := kill(self._known | self._tree())) and time.monotonic() < end_s:
            self._known |= set(left)
            self._process.poll()
            self._bury()
            time.sleep(_NAP_S)
        self._wait(_KILLED_S)
        self._bury()
        self._listen()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.pipe.close()

    def _tree(self) -> set[Member]:
        return tree_of(self.pid) | (below(os.getpid()) if self._is_only_child else set())

    def _bury(self) -> None:
        if self._is_only_child:
            bury(self.pid)

    def _wait(self, longest_s: float) -> None:
        end_s = time.monotonic() + longest_s
        while self._process.poll() is None and time.monotonic() < end_s:
            self._listen()
            time.sleep(_NAP_S)

    def _listen(self) -> None:
        """Takes what it says to its terminal, so that it is never held up by that, and keeps the last of it."""
        stream = self._process.stdout
        assert stream is not None
        if stream.closed:
            return
        try:
            while piece := os.read(stream.fileno(), _TAIL_BYTES):
                self._tail = (self._tail + piece)[-_TAIL_BYTES:]
        except BlockingIOError:
            pass


def _spawn(command: Sequence[str], environ: Mapping[str, str], reading: int, writing: int) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def prepare() -> None:
        tie(parent)
        # Out of the way first: either may be the other's number now.
        moved = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for each in (reading, writing)]
        os.dup2(moved[0], 3)
        os.dup2(moved[1], 4)

    process = subprocess.Popen(  # noqa: S603 - the browser that a person chose
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,  # 3 and 4 are for the child; every other descriptor of ours closes itself
        preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
        start_new_session=True,
        env={name: value for name, value in environ.items() if name not in VARIABLES},
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process
