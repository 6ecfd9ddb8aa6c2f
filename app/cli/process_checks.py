"""What may be wrong with a box as the place where the processes of the table meet and run."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.cli.checks import Finding, Level
from app.config import Line
from app.processes import Process, cores_of
from app.realtime import FIFO, Throttle, may_lock_all

MIB = 1 << 20
BAD_BUS_MIB = 64
FEW_BUS_MIB = 256
CAP_SYS_NICE = 23
BAD_THROTTLE = 0.5
"""Below this share of the time for real-time threads the kernel would hold a line up that does its ordinary work."""


def highest_priority(limit: int, capabilities: int) -> int:
    """The highest SCHED_FIFO priority that a process may take.

    Args:
        limit: The hard RLIMIT_RTPRIO.
        capabilities: The effective capabilities as a bit mask.
    """
    is_free = limit == resource.RLIM_INFINITY or capabilities & (1 << CAP_SYS_NICE)
    return 99 if is_free else min(limit, 99)


def check_table(
    rows: Sequence[Process], highest: int, locked_limit: int, capabilities: int, cores: Sequence[int]
) -> Finding:
    """What the processes of the table would be granted here.

    Args:
        rows: The table.
        highest: The highest SCHED_FIFO priority that is permitted.
        locked_limit: The hard RLIMIT_MEMLOCK in bytes.
        capabilities: The effective capabilities as a bit mask.
        cores: The cores that may be used.
    """
    may_lock = may_lock_all(locked_limit, capabilities)
    told, refused, mends = [], [], []
    for row in rows:
        wanted = {name: each.priority for name, each in row.threads.items() if each.policy == FIFO}
        if not wanted:
            continue
        where = cores_of(row, rows, cores)
        on = f" on core {', '.join(map(str, where))}" if where else ""
        told.append(f"{row.name} FIFO {', '.join(map(str, wanted.values()))}{on}")
        if max(wanted.values()) > highest:
            refused.append(f"{row.name} gets no FIFO {max(wanted.values())}")
            mends.append(f"LimitRTPRIO={max(each.priority for r in rows for each in r.threads.values())}")
        if row.is_memory_locked and not may_lock:
            refused.append(f"{row.name} cannot lock its memory")
            mends.append("LimitMEMLOCK=infinity")
    if refused:
        mend = f"give the services {' and '.join(dict.fromkeys(mends))}, as `takt units` writes it"
        return Finding("Processes", Level.WARN, f"{'; '.join(refused)}: edges and verdicts may come late", mend)
    return Finding("Processes", Level.OK, "; ".join(told))


def duty_of(line: Line) -> float:
    """The share of its time that a verdict thread computes at most: each frame its whole budget, at full speed."""
    parts_per_s = line.belt.v_max_mm_s / line.part.min_pitch_mm
    return parts_per_s * len(line.cameras) * line.model.verdict_ms / 1000


def check_throttle(throttle: Throttle | None, duty: float = 0.0) -> Finding:
    """The kernel's brake on real-time threads.

    Args:
        throttle: The brake.
        duty: The share of its time that the busiest thread computes, as `duty_of` tells.
    """
    topic = "Real-time brake"
    if throttle is None:
        return Finding(topic, Level.OK, "the kernel does not say")
    if throttle.is_off:
        return Finding(topic, Level.OK, "off: a real-time thread that computes without end keeps its core")
    text = (
        f"real-time threads may have {throttle.runtime_us / throttle.period_us:.0%} of each"
        f" {throttle.period_us / 1000:g} ms"
    )
    if duty:
        text += f"; a verdict thread takes {duty:.0%} at full speed"
    if throttle.runtime_us < max(BAD_THROTTLE, duty) * throttle.period_us:
        mend = f"run: sysctl kernel.sched_rt_runtime_us={round(0.95 * throttle.period_us)}"
        return Finding(topic, Level.WARN, f"{text}: it would hold a busy line up", mend)
    return Finding(topic, Level.OK, text)


def check_bus(folder: Path, total_bytes: int, free_bytes: int) -> Finding:
    """Room where the processes meet: frames, events that wait for the recorder, previews."""
    text = f"{free_bytes / MIB:.0f} of {total_bytes / MIB:.0f} MiB free at {folder}"
    mend = "give it more memory, as by: mount -o remount,size=1G /dev/shm"
    if free_bytes < BAD_BUS_MIB * MIB:
        return Finding("Bus", Level.BAD, f"{text}: no room for frames and events", mend)
    if free_bytes < FEW_BUS_MIB * MIB:
        return Finding("Bus", Level.WARN, f"{text}: little room for frames and events", mend)
    return Finding("Bus", Level.OK, text)


def check_holders(folder: Path, holders: Mapping[str, int]) -> Finding:
    """Who is at work on the bus.

    Args:
        folder: The bus.
        holders: Process ids by the name of the lock that each holds.
    """
    if not holders:
        return Finding("Bus in use", Level.OK, f"nobody is at work at {folder}")
    who = ", ".join(f"{name} by process {pid}" for name, pid in sorted(holders.items()))
    return Finding("Bus in use", Level.OK, f"{folder}: {who}")


def check_state(folder: Path, *, is_writable: bool, ledger: Path, ledger_bytes: int | None) -> Finding:
    """Where the record is kept.

    Args:
        folder: The state folder.
        is_writable: It can be written, or made.
        ledger: Where the ledger is or would be.
        ledger_bytes: Its size; `None` where there is none yet.
    """
    if not is_writable:
        mend = "let this user write there, or name another folder: TAKT_STATE"
        return Finding("State", Level.BAD, f"{folder} cannot be written: nothing would be recorded", mend)
    if ledger_bytes is None:
        return Finding("State", Level.OK, f"{folder} can be written; no ledger yet")
    return Finding("State", Level.OK, f"{ledger}, {ledger_bytes / MIB:.1f} MiB; takt ledger verify checks it")


def holders_at(folder: Path, root: Path = Path("/")) -> dict[str, int]:
    """Who holds the locks of a bus, read from the kernel's table: trying a lock would disturb whoever takes it now.

    Args:
        folder: The bus; it need not exist.
        root: Where `proc` is.
    """
    names = {_identity(path): path.stem for path in folder.glob("*.lock")}
    try:
        lines = (root / "proc/locks").read_text(encoding="ascii").splitlines() if names else []
    except OSError:
        return {}
    found = {}
    for line in lines:
        cells = line.split()
        if len(cells) >= 6 and cells[1] == "FLOCK" and cells[5] in names:  # noqa: PLR2004 - proc(5) tells the columns
            found[names[cells[5]]] = int(cells[4])
    return found


def is_writable(folder: Path) -> bool:
    """A folder can be written, or be made where it does not exist yet."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK) and not _is_read_only(place)


def room_at(folder: Path) -> tuple[int, int]:
    """Total and free bytes where a folder is or will be."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    usage = shutil.disk_usage(place)
    return usage.total, usage.free


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _identity(path: Path) -> str:
    """A file as /proc/locks names it."""
    facts = path.stat()
    return f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
