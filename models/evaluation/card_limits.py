"""What a report says against its own model, in words, so that no card leaves it out."""

from __future__ import annotations

from models.evaluation.report import Report, Row
from models.evaluation.wording import rate_words

_FEW = 30
_WIDE = 0.05
_WEAK = 0.8


def measured_limits(report: Report, row: Row) -> list[str]:
    """Sentences about what was measured to be weak, or not measured at all.

    Args:
        report: What was measured.
        row: The model that the card's figures are of.
    """
    return [*_missing(report), *_thin(report, row), *_weak(row), *_unlike(report)]


def _missing(report: Report) -> list[str]:
    found = []
    if report.chosen_on == report.split:
        found.append(f"Thresholds were chosen on `{report.split}` itself: its figures are somewhat too good.")
    if not report.has_mended and report.compares:
        found.append("No parts were mended: pictures with several defects are rejected for any one of them.")
    if report.has_mended:
        found.append(
            "Mended parts keep their real edges, but the mend itself is cut from the golden sample: its seams may cost"
            " or save a false alarm."
        )
    if report.mended_unregistered:
        found.append(
            f"{report.mended_unregistered} pictures were mended from a golden sample that could not be registered to"
            " them: their parts are unlike real ones."
        )
    return found


def _thin(report: Report, row: Row) -> list[str]:
    evaluation = row.evaluation
    assert evaluation is not None
    found = []
    few = [name for name, rate in evaluation.escapes_by_class.items() if rate.trials < _FEW]
    if few:
        found.append(
            f"Fewer than {_FEW} parts of `{report.split}` show {_listed(few)}: next to nothing is known of it."
        )
    for name, rate in (("escapes", evaluation.parts.escapes), ("overkill", evaluation.parts.overkill)):
        if not rate.trials:
            found.append(f"`{report.split}` has no part to count {name} on.")
        elif rate.high - rate.low > _WIDE:
            found.append(f"So few parts leave {name} open between {rate.low:.1%} and {rate.high:.1%}.")
    return found


def _weak(row: Row) -> list[str]:
    evaluation = row.evaluation
    assert evaluation is not None
    found = []
    counted = [(rate.value, name) for name, rate in evaluation.escapes_by_class.items() if rate.count]
    if counted:
        _, name = max(counted)
        found.append(f"The class that escapes most is {name}: {rate_words(evaluation.escapes_by_class[name])}.")
    if evaluation.precision:
        weak = [name for name, value in evaluation.precision.per_class50.items() if value < _WEAK]
        if weak:
            found.append(f"Average precision at IoU 0.5 is below {_WEAK:g} for {_listed(weak)}.")
    worst = evaluation.confusion.worst if evaluation.confusion else None
    if worst:
        true, taken, count = worst
        found.append(f"The class most often taken for another is {true}, for {taken}: {count} times.")
    unregistered = evaluation.parts.unregistered
    if unregistered:
        found.append(f"{unregistered} parts are rejected because their golden sample cannot be registered.")
    return found


def _unlike(report: Report) -> list[str]:
    found = [
        f"{each.name} does not keep to the limits of parity."
        for each in report.parity
        if each.is_bound and not each.is_kept
    ]
    found += [f"{each.name} could not be run here." for each in report.rows if each.problem]
    for each in report.rows:
        missed = [choice.wish for choice in each.choices if not choice.is_reached]
        if missed:
            found.append(f"{each.name} reaches {' nor '.join(missed)} at no threshold.")
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
