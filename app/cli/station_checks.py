"""What runs now on a box, as the stations and the accelerator's process tell it: one function per thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.bus.block import read_block
from app.bus.place import Place
from app.cli.checks import Finding, Level
from app.clock import NS_PER_S
from app.detect.building_use import DUE
from app.errors import BusError, DataError
from app.health.health import in_words
from app.health.report import BLOCK, Report, decode_report
from app.status import Status, decode_status

OLD_NS = 3 * NS_PER_S
"""Older words are of a process that has ended or hangs."""

_PARKED = "parked"


def check_stations(place: Place, lanes: list[int], now_ns: int) -> Iterator[Finding]:
    """How each lane's accelerator stands; nothing where no station is at work.

    Args:
        place: Where the processes meet.
        lanes: The lanes' numbers.
        now_ns: The present, by the monotonic clock.
    """
    for lane in lanes:
        status = _read_status(place.status(lane))
        if status is not None and now_ns - status.at_ns <= OLD_NS:
            yield check_judge(status, now_ns)
            yield from check_unused(status)
    report = _read_report(place.root / BLOCK)
    if report is not None and now_ns - report.at_ns <= OLD_NS:
        yield check_report(report, now_ns)


def check_judge(status: Status, now_ns: int) -> Finding:
    """Which runtime judges on a lane, why, and since when."""
    topic = f"Lane {status.lane}, judge"
    accelerator = status.accelerator
    if accelerator is None:
        return Finding(topic, Level.OK, f"{status.package} on {status.runtime}; no accelerator is asked for")
    since = _ago(accelerator.since_ns, now_ns)
    counts = f"{accelerator.failures} failures, trusted {accelerator.promotions} times"
    times = f"{accelerator.slice_ms:.1f} ms for a part, the standby needs {accelerator.standby_ms:.1f}"
    if not accelerator.why:
        text = f"{status.package}, the accelerator on {accelerator.runtime} since {since}: {times}; {counts}"
        return Finding(topic, Level.OK, text)
    text = (
        f"{status.package}, the standby on {accelerator.standby}; the accelerator is {accelerator.phase} since {since}:"
        f" {accelerator.why}; {counts}"
    )
    if accelerator.asks_mm_s is not None:
        text += f"; run the belt at {accelerator.asks_mm_s:.0f} mm/s at most"
    if accelerator.phase == _PARKED:
        return Finding(topic, Level.WARN, text, f"once its cause is mended: takt line unpark --lane {status.lane}")
    return Finding(topic, Level.WARN, text, "it is brought back by itself; where it stays away, mend what it says")


def check_unused(status: Status) -> Iterator[Finding]:
    """What could judge on a lane and does not, each with its reason."""
    topic = f"Lane {status.lane}, not used"
    for why in status.unused:
        if DUE in why:
            yield Finding(topic, Level.WARN, why, "run it on this device while the line stands, then start the station")
        else:
            yield Finding(topic, Level.OK, why)


def check_report(report: Report, now_ns: int) -> Finding:
    """How the device is that the accelerator's process owns."""
    topic = "Accelerator at work"
    health = report.health
    serves = ", ".join(f"lane {each.lane}: {each.variant} on {each.runtime}" for each in report.serves)
    state = f"serves {serves}" if report.is_serving else "opens its models"
    text = f"{state}, since {_ago(report.since_ns, now_ns)}; {in_words(health)}"
    if health.throttling:
        mend = "clear its fan, filter and vents; if it is cool, look at its supply and its power limit"
        return Finding(topic, Level.WARN, text, mend)
    return Finding(topic, Level.OK, text)


def _read_status(path: Path) -> Status | None:
    said = _read(path)
    try:
        return decode_status(said) if said else None
    except BusError:
        return None


def _read_report(path: Path) -> Report | None:
    said = _read(path)
    try:
        return decode_report(said) if said else None
    except DataError:
        return None


def _read(path: Path) -> bytes | None:
    """What a block says; `None` where there is none, which is no fault of a box on which nothing runs."""
    with suppress(BusError):
        return read_block(path)
    return None


def _ago(since_ns: int, now_ns: int) -> str:
    seconds = max(0, now_ns - since_ns) // NS_PER_S
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"  # noqa: PLR2004
