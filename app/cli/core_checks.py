"""What may disturb the cores that a station has for itself: other programs, interrupts, memory that is moved about."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from app.cli.checks import Finding, Level
from app.processes import FEW_CORES, Process, cores_of

NOTES = "deploy/README.md, 'Cores of their own'"
FEW_INTERRUPTS_PER_S = 1.0
"""Rarer ones cost a station nothing that can be measured."""

MOST_STOLEN = 1e-4
"""Of all time; a hundredth of a percent is 9 s a day, each of them an edge or a verdict that may have come late."""

_AT_STEAL = 8
"""Words of the line `cpu` of /proc/stat (proc(5))."""

_MOST_NAMED = 4


def own_cores(rows: Sequence[Process], cores: Sequence[int]) -> tuple[int, ...]:
    """The cores that the process table keeps for stations; empty on a box with too few.

    Args:
        rows: The table.
        cores: The cores that may be used.
    """
    return tuple(sorted({core for row in rows if row.is_pinned for core in cores_of(row, rows, cores)}))


def cores_of_box(root: Path) -> tuple[int, ...]:
    """The cores that processes of this box may be given.

    More than whoever asks may use, where the system keeps what it starts, a shell too, off the stations' cores.
    """
    said = _cores_in(root / "sys/fs/cgroup/cpuset.cpus.effective")
    return tuple(sorted(said or os.sched_getaffinity(0)))


def read_cores(text: str) -> frozenset[int]:
    """A list of cores as the kernel writes it: `0-2,5`.

    Raises:
        ValueError: It is none.
    """
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def check_alone(root: Path, own: Sequence[int]) -> Finding:
    """Whether other programs start on the stations' cores: process 1 hands its cores on to all that it starts."""
    topic = "Cores of their own"
    if not own:
        return Finding(topic, Level.OK, f"fewer than {FEW_CORES} cores: none is kept for a station")
    isolated = _cores_in(root / "sys/devices/system/cpu/isolated") or frozenset()
    first = _cores_in(root / "proc/1/status", "Cpus_allowed_list:")
    shared = [core for core in own if core not in isolated and (first is None or core in first)]
    if not shared:
        how = "isolated" if isolated.issuperset(own) else "kept free by the system's own settings"
        return Finding(topic, Level.OK, f"core {_words(own)} for stations: {how}")
    text = f"other programs may run on core {_words(shared)}, which the stations are given"
    return Finding(topic, Level.WARN, text, f"keep them off, as in {NOTES}")


def check_interrupts(root: Path, own: Sequence[int]) -> Finding:
    """Which devices interrupt the stations' cores, by what the kernel has counted since the start."""
    topic = "Interrupts"
    if not own:
        return Finding(topic, Level.OK, "no core is kept for a station")
    try:
        lines = (root / "proc/interrupts").read_text(encoding="ascii", errors="replace").splitlines()
        uptime_s = float((root / "proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return Finding(topic, Level.OK, "the kernel does not say")
    busy = sorted(_busy(root, lines, own, max(uptime_s, 1.0)), reverse=True)
    if not busy:
        return Finding(topic, Level.OK, f"core {_words(own)} serves no device")
    named = ", ".join(f"{name} {rate:.0f} a second" for rate, name in busy[:_MOST_NAMED])
    more = f" and {len(busy) - _MOST_NAMED} more" if len(busy) > _MOST_NAMED else ""
    text = f"core {_words(own)} is interrupted by {named}{more}"
    return Finding(topic, Level.WARN, text, f"lead them to the other cores, as in {NOTES}")


def check_stolen(root: Path) -> Finding:
    """What a hypervisor has taken of the cores' time since the start; no priority helps against that.

    Measured on a virtual machine with two cores under load: a thread with FIFO 95, alone on its core at that priority,
    was held up for up to 537 ms, and the kernel counted as much as stolen.
    """
    topic = "Stolen time"
    try:
        with (root / "proc/stat").open(encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:]]
        stolen = ticks[_AT_STEAL - 1] / sum(ticks[:_AT_STEAL])
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return Finding(topic, Level.OK, "the kernel does not say")
    text = f"{stolen:.2%} of the cores' time since the start went to other machines on this host"
    if stolen > MOST_STOLEN:
        mend = "give the line a box of its own; a virtual machine without cores of its own may drop the permit"
        return Finding(topic, Level.WARN, f"{text}: everything on the line stands still meanwhile", mend)
    return Finding(topic, Level.OK, text if stolen else "none: nobody else has these cores")


def check_huge_pages(root: Path) -> Finding:
    """Memory in huge pages: good where it is asked for, a pause of milliseconds where the kernel makes room for it."""
    topic = "Huge pages"
    folder = root / "sys/kernel/mm/transparent_hugepage"
    enabled, defrag = _chosen(folder / "enabled"), _chosen(folder / "defrag")
    if enabled is None:
        return Finding(topic, Level.OK, "the kernel makes none by itself")
    text = f"made {enabled}, room for them made {defrag}" if defrag else f"made {enabled}"
    if enabled == "always" and defrag == "always":
        mend = "run at each start: echo madvise > /sys/kernel/mm/transparent_hugepage/defrag"
        return Finding(topic, Level.WARN, f"{text}: whoever asks for memory may wait while it is moved about", mend)
    return Finding(topic, Level.OK, text)


def _busy(root: Path, lines: Sequence[str], own: Collection[int], uptime_s: float) -> Iterator[tuple[float, str]]:
    """Interrupts a second and the device, of those that still go to the stations' cores."""
    columns = [int(name[3:]) for name in lines[0].split() if re.fullmatch(r"CPU\d+", name)] if lines else []
    for line in lines[1:]:
        number, _, rest = line.strip().partition(":")
        cells = rest.split()
        counts = cells[: len(columns)]
        if not number.isdigit() or len(counts) < len(columns) or not all(each.isdigit() for each in counts):
            continue
        here = sum(int(count) for core, count in zip(columns, counts, strict=True) if core in own)
        if here / uptime_s >= FEW_INTERRUPTS_PER_S and _goes_to(root, number, own):
            yield here / uptime_s, f"{cells[-1]} (irq {number})"


def _goes_to(root: Path, number: str, own: Collection[int]) -> bool:
    folder = root / "proc/irq" / number
    for name in ("effective_affinity_list", "smp_affinity_list"):
        cores = _cores_in(folder / name)
        if cores:
            return bool(cores & frozenset(own))
    return True


def _cores_in(path: Path, label: str = "") -> frozenset[int] | None:
    """The cores that a file names, in the line that begins with a label; `None` where it does not say."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        said = next((line.removeprefix(label) for line in lines if line.startswith(label)), None)
        return None if said is None else read_cores(said)
    except (OSError, ValueError):
        return None


def _chosen(path: Path) -> str | None:
    """The word in brackets, which is how the kernel marks the choice that holds."""
    try:
        said = re.search(r"\[(\S+)\]", path.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    return said[1] if said else None


def _words(cores: Sequence[int]) -> str:
    return ", ".join(map(str, cores))
