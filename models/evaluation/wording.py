"""How figures are written, on screens and on cards alike."""

from __future__ import annotations

from models.evaluation.calibration_curve import Calibration
from models.evaluation.evaluate import PartFigures
from models.evaluation.matching import Confusion
from models.evaluation.report import Choice, Report, Row
from models.measures.statistics import Rate

Cells = list[list[str]]
"""A table: its headings, then its rows."""

NONE = "-"
_KIB, _MIB = 1024, 1024 * 1024


def rate_words(rate: Rate | None) -> str:
    """A rate with its 95 % interval: `8/690 = 1.2% [0.6%, 2.3%]`; a dash where there was no trial."""
    if rate is None or not rate.trials:
        return NONE
    return f"{rate.count}/{rate.trials} = {rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"


def short_rate(rate: Rate | None) -> str:
    """A rate without its interval: `8/690 (1.16%)`, in two lines."""
    return NONE if rate is None or not rate.trials else f"{rate.count}/{rate.trials}\n({rate.value:.2%})"


def size_words(size_bytes: int) -> str:
    """A file's size."""
    return f"{size_bytes / _MIB:.1f} MiB" if size_bytes >= _MIB else f"{size_bytes / _KIB:.0f} KiB"


def parts_words(report: Report) -> str:
    """What the parts are that escapes and overkill are counted on."""
    return "parts mended to one defect or none" if report.has_mended else "pictures as they are"


def model_table(report: Report) -> Cells:
    """The table of all models: headings, then a row each; a column that nothing stands in is left out.

    Lines within a cell are for narrow screens; in Markdown they are one.
    """
    has_boxes = report.kind == "detection"
    headings = ["model", "size", "GMAC", *(["mAP50 /\nmAP50-95"] if has_boxes else []), "AUROC"]
    headings += ["at\nscore", "escapes", "overkill", "p50 /\np99 ms"]
    rows = [_model_cells(row, has_boxes=has_boxes) for row in report.rows]
    return _without_empty([headings, *rows])


def class_table(row: Row) -> Cells:
    """Precision and escapes by class: headings, then a row each; nothing where neither is known."""
    found = row.evaluation
    if found is None or not (found.precision or any(each.trials for each in found.escapes_by_class.values())):
        return []
    scores = found.precision
    rows = [["class", *(["AP50", "AP50-95"] if scores else []), "escapes of such parts"]]
    for name, escape in found.escapes_by_class.items():
        precision = [f"{each[name]:.3f}" for each in (scores.per_class50, scores.per_class50_95)] if scores else []
        rows.append([name, *precision, rate_words(escape)])
    return rows


def part_table(row: Row) -> Cells:
    """Escapes and overkill by how the parts were made: headings, then a row each."""
    rows = [["parts", "escapes", "missed", "overkill", "not\nregistered"]]
    for name, figures in figure_rows(row):
        rates = (figures.escapes, figures.missed, figures.overkill)
        rows.append([name, *(rate_words(each).replace(" [", "\n[") for each in rates), str(figures.unregistered)])
    return rows


def threshold_table(report: Report) -> Cells:
    """Thresholds that were chosen: headings, then a row each."""
    on, split = report.chosen_on, report.split
    headings = ["model", "wish", "at\nscore", f"{on}:\nescapes", f"{on}:\noverkill"]
    headings += [f"{split}:\nescapes", f"{split}:\none per\nboard", f"{split}:\noverkill"]
    rows = []
    for row in report.rows:
        for choice in row.choices:
            board = choice.reported_per_board.escapes if choice.reported_per_board else None
            before = (choice.chosen.escapes, choice.chosen.overkill) if on != split else (None, None)
            rates = (*before, choice.reported.escapes, board, choice.reported.overkill)
            rows.append([_model(row), _wish(choice), f"{choice.threshold:g}", *(short_rate(each) for each in rates)])
    return _without_empty([headings, *rows])


def confusion_table(found: Confusion) -> Cells:
    """Classes taken for others: headings, then a row each."""
    names = [*found.classes, "nothing"]
    rows = [[name, *(str(each) for each in counts)] for name, counts in zip(names, found.counts, strict=True)]
    return [["there / found", *names], *rows]


def reliability_table(found: Calibration) -> Cells:
    """Scores against what they turned out to be: headings, then a row each."""
    rows = [
        [f"{each.low:.1f} to {each.high:.1f}", str(each.count), f"{each.mean_score:.2f}", f"{each.share_right:.2f}"]
        for each in found.bins
    ]
    return [["score", "count", "mean score", "share right"], *rows]


def parity_table(report: Report) -> Cells:
    """Models against the first of their role: headings, then a row each."""
    rows = [["against", "model", "same\nverdict", "box px", "score", "without\npartner", "limit"]]
    for each in report.parity:
        verdict = "kept" if each.is_kept else "NOT KEPT"
        rows.append(
            [
                each.reference.replace(" on ", "\non "),
                each.name.replace(" on ", "\non "),
                f"{each.same_verdict}/{each.pictures}\n= {each.share:.2%}",
                f"{each.distance_px:.3g}",
                f"{each.score_difference:.2g}",
                str(each.unmatched),
                verdict if each.is_bound else "none",
            ]
        )
    return rows


def figure_rows(row: Row) -> list[tuple[str, PartFigures]]:
    """The figures of a row by how its parts were made."""
    found = row.evaluation
    if found is None:
        return []
    rows = [
        ("pictures as they are", found.as_they_are),
        ("mended,\nevery defect once", found.every_defect_once),
        ("mended, one bad and\none good per board", found.one_per_board),
    ]
    return [(name, figures) for name, figures in rows if figures is not None]


def markdown(cells: Cells) -> str:
    """A table in Markdown, its first column to the left and the others to the right."""
    marks = ["---"] + ["---:"] * (len(cells[0]) - 1)
    return "\n".join(f"| {' | '.join(map(_cell, each))} |" for each in (cells[0], marks, *cells[1:]))


def _without_empty(cells: Cells) -> Cells:
    """The table without columns in which nothing stands."""
    kept = [index for index in range(len(cells[0])) if any(row[index] != NONE for row in cells[1:])]
    return [[row[index] for index in kept] for row in cells] if len(cells) > 1 else []


def _wish(choice: Choice) -> str:
    words = choice.wish.replace(", ", ",\n").replace(" and", "\nand")
    return words if choice.is_reached else f"{words}\n(not reached)"


def _model(row: Row) -> str:
    return f"{row.variant}\non {row.runtime}"


def _model_cells(row: Row, *, has_boxes: bool) -> list[str]:
    names = [_model(row), size_words(row.onnx_bytes), NONE if row.gmac is None else f"{row.gmac:.3g}"]
    found = row.evaluation
    if found is None:
        return [*names, *[NONE] * (5 + has_boxes)]
    precision = [NONE] * has_boxes
    if found.precision:
        precision = [f"{found.precision.map50:.3f} /\n{found.precision.map50_95:.3f}"]
    speed = f"{row.speed.p50_ms:.1f} /\n{row.speed.p99_ms:.1f}" if row.speed else NONE
    ranking = NONE if found.auroc is None else f"{found.auroc.value:.3f}"
    counts = [short_rate(each) for each in (found.parts.escapes, found.parts.overkill)]
    return [*names, *precision, ranking, f"{found.threshold:g}", *counts, speed]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
