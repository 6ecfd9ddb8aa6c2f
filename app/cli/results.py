"""What `takt inspect` found, as JSON, as COCO results and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app.cli.console import printable
from app.cli.judging import Judged
from app.cli.lettering import Mark
from app.cli.pictures import mark_of, reason_in_short
from app.cli.truth import Truth
from app.latency import LatencyLedger

STYLES = {Mark.REJECT: "bold red", Mark.FLAG: "yellow", Mark.PASS: "green"}
SHAPES = {Mark.REJECT: "◆", Mark.FLAG: "▲", Mark.PASS: "●"}
REASONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """The counts of a run.

    Attributes:
        pictures: All of them.
        passed: Those that stay on the belt, flagged ones included.
        rejected: Those that do not, those that could not be judged included.
        flagged: Those that a person should look at.
        unjudged: Those that could not be judged.
        escapes: Bad parts that passed; `None` without a truth.
        overkill: Good parts that were rejected; `None` without a truth.
        latency_ms: p50, p99, p999 and max from picture in memory to verdict; `None` where none was judged.
    """

    pictures: int
    passed: int
    rejected: int
    flagged: int
    unjudged: int
    escapes: int | None
    overkill: int | None
    latency_ms: dict[str, float] | None


def summarise(judged: Sequence[Judged], truth: Truth | None, latency: LatencyLedger) -> Summary:
    """Counts.

    Args:
        judged: The pictures.
        truth: Which of them are bad, if that is known.
        latency: Measured totals, in the stage `total`.
    """
    counts = Counter(_kind(each, truth) for each in judged)
    total = latency.of("total")
    return Summary(
        pictures=len(judged),
        passed=sum(each.verdict.is_pass for each in judged),
        rejected=sum(not each.verdict.is_pass for each in judged),
        flagged=sum(each.verdict.is_flagged for each in judged),
        unjudged=sum(each.error is not None for each in judged),
        escapes=counts["escape"] if truth else None,
        overkill=counts["overkill"] if truth else None,
        latency_ms={key: round(getattr(total, key), 3) for key in ("p50", "p99", "p999", "max")}
        if total.count
        else None,
    )


def as_data(each: Judged, truth: Truth | None) -> dict[str, Any]:
    """One picture for `--json`."""
    data: dict[str, Any] = {"file": str(each.path), **verdict_row(each)}
    if truth:
        data["truth"] = "bad" if each.path.name in truth.bad else "good"
    data["detections"] = [
        {"class": found.label, "score": found.score, "box_px": _rounded(found.box_px)} for found in each.detections
    ]
    data["latency_ms"] = {key: round(value, 3) for key, value in asdict(each.times).items()} if each.times else None
    data["error"] = str(each.error) if each.error else None
    return data


def verdict_row(each: Judged) -> dict[str, Any]:
    """A verdict in JSON."""
    verdict = each.verdict
    return {
        "verdict": "PASS" if verdict.is_pass else "REJECT",
        "destination": verdict.destination,
        "is_flagged": verdict.is_flagged,
        "reasons": [{"reason": found.reason.value, "text": found.text} for found in verdict.findings],
    }


def coco_rows(
    judged: Sequence[Judged], classes: Sequence[str], truth: Truth | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Results in COCO detection format, and the verdicts beside them.

    Without a truth, pictures are numbered from 1 in their order and classes from 1 in the model's.

    Returns:
        All detections above the detector's floor, as `COCO.loadRes` takes them, and one row per picture.
    """
    categories = truth.categories if truth else {label: index for index, label in enumerate(classes, 1)}
    results, verdicts = [], []
    for number, each in enumerate(judged, 1):
        key = {"image_id": truth.images[each.path.name] if truth else number, "file_name": each.path.name}
        verdicts.append({**key, **verdict_row(each)})
        results += [
            {
                "image_id": key["image_id"],
                "category_id": categories[found.label],
                "bbox": _rounded(found.box_px),
                "score": found.score,
                "file_name": key["file_name"],
                "category_name": found.label,
            }
            for found in each.detections
        ]
    return results, verdicts


def result_table(judged: Sequence[Judged], truth: Truth | None) -> Table:
    """One row per picture."""
    table = Table()
    table.add_column("picture", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    if truth:
        table.add_column("truth", no_wrap=True)
    table.add_column("reasons", ratio=1)
    table.add_column("ms", justify="right", no_wrap=True)
    for each in judged:
        mark = mark_of(each.verdict)
        row = [Text(printable(each.path)), Text(f"{SHAPES[mark]} {_word(each)}", STYLES[mark])]
        if truth:
            row.append(_truth_cell(each, truth))
        table.add_row(*row, Text(_reasons(each)), Text(f"{each.times.total:.2f}" if each.times else "-"))
    return table


def summary_line(summary: Summary, how: str) -> str:
    """The counts in one line of rich markup."""
    parts = [
        f"[bold]{summary.pictures}[/] picture{'s' if summary.pictures != 1 else ''}",
        f"[green]● {summary.passed} passed[/]",
        f"[red]◆ {summary.rejected} rejected[/]",
    ]
    if summary.flagged:
        parts.append(f"[yellow]▲ {summary.flagged} to look at[/]")
    if summary.unjudged:
        parts.append(f"[bold red]{summary.unjudged} could not be judged[/]")
    if summary.escapes is not None:
        parts.append(f"escapes {summary.escapes}, overkill {summary.overkill}")
    if latency := summary.latency_ms:
        parts.append(f"p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms")
    return " [dim]|[/] ".join(parts) + f"  [dim]{escape(how)}[/]"


def _kind(each: Judged, truth: Truth | None) -> str:
    if truth is None:
        return ""
    is_bad = each.path.name in truth.bad
    if is_bad and each.verdict.is_pass:
        return "escape"
    return "overkill" if not is_bad and not each.verdict.is_pass else "right"


def _truth_cell(each: Judged, truth: Truth) -> Text:
    kind = _kind(each, truth)
    if kind == "right":
        return Text("bad" if each.path.name in truth.bad else "good", "dim")
    return Text("✗ bad: escape" if kind == "escape" else "✗ good: overkill", "bold magenta")


def _word(each: Judged) -> str:
    word = mark_of(each.verdict).word
    return "PASS, look" if word == Mark.FLAG.word else word


def _reasons(each: Judged) -> str:
    texts = [reason_in_short(finding) for finding in each.verdict.findings]
    if len(texts) > REASONS_SHOWN:
        texts[REASONS_SHOWN:] = [f"and {len(texts) - REASONS_SHOWN} more"]
    return printable("; ".join(texts))


def _rounded(box_px: tuple[float, float, float, float]) -> list[float]:
    return [round(value, 2) for value in box_px]
