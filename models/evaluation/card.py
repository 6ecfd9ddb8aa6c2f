"""The card of a package: what it is for, what it was made from, what it was measured to do, and what it misses.

Figures come from a report. What no measurement tells, such as the terms of the data, comes from whoever makes the
package, in Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.evaluation.card_file import MARK
from models.evaluation.card_limits import measured_limits
from models.evaluation.report import Miss, Report, Row
from models.evaluation.wording import (
    NONE,
    class_table,
    confusion_table,
    markdown,
    model_table,
    parity_table,
    part_table,
    parts_words,
    rate_words,
    reliability_table,
    threshold_table,
)

USE, TERMS, LIMITS, MADE = "Intended use", "Data and its terms", "Limits", "How it was made"
_UNTESTED = (
    "Parts and pictures like those of the data below, taken with the same light, scale and camera. It was not tested"
    " on a production line here: do not put it on one before `takt models evaluate` has shown its escapes and overkill"
    " on parts of that line."
)


def card_text(report: Report, terms: str, sections: Mapping[str, str], picture: str = "") -> str:
    """Writes the card.

    Args:
        report: What was measured.
        terms: Origin and terms of the data, in Markdown.
        sections: The maker's own sections by heading, as `read_sections` gives them. Intended use replaces the words
            that stand there otherwise; limits come after those that were measured; others are added at the end.
        picture: File name of the picture of the worst misses, beside the card; empty where there is none.
    """
    row = report.first
    assert row is not None
    pieces = [
        f"# {report.package}",
        MARK,
        sections.get("", ""),
        _facts(report),
        f"## {USE}",
        sections.get(USE, _UNTESTED),
        f"## {TERMS}",
        terms.strip(),
        "## Figures",
        *_figures(report, row),
        f"## {LIMITS}",
        "\n".join(f"- {each}" for each in measured_limits(report, row)),
        sections.get(LIMITS, ""),
        "## Worst misses",
        *_misses(report, row, picture),
    ]
    others = [name for name in sections if name not in ("", USE, TERMS, LIMITS, MADE)]
    for name in [*([MADE] if MADE in sections else []), *others]:
        pieces += [f"## {name}", sections[name]]
    return "\n\n".join(each for each in pieces if each) + "\n"


def _facts(report: Report) -> str:
    inputs = {
        row.variant: f"{row.spec.width_px} x {row.spec.height_px} px, {'colour' if row.spec.channels > 1 else 'grey'}"
        f"{', with golden sample' if row.spec.is_golden else ''}"
        for row in report.rows
    }
    rows = [
        ["Version", report.version],
        ["Kind", report.kind],
        ["Classes", ", ".join(report.classes)],
        *([f"Input of {name}", words] for name, words in inputs.items()),
    ]
    return markdown([["", ""], *rows]).replace("---:", "---")


def _figures(report: Report, row: Row) -> list[str]:
    libraries = ", ".join(f"{name} {version}" for name, version in report.libraries.items())
    return [
        f"Measured with `takt models evaluate` on the {report.pictures} pictures of the split `{report.split}`, with"
        f" {libraries}. Detections count from score 0.05 on, as a station sees them, so that mean average precision is"
        " slightly lower than over all scores. Intervals are Wilson's of 95 %." + _registration(report),
        "### All models",
        f"Escapes and overkill of {parts_words(report)}, each model at its own threshold. {_timing(report)}",
        markdown(model_table(report)),
        *[f"{each.name} was not measured: {each.problem}." for each in report.rows if each.problem],
        f"What follows is of {row.name}, unless it says otherwise.",
        *_per_class(row),
        "### Escapes and overkill per part",
        _part_words(row),
        markdown(part_table(row)),
        _finding_words(row),
        *_thresholds(report),
        *_confusion(row),
        *_calibration(row),
        *_parity(report),
    ]


def _timing(report: Report) -> str:
    if not any(row.speed for row in report.rows):
        return "Times were not taken."
    threads = "one thread" if report.threads == 1 else f"{report.threads} threads"
    return (
        "Times are from the frame in memory to its findings, registration included, the models in turn on each picture,"
        f" with {threads}, on {report.processor}."
    )


def _registration(report: Report) -> str:
    if not report.compares:
        return ""
    if not report.register_px:
        return " Golden samples were taken as they lie."
    fate = "was compared with it as it lies" if report.takes_unregistered else "counts as rejected, as on a line"
    return (
        f" Golden samples were registered to each part within {report.register_px:g} px; a part to which it cannot be"
        f" {fate}."
    )


def _per_class(row: Row) -> list[str]:
    cells = class_table(row)
    return ["### Per class", markdown(cells)] if cells else []


def _part_words(row: Row) -> str:
    found = row.evaluation
    assert found is not None
    return (
        f"At threshold {found.threshold:g}. A part is rejected if any finding reaches the threshold. Missed: no finding"
        " overlaps the defect, whatever else was found on the part. Parts mended from one board are not independent of"
        " each other, so the intervals of every defect once are somewhat too narrow."
    )


def _finding_words(row: Row) -> str:
    found = row.evaluation.findings if row.evaluation else None
    if found is None:
        return ""
    return (
        f"Of findings, on pictures as they are: {rate_words(found.right)} are right (IoU 0.5, of the right class), and"
        f" {rate_words(found.found)} of the defects are found; F1 is highest, {found.best_f1:.3f}, at threshold"
        f" {found.best_threshold:g}."
    )


def _thresholds(report: Report) -> list[str]:
    on, split = report.chosen_on, report.split
    words = (
        f"Chosen on `{on}`, reported on `{split}`. Where a wish is not reached, it is the nearest threshold there is."
    )
    if on == split:
        words = f"Chosen on the very pictures they are reported on, `{split}`: a new lot will do somewhat worse."
    cells = threshold_table(report)
    return ["### Thresholds", words, markdown(cells)] if cells else []


def _confusion(row: Row) -> list[str]:
    found = row.evaluation.confusion if row.evaluation else None
    if found is None:
        return []
    words = f"Rows are what is there, columns what was found, from threshold {found.threshold:g} on."
    return ["### Which classes are taken for which", words, markdown(confusion_table(found))]


def _calibration(row: Row) -> list[str]:
    found = row.evaluation.calibration if row.evaluation else None
    if found is None:
        return []
    side = "not sure enough of itself" if found.temperature < 1 else "too sure of itself"
    words = (
        f"Expected calibration error {found.error:.3f} over {found.count} {found.of}; the best temperature is"
        f" {found.temperature:.2f} (the model is {side}), with which it would be {found.error_after:.3f}. Scores are"
        " ranks to set a threshold on; read them as chances only where this table says so."
    )
    return ["### Calibration of scores", words, markdown(reliability_table(found))]


def _parity(report: Report) -> list[str]:
    if not report.parity:
        return []
    words = (
        "Every model and runtime against the first of its role, on identical pictures. Float models have to keep to:"
        " the same verdict on 99.9 % of pictures, boxes within 1 px, scores within 0.01, no finding without a partner."
        " Models of 8 bits are judged by their escapes and overkill above."
    )
    return ["### Parity", words, markdown(parity_table(report))]


def _misses(report: Report, row: Row, picture: str) -> list[str]:
    if not report.misses:
        return [f"None of `{report.split}` at this threshold."]
    pieces = [f"Of {row.name}; scores are the highest on the part."]
    if picture:
        pieces.append(f"![Boxes of the worst misses]({picture})")
    rows = [
        [each.picture, "escape" if each.is_escape else "overkill", _what(each), f"{each.score:.3f}", _where(each)]
        for each in report.misses
    ]
    return [*pieces, markdown([["picture", "mistake", "what", "score", "x, y, width, height"], *rows])]


def _what(miss: Miss) -> str:
    if not miss.is_registered:
        return "golden sample not registered"
    boxes = miss.truth or miss.found[:1]
    return ", ".join(sorted({each.label for each in boxes})) or miss.item.label or NONE


def _where(miss: Miss) -> str:
    boxes = miss.truth or miss.found[:1]
    return ", ".join(f"{side:.0f}" for side in boxes[0].box_px) if boxes else NONE
