"""How one process learns from the kernel that another has ended: a descriptor that becomes readable.

A number alone may belong to somebody else by now, or count in another namespace. So whoever is to be watched says when
it was born and where its number counts, and a descriptor is only had of that very process.
"""

from __future__ import annotations

import os
from pathlib import Path

from app.errors import BusError

NONE = -1
"""No descriptor: the end of that process does not show here."""

_AT_BORN = 19
"""Words of `stat` behind the command's name (proc(5): field 22, `starttime`)."""


def own_mark() -> str:
    """What another process needs to know this one again; empty where the system does not say."""
    try:
        return f"{_namespace()}:{_born('self')}"
    except (OSError, ValueError, IndexError):
        return ""


def life_of(pid: int, mark: str) -> int:
    """A descriptor that becomes readable when a process ends.

    Args:
        pid: Its number, as it knows it.
        mark: What `own_mark` told it.

    Returns:
        The descriptor, the caller's to close; `NONE` where none is to be had.

    Raises:
        BusError: The process has ended.
    """
    space, _, born = mark.partition(":")
    try:
        if not born or space != str(_namespace()):
            return NONE
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise _ended(pid) from error
    except OSError:
        return NONE
    try:
        # Asked while the descriptor holds the number: it cannot become another's in between.
        is_same = _born(str(pid)) == born
    except (FileNotFoundError, ProcessLookupError):
        is_same = False
    except (OSError, ValueError, IndexError):
        os.close(descriptor)
        return NONE
    if not is_same:
        os.close(descriptor)
        raise _ended(pid)
    return descriptor


def _ended(pid: int) -> BusError:
    return BusError(f"process {pid} has ended", "whoever started it starts it again")


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _born(pid: str) -> str:
    """When a process started, in ticks since the start of the system."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[_AT_BORN]
