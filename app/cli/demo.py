"""`takt demo`: parts on the twin's belt, judged by the real station, held against the truth."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.errors import UsageError

if TYPE_CHECKING:
    from app.rehearsal import Notebook, Rehearsal
    from app.status import Status

DEFAULT_PARTS = 200
SPEED_MM_S = 1000.0
PITCH_MM = 200.0
"""At 1000 mm/s: 300 parts a minute."""


def demo(
    parts: Annotated[int | None, typer.Option("--parts", "-n", min=1, help="How many parts; with --parts-from by default each picture once, else 200.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of boards, order, pitch and jitter.")] = 1,
    parts_from: Annotated[Path | None, typer.Option(help="Send the pictures of this folder down the belt.")] = None,
    truth: Annotated[Path | None, typer.Option(help="COCO annotations of --parts-from: pictures with annotations are bad.")] = None,
    good_from: Annotated[Path | None, typer.Option(help="Folder of defect-free pictures: sent too, and golden samples by file name.")] = None,
    line: Annotated[Path | None, typer.Option(help="A line.toml; by default the twin's own line.")] = None,
    model: Annotated[str | None, typer.Option(help="Model package: a name in the zoo, or a folder.")] = None,
    runtime: Annotated[str | None, typer.Option(help="auto, onnx or openvino.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the contact sheet.")] = Path("takt-demo"),
    sheet: Annotated[bool, typer.Option("--sheet/--no-sheet", help="Write a contact sheet of the rejects.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and write no contact sheet.")] = False,
) -> None:
    """Run the line on the twin: parts are judged, bad ones rejected, and the account held against the truth."""
    if parts_from is None and (truth or good_from):
        raise UsageError("--truth and --good-from belong to --parts-from", "name the folder with --parts-from")
    started_s = time.perf_counter()
    rehearsal, notebook, detector = _build(parts, seed, parts_from, truth, good_from, line, model, runtime)
    try:
        first_s = _run(rehearsal, is_quiet=as_json)
    finally:
        rehearsal.station.close()
        detector.close()
    figures = _figures(rehearsal, notebook, detector)
    figures |= {"seed": seed, "wall_s": round(time.perf_counter() - started_s, 2), "first_verdict_s": round(first_s - started_s, 2)}
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    _print(figures)
    if sheet:
        from app.cli.report import write_report

        typer.echo(f"contact sheet: {write_report(out, notebook.rejects, figures)}")


def _build(parts: int | None, seed: int, parts_from: Path | None, truth: Path | None, good_from: Path | None, line: Path | None, model: str | None, runtime: str | None) -> tuple[Rehearsal, Notebook, Any]:
    # Imported here, so that `takt --help` does not load OpenCV and a runtime.
    from app.main import build_rehearsal, goldens_of, load_setup, open_model, picture_parts, rendered_parts, twin_line
    from app.twin.motion import Phase
    from app.twin.scenario import Scenario

    setup = load_setup(line or twin_line())
    changes = {key: value for key, value in (("package", model), ("runtime", runtime)) if value is not None}
    detector = open_model(setup.line.model.model_copy(update=changes))
    try:
        if parts_from is None:
            source, goldens = rendered_parts(seed, parts or DEFAULT_PARTS)
        else:
            source, own = picture_parts(parts_from, truth, good_from, parts, seed)
            goldens = own or goldens_of(setup)
            # Half the pictures may be bad, which no line would run on: the rules that stop it for that are off.
            stops = setup.line.stops.model_copy(update={"consecutive_rejects": 0, "reject_rate": 0.0})
            setup = setup.with_line(setup.line.model_copy(update={"stops": stops}))
        speed = min(SPEED_MM_S, setup.line.belt.v_max_mm_s / 1.02)
        scenario = Scenario(phases=(Phase(speed),), pitch_mm=max(PITCH_MM, 1.5 * setup.line.part.min_pitch_mm))
        rehearsal, notebook = build_rehearsal(setup, source, detector, goldens, scenario, seed)
    except BaseException:
        detector.close()
        raise
    return rehearsal, notebook, detector


def _run(rehearsal: Rehearsal, *, is_quiet: bool) -> float:
    """Runs to the end and says when the first verdict was there."""
    first_s: list[float] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=is_quiet or not console.is_terminal) as progress:
        task = progress.add_task("parts", total=len(rehearsal.machine.bodies))

        def show(status: Status) -> None:
            tally = status.tally
            if not first_s and tally.triggers > tally.in_flight:
                first_s.append(time.perf_counter())
            progress.update(task, completed=tally.triggers - tally.in_flight)

        rehearsal.run(limit_s=30 + 10 * len(rehearsal.machine.bodies), on_progress=show)
    return first_s[0] if first_s else time.perf_counter()


def _figures(rehearsal: Rehearsal, notebook: Notebook, detector: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from app.station import STAGES

    comparison = rehearsal.compare()
    status = rehearsal.station.status(getattr(detector, "failovers", 0), getattr(detector, "why", ""))
    latency = {stage: rehearsal.station.latency.of(stage) for stage in STAGES}
    whole = latency["frame_to_verdict"]
    return {
        **asdict(status.tally),
        "unaccounted": comparison.unaccounted,
        "escapes": comparison.escapes,
        "overkill": comparison.overkill,
        "removed_by_hand": comparison.removed_by_hand,
        "failovers": status.failovers,
        "misses": status.misses,
        "stray_frames": status.stray_frames,
        "latency_ms": {key: round(value, 3) for key, value in asdict(whole).items() if key != "count"},
        "stages_ms": {
            stage: {"p50": round(each.p50, 3), "p99": round(each.p99, 3), "max": round(each.max, 3)}
            for stage, each in latency.items()
        },
        "pictures": _pictures(rehearsal),
        "reasons": dict(notebook.reasons.most_common()),
        "stops": notebook.stops,
        "details": list(comparison.details[:20]),
        "ledger_events": notebook.events,
        "state": status.state.value,
        "runtime": detector.runtime,
    }


def _pictures(rehearsal: Rehearsal) -> dict[str, int]:
    """The same account per picture: each counts once, however often it was sent."""
    parts = [part for part in rehearsal.machine.truth().parts if not part.is_dropped]
    bad = {part.name for part in parts if part.is_bad}
    good = {part.name for part in parts if not part.is_bad}
    return {
        "bad": len(bad),
        "good": len(good),
        "escapes": len({part.name for part in parts if part.is_bad and part.place == "good bin"}),
        "overkill": len({part.name for part in parts if not part.is_bad and part.place not in ("good bin", "by hand", "on belt")}),
    }


def _print(figures: dict[str, Any]) -> None:
    console = Console()
    table = Table(title="The lot", show_header=False, title_justify="left", min_width=44)
    for key in ("triggers", "passed", "rejected", "lost", "in_flight"):
        table.add_row(key.replace("_", " "), str(figures[key]))
    balanced = figures["triggers"] == sum(figures[key] for key in ("passed", "rejected", "lost", "in_flight"))
    table.add_row("account", "[green]balanced[/]" if balanced else "[bold red]NOT BALANCED[/]")
    table.add_section()
    for key in ("escapes", "overkill", "unaccounted"):
        colour = "red" if figures[key] else "green"
        table.add_row(key, f"[{colour}]{figures[key]}[/]")
    table.add_section()
    latency = figures["latency_ms"]
    table.add_row("frame to verdict, ms", f"p50 {latency['p50']:.2f}   p99 {latency['p99']:.2f}   max {latency['max']:.2f}")
    table.add_row("over the budget", str(figures["misses"]))
    table.add_row("judged on", str(figures["runtime"]))
    table.add_row("line stops", ", ".join(figures["stops"]) or "none")
    console.print(table)
