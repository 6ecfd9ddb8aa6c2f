"""`takt demo`: parts on the twin's belt, judged by the real station, held against the truth."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.console import out, print_json, progress
from app.cli.options import Json, state_folder
from app.errors import UsageError

if TYPE_CHECKING:
    from app.detect.detector import Detector
    from app.detect.golden import Goldens
    from app.detect.package import Package
    from app.rehearsal import Notebook, Rehearsal
    from app.setup import Setup
    from app.status import Status
    from app.twin.parts import PartSource

DEFAULT_PARTS = 200
SPEED_MM_S = 1000.0
PITCH_MM = 200.0
"""At 1000 mm/s: 300 parts a minute."""

Parts = Annotated[
    int | None,
    typer.Option("--parts", "-n", min=1, help="How many; by default 200, with --parts-from each picture once."),
]
Seed = Annotated[int, typer.Option(help="Seed of boards, order, pitch and jitter.")]
PartsFrom = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Send the pictures of this folder down the belt, not rendered boards."),
]
Truth = Annotated[
    Path | None, typer.Option(metavar="FILE", help="COCO annotations of --parts-from: annotated pictures are bad.")
]
GoodFrom = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Pictures of good parts: sent too, and the golden samples by file name."),
]
LineFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A line.toml; by default the twin's own line.")]
Model = Annotated[str | None, typer.Option(metavar="NAME|DIR", help="Model package; by default the line's.")]
Runtime = Annotated[str | None, typer.Option(help="onnx, openvino or auto; by default the line's.")]
OutDir = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the contact sheet is written.")]
Sheet = Annotated[bool, typer.Option("--sheet/--no-sheet", help="Write a contact sheet of the rejects.")]


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for."""

    parts: int | None
    seed: int
    parts_from: Path | None
    truth: Path | None
    good_from: Path | None
    line: Path | None
    model: dict[str, str]


def demo(  # noqa: PLR0913 - an argument per option
    *,
    parts: Parts = None,
    seed: Seed = 1,
    parts_from: PartsFrom = None,
    truth: Truth = None,
    good_from: GoodFrom = None,
    line: LineFile = None,
    model: Model = None,
    runtime: Runtime = None,
    out_dir: OutDir = Path("takt-demo"),
    sheet: Sheet = True,
    as_json: Json = False,
) -> None:
    """Run the line on the twin, and hold its account against the truth.

    The real station judges every part and rejects the bad ones; the twin knows which part was bad and where each went.
    Prints the lot's account, escapes, overkill and latencies. With --json no contact sheet is written.

    With --parts-from, and more --parts than there are pictures, the pictures come again in whole shuffled passes; the
    figures under `pictures` count each once. The rules that stop a line for too many rejects are then off.
    """
    if parts_from is None and (truth or good_from):
        raise UsageError("--truth and --good-from belong to --parts-from", "name the folder with --parts-from")
    started_s = time.perf_counter()
    choice = {key: value for key, value in (("package", model), ("runtime", runtime)) if value is not None}
    rehearsal, notebook, detector = _build(_Order(parts, seed, parts_from, truth, good_from, line, choice))
    try:
        first_s = _run(rehearsal)
        figures = _figures(rehearsal, notebook, detector)
    finally:
        rehearsal.station.close()
        detector.close()
    figures |= {"seed": seed, "first_verdict_s": _since(started_s, first_s), "wall_s": _since(started_s)}
    if as_json:
        print_json(figures)
        return
    _print(figures)
    if sheet:
        from app.cli.report import write_report

        out().print(f"contact sheet: {write_report(out_dir, notebook.rejects, figures)}", soft_wrap=True)


def _build(order: _Order) -> tuple[Rehearsal, Notebook, Detector]:
    from app.main import build_rehearsal, open_model
    from app.setup import load_setup, twin_line
    from app.twin.motion import Phase
    from app.twin.scenario import Scenario

    setup = load_setup(order.line or twin_line())
    detector, package = open_model(setup.line.model.model_copy(update=order.model), state_folder(None))
    setup = setup.with_threshold(package.score_threshold)
    try:
        source, goldens = _parts(order, setup, package)
        if order.parts_from is not None:
            # Half the pictures may be bad, which no line would run on: the rules that stop it for that are off.
            stops = setup.line.stops.model_copy(update={"consecutive_rejects": 0, "reject_rate": 0.0})
            setup = setup.with_line(setup.line.model_copy(update={"stops": stops}))
        speed = min(SPEED_MM_S, setup.line.belt.v_max_mm_s)
        pitch = max(PITCH_MM, 2 * setup.line.part.min_pitch_mm)
        scenario = Scenario(phases=(Phase(speed),), pitch_mm=pitch)
        rehearsal, notebook = build_rehearsal(setup, source, detector, goldens, scenario, order.seed)
    except BaseException:
        detector.close()
        raise
    return rehearsal, notebook, detector


def _parts(order: _Order, setup: Setup, package: Package) -> tuple[PartSource, Goldens | None]:
    """What is sent down the belt, and its golden samples."""
    from app.main import goldens_of, picture_parts, rendered_parts

    if order.parts_from is None:
        return rendered_parts(order.seed, order.parts or DEFAULT_PARTS)
    source, own = picture_parts(order.parts_from, order.truth, order.good_from, order.parts, order.seed)
    goldens = own or goldens_of(setup)
    if package.spec.is_golden and goldens is None:
        raise UsageError(
            f"model {package.name} compares each part with its golden sample, and there is none",
            "give --good-from DIR, or name a golden_sample in the line's recipe",
        )
    return source, goldens


def _run(rehearsal: Rehearsal) -> float:
    """Runs to the end and says when the first part had its outcome."""
    first_s: list[float] = []
    shown = 0
    total = len(rehearsal.machine.bodies)
    with progress("parts", total) as step:

        def show(status: Status) -> None:
            nonlocal shown
            done = status.tally.triggers - status.tally.in_flight
            if done and not first_s:
                first_s.append(time.perf_counter())
            for _ in range(done - shown):
                step("")
            shown = done

        rehearsal.run(limit_s=60 + 10 * total, on_progress=show)
    return first_s[0] if first_s else time.perf_counter()


def _since(started_s: float, ended_s: float | None = None) -> float:
    return round((time.perf_counter() if ended_s is None else ended_s) - started_s, 2)


def _figures(rehearsal: Rehearsal, notebook: Notebook, detector: Detector) -> dict[str, Any]:
    from app.station import STAGES

    comparison = rehearsal.compare()
    rehearsal.station.note_judge(
        getattr(detector, "why", ""), getattr(detector, "failovers", 0), getattr(detector, "code", "")
    )
    status = rehearsal.station.status()
    latency = {stage: asdict(taken) for stage in STAGES if (taken := rehearsal.station.latency.of(stage)).count}
    rounded = {stage: {key: round(value, 3) for key, value in each.items()} for stage, each in latency.items()}
    whole = rounded.pop("frame_to_verdict", dict.fromkeys(("p50", "p95", "p99", "p999", "max"), 0.0))
    return {
        **asdict(status.tally),
        "unaccounted": comparison.unaccounted,
        "escapes": comparison.escapes,
        "overkill": comparison.overkill,
        "removed_by_hand": comparison.removed_by_hand,
        "failovers": status.failovers,
        "misses": status.misses,
        "stray_frames": status.stray_frames,
        "latency_ms": {key: whole[key] for key in ("p50", "p95", "p99", "p999", "max")},
        "stages_ms": {stage: {key: each[key] for key in ("p50", "p99", "max")} for stage, each in rounded.items()},
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
    from app.twin.flow import BY_HAND, GOOD_BIN, ON_BELT

    parts = [part for part in rehearsal.machine.truth().parts if not part.is_dropped]
    elsewhere = (GOOD_BIN, BY_HAND, ON_BELT)
    sent = {"bad": [part for part in parts if part.is_bad], "good": [part for part in parts if not part.is_bad]}
    wrong = {
        "escapes": [part for part in sent["bad"] if part.place == GOOD_BIN],
        "overkill": [part for part in sent["good"] if part.place not in elsewhere],
    }
    return {key: len({part.source or part.name for part in each}) for key, each in (sent | wrong).items()}


def _print(figures: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title="The lot", show_header=False, title_justify="left", min_width=44)
    for key in ("triggers", "passed", "rejected", "lost", "in_flight"):
        table.add_row(key.replace("_", " "), str(figures[key]))
    is_balanced = figures["triggers"] == sum(figures[key] for key in ("passed", "rejected", "lost", "in_flight"))
    table.add_row("account", "[green]balanced[/]" if is_balanced else "[bold red]NOT BALANCED[/]")
    table.add_section()
    for key in ("escapes", "overkill", "unaccounted"):
        table.add_row(key, f"[{'red' if figures[key] else 'green'}]{figures[key]}[/]")
    table.add_section()
    latency = figures["latency_ms"]
    table.add_row(
        "frame to verdict, ms", f"p50 {latency['p50']:.2f}   p99 {latency['p99']:.2f}   max {latency['max']:.2f}"
    )
    table.add_row("over the budget", str(figures["misses"]))
    table.add_row("judged on", str(figures["runtime"]))
    table.add_row("line stops", ", ".join(figures["stops"]) or "none")
    out().print(table)
