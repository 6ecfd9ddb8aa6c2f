"""`takt bench --peer`: ours and theirs on the same frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from app.bench.ground import device, load_average, versions
from app.bench.order import Order
from app.bench.peer import LICENCE, compare, open_ultralytics, peer_version
from app.cli.console import out, print_json
from app.clock import SystemClock
from app.detect.golden import OneGolden
from app.detect.inspection import Inspector
from app.main import open_model
from app.setup import Setup
from app.twin.parts import RenderedParts

FRAMES = 32


def tell_peer(order: Order, setup: Setup, model: Path, state: Path, warm_up: int, *, as_json: bool) -> None:
    """Compares and prints.

    Args:
        order: Parts, package, runtime and threads.
        setup: The line, for its recipe.
        model: The peer's model.
        state: The station's state folder.
        warm_up: Frames that do not count.
        as_json: As JSON.

    Raises:
        MissingDriverError: The peer is not installed.
        DataError: Its model is not there.
    """
    theirs = open_ultralytics(model)
    parts = RenderedParts(setup.line.line.lane, FRAMES, 0.25)
    frames = [parts[number].image for number in range(FRAMES)]
    asked = {"package": order.package, "runtime": order.runtime, "threads": order.threads}
    chosen = setup.line.model.model_copy(update={key: each for key, each in asked.items() if each})
    before = load_average()
    detector, package = open_model(chosen, state)
    try:
        inspector = Inspector(detector, setup.recipe, OneGolden(parts.design.golden))
        figures: dict[str, Any] = compare(inspector.inspect, theirs, frames, order.parts, warm_up, SystemClock())
        runtime = detector.runtime
    finally:
        detector.close()
    figures |= {
        "frames": order.parts,
        "frame_px": list(frames[0].shape[:2]),
        "package": package.name,
        "peer": {"name": "ultralytics", "version": peer_version(), "model": str(model), "licence": LICENCE},
        "load_average": {"before": list(before), "after": list(load_average())},
        "versions": versions(runtime),
        "device": device(),
    }
    if as_json:
        print_json(figures)
    else:
        _tell(figures)


def _tell(figures: dict[str, Any]) -> None:
    table = Table(title=f"{figures['frames']:,} frames judged by both in turn, ms", title_justify="left")
    table.add_column("")
    for heading in ("p50", "p95", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right")
    peer = figures["peer"]
    names = {
        "ours": f"takt, {figures['package']} on {figures['versions'].get('runtime', '')}",
        "theirs": f"ultralytics {peer['version']} ({peer['licence']}), {peer['model']}",
    }
    for name, words in names.items():
        cells = (f"{figures[name][share]:.3f}" for share in ("p50", "p95", "p99", "p999", "max"))
        table.add_row(words, *cells)
    out().print(table)
    ratio = figures["ratio"]
    out().print(", ".join(f"ours over theirs at {share}: {each:.3f}" for share, each in ratio.items()), soft_wrap=True)
