"""Which model of a package on which runtime is the fastest that is right, found out on this device.

Every candidate is compiled, proven by the golden frames of its package, held against the package's model in float on
ONNX Runtime, and timed against the others. The fastest of those that pass is the choice; whoever does not pass is told
with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

from app.clock import Clock
from app.detect.building_key import BuildKey
from app.detect.building_record import Measured, RoleBuild
from app.detect.building_timing import Shot, Times, load, look_at_machine, time_in_turns
from app.detect.choose import Candidate, Refusal, candidates_of
from app.detect.detector import Detector, Result, Timed
from app.detect.engine_folder import Keeping
from app.detect.golden_frames import GoldenFrame
from app.detect.manifest import Role
from app.detect.package import Package, load_package
from app.detect.prepare import Preparation
from app.detect.proof import ReadPicture, compare_frame, prove
from app.detect.room import check_fits_machine, free_memory_bytes
from app.detect.runtimes import ON_GPU, PREFERRED, open_local
from app.errors import DetectorError, MissingDriverError, PackageError
from app.types import Image

REFERENCE_RUNTIME = "onnx"
EXACTEST = ("fp32", "fp16", "int8")
LOOSER = 2.0
"""A model of another precision than the reference may lie so many times the package's tolerances from it: its own
golden frames hold it to them once already."""

_PASSED_OVER = (PackageError, DetectorError, MissingDriverError, MemoryError)

OnStep = Callable[[str, int, int], None]
"""Takes what is being done, how many steps of it are done, and how many it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be built, and with what.

    Attributes:
        role: The role.
        candidates: The models and their runtimes.
        key: What the result holds for.
        at: When.
        threads: Of one inference on the processor.
        rounds: Turns of each candidate that are timed.
        read: Reads a golden frame.
        clock: Measures.
        keeping: Where engines are kept, and who is told.
        on_step: Is told how far it is.
    """

    role: Role
    candidates: tuple[Candidate, ...]
    key: BuildKey
    at: datetime
    threads: int
    rounds: int
    read: ReadPicture
    clock: Clock
    keeping: Keeping
    on_step: OnStep


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    """What the most exact model of the role says of its golden frames, on ONNX Runtime."""

    name: str
    model: Package
    results: tuple[tuple[Shot, Result], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Runner:
    """A candidate that is open and has passed."""

    candidate: Candidate
    model: Package
    detector: Detector
    shots: tuple[Shot, ...]
    worst_px: float
    worst_score: float
    open_s: float


def candidates_for(package: Package, role: Role, runtime: str = "", variant: str = "") -> tuple[Candidate, ...]:
    """What may be possible on a device for a role.

    Args:
        package: Any model of the package.
        role: `accelerator`: on a GPU; `standby`: on the processor. A package without models of the role is asked with
            all its models, as the station does.
        runtime: Only on this one.
        variant: Only this model.
    """
    runtimes = ON_GPU if role == "accelerator" else PREFERRED
    wanted = [each for each in runtimes if not runtime or each == runtime]
    has_role = any(each.startswith(f"{role}-") for each in package.variants)
    found = candidates_of(package, wanted, role if has_role and not variant else "")
    return tuple(each for each in found if not variant or each.variant == variant)


def build_role(package: Package, order: Order) -> RoleBuild:
    """Compiles, proves, compares and times every candidate of a role.

    Args:
        package: Any model of the package.
        order: What and how.

    Returns:
        Those that passed, the fastest first, and the others with their reasons.

    Raises:
        PackageError: The package is broken, or has no golden frames.
        DataError: A golden frame cannot be read.
        ConfigError: A candidate names a runtime that there is none of.
    """
    load_before = load()
    with ExitStack() as opened:
        reference = _reference(package, order) if order.candidates else None
        runners: list[_Runner] = []
        refused: list[Refusal] = []
        for number, candidate in enumerate(order.candidates):
            order.on_step(f"building {candidate}", number, len(order.candidates))
            try:
                runner = _opened(package, candidate, order, reference)
            except _PASSED_OVER as error:
                refused.append(Refusal(candidate, str(error) or "there is not enough memory for it"))
                continue
            opened.callback(runner.detector.close)
            runners.append(runner)
        timed, failed = _timed(runners, order)
        refused += failed
    passed = tuple(_measured(runner, times) for runner, times in sorted(timed, key=lambda pair: pair[1].p50_ms))
    name = reference.name if reference else ""
    return RoleBuild(order.key, order.at, look_at_machine(load_before), name, passed, tuple(refused))


def _measured(runner: _Runner, times: Times) -> Measured:
    return Measured(
        runner.candidate, times, round(runner.worst_px, 4), round(runner.worst_score, 5), round(runner.open_s, 2)
    )


def _opened(package: Package, candidate: Candidate, order: Order, reference: _Reference | None) -> _Runner:
    model = _model(package, candidate.variant)
    since_s = perf_counter()
    if candidate.runtime not in ON_GPU:
        check_fits_machine(model, free_memory_bytes())
    told = replace(order.keeping, on_progress=_told(candidate, order))
    preparation = Preparation(model.spec)
    detector = open_local(model, candidate.runtime, order.threads, order.clock, preparation, told)
    open_s = perf_counter() - since_s
    try:
        prove(model, detector, order.read)
        is_comparable = reference is not None and reference.model.spec.is_golden == model.spec.is_golden
        worst = _compared(candidate, model, detector, reference) if reference and is_comparable else (0.0, 0.0)
    except BaseException:
        detector.close()
        raise
    return _Runner(candidate, model, detector, _shots(model, order.read), *worst, open_s)


def _told(candidate: Candidate, order: Order) -> OnStep:
    return lambda phase, done, steps: order.on_step(f"building {candidate}: {phase}", done, steps)


def _reference(package: Package, order: Order) -> _Reference | None:
    """What the most exact model of the role says on ONNX Runtime; `None` where none of them runs there."""
    own = [each for each in package.variants if each.startswith(f"{order.role}-")] or list(package.variants)
    for name in sorted(own, key=lambda each: EXACTEST.index(each.rpartition("-")[2])):
        order.on_step(f"judging golden frames by {name} on {REFERENCE_RUNTIME}", 0, 1)
        try:
            return _judged(_model(package, name), order)
        except _PASSED_OVER:
            continue
    return None


def _judged(model: Package, order: Order) -> _Reference:
    preparation = Preparation(model.spec)
    detector = open_local(model, REFERENCE_RUNTIME, order.threads, order.clock, preparation, order.keeping)
    try:
        shots = _shots(model, order.read)
        results = tuple((shot, detector.detect(shot.image, shot.golden)) for shot in shots)
    finally:
        detector.close()
    return _Reference(f"{model.variant} on {REFERENCE_RUNTIME}", model, results)


def _compared(candidate: Candidate, model: Package, detector: Detector, reference: _Reference) -> tuple[float, float]:
    """How far boxes and scores lie from the reference's at most.

    Raises:
        PackageError: Farther than is allowed, or something is missing or extra.
    """
    looser = 1.0 if model.precision == reference.model.precision else LOOSER
    allowed = replace(model, tolerance_px=model.tolerance_px * looser, tolerance_score=model.tolerance_score * looser)
    worst_px = worst_score = 0.0
    for frame, (shot, theirs) in zip(reference.model.frames, reference.results, strict=True):
        sure = tuple(each for each in theirs.detections if each.score >= reference.model.score_threshold)
        wanted = GoldenFrame(frame.image, frame.golden, sure, theirs.picture_score)
        try:
            ours = detector.detect(shot.image, shot.golden)
            pairs, change = compare_frame(allowed, candidate.runtime, wanted, ours)
        except PackageError as error:
            said = error.what.partition(": ")[2]
            raise PackageError(f"{candidate} says another thing than {reference.name}: {said}", error.mend) from error
        worst_px = max([worst_px, *(pair.distance_px for pair in pairs)])
        worst_score = max([worst_score, change, *(abs(pair.expected.score - pair.found.score) for pair in pairs)])
    return worst_px, worst_score


def _timed(runners: Sequence[_Runner], order: Order) -> tuple[list[tuple[_Runner, Times]], list[Refusal]]:
    """Everybody's times; whoever fails meanwhile is taken out, and the rest is timed anew."""
    remaining, refused = list(runners), []
    while remaining:
        watched = [_Watched(each.detector) for each in remaining]
        done = _Counter(order, len(remaining))
        try:
            times = time_in_turns(watched, [each.shots for each in remaining], order.rounds, order.clock, done)
        except DetectorError as error:
            place = next(index for index, each in enumerate(watched) if each.is_failed)
            refused.append(Refusal(remaining.pop(place).candidate, f"it failed while it was timed: {error}"))
            continue
        return list(zip(remaining, times, strict=True)), refused
    return [], refused


class _Watched(Timed):
    """A detector that remembers whether it was the one that failed."""

    def __init__(self, detector: Detector) -> None:
        self.runtime, self.spec = detector.runtime, detector.spec
        self.is_failed = False
        self._detector = detector
        self.close = detector.close

    def detect(self, image: Image, golden: Image | None = None) -> Result:
        try:
            return self._detector.detect(image, golden)
        except DetectorError:
            self.is_failed = True
            raise


class _Counter:
    """Tells how many rounds are done."""

    def __init__(self, order: Order, count: int) -> None:
        self._order, self._done = order, 0
        self._what = f"timing {count} in turns" if count > 1 else "timing"
        order.on_step(self._what, 0, order.rounds)

    def __call__(self) -> None:
        self._done += 1
        self._order.on_step(self._what, self._done, self._order.rounds)


def _shots(model: Package, read: ReadPicture) -> tuple[Shot, ...]:
    return tuple(Shot(read(each.image), read(each.golden) if each.golden else None) for each in model.frames)


def _model(package: Package, variant: str) -> Package:
    return package if package.variant == variant else load_package(package.folder, variant=variant)
