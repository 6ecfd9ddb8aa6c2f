"""Which time a figure is about: spans, steps that give a chart a few hundred points, and shifts. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from app.errors import ConfigError
from app.record.tallying import STRETCH_US
from app.record.walltime import US_PER_DAY, US_PER_H, micros

STEPS_US = (STRETCH_US, 3 * STRETCH_US, US_PER_H, 4 * US_PER_H, US_PER_DAY, 7 * US_PER_DAY)
MOST_POINTS = 300
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5][05])")


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift.

    Attributes:
        number: 1, 2, ... through the day.
        since: When it begins, with the time zone of the box.
        until: When it ends.
    """

    number: int
    since: datetime
    until: datetime

    @property
    def since_us(self) -> int:
        """When it begins, in microseconds since 1970 UTC."""
        return micros(self.since)

    @property
    def until_us(self) -> int:
        """When it ends."""
        return micros(self.until)


def step_of(since_us: int, until_us: int) -> int:
    """The shortest step that gives the span no more points than a chart can show, in microseconds."""
    span = max(0, until_us - since_us)
    return next((each for each in STEPS_US if span <= MOST_POINTS * each), STEPS_US[-1])


def offset_of(now: datetime, zone: tzinfo | None = None) -> int:
    """How far a zone's clock is ahead of UTC at a moment, in microseconds, to the five minutes.

    Args:
        now: The moment.
        zone: The zone; `None` for the box's own.
    """
    ahead = now.astimezone(zone).utcoffset() or timedelta()
    return ahead // timedelta(microseconds=STRETCH_US) * STRETCH_US


def parse_shifts(starts: Sequence[str]) -> tuple[int, ...]:
    """The minutes of the day at which shifts begin, in order.

    Args:
        starts: As `06:00`, to the five minutes.

    Raises:
        ConfigError: One is no time of day, or is named twice.
    """
    minutes = []
    for each in starts:
        match = _CLOCK.fullmatch(each)
        if match is None:
            raise ConfigError(f"[ui] shifts: {each!r} is no time of day", "write it as 06:00, to the five minutes")
        minutes.append(60 * int(match[1]) + int(match[2]))
    if len(set(minutes)) != len(minutes) or not minutes:
        raise ConfigError("[ui] shifts: each shift needs a start of its own", 'write, for example, ["06:00", "14:00"]')
    return tuple(sorted(minutes))


def shift_at(moment: datetime, starts: Sequence[int]) -> Shift:
    """The shift that a moment lies in.

    Args:
        moment: The moment; its time zone is the one that the shifts are meant in.
        starts: Minutes of the day at which shifts begin, in order, at least one.
    """
    minute = 60 * moment.hour + moment.minute
    index = max((number for number, each in enumerate(starts) if each <= minute), default=-1)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    day = midnight if index >= 0 else _day_after(midnight, -1)
    index %= len(starts)
    is_last = index == len(starts) - 1
    end = _day_after(day, 1) if is_last else day
    return Shift(index + 1, _at(day, starts[index]), _at(end, starts[0] if is_last else starts[index + 1]))


def hour_at(moment: datetime) -> tuple[int, int]:
    """The hour of the clock that a moment lies in: its start and end, in microseconds since 1970 UTC."""
    start = micros(moment.replace(minute=0, second=0, microsecond=0).astimezone(timezone.utc))
    return start, start + US_PER_H


def _day_after(midnight: datetime, days: int) -> datetime:
    """Midnight of another day, by the clock on the wall: a day of a change of time has 23 or 25 hours."""
    naive = midnight.replace(tzinfo=None) + timedelta(days=days)
    return naive.replace(tzinfo=midnight.tzinfo)


def _at(midnight: datetime, minute: int) -> datetime:
    return midnight.replace(hour=minute // 60, minute=minute % 60)
