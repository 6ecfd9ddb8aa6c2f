"""A run from its first process to its figures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.bench.course import Course, Plan
from app.bench.faults import Injector
from app.bench.figures import figures
from app.bench.follower import Follower
from app.bench.geometry import Geometry
from app.bench.ground import load_average
from app.bench.loads import Load, Recording, make_loads
from app.bench.order import Order
from app.bench.stand import Stand, supervisor_of
from app.detect.sickness import Sickness
from app.errors import LineError
from app.processes import Kind
from app.record import PICTURES
from app.supervisor import Supervisor

_ALWAYS = (Kind.TWIN, Kind.CAPTURE, Kind.ACCELERATOR, Kind.STATION)


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told how a run goes.

    Attributes:
        part: Called for each part.
        process: Takes what a process says: its name and a line.
    """

    part: Callable[[str], None]
    process: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has gone through to its end.

    Attributes:
        plan: What was run.
        course: The run.
        figures: What it gave.
    """

    plan: Plan
    course: Course
    figures: dict[str, Any]


def run(order: Order, plan: Plan, stand: Stand, geometry: Geometry, port: int, hearers: Hearers) -> Run:
    """Runs the processes and measures.

    Args:
        order: What was asked for.
        plan: The blocks.
        stand: Where.
        geometry: How the parts come.
        port: For the pages.
        hearers: Who is told.

    Raises:
        LineError: The line does not come up, or does not last.
        KeyboardInterrupt: It was told to end before it was through.
    """
    kinds = [*_ALWAYS, *([Kind.RECORDER] if order.has_recorder else []), *([Kind.WEB] if order.has_web else [])]
    supervisor = supervisor_of(stand, kinds, parts_per_min=order.parts_per_min, port=port, say=hearers.process)
    loads = make_loads(
        order.loads,
        port=port,
        disk=stand.setup.folder,
        recorder=_recording(supervisor, stand.state),
        state=stand.state,
        line=stand.setup.path,
    )
    with ExitStack() as opened:
        injector = _injector(order, stand, geometry, opened)
        course = Course(plan, stand, geometry, loads, hearers.part, injector)
        before = load_average()
        _go_through(supervisor, course)
        _see_work(loads)
        found = figures(plan, course, geometry, loads, {"before": before, "after": load_average()})
        if injector is not None:
            found["failover"] = {
                "lost": injector.follower.lost,
                "without_verdict": injector.follower.without_verdict,
                "faults": [asdict(each) for each in injector.accounts()],
            }
    return Run(plan, course, found)


def _injector(order: Order, stand: Stand, geometry: Geometry, opened: ExitStack) -> Injector | None:
    if not order.fails:
        return None
    sickness = Sickness(stand.place.sickness())
    opened.callback(sickness.close)
    return Injector(order.fails, sickness, Follower(stand.setup.line, geometry))


def _go_through(supervisor: Supervisor, course: Course) -> None:
    steps = course.steps()
    is_through = False

    def look() -> None:
        nonlocal is_through
        if next(steps, steps) is steps:
            is_through = True
            supervisor.stop()

    try:
        ending = supervisor.run(look)
    finally:
        steps.close()
    if is_through:
        return
    if ending.sentence:
        what, _, mend = ending.sentence.partition("; ")
        refusal = LineError(what, mend or "see what its processes said")
        refusal.exit_code = ending.exit_code
        raise refusal
    raise KeyboardInterrupt


def _recording(supervisor: Supervisor, state: Path) -> Recording:
    def pid() -> int:
        return next((each.pid for each in supervisor.children if each.row.kind is Kind.RECORDER), 0)

    return Recording(pid, state / PICTURES)


def _see_work(loads: tuple[Load, ...]) -> None:
    """A load that did nothing would prove nothing."""
    for load in loads:
        if not any(load.done().values()):
            raise LineError(f"the load {load.name} has done nothing", "see what its process said")
