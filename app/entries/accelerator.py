"""The process that owns the accelerator: it serves every lane, the earliest cut-off first."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from app.bus.beat import Beat, beat_path
from app.bus.bell import Bell
from app.bus.exchange import ExchangeServer
from app.bus.life import own_mark
from app.capture.pictures import read_picture
from app.clock import NS_PER_MS, Clock, SystemClock
from app.detect.building_use import measured_first
from app.detect.choose import Candidate, candidates_of
from app.detect.engine import LocalDetector
from app.detect.engine_folder import ENGINES, Keeping
from app.detect.package import Package, load_package
from app.detect.prepare import Preparation, input_bytes
from app.detect.proof import prove
from app.detect.runtimes import AUTO, SICK, accelerators, open_local
from app.detect.serving import ServedLane, answer_bytes, fields_of, serve_next
from app.detect.unused import Unused
from app.detect.zoo import chosen_package, find_package, zoo_folder
from app.entries.post import Post, StopFlag, closing
from app.entries.vitals import Vitals
from app.errors import DetectorError, MissingDriverError, PackageError
from app.health.report import BLOCK, Served
from app.main import health_for
from app.processes import Scheduling
from app.realtime import enter, schedule
from app.setup import Setup

ROUND_S = 0.2
"""So often it shows that it lives while nobody asks."""

BURST, ROUNDS = 25, 4
"""Inferences by which a model shows how fast it is here, and how often it may."""

BREATH_S = 0.002
"""Between two of them: threads of the same priority have work too."""


def run(setups: Sequence[Setup], post: Post) -> None:
    """Serves the lanes that want an accelerator; one whose model is not proven here goes without.

    Raises:
        TaktError: No lane's model is proven here, a lane trusts the answers no more, or the bus cannot be used.
    """
    clock, stop = SystemClock(), StopFlag()
    with ExitStack() as opened:
        beat = closing(opened, Beat(beat_path(post.place.root, post.row.name), post.notifier))
        bell = closing(opened, Bell(post.place.bell(post.row.name)))
        served = [setup.line for setup in setups if setup.line.model.accelerator != "none"]
        vitals = closing(opened, Vitals(post.place.root / BLOCK, health_for(served, clock), clock))
        # No beat before all are open: what follows the first is watched more closely than engines are built.
        lanes = _opened(setups, post, clock, opened)
        thread = post.row.threads["serve"]
        enter(thread.policy, thread.priority, is_memory_locked=post.row.is_memory_locked)
        _raise_threads(thread)
        # No offer before all are open either: whoever is offered something asks, and waits for no other lane's engine.
        abouts = [_about(lane) for lane in lanes]
        for lane, about in zip(lanes, abouts, strict=True):
            lane.served.exchange.offer(about)
        vitals.serve([_served(lane, about) for lane, about in zip(lanes, abouts, strict=True)])
        _serve([lane.served for lane in lanes], clock, stop, bell, beat, vitals)


def _raise_threads(thread: Scheduling) -> None:
    """Gives the runtime's threads the priority of the line, and not before: a start computes for seconds.

    At that priority it would keep the stations' threads from their cores while the line runs, and have the kernel's
    brake on real-time threads (`app.realtime.Throttle`) hold up every one of them.
    """
    for each in Path("/proc/self/task").iterdir():
        schedule(thread.policy, thread.priority, thread_id=int(each.name))


def _serve(lanes: Sequence[ServedLane], clock: Clock, stop: StopFlag, bell: Bell, beat: Beat, vitals: Vitals) -> None:
    """Answers until it is told to stop, or distrusted; what else befalls it is a failure of its own."""
    try:
        while not stop.is_set():
            beat.beat()
            select.select((bell,), (), (), ROUND_S)
            bell.silence()
            while not stop.is_set() and serve_next(lanes, clock):
                beat.beat()
            vitals.look()
    except DetectorError:
        for each in lanes:
            each.leave()
        raise
    for each in lanes:
        each.leave()


@dataclass(frozen=True, slots=True, eq=False)
class _Lane:
    """A lane that is served, and by what."""

    served: ServedLane
    model: Package
    detector: LocalDetector
    candidate: Candidate
    unused: tuple[str, ...]


def _opened(setups: Sequence[Setup], post: Post, clock: Clock, opened: ExitStack) -> list[_Lane]:
    """Opens every lane that wants an accelerator."""
    lanes, refusals = [], []
    for setup in setups:
        if setup.line.model.accelerator == "none":
            continue
        try:
            lanes.append(_lane(setup, post, clock, opened))
        except PackageError as error:
            refusals.append(error)
            _tell(f"lane {setup.line.line.lane}: {error}")
    if not lanes:
        raise refusals[0]
    return lanes


def _lane(setup: Setup, post: Post, clock: Clock, opened: ExitStack) -> _Lane:
    """Opens the first of a lane's models that is proven here."""
    settings, lane = setup.line.model, setup.line.line.lane
    package = find_package(chosen_package(settings.package, post.state), zoo_folder())
    role = "accelerator" if any(each.startswith("accelerator-") for each in package.variants) else ""
    candidates, unused = candidates_of(package, accelerators(settings.accelerator), role), Unused(_tell)
    if settings.accelerator == AUTO:
        candidates = measured_first(
            candidates, post.state, package, "accelerator", settings.threads, _tell, unused=unused
        )
    reasons = []
    for candidate in candidates:
        model = load_package(package.folder, variant=candidate.variant)
        exchange = ExchangeServer(post.place.exchange(lane), input_bytes(model.spec), answer_bytes(model))
        with ExitStack() as tried:
            tried.callback(exchange.close)
            try:
                detector = _open_proven(model, candidate, settings.threads, clock, exchange, post, unused)
                tried.callback(detector.close)
                bell = closing(tried, Bell(post.place.bell(f"lane{lane}-answer")))
                served = ServedLane(lane, exchange, bell, detector)
            except (PackageError, DetectorError, MissingDriverError, MemoryError) as error:
                reasons.append(f"{candidate}: {error or 'out of memory'}")
                unused(f"{candidate} was passed over: {error or 'out of memory'}")
                exchange.close(" / ".join(reasons))
                continue
            opened.push(tried.pop_all())
        _tell(f"lane {lane}: {candidate} judges")
        return _Lane(served, model, detector, candidate, unused.said)
    raise PackageError(
        f"no model of package {package.name} is proven on the accelerator: {' / '.join(reasons)}",
        "the stations judge without it; mend that, or set model.accelerator = none",
    )


def _open_proven(
    model: Package,
    candidate: Candidate,
    threads: int,
    clock: Clock,
    exchange: ExchangeServer,
    post: Post,
    unused: Unused,
) -> LocalDetector:
    preparation = Preparation(model.spec, exchange.input)
    if candidate.runtime == SICK:
        # On the twin only: a station on a machine loads nothing of it.
        from app.detect.sick import open_sick  # noqa: PLC0415

        detector = open_sick(model, threads, clock, preparation, exchange, post.place.sickness())
    else:
        keeping = Keeping(post.state / ENGINES, unused)
        detector = open_local(model, candidate.runtime, threads, clock, preparation, keeping)
    try:
        prove(model, detector, read_picture)
    except BaseException:
        detector.close()
        raise
    return detector


def _about(lane: _Lane) -> dict[str, object]:
    model, detector = lane.model, lane.detector
    # The quietest of some rounds: what others load meanwhile, as at the start of the whole, must not count for good.
    rounds = [sorted(_timed(detector) for _ in range(BURST)) for _ in range(ROUNDS)]
    times = min(rounds, key=max)
    fields, _ = fields_of(detector.infer())
    return {
        "package": model.name,
        "variant": model.variant,
        "onnx_sha256": model.onnx_sha256,
        "runtime": lane.candidate.runtime,
        "life": own_mark(),
        "outputs": [[each.name, each.kind, list(each.shape), each.at] for each in fields],
        "p50_ns": times[len(times) // 2],
        "usual_ns": times[len(times) * 9 // 10],
        "unused": list(lane.unused),
    }


def _served(lane: _Lane, about: Mapping[str, object]) -> Served:
    p50_ns = about["p50_ns"]
    assert isinstance(p50_ns, int), "a time"
    model = lane.model
    return Served(lane.served.lane, model.name, model.variant, lane.candidate.runtime, round(p50_ns / NS_PER_MS, 3))


def _timed(detector: LocalDetector) -> int:
    since_ns = perf_counter_ns()
    detector.infer()
    took_ns = perf_counter_ns() - since_ns
    time.sleep(BREATH_S)
    return took_ns


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
