"""`takt bench`: how long each stage takes on this machine, with and without busy neighbours."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from app.cli.console import complain, err, one_line, out, print_json, progress
from app.cli.options import Json, StateDir, state_folder
from app.errors import UsageError

if TYPE_CHECKING:
    from app.bench.course import Plan
    from app.bench.geometry import Geometry
    from app.bench.order import Order
    from app.bench.run import Run
    from app.bench.stand import Stand

PARTS = 300
RATE = 300.0
WARM_UP = 20
PLOT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

LineFile = Annotated[
    Path | None, typer.Option("--line", metavar="FILE", help="A line.toml; by default the twin's own.")
]
Model = Annotated[str | None, typer.Option(metavar="NAME|DIR", help="Model package; by default the line's.")]
RuntimeName = Annotated[str | None, typer.Option("--runtime", help="onnx, openvino or auto; by default the line's.")]
ThreadCount = Annotated[int | None, typer.Option("--threads", min=1, max=64, help="Threads of one inference.")]
Parts = Annotated[
    int, typer.Option("--parts", "-n", min=1, help="Parts that count, on each side where there is a load.")
]
Rate = Annotated[
    float,
    typer.Option(
        metavar="PER_MIN",
        help="Parts per minute, 5 to 6000. Where the line's own lengths do not allow it they are fitted, and told.",
    ),
]
WarmUp = Annotated[int, typer.Option("--warm-up", min=1, max=10_000, help="Parts before that which do not count.")]
Loads = Annotated[
    list[str] | None,
    typer.Option(
        "--load",
        metavar="web|record|disk|cpu|opinion",
        help="Keep a neighbour busy in every second block of the run, and tell the ratio: web: ten browsers read the"
        " page; record: the recorder keeps every picture; disk: a process writes and syncs; cpu: one process per core"
        " computes; opinion: other models judge the parts so far, as takt models opinion does. May be given several"
        " times.",
    ),
]
Fails = Annotated[
    list[str] | None,
    typer.Option(
        "--fail",
        metavar="KIND@N",
        help="Judge with an accelerator in a process of its own (on the CPU) that fails at part N, and"
        " tell what became of that part, of the state and of the way back. KIND: kill, hang, slow-x2, slow-x10, nan,"
        " flip, shape, oom, library, engine, driver, gone, storm, promotion, full, lie or torn. May be given several"
        " times; each is injected when the one before is over.",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        metavar="MS",
        min=0.1,
        max=1000,
        help="Longest time from frame in memory to verdict; by default the line's. An accelerator gets what the standby"
        " leaves of it.",
    ),
]
NoInference = Annotated[
    bool, typer.Option("--no-inference", help="Judge with a detector that finds nothing at once: the rest is overhead.")
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw histograms and a timeline as a picture, such as bench.png.")
]
Peer = Annotated[
    Literal["ultralytics"] | None,
    typer.Option(
        help="Instead of the line: judge the same frames in this process by ours and by YOLO(--peer-model)(frame), in"
        " turn. Ultralytics is licensed under AGPL-3.0; it is no part of Takt and must be installed by you.",
    ),
]
PeerModel = Annotated[Path, typer.Option(metavar="ONNX", help="The model of the peer, an export of Ultralytics.")]


def bench(  # noqa: PLR0913 - an argument per option
    *,
    line: LineFile = None,
    model: Model = None,
    runtime: RuntimeName = None,
    threads: ThreadCount = None,
    parts: Parts = PARTS,
    rate: Rate = RATE,
    warm_up: WarmUp = WARM_UP,
    load: Loads = None,
    fail: Fails = None,
    budget: Budget = None,
    no_inference: NoInference = False,
    peer: Peer = None,
    peer_model: PeerModel = Path("yolo11n.onnx"),
    plot: Plot = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Measure every stage from the frame in memory to the pin's edge, on the twin in real time.

    Starts the real processes with a bus and a state folder of their own, which are taken away afterwards, and prints
    p50, p95, p99, p99.9 and the longest of each stage, the account held against what the machine sent, and what it was
    all measured on. With --load blocks without and with the load alternate in one run; with --fail the accelerator
    fails when it is told to. Exit code 1 when a part was missed or is unaccounted, or lost or without a verdict at a
    fault; 9 when the line stops.
    """
    from app.bench.course import Plan
    from app.bench.faults import fails_of
    from app.bench.order import Order, line_for
    from app.bench.stand import raised
    from app.cli.files import check_outputs
    from app.setup import load_setup, twin_line

    order = Order(
        parts,
        rate,
        tuple(load or ()),
        model or "",
        runtime or "",
        threads or 0,
        is_blank=no_inference,
        fails=fails_of(fail or ()),
        budget_ms=budget or 0.0,
    )
    _check_plot(plot)
    check_outputs([plot] if plot else [], [line] if line else [])
    setup = load_setup(line or twin_line())
    if peer:
        _refuse_with_peer(order, plot, rate)
        from app.cli.bench_peer import tell_peer

        tell_peer(order, setup, peer_model, state_folder(state), warm_up, as_json=as_json)
        return
    plan = Plan.of(parts, warm_up, is_loaded=bool(order.loads))
    fit, recipe, geometry = line_for(order, setup, state_folder(state))
    with _ending_like_ctrl_c(), raised(fit, recipe) as stand:
        done = _measured(order, plan, stand, geometry)
    if plot:
        from app.cli.bench_plot import draw
        from app.cli.files import write_whole
        from app.cli.report import encoded

        write_whole(plot, encoded(draw(done), plot.suffix.lower()))
    if as_json:
        print_json(done.figures)
    else:
        from app.cli.bench_tables import tell

        tell(done.figures)
        if plot:
            out().print(f"picture: {escape(str(plot))}", soft_wrap=True)
    _judge(done.figures)


def _measured(order: Order, plan: Plan, stand: Stand, geometry: Geometry) -> Run:
    from app.bench.run import Hearers, run
    from app.cli.addresses import settled

    port = settled("127.0.0.1", 0).port

    def hear(name: str, said: str) -> None:
        err().print(f"[dim]{escape(name)}:[/] {escape(one_line(said))}", soft_wrap=True)

    with progress("measuring", plan.total) as step:
        return run(order, plan, stand, geometry, port, Hearers(step, hear))


def _judge(figures: dict[str, Any]) -> None:
    account = figures["account"]
    if account["missed"] or account["unaccounted"]:
        first = f": {account['details'][0]}" if account["details"] else ""
        complain(f"{account['missed']} triggers missed, {account['unaccounted']} parts unaccounted{first}")
        raise typer.Exit(1)
    failover = figures.get("failover", {"lost": 0, "without_verdict": 0})
    if failover["lost"] or failover["without_verdict"]:
        complain(f"{failover['lost']} parts lost, {failover['without_verdict']} without a verdict")
        raise typer.Exit(1)


def _check_plot(plot: Path | None) -> None:
    if plot and plot.suffix.lower() not in PLOT_SUFFIXES:
        raise UsageError(f"--plot {plot} names no picture format", f"end it in one of {', '.join(PLOT_SUFFIXES)}")


def _refuse_with_peer(order: Order, plot: Path | None, rate: float) -> None:
    for name, is_given in (
        ("--load", bool(order.loads)),
        ("--fail", bool(order.fails)),
        ("--budget", bool(order.budget_ms)),
        ("--no-inference", order.is_blank),
        ("--plot", plot is not None),
        ("--rate", rate != RATE),
    ):
        if is_given:
            raise UsageError(f"{name} goes with the line, and --peer runs none", f"leave {name} or --peer out")


@contextmanager
def _ending_like_ctrl_c() -> Iterator[None]:
    """Whoever ends this command politely leaves nothing behind either."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if os.name != "posix" or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
