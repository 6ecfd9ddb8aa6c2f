"""The figures of a bench as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.cli.console import out

STAGES = {
    "transfer": "exposure to frame in memory",
    "wake": "frame in memory to start",
    "pre": "prepare, register",
    "infer": "inference",
    "decode": "decode",
    "decide": "decide",
    "frame_to_verdict": "frame in memory to verdict",
    "command": "command to pin edge",
    "gate": "pin edge after its fire point",
    "frame_to_edge": "frame in memory to pin edge",
}
"""The stages in words."""

_SHARES = (("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("p999", "p99.9"), ("max", "max"))
_STRONG = ("frame_to_verdict", "frame_to_edge", "gate")
MOST_RATIO = 1.15


def tell(figures: Mapping[str, Any]) -> None:
    """Prints everything."""
    console = out()
    geometry = figures["geometry"]
    lengths = "the line's own lengths" if geometry["is_own"] else "lengths fitted to the rate"
    console.print(
        f"[bold]{figures['parts']:,} parts at {geometry['parts_per_min']:g} per minute[/]"
        f" after {figures['warm_up']} to warm up: {lengths}, parts of {geometry['length_mm']:g} mm every"
        f" {geometry['pitch_mm']:g} mm at {geometry['speed_mm_s']:g} mm/s, {geometry['counts_per_mm']:g} counts/mm,"
        f" transfer {geometry['transfer_ms']:g} ms{'' if geometry['has_chutes'] else ', no chute sensors'}",
        soft_wrap=True,
    )
    if "stages_with_load" in figures:
        console.print(_stages(figures["stages"], "Without load, ms"))
        names = ", ".join(figures["loads"])
        console.print(_stages(figures["stages_with_load"], f"With load ({names}), ms", figures["ratios"]))
        _tell_loads(figures["loads"])
    else:
        console.print(_stages(figures["stages"], "Latencies, ms"))
    _tell_slowest(figures)
    _tell_misses(figures)
    _tell_account(figures)
    if "failover" in figures:
        _tell_failover(figures["failover"])
    _tell_ground(figures)


def _stages(
    stages: Mapping[str, Mapping[str, float]],
    title: str,
    ratios: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("stage", no_wrap=True)
    for _, heading in _SHARES:
        table.add_column(heading, justify="right")
    table.add_column("count", justify="right")
    for heading in ("p50 ratio", "p99 ratio") if ratios else ():
        table.add_column(heading, justify="right")
    for name, words in STAGES.items():
        if name not in stages or not stages[name]["count"]:
            continue
        each = stages[name]
        cells = [f"{each[share]:.3f}" for share, _ in _SHARES]
        row = [words, *cells, f"{each['count']:,.0f}"]
        if ratios:
            row += [_ratio(ratios.get(name, {}).get(share)) for share in ("p50", "p99")]
        table.add_row(*row, style="bold" if name in _STRONG else None)
    return table


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"[red]{ratio:.2f}[/]" if ratio > MOST_RATIO else f"{ratio:.2f}"


def _tell_loads(loads: Mapping[str, Mapping[str, Any]]) -> None:
    for name, load in loads.items():
        done = ", ".join(f"{number:,} {what}" for what, number in load["done"].items())
        out().print(f"load {name}: {load['what']}; {done}", soft_wrap=True)


def _tell_slowest(figures: Mapping[str, Any]) -> None:
    for key, words in (("slowest", "slowest"), ("slowest_with_load", "slowest with load")):
        named = ", ".join(f"part {each['part']} {each['ms']:.3f} ms" for each in figures.get(key, ()))
        if named:
            out().print(f"{words}: {named}", soft_wrap=True)


def _tell_misses(figures: Mapping[str, Any]) -> None:
    text = f"over the budget of {figures['budget_ms']:g} ms: {_counted(figures['misses'])}"
    if "misses_with_load" in figures:
        text += f", with load {_counted(figures['misses_with_load'])}"
    out().print(text, soft_wrap=True)


def _tell_account(figures: Mapping[str, Any]) -> None:
    account = figures["account"]
    outcomes = ", ".join(f"{number:,} {name.lower()}" for name, number in account["outcomes"].items())
    flying = account["triggers"] - sum(account["outcomes"].values())
    console = out()
    console.print(
        f"account: {account['sent']:,} parts sent, {account['triggers']:,} triggers,"
        f" {_counted(account['missed'])} missed; {outcomes}, {flying:,} in flight",
        soft_wrap=True,
    )
    blind = " (nothing was looked for)" if figures["runtime"] == "blank" else ""
    console.print(
        f"truth: {account['escapes']:,} escapes{blind}, {account['overkill']:,} overkill,"
        f" {_counted(account['unaccounted'])} unaccounted",
        soft_wrap=True,
    )
    if account["events_missed"]:
        console.print(f"[red]{account['events_missed']:,} events were not read in time: the account is not whole[/]")


def _tell_failover(failover: Mapping[str, Any]) -> None:
    table = Table(title="Faults of the accelerator, times in ms", title_justify="left")
    table.add_column("fault", no_wrap=True)
    for heading in (
        "part",
        "judged after",
        "of that waited",
        "before its cut-off",
        "inference before",
        "meanwhile",
        "slowest part",
        "DEGRADED after",
        "trusted after",
    ):
        table.add_column(heading, justify="right")
    table.add_column("cause")
    for each in failover["faults"]:
        trusted = "parked" if each["is_parked"] else _ms_or_dash(each["trusted_ms"])
        table.add_row(
            f"{each['kind']}@{each['asked_at']}",
            str(each["at"] or "-") if each["met"] != "golden frame" else "golden frame",
            _ms_or_dash(each["frame_to_verdict_ms"]),
            _ms_or_dash(each["spent_ms"]),
            _ms_or_dash(each["before_cut_off_ms"]),
            _ms_or_dash(each["before_ms"]),
            _ms_or_dash(each["meanwhile_ms"]),
            _ms_or_dash(each["slowest_ms"]),
            _ms_or_dash(each["degraded_ms"]),
            trusted,
            escape(each["causes"][0].partition("; ")[0]) if each["causes"] else "-",
        )
    out().print(table)
    out().print(
        f"failover: {_counted(failover['lost'])} parts lost, {_counted(failover['without_verdict'])} without a verdict",
        soft_wrap=True,
    )


def _ms_or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _tell_ground(figures: Mapping[str, Any]) -> None:
    device, load = figures["device"], figures["load_average"]
    versions = ", ".join(f"{name} {number}" for name, number in figures["versions"].items() if name != "runtime")
    box = f"{device['cpu']}, {device['cores']} cores, {device['memory_gb']:g} GB, {device['architecture']}"
    lines: Sequence[str] = (
        f"judged by {figures['package']} on {figures['versions'].get('runtime', figures['runtime'])}",
        f"scheduling: {figures['scheduling']}",
        f"load average before {_three(load['before'])}, after {_three(load['after'])}",
        f"{box}, Linux {device['kernel']}",
        versions,
    )
    for text in lines:
        out().print(f"[dim]{escape(text)}[/]", soft_wrap=True)


def _counted(number: int) -> str:
    return f"[red]{number:,}[/]" if number else "[green]0[/]"


def _three(load: Sequence[float]) -> str:
    return " ".join(f"{each:g}" for each in load)
