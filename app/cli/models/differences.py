"""What `takt models compare` found, as JSON and as tables."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from app.cli.console import out, printable
from app.cli.judging import Judged
from app.cli.lettering import Mark
from app.cli.models.comparing import Comparison, Pair, Side
from app.cli.pictures import mark_of, reason_in_short
from app.cli.results import SHAPES, STYLES, Summary, summarise, verdict_row
from app.cli.truth import Truth

ROWS_SHOWN = 40
REASONS_SHOWN = 2


def summaries(comparison: Comparison, truth: Truth | None) -> tuple[Summary, Summary]:
    """The counts of each of the two."""
    one = summarise([each.one for each in comparison.pairs], truth, comparison.latencies[0])
    other = summarise([each.other for each in comparison.pairs], truth, comparison.latencies[1])
    return one, other


def ratios(comparison: Comparison) -> dict[str, float] | None:
    """How long the second takes as a multiple of the first, at p50 and p99; `None` where nothing was judged."""
    one, other = (each.of("total") for each in comparison.latencies)
    if not one.count or not other.count:
        return None
    return {"p50": other.p50 / one.p50, "p99": other.p99 / one.p99}


def as_data(comparison: Comparison, truth: Truth | None) -> dict[str, Any]:
    """The comparison for `--json`."""
    counts = summaries(comparison, truth)
    ratio = ratios(comparison)
    return {
        "a": _side_data(comparison, 0, counts[0]),
        "b": _side_data(comparison, 1, counts[1]),
        "pictures": len(comparison.pairs),
        "different": len(comparison.different),
        "score_gap": round(_widest(comparison), 4),
        "latency_ratio": {key: round(value, 3) for key, value in ratio.items()} if ratio else None,
        "differences": [_pair_data(each, truth) for each in comparison.different],
    }


def show(comparison: Comparison, truth: Truth | None) -> None:
    """Prints the comparison."""
    console = out()
    console.print(_sides_table(comparison, truth))
    for side in comparison.sides:
        if side.unproven:
            console.print(f"[yellow]![/] Not proven here: {escape(side.unproven)}.", soft_wrap=True)
    different = comparison.different
    if different:
        console.print(_differences_table(different[:ROWS_SHOWN], truth))
        if len(different) > ROWS_SHOWN:
            console.print(f"and {len(different) - ROWS_SHOWN} more; --json has them all.")
    count = len(comparison.pairs)
    said = f"{len(different)} of {count} verdicts differ" if different else f"all {count} verdicts are the same"
    mark = "[yellow]▲[/]" if different else "[green]✓[/]"
    ratio = ratios(comparison)
    pace = f"; B takes {ratio['p50']:.2f} x the time of A at p50, {ratio['p99']:.2f} x at p99" if ratio else ""
    console.print(f"{mark} {said}; scores by {_widest(comparison):.3f} at most{pace}.", soft_wrap=True)


def _widest(comparison: Comparison) -> float:
    return max((each.score_gap for each in comparison.pairs), default=0.0)


def _side_data(comparison: Comparison, which: int, counts: Summary) -> dict[str, Any]:
    side, latency = comparison.sides[which], comparison.latencies[which].of("total")
    package = side.package
    return {
        "name": package.name,
        "version": package.version,
        "variant": package.variant,
        "folder": str(package.folder),
        "onnx_sha256": package.onnx_sha256,
        "bytes": package.onnx.stat().st_size,
        "gmac": package.gmac,
        "runtime": side.runtime,
        "threshold": side.threshold,
        "proven": not side.unproven,
        "rejected": counts.rejected,
        "flagged": counts.flagged,
        "unjudged": counts.unjudged,
        "escapes": counts.escapes,
        "overkill": counts.overkill,
        "timed": latency.count,
        "latency_ms": counts.latency_ms,
    }


def _pair_data(pair: Pair, truth: Truth | None) -> dict[str, Any]:
    data: dict[str, Any] = {"file": str(pair.one.path), "score_gap": round(pair.score_gap, 4)}
    if truth:
        data["truth"] = "bad" if pair.one.name in truth.bad else "good"
    return data | {"a": verdict_row(pair.one), "b": verdict_row(pair.other)}


def _sides_table(comparison: Comparison, truth: Truth | None) -> Table:
    one, other = comparison.sides
    title = f"{title_of(one)} and {title_of(other)} on {len(comparison.pairs)} pictures"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("")
    table.add_column("A", style="bold")
    table.add_column("B", style="bold")
    columns = [_figures(comparison, which, truth) for which in (0, 1)]
    for heading in columns[0]:
        table.add_row(heading, *(escape(each[heading]) for each in columns))
    return table


def title_of(side: Side) -> str:
    """Name and model of one side."""
    return f"{side.package.name}:{side.package.variant}"


def _figures(comparison: Comparison, which: int, truth: Truth | None) -> dict[str, str]:
    side, counts = comparison.sides[which], summaries(comparison, truth)[which]
    package, latency = side.package, comparison.latencies[which].of("total")
    figures = {
        "package": f"{package.name} {package.version}",
        "model": f"{package.variant} on {side.runtime}",
        "threshold": f"{side.threshold:g}",
        "rejected": f"{counts.rejected} of {counts.pictures}",
    }
    if truth:
        bad = sum(each.one.name in truth.bad for each in comparison.pairs)
        figures["escapes"] = f"{counts.escapes} of {bad} bad"
        figures["overkill"] = f"{counts.overkill} of {counts.pictures - bad} good"
    figures["p50, p99 in ms"] = f"{latency.p50:.2f}, {latency.p99:.2f} ({latency.count} timed)"
    figures["size"] = f"{package.onnx.stat().st_size / 1e6:.2f} MB"
    figures["work"] = f"{package.gmac:g} GMAC" if package.gmac is not None else "not said"
    return figures


def _differences_table(pairs: tuple[Pair, ...], truth: Truth | None) -> Table:
    table = Table(title="Verdicts that differ", title_justify="left")
    table.add_column("picture", style="bold")
    if truth:
        table.add_column("truth")
    for heading in ("A", "B"):
        table.add_column(heading)
    for pair in pairs:
        known = [("bad" if pair.one.name in truth.bad else "good")] if truth else []
        table.add_row(escape(printable(pair.one.name)), *known, _said(pair.one), _said(pair.other))
    return table


def _said(judged: Judged) -> str:
    mark: Mark = mark_of(judged.verdict)
    reasons = [reason_in_short(each) for each in judged.verdict.findings] or ["nothing found"]
    more = [f"{len(reasons) - REASONS_SHOWN} more"] if len(reasons) > REASONS_SHOWN else []
    text = escape("; ".join([*reasons[:REASONS_SHOWN], *more]))
    return f"[{STYLES[mark]}]{SHAPES[mark]} {mark.word}[/] {text}"
