"""Counts as the API tells them."""

from __future__ import annotations

from collections.abc import Mapping

from app.record.figures import Tallied
from app.types import Reason
from app.web.figures import answers
from app.web.figures.proportions import Share, share
from app.web.figures.shifts import ShiftFigures, Stretch
from app.web.figures.trends import Trend, pareto_of
from app.web.figures.truth import Accuracy, ModelAccuracy
from app.web.languages import texts

US_PER_MS = 1_000
_REASONS = {each.value for each in Reason}


def counts(tallied: Tallied) -> answers.Counts:
    """Parts counted."""
    names = ("triggers", "passed", "rejected", "lost", "in_flight", "flagged", "yield_share")
    return answers.Counts(**{name: getattr(tallied, name) for name in names})


def measured(known: Share) -> answers.Measured:
    """A share with its interval."""
    return answers.Measured(hits=known.hits, of=known.of, value=known.value, low=known.low, high=known.high)


def words_of_cause(cause: str) -> str:
    """A cause in the language of the page: a class has the name that its model gave it."""
    known = f"figures.cause.{cause}"
    words = texts().words
    if known in words:
        return words[known]
    return words[f"reason.{cause}"] if cause in _REASONS and f"reason.{cause}" in words else cause


def causes(known: Mapping[str, int]) -> list[answers.Cause]:
    """Causes, the most frequent first."""
    return [
        answers.Cause(
            cause=each.cause,
            words=words_of_cause(each.cause),
            parts=each.parts,
            share=each.share,
            cumulated=each.cumulated,
        )
        for each in pareto_of(known)
    ]


def series(trend: Trend, step_us: int, offset_us: int) -> answers.Series:
    """The columns of the charts."""
    points = trend.control.points
    return answers.Series(
        step_ms=step_us // US_PER_MS,
        offset_ms=offset_us // US_PER_MS,
        start_ms=[each // US_PER_MS for each in trend.starts_us],
        triggers=[each.triggers for each in trend.tallied],
        passed=[each.passed for each in trend.tallied],
        rejected=[each.rejected for each in trend.tallied],
        lost=[each.lost for each in trend.tallied],
        yield_share=[each.yield_share for each in trend.tallied],
        reject_share=[each.share for each in points],
        low=[each.low for each in points],
        high=[each.high for each in points],
        is_out=[each.is_out for each in points],
        is_run=[each.is_run for each in points],
        p50_ms=list(trend.p50_ms),
        p99_ms=list(trend.p99_ms),
    )


def model(known: ModelAccuracy) -> answers.ModelRow:
    """What labels say of a model."""
    return answers.ModelRow(
        package=known.package,
        sha256=known.sha256,
        since_ms=known.since_us // US_PER_MS,
        labels=known.accuracy.labels,
        escapes=measured(known.accuracy.escapes),
        overkill=measured(known.accuracy.overkill),
    )


def shared_lots(by_package: Mapping[str, Mapping[str, Tallied]], newest: list[str]) -> list[answers.SharedLot]:
    """Lots that more than one package judged.

    Args:
        by_package: Counts by package and lot.
        newest: Lots in the order in which they are told.
    """
    found = []
    for lot in newest:
        judged = {package: lots[lot] for package, lots in by_package.items() if lot in lots and lots[lot].settled}
        if len(judged) > 1:
            rows = [
                answers.LotOfModel(
                    package=package, counts=counts(each), rejects=measured(share(each.rejected, each.settled))
                )
                for package, each in sorted(judged.items())
            ]
            found.append(answers.SharedLot(lot=lot, models=rows))
    return found


def outcome(known: Accuracy, flagged: Share) -> answers.Outcome:
    """Escapes and overkill, and the parts that are flagged."""
    return answers.Outcome(
        escapes=measured(known.escapes),
        overkill=measured(known.overkill),
        passed=measured(known.passed),
        flagged=measured(flagged),
    )


def shifts(known: ShiftFigures) -> answers.ShiftsAnswer:
    """This shift, the one before, and this hour."""
    return answers.ShiftsAnswer(
        number=known.number,
        shift=stretch(known.shift),
        before=stretch(known.before),
        hour=stretch(known.hour),
    )


def stretch(known: Stretch) -> answers.StretchAnswer:
    """How a stretch of time went."""
    return answers.StretchAnswer(
        since_ms=known.since_us // US_PER_MS,
        until_ms=known.until_us // US_PER_MS,
        counts=counts(known.tallied),
        causes=causes(dict(known.causes)),
    )
