"""How the box itself is: warmth, clock and load of its cores, memory, disk, time, and what is installed.

Read from the kernel's files and never asked of a driver, so that no reading waits. What a file does not say is `None`,
with a remark where it should have said it. Sources: proc(5), the kernel's `thermal/sysfs-api`, `cpu-freq` and
`thermal_throttle`, adjtimex(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from app import __version__
from app.health.collected import Collected
from app.health.files import Files

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "opencv-python", "gpiod", "numpy", "flask")
_KIB = 1024
_MILLI = 1000.0
_TICKS_BUSY = (0, 1, 2, 5, 6)
_TICK_STOLEN = 7
_TICKS_IDLE = (3, 4)
_STA_UNSYNC = 0x40
_COLDEST_C, _HOTTEST_C = -60.0, 150.0
_SYNCED = "run/systemd/timesync/synchronized"


@dataclass(frozen=True, slots=True)
class Zone:
    """One sensor of warmth.

    Attributes:
        name: What the kernel calls it.
        temperature_c: How warm it is.
        slows_c: From here on the system slows itself down; `None` where it does not say.
        ends_c: From here on it switches itself off.
    """

    name: str
    temperature_c: float
    slows_c: float | None = None
    ends_c: float | None = None


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the cores have spent their time on since the start, in ticks of the kernel.

    Attributes:
        busy: Computing.
        stolen: Waiting while the host gave the core to another machine.
        idle: Neither.
    """

    busy: int
    stolen: int
    idle: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.busy + self.stolen + self.idle


@dataclass(frozen=True, slots=True)
class Wall:
    """How sure the box is of the time.

    Attributes:
        is_synchronised: The kernel's clock is kept by a source of time; `None` where it does not say.
        error_ms: How far off it may be, at most.
    """

    is_synchronised: bool | None = None
    error_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """The box at one moment.

    Attributes:
        zones: Sensors of warmth.
        clock_mhz: The fastest core's clock now.
        clock_max_mhz: The fastest that it may go.
        clock_most_mhz: The fastest that it can go.
        throttled: How often cores were slowed down because of heat since the start; `None` where nobody counts.
        ticks: What the cores spent their time on.
        load: Mean number of threads that wanted a core in the last minute.
        cores: How many there are.
        memory_total_bytes: Memory.
        memory_available_bytes: What programs can still have of it.
        swap_used_bytes: What had to be moved out to a disk.
        uptime_s: Since the start of the box.
        wall: How sure it is of the time.
        remarks: What could not be read and why.
    """

    zones: tuple[Zone, ...] = ()
    clock_mhz: float | None = None
    clock_max_mhz: float | None = None
    clock_most_mhz: float | None = None
    throttled: int | None = None
    ticks: Ticks | None = None
    load: float | None = None
    cores: int = 1
    memory_total_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_used_bytes: int | None = None
    uptime_s: float | None = None
    wall: Wall = Wall()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """The disk under a folder.

    Attributes:
        total_bytes: All of it.
        free_bytes: What this user may still write.
    """

    total_bytes: int
    free_bytes: int


def read_machine(root: Path = Path("/"), wall: Callable[[], Wall | None] | None = None) -> Machine:
    """The box as it is now. Never raises for what it reads.

    Args:
        root: Where `proc`, `sys` and `run` are.
        wall: Asks the kernel how sure it is of the time; by default adjtimex(2).
    """
    found = Collected()
    files = Files(root, found)
    memory = _memory(files)
    clocks = [_mhz(files, name) for name in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")]
    load = found.parsed(files.text("proc/loadavg"), lambda text: float(text.split()[0]), of="/proc/loadavg")
    uptime_s = found.parsed(files.text("proc/uptime"), lambda text: float(text.split()[0]), of="/proc/uptime")
    swap = (memory.get("SwapTotal"), memory.get("SwapFree"))
    return Machine(
        zones=tuple(_zones(files)),
        clock_mhz=clocks[0],
        clock_max_mhz=clocks[1],
        clock_most_mhz=clocks[2],
        throttled=_throttled(files),
        ticks=found.parsed(files.text("proc/stat"), _ticks, of="/proc/stat"),
        load=load,
        cores=os.cpu_count() or 1,
        memory_total_bytes=memory.get("MemTotal"),
        memory_available_bytes=memory.get("MemAvailable"),
        swap_used_bytes=swap[0] - swap[1] if swap[0] is not None and swap[1] is not None else None,
        uptime_s=uptime_s,
        wall=(wall or kernel_wall)() or Wall(True if (root / _SYNCED).exists() else None),
        remarks=tuple(found.remarks),
    )


def room_of(folder: Path) -> Room | None:
    """The disk of a folder, or of what will hold it; `None` where it does not say."""
    place = folder
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        usage = shutil.disk_usage(place)
    except OSError:
        return None
    return Room(usage.total, usage.free)


def versions(root: Path = Path("/")) -> tuple[tuple[str, str], ...]:
    """What is installed, as (name, version): Takt, Python, the system, its kernel, and the libraries that judge."""
    return tuple(_versions(Files(root, Collected())))


def kernel_wall() -> Wall | None:
    """What the kernel says of its clock; `None` where it cannot be asked. Changes nothing."""
    said = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(said))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    is_synchronised = not said.status & _STA_UNSYNC
    return Wall(is_synchronised, said.maxerror / _MILLI if is_synchronised else None)


class _Timex(ctypes.Structure):
    """The head of `struct timex`; with `modes` 0 the kernel only tells."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _zones(files: Files) -> Iterator[Zone]:
    for folder in files.matching("sys/class/thermal/thermal_zone[0-9]*"):
        milli = files.number(folder / "temp")
        if milli is None or not _COLDEST_C <= milli / _MILLI <= _HOTTEST_C:
            continue
        trips: dict[str, list[float]] = {}
        for kind in files.matching(f"{folder}/trip_point_[0-9]*_type"):
            at = files.number(kind.with_name(kind.name.replace("_type", "_temp")))
            if at is not None and 0 < at / _MILLI <= _HOTTEST_C:
                trips.setdefault(files.text(kind) or "", []).append(at / _MILLI)
        yield Zone(
            (files.text(folder / "type") or folder.name)[:40],
            milli / _MILLI,
            min([*trips.get("passive", []), *trips.get("hot", [])], default=None),
            min(trips.get("critical", []), default=None),
        )


def _mhz(files: Files, name: str) -> float | None:
    said = [files.number(path) for path in files.matching(f"sys/devices/system/cpu/cpu[0-9]*/cpufreq/{name}")]
    known = [each / _MILLI for each in said if each]
    return max(known, default=None)


def _throttled(files: Files) -> int | None:
    folders = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"
    counted = [files.number(path) for path in files.matching(f"{folders}/core_throttle_count")]
    known = [each for each in counted if each is not None]
    return sum(known) if known else None


def _ticks(text: str) -> Ticks:
    words = text.splitlines()[0].split()
    if words[0] != "cpu":
        raise ValueError(words[0])
    ticks = [int(word) for word in words[1:9]]
    return Ticks(
        busy=sum(ticks[at] for at in _TICKS_BUSY),
        stolen=ticks[_TICK_STOLEN],
        idle=sum(ticks[at] for at in _TICKS_IDLE),
    )


def _memory(files: Files) -> dict[str, int]:
    """Bytes by the names of /proc/meminfo."""
    said = {}
    for line in (files.text("proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        number = value.split()[:1]
        if number and number[0].isdigit():
            said[name] = int(number[0]) * _KIB
    return said


def _versions(files: Files) -> Iterator[tuple[str, str]]:
    yield "Takt", __version__
    yield "Python", platform.python_version()
    for line in (files.text("etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            yield "System", line.partition("=")[2].strip('"')[:80]
    yield "Kernel", platform.release()
    # "# R36 (release), REVISION: 4.0, GCID: ..." is what Jetson Linux says of itself.
    release = files.text("etc/nv_tegra_release")
    if release:
        yield "Jetson Linux", ", ".join(part.strip("# ") for part in release.split(",")[:2])[:80]
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
