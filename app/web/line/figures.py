"""The last hour and the running shift of a lane, from the counts that the recorder keeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.record.figures import Figures, Slice
from app.record.walltime import micros
from app.web.line.answers import FiguresAnswer, ReasonCount, StretchAnswer, TallyAnswer

MOST_CAUSES = 5


def figures_of(figures: Figures, lane: int, now: datetime, shifts: Sequence[str]) -> FiguresAnswer:
    """The last hour, to the five minutes, and the running shift.

    Args:
        figures: The counts.
        lane: The lane.
        now: The present, in the box's own time zone.
        shifts: When shifts begin, as `06:00`.

    Raises:
        RecordError: The ledger cannot be read.
    """
    hour = now - timedelta(hours=1)
    return FiguresAnswer(
        hour=_stretch(figures, lane, _floor(hour)), shift=_stretch(figures, lane, shift_start(now, shifts))
    )


def shift_start(now: datetime, shifts: Sequence[str]) -> datetime:
    """When the running shift began.

    Args:
        now: The present, in the time zone of the shifts.
        shifts: When shifts begin, as `06:00`; without any, at midnight.
    """
    starts = []
    for each in shifts or ("00:00",):
        hours, minutes = (int(part) for part in each.split(":"))
        today = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
        starts.append(today if today <= now else today - timedelta(days=1))
    return max(starts)


def _floor(at: datetime) -> datetime:
    return at - timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)


def _stretch(figures: Figures, lane: int, since: datetime) -> StretchAnswer:
    which = Slice(lane=lane, since_us=micros(since))
    total = figures.total(which)
    causes = list(figures.causes(which).items())[:MOST_CAUSES]
    return StretchAnswer(
        since_us=micros(since),
        tally=TallyAnswer(
            triggers=total.triggers,
            passed=total.passed,
            rejected=total.rejected,
            lost=total.lost,
            in_flight=total.in_flight,
        ),
        yield_share=total.yield_share,
        causes=[ReasonCount(cause=cause, parts=parts) for cause, parts in causes],
    )
