"""Wall time as the record keeps it: whole microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

US_PER_H = 3_600_000_000
US_PER_DAY = 24 * US_PER_H
_ORIGIN = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(wall: datetime) -> int:
    """A wall time as microseconds since 1970 UTC."""
    return (wall - _ORIGIN) // timedelta(microseconds=1)


def moment(wall_us: int) -> datetime:
    """The wall time of so many microseconds since 1970 UTC."""
    return _ORIGIN + timedelta(microseconds=wall_us)
