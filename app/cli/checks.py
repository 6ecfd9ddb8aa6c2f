"""What may be wrong with a box: one function per thing, each on facts that a test can make up."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from app.realtime import may_lock_all

SUPPORTED = ((3, 10), (3, 13))
GIB = 1 << 30
BAD_DISK_GIB = 1
FEW_DISK_GIB = 5
ENOUGH_LOCKED = GIB // 2
FIFO_PRIORITY = 80


class Level(str, Enum):
    """How much a finding matters."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What was looked at.
        level: How it is.
        text: What was found and what that means.
        mend: What to do about it; empty where nothing is to be done.
    """

    topic: str
    level: Level
    text: str
    mend: str = ""


def check_python(version: tuple[int, int, int]) -> Finding:
    """The interpreter."""
    text = ".".join(map(str, version))
    low, high = SUPPORTED
    if low <= version[:2] < high:
        return Finding("Python", Level.OK, text)
    mend = f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    return Finding("Python", Level.BAD, f"{text} is not supported", mend)


def installed_versions(names: Sequence[str]) -> dict[str, str | None]:
    """The version of each distribution; `None` for one that is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def check_packages(needed: Mapping[str, str | None], optional: Mapping[str, str | None]) -> list[Finding]:
    """The libraries, those that are needed and those that extras bring."""
    findings = []
    present = [f"{name} {version}" for name, version in {**needed, **optional}.items() if version]
    missing = [name for name, version in needed.items() if version is None]
    if missing:
        text = f"{', '.join(missing)} not installed: Takt cannot run"
        findings.append(Finding("Libraries", Level.BAD, text, f"run: pip install {' '.join(missing)}"))
    else:
        findings.append(Finding("Libraries", Level.OK, ", ".join(present)))
    return findings


def check_one_onnxruntime(versions: Mapping[str, str | None]) -> Finding:
    """`onnxruntime` and `onnxruntime-gpu` share one package folder: each overwrites half of the other."""
    both = [f"{name} {version}" for name, version in versions.items() if version]
    if len(both) > 1:
        return Finding(
            "ONNX Runtime",
            Level.BAD,
            f"{' and '.join(both)} are both installed: they overwrite each other's files",
            f"run: pip uninstall -y {' '.join(versions)}; pip install onnxruntime",
        )
    if not both:
        return Finding("ONNX Runtime", Level.BAD, "not installed", "run: pip install onnxruntime")
    return Finding("ONNX Runtime", Level.OK, both[0])


def check_runtime(topic: str, said: Mapping[str, Any], *, is_needed: bool) -> Finding:
    """What a probe said of a runtime."""
    if "ok" in said:
        return Finding(topic, Level.OK, str(said["ok"]))
    if "absent" in said:
        return Finding(topic, Level.OK, f"{said['absent']}; the CPU judges")
    mend = str(said.get("mend") or "install it again, or use another runtime")
    level = Level.BAD if is_needed else Level.WARN
    return Finding(topic, level, str(said["error"]), mend)


def check_gpio(root: Path, gpiod: str | None) -> Finding:
    """Character devices for pins."""
    chips = sorted(root.glob("dev/gpiochip*"))
    if not chips:
        return Finding(
            "GPIO", Level.WARN, "no /dev/gpiochip*: this box can only run the twin", "run it on a board with pins"
        )
    names = ", ".join(chip.name for chip in chips)
    if not any(os.access(chip, os.R_OK | os.W_OK) for chip in chips):
        mend = "add the user to the group that owns /dev/gpiochip0"
        return Finding("GPIO", Level.BAD, f"{names}: no permission", mend)
    if gpiod is None:
        mend = 'run: pip install "takt-inspect[gpio]"'
        return Finding("GPIO", Level.WARN, f"{names}; the library gpiod is not installed", mend)
    return Finding("GPIO", Level.OK, f"{names}, gpiod {gpiod}")


def check_cameras(root: Path) -> Finding:
    """Video devices."""
    devices = sorted(root.glob("dev/video*"))
    if not devices:
        mend = "plug one in; network cameras and folders of pictures need none"
        return Finding("Cameras", Level.WARN, "no /dev/video*", mend)
    names = ", ".join(device.name for device in devices)
    if not any(os.access(device, os.R_OK | os.W_OK) for device in devices):
        return Finding("Cameras", Level.BAD, f"{names}: no permission", "add the user to the group video")
    return Finding("Cameras", Level.OK, names)


def check_scheduler(is_permitted: bool) -> Finding:
    """Real-time scheduling, without which neighbours delay edges by milliseconds."""
    if is_permitted:
        return Finding("Real time", Level.OK, f"SCHED_FIFO {FIFO_PRIORITY} is permitted")
    return Finding(
        "Real time",
        Level.WARN,
        "SCHED_FIFO is not permitted: other programs can delay an edge or a verdict by milliseconds",
        f"give the service LimitRTPRIO={FIFO_PRIORITY}, or the user as much rtprio in /etc/security/limits.conf",
    )


def may_use_fifo() -> bool:
    """Tries SCHED_FIFO and goes back."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    except OSError:
        return False
    os.sched_setscheduler(0, policy, priority)
    return True


def check_memory_lock(limit: int, capabilities: int) -> Finding:
    """Locked memory, without which a page fault can cost a deadline.

    Args:
        limit: The soft RLIMIT_MEMLOCK in bytes.
        capabilities: The effective capabilities as a bit mask.
    """
    if may_lock_all(limit, capabilities):
        return Finding("Locked memory", Level.OK, "no limit")
    text = f"limited to {limit / (1 << 20):.0f} MiB"
    if limit >= ENOUGH_LOCKED:
        return Finding("Locked memory", Level.OK, text)
    mend = "give the service LimitMEMLOCK=infinity, or the user memlock unlimited in /etc/security/limits.conf"
    return Finding("Locked memory", Level.WARN, f"{text}: memory may be swapped out in the middle of a part", mend)


def check_disk(folder: Path, free_bytes: int) -> Finding:
    """Room for records; a full disk stops the line."""
    free_gib = free_bytes / GIB
    text = f"{free_gib:.1f} GiB free at {folder}"
    if free_gib < BAD_DISK_GIB:
        return Finding("Disk", Level.BAD, f"{text}: the line stops when it is full", "make room")
    if free_gib < FEW_DISK_GIB:
        return Finding("Disk", Level.WARN, text, "make room soon")
    return Finding("Disk", Level.OK, text)


def check_cores(cores: int) -> Finding:
    """Processor cores that this process may use."""
    if cores == 1:
        mend = "use a machine with two cores or more"
        return Finding("Cores", Level.WARN, "1: verdicts and gates have to share it", mend)
    return Finding("Cores", Level.OK, str(cores))


def check_governor(root: Path) -> Finding:
    """The clock of the cores: one that saves power takes milliseconds to wake."""
    paths = sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
    governors = sorted({path.read_text(encoding="ascii", errors="replace").strip() for path in paths})
    if not governors:
        return Finding("Governor", Level.OK, "the system does not set the cores' clock")
    if governors == ["performance"]:
        return Finding("Governor", Level.OK, "performance")
    return Finding(
        "Governor",
        Level.WARN,
        f"{', '.join(governors)}: the cores slow down between parts, and verdicts with them",
        "set performance, as by: cpupower frequency-set -g performance",
    )


def check_plugins(problems: Sequence[str]) -> Finding:
    """Packages that bring commands."""
    if problems:
        return Finding("Plug-ins", Level.WARN, "; ".join(problems), "install them again, or remove them")
    return Finding("Plug-ins", Level.OK, "all load")


def free_bytes_at(folder: Path) -> int:
    """Free bytes where a folder is or will be."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def python_version() -> tuple[int, int, int]:
    """Of this interpreter."""
    return sys.version_info[0], sys.version_info[1], sys.version_info[2]
