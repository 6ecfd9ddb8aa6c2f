"""How the box itself is, as areas of the diagnostics. Pure: from readings that a test can make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.config import StorageSettings, UiSettings
from app.record.retention import GB
from app.support.machine import Machine, Room, Ticks
from app.support.processes import Processes
from app.web.certificate import Certificate, stays_here
from app.web.machine.diagnosis_answers import Area, Fact, Level, Remark, area

OLD_MS = 3_000.0
NEAR_C = 5.0
"""So little below the point at which the system slows itself down is worth a look."""

WARM_C, HOT_C = 85.0, 95.0
"""Where the system does not say at what point it slows itself down."""

FEW_MEMORY_SHARE, BAD_MEMORY_SHARE = 0.1, 0.03
FEW_BUS_BYTES, BAD_BUS_BYTES = 256 << 20, 64 << 20
FEW_DAYS = 7.0
MOST_STOLEN = 1e-3
BUSY = 0.95
_DAY_MS = 86_400_000.0
_SOON_DAYS = 60.0
_RECENT_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How fast the record grows.

    Attributes:
        ledger_bytes: What the ledger takes.
        days: The time that it covers.
    """

    ledger_bytes: int
    days: float


@dataclass(frozen=True, slots=True)
class Disk:
    """Where the record is kept.

    Attributes:
        room: The disk.
        growth: How fast the ledger grows; `None` where it covers too little time to tell.
        pictures_gb: What the pictures take; `None` where the recorder does not say.
        storage: What is kept, and for how long.
    """

    room: Room | None
    growth: Growth | None
    pictures_gb: float | None
    storage: StorageSettings


def heat_area(machine: Machine, device: dict[str, Any] | None) -> Area:
    """Warmth of cores and accelerator, and what slows them down."""
    facts: list[Fact] = []
    remarks: list[Remark] = []
    for zone in machine.zones:
        level = _warmth(zone.temperature_c, zone.slows_c, zone.ends_c)
        facts.append(Fact(key="temperature", value=zone.temperature_c, unit="celsius", of=zone.name, level=level))
        if level != "fine":
            remarks.append(Remark(key="warm", level=level, values={"sensor": zone.name}))
    if device is not None and device["age_ms"] <= OLD_MS:
        _device(device, facts, remarks)
    if machine.clock_mhz is not None:
        facts.append(Fact(key="cores_clock", value=machine.clock_mhz, unit="mhz"))
        facts.append(Fact(key="cores_clock_most", value=machine.clock_max_mhz, unit="mhz"))
    if machine.throttled is not None:
        facts.append(Fact(key="throttled", value=machine.throttled, unit="count"))
    if not any(each.unit == "celsius" for each in facts):
        remarks.append(Remark(key="no_sensor", level="unknown"))
    return area("heat", facts, remarks)


def warmest(machine: Machine, device: dict[str, Any] | None) -> float | None:
    """The temperature to follow: the accelerator's, else that of the warmest sensor."""
    if device is not None and device["age_ms"] <= OLD_MS and device["temperature_c"] is not None:
        return float(device["temperature_c"])
    return max((zone.temperature_c for zone in machine.zones), default=None)


def cores_area(
    machine: Machine, before: Ticks | None, granted: tuple[Sequence[Fact], Sequence[Remark]] = ((), ())
) -> Area:
    """How busy the cores are, what a host takes of them, and what the stations' threads were granted.

    Args:
        machine: The box.
        before: What the cores had done a while ago.
        granted: Facts and remarks about the stations' threads.
    """
    busy, stolen = _shares(before, machine.ticks)
    since_start = machine.ticks.stolen / max(1, machine.ticks.total) if machine.ticks else None
    now_level, level = (_above(share, MOST_STOLEN) for share in (stolen, since_start))
    facts = [
        Fact(key="busy", value=busy, unit="share", level=_above(busy, BUSY)),
        Fact(key="load", value=machine.load, unit="number"),
        Fact(key="cores", value=machine.cores, unit="count"),
        Fact(key="stolen", value=stolen, unit="share", level=now_level),
        Fact(key="stolen_all", value=since_start, unit="share", level=level),
        *granted[0],
    ]
    remarks = [Remark(key="stolen", level="look")] if "look" in (now_level, level) else []
    return area("cores", facts, [*remarks, *granted[1]])


def memory_area(machine: Machine, bus: Room | None) -> Area:
    """Memory of the box, and the part of it in which the processes meet."""
    total, free = machine.memory_total_bytes, machine.memory_available_bytes
    share = free / total if total and free is not None else None
    level = _below(share, FEW_MEMORY_SHARE, BAD_MEMORY_SHARE)
    bus_level = _below(bus.free_bytes if bus else None, FEW_BUS_BYTES, BAD_BUS_BYTES)
    facts = [
        Fact(key="memory_free", value=free, unit="bytes", level=level),
        Fact(key="memory_total", value=total, unit="bytes"),
        Fact(key="swap", value=machine.swap_used_bytes, unit="bytes"),
        Fact(key="bus_free", value=bus.free_bytes if bus else None, unit="bytes", level=bus_level),
    ]
    remarks = [Remark(key="memory", level=level)] if level in ("look", "wrong") else []
    remarks += [Remark(key="bus", level=bus_level)] if bus_level in ("look", "wrong") else []
    return area("memory", facts, remarks)


def disk_area(disk: Disk) -> Area:
    """The disk of the record, and how long it lasts."""
    least = disk.storage.min_free_gb * GB
    free = disk.room.free_bytes if disk.room else None
    days = days_left(disk)
    is_short = days is not None and days < FEW_DAYS
    level = _below(free, 2 * least, least)
    facts = [
        Fact(key="disk_free", value=free, unit="bytes", level=level),
        Fact(key="disk_total", value=disk.room.total_bytes if disk.room else None, unit="bytes"),
        Fact(key="lasts", value=days, unit="days", level="look" if is_short else "fine"),
        Fact(key="ledger", value=disk.growth.ledger_bytes if disk.growth else None, unit="bytes"),
        Fact(key="pictures", value=disk.pictures_gb * GB if disk.pictures_gb is not None else None, unit="bytes"),
        Fact(key="pictures_most", value=disk.storage.pictures_gb * GB, unit="bytes"),
        Fact(key="pictures_days", value=disk.storage.pictures_days, unit="days"),
    ]
    remarks = []
    if level in ("look", "wrong"):
        remarks.append(Remark(key="disk", level=level, values={"least": disk.storage.min_free_gb}))
    elif is_short:
        remarks.append(Remark(key="disk_soon", level="look"))
    elif days is None:
        remarks.append(Remark(key="disk_unknown", level="fine"))
    return area("disk", facts, remarks)


def days_left(disk: Disk) -> float | None:
    """How long the disk lasts if the ledger goes on growing as it did and pictures take all that they may.

    Retention holds the pictures to their limit; the ledger is never dropped. `None` where the record covers too little
    time to tell.
    """
    if disk.room is None or disk.growth is None or disk.growth.days <= 0 or not disk.growth.ledger_bytes:
        return None
    to_come = max(0.0, disk.storage.pictures_gb - (disk.pictures_gb or 0.0)) * GB
    left = disk.room.free_bytes - disk.storage.min_free_gb * GB - to_come
    return max(0.0, left) / (disk.growth.ledger_bytes / disk.growth.days)


def time_area(machine: Machine, now: datetime, up_ms: float | None) -> Area:
    """The clock of the box, and how long it has been up."""
    wall = machine.wall
    level: Level = "unknown" if wall.is_synchronised is None else "fine" if wall.is_synchronised else "look"
    facts = [
        Fact(key="wall", value=now.timestamp() * 1000, unit="moment"),
        Fact(key="zone", value=now.astimezone().strftime("%Z, UTC%z"), unit="text"),
        Fact(key="synchronised", value=wall.is_synchronised, unit="yes", level=level),
        Fact(key="off_by", value=wall.error_ms, unit="ms"),
        Fact(key="uptime", value=machine.uptime_s * 1000 if machine.uptime_s is not None else None, unit="span"),
        Fact(key="pages_up", value=up_ms, unit="span"),
    ]
    return area("time", facts, [Remark(key="clock", level="look")] if level == "look" else [])


def https_area(ui: UiSettings, certificate: Certificate | None, now: datetime) -> Area:
    """How the pages are reached, and by what a person knows the box."""
    if not ui.https_port:
        is_open = not stays_here(ui.host)
        facts = [
            Fact(key="https", value=False, unit="yes", level="look" if is_open else "fine"),
            Fact(key="host", value=ui.host, unit="text"),
        ]
        return area("https", facts, [Remark(key="in_the_clear", level="look")] if is_open else [])
    facts = [Fact(key="https", value=True, unit="yes"), Fact(key="port", value=ui.https_port, unit="text")]
    if certificate is None:
        return area("https", facts, [Remark(key="no_certificate", level="unknown")])
    days = (certificate.ends_at - now).total_seconds() * 1000 / _DAY_MS
    is_good = certificate.begins_at <= now < certificate.ends_at
    level: Level = "wrong" if not is_good else "look" if days < _SOON_DAYS and not certificate.is_own else "fine"
    facts += [
        Fact(key="fingerprint", value=certificate.fingerprint, unit="text"),
        Fact(key="ends", value=certificate.ends_at.timestamp() * 1000, unit="moment", level=level),
        Fact(key="own", value=certificate.is_own, unit="yes"),
    ]
    return area("https", facts, [Remark(key="certificate", level=level)] if level != "fine" else [])


def processes_area(found: Processes, now_ns: int) -> Area:
    """Whether every process is up, and which ended lately."""
    down = [each.name for each in found.lines if not each.is_alive]
    known = bool(found.lines) and not found.trouble
    level: Level = "wrong" if down and known else "fine" if known else "unknown"
    ends = [each for each in found.ends if (now_ns - each.at_ns) / 1e6 < _RECENT_MS]
    facts = [
        Fact(key="running", value=len(found.lines) - len(down) if known else None, unit="count", level=level),
        Fact(key="processes", value=len(found.lines) if known else None, unit="count"),
        Fact(key="restarts", value=sum(each.restarts for each in found.lines) if known else None, unit="count"),
        *(Fact(key="ended", value=f"{each.name}: {each.how}", unit="text", level="look") for each in ends[:3]),
    ]
    remarks = [Remark(key="down", level="wrong", values={"process": ", ".join(down)})] if known and down else []
    remarks += [Remark(key="unknown", level="unknown", values={"why": found.trouble})] if found.trouble else []
    return area("processes", facts, remarks)


def versions_area(versions: Sequence[tuple[str, str]]) -> Area:
    """What is installed."""
    return area("versions", [Fact(key="version", value=version, unit="text", of=name) for name, version in versions])


def _device(device: dict[str, Any], facts: list[Fact], remarks: list[Remark]) -> None:
    of = str(device["device"] or "")
    slowed, throttling = device["slowed"] or (), device["throttling"] or ()
    level: Level = "look" if throttling else "fine"
    if device["temperature_c"] is not None:
        facts.append(Fact(key="temperature", value=device["temperature_c"], unit="celsius", of=of, level=level))
    if device["clock_mhz"] is not None:
        facts.append(Fact(key="clock", value=device["clock_mhz"], unit="mhz", of=of))
    if device["power_w"] is not None:
        facts.append(Fact(key="power", value=device["power_w"], unit="watt", of=of))
    if device["power_mode"]:
        facts.append(Fact(key="power_mode", value=device["power_mode"], unit="text", of=of))
    if throttling:
        remarks.append(Remark(key="throttling", level="look", values={"why": ", ".join(throttling)}))
    elif slowed:
        remarks.append(Remark(key="slowed", level="look", values={"why": ", ".join(slowed)}))


def _warmth(temperature_c: float, slows_c: float | None, ends_c: float | None) -> Level:
    if temperature_c >= (ends_c - NEAR_C if ends_c is not None else HOT_C):
        return "wrong"
    return "look" if temperature_c >= (slows_c - NEAR_C if slows_c is not None else WARM_C) else "fine"


def _shares(before: Ticks | None, now: Ticks | None) -> tuple[float | None, float | None]:
    """Busy and stolen of the time between two looks."""
    if before is None or now is None or now.total <= before.total:
        return None, None
    total = now.total - before.total
    return (now.busy - before.busy) / total, max(0, now.stolen - before.stolen) / total


def _above(value: float | None, most: float) -> Level:
    return "look" if value is not None and value > most else "fine"


def _below(value: float | None, few: float, bad: float) -> Level:
    if value is None:
        return "unknown"
    return "wrong" if value < bad else "look" if value < few else "fine"
