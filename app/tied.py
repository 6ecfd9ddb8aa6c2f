"""A process that does not outlive the one that started it: the kernel ends it when its parent has gone.

As a command it ties itself and becomes another one, for a parent with several threads, which may run nothing of its own
between fork and exec:

    python -m app.tied PARENT COMMAND [ARGUMENT ...]

The kernel takes the thread that started the process for its parent: that thread has to live as long as it.
See prctl(2), `PR_SET_PDEATHSIG`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_PARENT, _COMMAND = 1, 2
_NOT_FOUND = 127


def tie(parent: int, when_orphaned: signal.Signals = signal.SIGKILL) -> None:
    """Ties this process to its parent; ends it at once where the parent has gone already. For a child before its exec.

    Args:
        parent: The parent's number, as the parent has read it.
        when_orphaned: What the process gets when the parent has gone.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(when_orphaned), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the line above: nobody would tell this one


def tied(command: Sequence[str]) -> list[str]:
    """A command line whose process ends with the thread of this process that starts it.

    Args:
        command: What it is to run.
    """
    return [sys.executable, "-m", __name__, str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> None:
    """Ties this process to its parent and becomes a command.

    Args:
        arguments: Of the command line, its name included.
    """
    tie(int(arguments[_PARENT]))
    try:
        os.execvp(arguments[_COMMAND], list(arguments[_COMMAND:]))  # noqa: S606 - what the parent wants to run
    except OSError as error:
        sys.stderr.write(f"{arguments[_COMMAND]} cannot be started: {error.strerror}\n")
        sys.exit(_NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv)
