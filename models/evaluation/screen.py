"""A report on the screen."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.evaluation.report import Report, Row
from models.evaluation.wording import (
    Cells,
    class_table,
    confusion_table,
    model_table,
    parity_table,
    part_table,
    parts_words,
    rate_words,
    threshold_table,
)


def show(report: Report, console: Console | None = None) -> None:
    """Prints every table of a report."""
    console = console or Console()
    title = f"{report.package} {report.version}, {report.pictures} pictures of {report.split}"
    _print(console, title, model_table(report))
    console.print(f"escapes and overkill of {parts_words(report)}, each model at its own threshold")
    for each in report.rows:
        if each.problem:
            console.print(f"{each.name} was not measured: {each.problem}", markup=False)
    row = report.first
    if row is None or row.evaluation is None:
        return
    _print(console, row.name, class_table(row))
    _print(console, f"{row.name} at {row.evaluation.threshold:g}", part_table(row))
    on, split = report.chosen_on, report.split
    title = f"thresholds chosen on {on}, reported on {split}"
    _print(
        console,
        title if on != split else f"thresholds chosen in hindsight on {split}",
        _grouped(threshold_table(report)),
    )
    if row.evaluation.confusion:
        found = row.evaluation.confusion
        _print(console, f"what is there, and what was found from {found.threshold:g} on", confusion_table(found))
    if report.parity:
        title = "parity on identical pictures, with the model above"
        _print(console, title, _grouped(parity_table(report)))
    _show_remarks(console, report, row)


def _show_remarks(console: Console, report: Report, row: Row) -> None:
    found = row.evaluation
    assert found is not None
    if found.auroc:
        console.print(f"AUROC {found.auroc.value:.3f} [{found.auroc.low:.3f}, {found.auroc.high:.3f}]", markup=False)
    if found.findings:
        right, seen = found.findings.right, found.findings.found
        best = f"best F1 {found.findings.best_f1:.3f} at {found.findings.best_threshold:g}"
        text = f"findings that are right {rate_words(right)}, defects found {rate_words(seen)}; {best}"
        console.print(text, markup=False)
    if found.calibration:
        scores = found.calibration
        text = f"calibration error {scores.error:.3f} over {scores.count} {scores.of}"
        console.print(f"{text}; best temperature {scores.temperature:.2f} ({scores.error_after:.3f} with it)")
    unregistered = found.parts.unregistered
    if unregistered:
        fate = "counted as rejected, as a station does"
        console.print(f"parts whose golden sample could not be registered, {fate}: {unregistered}")
    if report.mended_unregistered:
        text = "pictures mended from a golden sample that could not be registered to them"
        console.print(f"{text}: {report.mended_unregistered}")
    if row.speed:
        console.print(f"times: {row.speed.pictures} pictures, {report.threads} thread(s), {report.processor}")


def _grouped(cells: Cells) -> Cells:
    """A table whose first column stands above the rows that share it, for narrow screens."""
    rows: Cells = [row[1:] for row in cells[:1]]
    before = ""
    for first, *others in cells[1:]:
        if first != before:
            rows.append([first, *[""] * (len(others) - 1)])
            before = first
        rows.append([f"  {others[0]}".replace("\n", "\n  "), *others[1:]])
    return rows


def _print(console: Console, title: str, cells: Cells) -> None:
    if not cells:
        return
    console.print(title, markup=False, style="bold")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for index, heading in enumerate(cells[0]):
        table.add_column(heading, justify="left" if index == 0 else "right", no_wrap=index == 0)
    for row in cells[1:]:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    console.print()
