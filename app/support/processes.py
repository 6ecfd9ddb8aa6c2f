"""The processes of the box as whoever mends it sees them: who started them, how they run, what they use.

`takt run` tells of its own in a status block; systemd is asked for its units. What a process uses stands in /proc
(proc(5)), where names are whatever a program has called itself.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.bus.block import read_block
from app.clock import NS_PER_MS, NS_PER_S
from app.errors import BusError, DataError
from app.support.supervised import BLOCK, ChildStatus, End, Supervised, decode_supervised

OLD_NS = 3 * NS_PER_S
"""Older words are of a `takt run` that has ended or hangs."""

_LEAST_NS = NS_PER_S // 2
_MOST_THREADS = 128
_POLICIES = {0: "OTHER", 1: "FIFO", 2: "RR", 3: "BATCH", 5: "IDLE", 6: "DEADLINE"}
_NAME = re.compile(r"(?:lane(?P<lane>\d{1,3})-)?(?P<kind>twin|capture|recorder|accelerator|station|web)(?:-.*)?")
_OF_LANES = ("twin", "capture", "station")
# Words after the command's name in /proc/PID/stat, from `state` on.
_PARENT, _USER, _SYSTEM, _NICE, _THREADS, _STARTED, _PAGES, _PRIORITY, _POLICY = 1, 11, 12, 16, 17, 19, 21, 37, 38


@dataclass(frozen=True, slots=True)
class Use:
    """What a process uses.

    Attributes:
        pid: Its process id.
        parent: Its parent's.
        started: When it was started, in the kernel's ticks since the box was: with its id it names a process for good.
        ticks: Time of the cores that it has had, in the kernel's ticks.
        memory_bytes: Memory that is its own or shared and in use now.
        threads: How many threads it has.
        scheduling: Policy and priority of its threads, each once, the highest first.
        cpu_share: Of one core since it was looked at last, 1 for all of it; `None` at the first look.
    """

    pid: int
    parent: int
    started: int
    ticks: int
    memory_bytes: int
    threads: int
    scheduling: tuple[str, ...]
    cpu_share: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One process of the table.

    Attributes:
        name: The row's name.
        kind: What it does.
        lane: Its lane, if it has one.
        pid: Its process id; 0 while it does not run.
        since_ns: When it was started, or ended; 0 where nobody knows.
        is_alive: It shows signs of life.
        restarts: How often it was started again.
        last_exit: How it last ended, in words; empty: never, or nobody knows.
        use: What it uses; `None` while it does not run, or where that may not be read.
    """

    name: str
    kind: str
    lane: int | None
    pid: int
    since_ns: int
    is_alive: bool
    restarts: int
    last_exit: str
    use: Use | None = None


@dataclass(frozen=True, slots=True)
class Processes:
    """All of them.

    Attributes:
        started_by: `takt run`, `systemd`, or empty where nobody tells.
        lines: Each process.
        ends: The last ends, newest first, as far as they are known.
        trouble: Why nothing, or nothing new, is known; empty where it is.
    """

    started_by: str
    lines: tuple[Line, ...] = ()
    ends: tuple[End, ...] = ()
    trouble: str = ""


class Meter:
    """What processes use, and how much of the cores since the last look. Any thread may ask.

    Args:
        root: Where `proc` is.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._seen: dict[tuple[int, int], tuple[int, int, float | None]] = {}
        self._order = threading.Lock()

    def read(self, pid: int, now_ns: int) -> Use | None:
        """What a process uses; `None` where it is gone or may not be read.

        Args:
            pid: Its process id.
            now_ns: The present.
        """
        use = read_use(pid, self._root)
        if use is None:
            return None
        key = (use.pid, use.started)
        with self._order:
            at_ns, ticks, share = self._seen.get(key, (0, 0, None))
            if not at_ns:
                self._seen[key] = (now_ns, use.ticks, None)
            elif now_ns - at_ns >= _LEAST_NS:
                share = (use.ticks - ticks) / os.sysconf("SC_CLK_TCK") / ((now_ns - at_ns) / NS_PER_S)
                self._seen[key] = (now_ns, use.ticks, share)
        return replace(use, cpu_share=share)

    def keep(self, pids: set[int]) -> None:
        """Forgets those that are gone."""
        with self._order:
            self._seen = {key: each for key, each in self._seen.items() if key[0] in pids}


def read_use(pid: int, root: Path = Path("/")) -> Use | None:
    """What a process uses now; `None` where it is gone or may not be read."""
    folder = root / "proc" / str(pid)
    words = _stat(folder / "stat")
    try:
        if words is None or words[0] in ("Z", "X"):
            return None
        return Use(
            pid=pid,
            parent=int(words[_PARENT]),
            started=int(words[_STARTED]),
            ticks=int(words[_USER]) + int(words[_SYSTEM]),
            memory_bytes=int(words[_PAGES]) * os.sysconf("SC_PAGE_SIZE"),
            threads=int(words[_THREADS]),
            scheduling=_scheduling(folder / "task"),
        )
    except (ValueError, IndexError):
        return None


def read_supervised(folder: Path) -> Supervised | None:
    """What `takt run` has told last on a bus; `None` where it has told nothing that can be read."""
    try:
        said = read_block(folder / BLOCK)
        return decode_supervised(said) if said else None
    except (BusError, DataError):
        return None


def of_takt_run(said: Supervised, meter: Meter, now_ns: int) -> Processes:
    """The processes that `takt run` has started.

    Args:
        said: What it tells of them.
        meter: Measures them.
        now_ns: The present.
    """
    is_old = now_ns - said.at_ns > OLD_NS
    lines = tuple(_line(each, meter, now_ns, said.pid) for each in said.processes)
    meter.keep({each.pid for each in lines})
    age_ms = (now_ns - said.at_ns) / NS_PER_MS
    trouble = f"takt run has not told anything for {age_ms / 1000:.0f} s" if is_old else ""
    return Processes("takt run", lines, said.ends[::-1], trouble)


def kind_of(name: str) -> tuple[str, int | None]:
    """What a row of the process table does, and on which lane, by its name; an empty kind for no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return "", None
    kind = found["kind"]
    return kind, int(found["lane"] or 1) if kind in _OF_LANES else None


def ask_to_end(pid: int, started: int, parent: int | None, root: Path = Path("/")) -> bool:
    """Asks one process to end, and never another one that has got its number meanwhile.

    Args:
        pid: Its process id.
        started: When it was started, as `Use` tells.
        parent: Whose child it has to be; `None`: anybody's.
        root: Where `proc` is.

    Returns:
        Whether it was that process.

    Raises:
        PermissionError: It belongs to another user.
    """
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        return False
    try:
        # From here on the number means one process: what is read now is of the one that is signalled.
        use = read_use(pid, root)
        if use is None or use.started != started or parent not in (None, use.parent):
            return False
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _line(child: ChildStatus, meter: Meter, now_ns: int, parent: int) -> Line:
    use = meter.read(child.pid, now_ns) if child.pid else None
    if use is not None and use.parent != parent:
        use = None  # the number is another one's by now
    return Line(
        child.name,
        child.kind,
        child.lane,
        child.pid,
        child.since_ns,
        child.is_alive,
        child.restarts,
        child.last_exit,
        use,
    )


def _scheduling(folder: Path) -> tuple[str, ...]:
    found: Mapping[tuple[int, str], None] = dict(_threads(folder))
    return tuple(words for _, words in sorted(found, reverse=True))


def _threads(folder: Path) -> Iterator[tuple[tuple[int, str], None]]:
    try:
        tasks = sorted(folder.iterdir())[:_MOST_THREADS]
    except OSError:
        return
    for task in tasks:
        words = _stat(task / "stat")
        if words is None or len(words) <= _POLICY:
            continue
        policy, priority, nice = int(words[_POLICY]), int(words[_PRIORITY]), int(words[_NICE])
        name = _POLICIES.get(policy, f"policy {policy}")
        if priority:
            yield (priority, f"{name} {priority}"), None
        else:
            yield (-100 - nice, f"{name}, nice {nice}" if nice else name), None


def _stat(path: Path) -> list[str] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # A program may have a closing bracket in the name that it gives itself: only the last one ends it.
    return text[text.rfind(")") + 2 :].split()
