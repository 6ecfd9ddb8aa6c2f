"""The browser's processes as the kernel shows them: who belongs to it, what they hold, and how none is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)
_GONE = ("Z", "X")


@dataclass(frozen=True, slots=True)
class Member:
    """One process, told from a later one that has its number.

    Attributes:
        pid: Its number.
        parent: The number of the process above it.
        session: Its session.
        started: When it began, in ticks since boot.
    """

    pid: int
    parent: int
    session: int
    started: int


def adopt_orphans() -> None:
    """From now on processes below this one come to it when their parent dies, and not to the first one of the box."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tree_of(pid: int, proc: Path = _PROC) -> set[Member]:
    """A process, all that it has started, and all of its session.

    Args:
        pid: The process, which leads a session of its own.
        proc: Where the kernel shows its processes.
    """
    everybody = list(_everybody(proc))
    found = {each for each in everybody if pid in (each.pid, each.session)}
    return found | _below({each.pid for each in found} | {pid}, everybody)


def below(pid: int, proc: Path = _PROC) -> set[Member]:
    """All that a process has started or adopted, without itself.

    Args:
        pid: The process.
        proc: Where the kernel shows its processes.
    """
    return _below({pid}, list(_everybody(proc)))


def _below(pids: set[int], everybody: Sequence[Member]) -> set[Member]:
    found: set[Member] = set()
    while True:
        more = {each for each in everybody if each.parent in pids and each.pid not in pids}
        if not more:
            return found
        found |= more
        pids |= {each.pid for each in more}


def memory_mb(members: Iterable[Member], proc: Path = _PROC) -> float:
    """What they hold in memory in MB; pages that several share are counted with each of them.

    Args:
        members: The processes.
        proc: Where the kernel shows its processes.
    """
    pages = 0
    for each in members:
        with suppress(OSError, ValueError, IndexError):
            pages += int((proc / str(each.pid) / "statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE_BYTES / 1e6


def kill(members: Iterable[Member], proc: Path = _PROC) -> list[Member]:
    """Kills those that are still there.

    Args:
        members: The processes.
        proc: Where the kernel shows its processes.

    Returns:
        Those that were.
    """
    present = [each for each in members if _member(proc / str(each.pid)) == each]
    for each in present:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each.pid, signal.SIGKILL)
    return present


def bury(but: int, proc: Path = _PROC) -> None:
    """Takes note of the end of every child of this process but one; for a process that has no others.

    Args:
        but: The child whose end somebody else takes note of.
        proc: Where the kernel shows its processes.
    """
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            state, parent = _cells(folder)[:2]
            if state in _GONE and int(parent) == os.getpid() and int(folder.name) != but:
                os.waitpid(int(folder.name), os.WNOHANG)


def _everybody(proc: Path) -> Iterator[Member]:
    for folder in proc.glob("[0-9]*"):
        found = _member(folder)
        if found is not None:
            yield found


def _member(folder: Path) -> Member | None:
    """The process of a folder; `None` for one that has ended."""
    try:
        cells = _cells(folder)
        if cells[0] in _GONE:
            return None
        return Member(int(folder.name), int(cells[1]), int(cells[3]), int(cells[19]))
    except (OSError, ValueError, IndexError):
        return None


def _cells(folder: Path) -> list[str]:
    """What the kernel says of a process, from its state on: the name before that may hold anything."""
    return (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
