"""How this shift, this hour and this lot go: what the operator's page and the statistics share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.record.figures import Figures, Slice, Tallied
from app.web.figures.spans import Shift, hour_at, shift_at

TOP_CAUSES = 5
DEFAULT_SHIFTS = (360, 840, 1320)
"""06:00, 14:00 and 22:00, in minutes of the day."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How a stretch of time went.

    Attributes:
        since_us: When it began, in microseconds since 1970 UTC.
        until_us: When it ends.
        tallied: The parts that were triggered in it.
        causes: What rejected most of them, the most frequent first.
    """

    since_us: int
    until_us: int
    tallied: Tallied
    causes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ShiftFigures:
    """This shift, the one before it, and this hour.

    Attributes:
        number: Which shift of the day this is.
        shift: This shift, so far.
        before: The shift before it.
        hour: This hour of the clock, so far.
    """

    number: int
    shift: Stretch
    before: Stretch
    hour: Stretch


def shift_figures(
    figures: Figures, now: datetime, starts: tuple[int, ...] = DEFAULT_SHIFTS, lane: int | None = None
) -> ShiftFigures:
    """How this shift and this hour go.

    Args:
        figures: The counts.
        now: The time, in the zone that the shifts are meant in.
        starts: Minutes of the day at which shifts begin, in order.
        lane: Of this lane; `None`: of all together.

    Raises:
        RecordError: The ledger cannot be read.
    """
    shift = shift_at(now, starts)
    before = shift_at(_just_before(shift), starts)
    return ShiftFigures(
        shift.number,
        _stretch(figures, lane, shift.since_us, shift.until_us),
        _stretch(figures, lane, before.since_us, before.until_us),
        _stretch(figures, lane, *hour_at(now)),
    )


def _just_before(shift: Shift) -> datetime:
    return shift.since - timedelta(minutes=1)


def _stretch(figures: Figures, lane: int | None, since_us: int, until_us: int) -> Stretch:
    which = Slice(lane=lane, since_us=since_us, until_us=until_us)
    causes = tuple(figures.causes(which).items())[:TOP_CAUSES]
    return Stretch(since_us, until_us, figures.total(which), causes)
