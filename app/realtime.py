"""How a process of the line runs in time: its scheduling, its cores, its memory, a quiet interpreter.

Everything is asked for and nothing is insisted on: what the system does not permit is said in words, in the station's
status and by `takt doctor`, and the line runs with what it has.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FIFO = "fifo"
OTHER = "other"

SWITCH_INTERVAL_S = 1e-5
"""How long a thread that wants the interpreter waits before it asks the one that has it. Measured on two cores with a
computing neighbour: the thread with FIFO 80 was 3.9 ms late at p99 with Python's own 5 ms, 0.2 with 0.1 ms, 0.1 with
this, and the neighbour lost nothing."""

CAP_IPC_LOCK = 14
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Grant:
    """What became of one wish.

    Attributes:
        text: What was granted, or what was not and why.
        is_given: It was granted as asked for.
    """

    text: str
    is_given: bool = True


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the system granted a process.

    Attributes:
        scheduling: Policy and priority of the calling thread.
        cores: Where it may run.
        memory: Whether its memory stays in memory.
        interpreter: What was changed in the interpreter.
    """

    scheduling: Grant
    cores: Grant
    memory: Grant
    interpreter: Grant

    @property
    def is_full(self) -> bool:
        """Every wish was granted."""
        return all(each.is_given for each in (self.scheduling, self.cores, self.memory, self.interpreter))

    @property
    def text(self) -> str:
        """All of it in one line."""
        return "; ".join(each.text for each in (self.scheduling, self.cores, self.memory, self.interpreter))


@dataclass(frozen=True, slots=True)
class Throttle:
    """The kernel's brake on real-time threads: in each period they may compute for the runtime, then others must.

    Attributes:
        runtime_us: Time they may take; -1: as much as they want.
        period_us: Out of so much.
    """

    runtime_us: int
    period_us: int

    @property
    def is_off(self) -> bool:
        """Nothing brakes them."""
        return self.runtime_us < 0 or self.runtime_us >= self.period_us

    @property
    def longest_pause_ms(self) -> float:
        """How long a real-time thread that computes without end is held up in each period."""
        return 0.0 if self.is_off else (self.period_us - self.runtime_us) / 1000


def enter(
    policy: str, priority: int, cores: Sequence[int] = (), *, nice: int = 0, is_memory_locked: bool = True
) -> Realtime:
    """Makes this process fit for the line; call it in the main thread, once everything is loaded.

    Frozen for good are the collector's objects: what is in memory now is never looked at again, and the collector does
    not run any more. So a loop that makes cycles of objects grows.

    Args:
        policy: `FIFO` or `OTHER`, for the calling thread.
        priority: 1 .. 99 for `FIFO`; without meaning for `OTHER`.
        cores: Cores that the calling thread, and threads that it starts from now on, may use; empty: any.
        nice: For `OTHER`: how far it steps back behind others, 0 .. 19.
        is_memory_locked: Keep its memory from being swapped out.

    Returns:
        What was granted.
    """
    memory = lock_memory() if is_memory_locked else Grant("memory not locked")
    return Realtime(schedule(policy, priority, nice=nice), pin(cores), memory, quieten())


def schedule(policy: str, priority: int, *, nice: int = 0, thread_id: int = 0, is_inherited: bool = False) -> Grant:
    """Sets the scheduling of one thread.

    Args:
        policy: `FIFO` or `OTHER`.
        priority: 1 .. 99 for `FIFO`.
        nice: For `OTHER`: how far it steps back, 0 .. 19.
        thread_id: Native id of a thread of this process; 0: the calling one.
        is_inherited: Threads and processes that it starts get the same, as a runtime's pool should; otherwise they
            start with the ordinary scheduling.
    """
    if policy == OTHER:
        return _step_back(nice, thread_id)
    flag = 0 if is_inherited else os.SCHED_RESET_ON_FORK
    try:
        os.sched_setscheduler(thread_id, os.SCHED_FIFO | flag, os.sched_param(priority))
    except PermissionError:
        return Grant(f"SCHED_OTHER, as SCHED_FIFO {priority} is not permitted (LimitRTPRIO)", is_given=False)
    except OSError as error:
        return Grant(f"SCHED_OTHER, as SCHED_FIFO {priority} failed: {error.strerror}", is_given=False)
    limit_us = resource.getrlimit(resource.RLIMIT_RTTIME)[0]
    if limit_us != resource.RLIM_INFINITY:
        # The kernel counts what a thread computes between two waits, and ends the process that exceeds it.
        text = f"SCHED_FIFO {priority}, ended when it computes for {limit_us / 1000:g} ms (LimitRTTIME)"
        return Grant(text, is_given=False)
    return Grant(f"SCHED_FIFO {priority}")


def pin(cores: Sequence[int], thread_id: int = 0) -> Grant:
    """Keeps one thread on some cores; threads that it starts later inherit them.

    Args:
        cores: Numbers of the cores; empty: leave it where whoever started it has put it.
        thread_id: Native id of a thread of this process; 0: the calling one.
    """
    if not cores:
        there = os.sched_getaffinity(thread_id)
        return Grant("any core" if len(there) == os.cpu_count() else f"core {', '.join(map(str, sorted(there)))}")
    named = ", ".join(map(str, sorted(cores)))
    try:
        os.sched_setaffinity(thread_id, cores)
    except (OSError, ValueError) as error:
        return Grant(f"any core, as core {named} cannot be had: {error}", is_given=False)
    return Grant(f"core {named}")


def lock_memory() -> Grant:
    """Keeps what this process has in memory there, and what it gets later from its first use on."""
    limit, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if not may_lock_all(most, effective_capabilities()):
        # Under a limit the locking may work now and a later allocation fail, in the middle of a part.
        return Grant(f"memory not locked, the limit is {most / (1 << 20):.0f} MiB (LimitMEMLOCK)", is_given=False)
    if limit != most:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    libc = ctypes.CDLL(None, use_errno=True)
    # Everything there is now is loaded, library code that was never used too; what comes later as it is used, or
    # each thread's stack alone would take 8 MiB.
    for flags in (_MCL_CURRENT, _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        if libc.mlockall(flags) != 0:
            return Grant(f"memory not locked: {os.strerror(ctypes.get_errno())}", is_given=False)
    return Grant("memory locked")


def may_lock_all(limit: int, capabilities: int) -> bool:
    """Whether a process may lock as much memory as it wants.

    Args:
        limit: The hard RLIMIT_MEMLOCK in bytes.
        capabilities: The effective capabilities as a bit mask.
    """
    return limit == resource.RLIM_INFINITY or bool(capabilities & (1 << CAP_IPC_LOCK))


def quieten() -> Grant:
    """Freezes and stops the collector, and lets a waiting thread have the interpreter at once."""
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return Grant(f"collector off, threads exchange within {SWITCH_INTERVAL_S * 1e6:g} us")


def effective_capabilities(root: Path = Path("/")) -> int:
    """The effective capabilities of this process; none where the system does not say."""
    try:
        lines = (root / "proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def throttle(root: Path = Path("/")) -> Throttle | None:
    """The kernel's brake on real-time threads; `None` where it does not say."""
    folder = root / "proc/sys/kernel"
    try:
        runtime, period = ((folder / f"sched_rt_{name}_us").read_text() for name in ("runtime", "period"))
        return Throttle(int(runtime), int(period))
    except (OSError, ValueError):
        return None


def _step_back(nice: int, thread_id: int) -> Grant:
    try:
        os.setpriority(os.PRIO_PROCESS, thread_id, nice)
    except OSError as error:
        return Grant(f"SCHED_OTHER, as nice {nice} failed: {error.strerror}", is_given=False)
    return Grant(f"SCHED_OTHER, nice {nice}" if nice else "SCHED_OTHER")
