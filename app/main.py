"""The composition root: the only place that chooses drivers. Those of the twin are imported when they are chosen."""

# ruff: noqa: PLC0415 - a station on a machine, and one that must be back within two seconds, load no twin

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.bus.bell import Bell
from app.bus.place import Place
from app.capture.camera import Camera
from app.capture.pictures import read_picture
from app.capture.watched import WatchedCamera, spotter_for
from app.changeover import Preparing
from app.clock import NS_PER_MS, NS_PER_S, Clock, SystemClock, VirtualClock
from app.config import Line, ModelSettings
from app.detect.attachment import Attachment, shown_frames
from app.detect.blank import RUNTIME as BLANK
from app.detect.building_use import measured_first
from app.detect.choose import Candidate, candidates_of, open_and_prove, open_first_proven
from app.detect.curtain import Curtain, Rules
from app.detect.detector import Detector
from app.detect.failover import JUST_NS, Accelerated, Failover, Slices
from app.detect.golden import Goldens, GoldenSamples, OneGolden
from app.detect.inspection import Inspector
from app.detect.package import Package
from app.detect.runtimes import AUTO, PREFERRED, is_installed, open_detector
from app.detect.standby import slowest_of
from app.detect.zoo import chosen_package, find_package, zoo_folder
from app.latency import LatencyLedger
from app.reject.gpio import open_line
from app.reject.tracking import Tracker
from app.setup import Setup, is_twin
from app.station import Station
from app.types import Opening, Scalar
from app.verdicts import Judge, Recorder

if TYPE_CHECKING:
    from app.health import AcceleratorHealth
    from app.rehearsal import Notebook, Rehearsal
    from app.twin.parts import PartSource
    from app.twin.scenario import Scenario

PICTURES_KEPT = 24
"""Rejects that the demo keeps for its contact sheet."""

LEAST_SLICE_NS = NS_PER_MS
"""What the accelerator gets at least, however slow the standby is: parts that it fails on then miss their budget."""

Tell = Callable[[str], None]
"""Takes a sentence that a person should see."""


def ignore(_sentence: str) -> None:
    """Tells nobody."""


def open_proven(
    package: Package,
    runtime: str,
    threads: int,
    tell: Tell = ignore,
    state: Path | None = None,
    unused: Tell | None = None,
) -> Detector:
    """Loads a package on a runtime, and refuses it unless its golden frames reproduce.

    With `auto` the next runtime that is installed is tried where they do not: an 8-bit file may be right on one and
    collapse on another.

    Args:
        package: The package.
        runtime: A runtime, or `auto`.
        threads: Threads of one inference.
        tell: Told what decides.
        state: The station's state folder: with `auto` what was measured there is tried first.
        unused: Told why a runtime or a build was passed over; by default `tell` is.

    Raises:
        PackageError: They do not, or the package is broken.
        MissingDriverError: The runtime is not installed.
    """
    if runtime == AUTO:
        candidates = tuple(Candidate(package.variant, each) for each in PREFERRED if is_installed(each))
        if state is not None:
            candidates = measured_first(candidates, state, package, "standby", threads, tell, unused=unused)
        choice = open_first_proven(package, candidates, read_picture, threads)
        for refusal in choice.refusals:
            (unused or tell)(f"{refusal.candidate} was passed over: {refusal.why}")
        return choice.detector
    return open_and_prove(package, runtime, read_picture, threads)[0]


def open_model(
    model: ModelSettings, state: Path, tell: Tell = ignore, unused: Tell | None = None
) -> tuple[Detector, Package]:
    """The detector that a line names, with its standby where it names one, and its package.

    Args:
        model: Which model, on which runtime.
        state: The station's state folder, which knows the active package.
        tell: Told what decides.
        unused: Told why a runtime or a build was passed over; by default `tell` is.

    Raises:
        PackageError: The package is broken or its golden frames do not reproduce.
        MissingDriverError: A runtime is not installed.
    """
    package = find_package(chosen_package(model.package, state), zoo_folder())
    if model.runtime == BLANK:
        return open_detector(package, BLANK, model.threads), package
    first = open_proven(package, model.runtime, model.threads, tell, state, unused)
    if model.standby in ("none", first.runtime):
        return first, package
    return Failover(first, open_proven(package, model.standby, model.threads, tell, unused=unused)), package


def open_accelerated(
    line: Line, state: Path, place: Place, tell: Tell = ignore, unused: Tell | None = None
) -> tuple[Accelerated, Package]:
    """The accelerator's model in the process that owns it, with the standby of this process, and its package.

    The standby is loaded, proven and timed first: what it needs at its slowest is kept back from the budget of every
    part, and the rest is the accelerator's slice. Whether there is an accelerator shows later.

    Args:
        line: The lane's settings.
        state: The station's state folder, which knows the active package.
        place: Where the processes meet.
        tell: Told what decides, and how the budget is shared.
        unused: Told why a runtime or a build was passed over; by default `tell` is.

    Raises:
        PackageError: The package is broken or no standby of it is proven here.
        MissingDriverError: A runtime is not installed.
    """
    model, lane, clock = line.model, line.line.lane, SystemClock()
    package = find_package(chosen_package(model.package, state), zoo_folder())
    runtimes = [each for each in PREFERRED if is_installed(each)] if model.runtime == AUTO else [model.runtime]
    role = "standby" if any(each.startswith("standby-") for each in package.variants) else ""
    candidates = candidates_of(package, runtimes, role)
    if model.runtime == AUTO:
        candidates = measured_first(candidates, state, package, "standby", model.threads, tell, unused=unused)
    choice = open_first_proven(package, candidates, read_picture, model.threads)
    for refusal in choice.refusals:
        (unused or tell)(f"{refusal.candidate} was passed over: {refusal.why}")
    slowest_ns = slowest_of(choice.detector, shown_frames(choice.package, read_picture), clock)
    slices = Slices(round(model.verdict_ms * NS_PER_MS), slowest_ns, LEAST_SLICE_NS)
    name = f"{choice.package.variant} on {choice.detector.runtime}"
    tell(f"the standby, {name}, needs {slowest_ns / NS_PER_MS:.1f} ms at most")
    bells = Bell(place.bell("accelerator")), Bell(place.bell(f"lane{lane}-answer"))
    attach = Attachment(place.exchange(lane), package, read_picture, bells[0].ring, bells[1], clock)
    curtain = Curtain(attach, Rules(slices.usual_ns), clock)
    own, wanted = choice.package.score_threshold, package.score_threshold
    just_ns = max(JUST_NS, _gap_ns(line) - slices.usual_ns - JUST_NS)
    return Accelerated(choice.detector, package.spec, curtain, (own, wanted), clock, slices, just_ns), package


def _gap_ns(line: Line) -> int:
    """The shortest time from one picture to the next; 0 where a part may be seen more than once."""
    if len(line.cameras) > 1:
        return 0
    return round(line.part.min_pitch_mm / line.belt.v_max_mm_s * NS_PER_S)


def health_for(lines: Sequence[Line], clock: Clock) -> AcceleratorHealth:
    """What tells how the accelerator is, and never keeps whoever asks: an answer is there at the next question.

    On the twin of a box without an accelerator that is one of the twin's.

    Args:
        lines: The lanes.
        clock: Stamps the twin's readings.
    """
    from app.health.sources import NONE, choose_source, open_health

    source = choose_source()
    if source == NONE and all(map(is_twin, lines)):
        from app.health.fake import FakeHealth

        return FakeHealth(clock)
    return open_health(source, deadline_ms=0.0)


def goldens_of(setup: Setup) -> Goldens | None:
    """The golden sample that the recipe names; `None` where it names none."""
    if not setup.recipe.golden_sample:
        return None
    return GoldenSamples(setup.folder / setup.recipe.golden_sample, read_picture)


def pins_for(line: Line, place: Place) -> Any:
    """The pin factory of a line in real time: the twin's, ours, or `None` for gpiozero's own choice on this board.

    Ours is taken where the board has GPIO chips and the library for them, unless `GPIOZERO_PIN_FACTORY` names another.

    Raises:
        LineError: The twin does not run, or another station has its pins.
    """
    if is_twin(line):
        from app.twin.link import LinkFactory

        return LinkFactory(place, line.line.lane)
    from app.reject.gpiod_factory import factory_of_this_board

    return factory_of_this_board(f"takt-lane{line.line.lane}", os.environ.get("GPIOZERO_PIN_FACTORY", ""))


def live_goldens(setup: Setup) -> Goldens | None:
    """The golden sample of a line in real time; the twin's own, where its recipe names none."""
    own = goldens_of(setup)
    if own is not None or not is_twin(setup.line):
        return own
    from app.twin.boards import Design

    return OneGolden(Design().golden)


def build_station(  # noqa: PLR0913 - everything is injected, and here it all comes together
    setup: Setup,
    *,
    clock: Clock,
    pin_factory: Any,
    cameras: Mapping[str, Camera],
    judge: Judge,
    recorder: Recorder,
    opening: Opening,
    latency: LatencyLedger | None = None,
    on_verdict: Callable[[], None] = lambda: None,
    identity: Mapping[str, Scalar] | None = None,
    preparing: Preparing | None = None,
) -> Station:
    """Puts a station together on the pins of a factory.

    Args:
        setup: The line.
        clock: Time for decisions.
        pin_factory: Whose pins; `None`: gpiozero's own choice for this board.
        cameras: By name; opened here.
        judge: The detector with its recipe.
        recorder: Who keeps what happens.
        opening: What the station takes over from the ones before it.
        latency: Where the times of each stage are kept.
        on_verdict: Called when a verdict may have changed what is due next.
        identity: What runs here, for the ledger.
        preparing: Makes what judges by another recipe; without it the recipe stays.

    Raises:
        ConfigError: A pin does not exist or is claimed twice.
        LineError: A pin cannot be had.
        CameraError: A camera cannot be opened.
    """
    io = open_line(setup.line, clock, pin_factory)
    for camera in cameras.values():
        camera.open()
    return Station(
        line=setup.line,
        recipe=setup.recipe,
        clock=clock,
        stopwatch=clock if isinstance(clock, SystemClock) else SystemClock(),
        io=io,
        encoder=io.encoder,
        cameras=cameras,
        judge=judge,
        recorder=recorder,
        tracker=Tracker(setup.line, opening),
        latency=latency,
        on_verdict=on_verdict,
        identity=identity,
        preparing=preparing,
    )


def build_rehearsal(
    setup: Setup, parts: PartSource, detector: Detector, goldens: Goldens | None, scenario: Scenario, seed: int
) -> tuple[Rehearsal, Notebook]:
    """Puts the real station on the twin, in virtual time.

    Raises:
        DataError: The model wants golden samples and there are none.
    """
    from app.rehearsal import Notebook, Rehearsal
    from app.twin.camera import TwinCamera
    from app.twin.machine import Machine
    from app.twin.pins import TwinFactory

    clock = VirtualClock()
    factory = TwinFactory(clock)
    machine = Machine(setup.line, factory, clock, parts, scenario, seed)
    cameras: dict[str, Camera] = {}
    for camera in setup.line.cameras:
        spotter = spotter_for(setup.line, camera)
        eye = TwinCamera(camera, machine, clock)
        cameras[camera.name] = WatchedCamera(eye, spotter) if spotter else eye
    notebook = Notebook(PICTURES_KEPT)
    station = build_station(
        setup,
        clock=clock,
        pin_factory=factory,
        cameras=cameras,
        judge=Inspector(detector, setup.recipe, goldens),
        recorder=notebook,
        opening=Opening(lot="demo"),
    )
    return Rehearsal(station, machine, clock, notebook), notebook


def rendered_parts(seed: int, count: int) -> tuple[PartSource, Goldens]:
    """Rendered boards and their golden sample."""
    from app.twin.parts import RenderedParts

    parts = RenderedParts(seed, count)
    return parts, OneGolden(parts.design.golden)


def picture_parts(
    folder: Path, truth: Path | None, good_from: Path | None, count: int | None, seed: int
) -> tuple[PartSource, Goldens | None]:
    """Pictures from disk, and their golden samples by file name where there are any.

    Raises:
        DataError: A folder or the truth file cannot be used.
    """
    from app.twin.parts import PictureParts

    parts = PictureParts(folder, truth=truth, good_from=good_from, count=count, seed=seed, read_picture=read_picture)
    return parts, GoldenSamples(good_from, read_picture) if good_from else None
