"""Measures every model of a package on every runtime, on identical pictures."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.clock import Clock, SystemClock
from app.detect.detector import Detector
from app.detect.manifest import Kind
from app.detect.package import Package, load_package
from app.detect.registration import Registrar
from app.detect.runtimes import open_detector
from app.errors import DataError, DetectorError, MissingDriverError, PackageError
from app.types import Detection
from models.data import read_pair, read_picture
from models.evaluation.evaluate import count, figures_at, scores_of
from models.evaluation.judging import Candidate, Judged, Judgement, Presentation, judge
from models.evaluation.parity import Parity, Side, compare
from models.evaluation.report import Choice, Miss, Report, Row
from models.evaluation.speed import Lap, Runner, Speed, time_in_turn
from models.evaluation.truth import Source, Truth, load_truth
from models.extras import require
from models.measures.statistics import Threshold, Wish, choose

RUNTIMES = ("onnx", "openvino")
"""Runtimes of this machine's processor that are measured where nobody says which."""

_LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino"}

OnStep = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        folder: The package's folder.
        source: The split that is reported.
        chosen_on: The split that thresholds are chosen on; `None`: the one that is reported.
        variants: Models of the package; none: all.
        runtimes: Runtimes; none: all of `RUNTIMES` that are installed.
        threshold: Instead of each model's own.
        wishes: What chosen thresholds shall keep to, beside the fewest escapes and overkill.
        presentation: How pictures are shown.
        threads: Threads of one inference.
        timed_pictures: Pictures that are timed; 0: none.
        misses: Worst misses that are kept, of escapes and of overkill each.
    """

    folder: Path
    source: Source
    chosen_on: Source | None = None
    variants: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    threshold: float | None = None
    wishes: tuple[Wish, ...] = ()
    presentation: Presentation = field(default_factory=Presentation)
    threads: int = 1
    timed_pictures: int = 100
    misses: int = 6


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One model on one runtime: opened, or why not."""

    package: Package
    runtime: str
    threshold: float
    detector: Detector | None
    problem: str = ""

    @property
    def name(self) -> str:
        return f"{self.package.variant} on {self.runtime}"


@dataclass(frozen=True, slots=True, eq=False)
class _Sitting:
    """A split and what all opened models said of it."""

    truth: Truth
    judged: Judged


def measure(plan: Plan, on_step: OnStep = lambda _what, _done, _all: None, clock: Clock | None = None) -> Report:
    """Measures a package.

    Every model judges each picture once; every figure and threshold is counted from that.

    Args:
        plan: What to measure.
        on_step: Told how far it is.
        clock: Times the models.

    Raises:
        PackageError: The package is broken, or none of its models can be run.
        DataError: The split cannot be used, or a wish is about parts that it has none of.
        DetectorError: A model failed on a picture.
        MissingDriverError: A runtime that was named, or pycocotools, is not installed.
    """
    first = load_package(plan.folder, is_draft=True)
    if first.kind == "detection":
        require("pycocotools", "evaluation", "evaluate")
    truth = load_truth(plan.source, first.kind, first.classes, first.good_classes)
    choosing = load_truth(plan.chosen_on, first.kind, first.classes, first.good_classes) if plan.chosen_on else None
    for wish in plan.wishes:
        _check_wish(wish, choosing or truth, plan)
    with contextlib.ExitStack() as stack:
        entries = _open(first, plan, stack)
        opened = [each for each in entries if each.detector is not None]
        if not opened:
            raise PackageError(f"no model of {first.name} could be run: {entries[0].problem}", "name another --runtime")
        reported = _sit(plan.source, truth, opened, plan, on_step)
        chosen = _sit(plan.chosen_on, choosing, opened, plan, on_step) if plan.chosen_on and choosing else reported
        speeds = _time(opened, truth, plan, clock or SystemClock(), on_step)
    ranks = {each.name: index for index, each in enumerate(opened)}
    rows = tuple(_row(each, ranks.get(each.name), reported, chosen, speeds, plan) for each in entries)
    return Report(
        package=first.name,
        version=first.version,
        kind=first.kind,
        classes=first.classes,
        good_classes=first.good_classes,
        compares=any(each.package.spec.is_golden for each in opened),
        split=plan.source.name,
        pictures=len(truth.pictures),
        chosen_on=(plan.chosen_on or plan.source).name,
        register_px=plan.presentation.register_px,
        takes_unregistered=plan.presentation.takes_unregistered,
        seed=plan.presentation.seed,
        mended_unregistered=reported.judged.mended_unregistered,
        rows=rows,
        parity=_parity(opened, reported.judged, chosen.judged),
        misses=_misses(reported, opened[0].threshold, plan.misses),
        threads=plan.threads,
        libraries=_versions({each.runtime for each in opened}),
        processor=_processor(),
    )


def _check_wish(wish: Wish, truth: Truth, plan: Plan) -> None:
    source = plan.chosen_on or plan.source
    is_mended = truth.has_golden and plan.presentation.has_parts
    has_bad = any(each.is_defective for each in truth.pictures)
    has_good = is_mended or any(not each.is_defective for each in truth.pictures)
    for limit, has_any, kind in ((wish.max_escapes, has_bad, "defective"), (wish.max_overkill, has_good, "good")):
        if limit is not None and not has_any:
            raise DataError(
                f"{source.truth} has no {kind} part to choose a threshold on",
                "add some to the split, or leave out the wish about them",
            )


def _open(first: Package, plan: Plan, stack: contextlib.ExitStack) -> list[_Entry]:
    entries = []
    for variant in plan.variants or first.variants:
        package = load_package(plan.folder, variant=variant, is_draft=True)
        for runtime in plan.runtimes or RUNTIMES:
            threshold = package.score_threshold if plan.threshold is None else plan.threshold
            try:
                detector = open_detector(package, runtime, threads=plan.threads)
            except MissingDriverError:
                if plan.runtimes:
                    raise
                continue
            except (PackageError, DetectorError) as error:
                entries.append(_Entry(package, runtime, threshold, None, str(error)))
                continue
            stack.callback(detector.close)
            entries.append(_Entry(package, runtime, threshold, detector))
    return entries


def _sit(source: Source, truth: Truth, opened: Sequence[_Entry], plan: Plan, on_step: OnStep) -> _Sitting:
    candidates = [
        Candidate(each.name, each.package.spec.channels, each.package.spec.is_golden, _judging(each.detector))
        for each in opened
        if each.detector is not None
    ]
    judged = judge(
        truth, candidates, plan.presentation, lambda done, every: on_step(f"judging {source.name}", done, every)
    )
    return _Sitting(truth, judged)


def _judging(detector: Detector) -> Callable[..., Judgement]:
    return lambda image, golden: Judgement.of_result(detector.detect(image, golden))


def _row(
    entry: _Entry, rank: int | None, reported: _Sitting, chosen: _Sitting, speeds: Sequence[Speed], plan: Plan
) -> Row:
    package = entry.package
    evaluation = None
    choices: tuple[Choice, ...] = ()
    if rank is not None:
        evaluation = count(reported.truth, reported.judged, rank, entry.threshold, package.kind)
        choices = _choices(rank, reported, chosen, package, plan.wishes)
    return Row(
        variant=package.variant,
        role=package.role,
        precision=package.precision,
        runtime=entry.runtime,
        spec=package.spec,
        onnx_bytes=package.onnx.stat().st_size,
        gmac=package.gmac,
        problem=entry.problem,
        evaluation=evaluation,
        choices=choices,
        speed=speeds[rank] if rank is not None and speeds else None,
    )


def _choices(
    rank: int, reported: _Sitting, chosen: _Sitting, package: Package, wishes: Sequence[Wish]
) -> tuple[Choice, ...]:
    """Thresholds by escapes and overkill where there are parts of both kinds, else by the findings."""
    bad, good = scores_of(chosen.judged, rank)
    found = [(each.words, choose(bad, good, each)) for each in ((Wish(), *wishes) if bad and good else wishes)]
    if not found and package.kind == "detection":
        figures = count(chosen.truth, chosen.judged, rank, package.score_threshold, package.kind).findings
        found = [("best F1 of findings", Threshold(figures.best_threshold, is_reached=True))] if figures else []
    return tuple(_choice(words, each, rank, reported, chosen, package.kind) for words, each in found)


def _choice(words: str, threshold: Threshold, rank: int, reported: _Sitting, chosen: _Sitting, kind: Kind) -> Choice:
    whole, once, per_board = figures_at(reported.truth, reported.judged, rank, threshold.value, kind)
    chosen_whole, chosen_once, _ = figures_at(chosen.truth, chosen.judged, rank, threshold.value, kind)
    return Choice(words, threshold.value, threshold.is_reached, chosen_once or chosen_whole, once or whole, per_board)


def _parity(opened: Sequence[_Entry], *judged: Judged) -> tuple[Parity, ...]:
    """Every row against the first of its role, over all pictures that were judged."""
    said: list[list[Judgement]] = [[] for _ in opened]
    for sitting in {id(each): each for each in judged}.values():
        for own, judgements in zip(said, sitting.by_candidate, strict=True):
            own.extend(judgements)
    sides = [
        Side(each.name, each.threshold, each.package.precision, own) for each, own in zip(opened, said, strict=True)
    ]
    found = []
    for entry, side in zip(opened, sides, strict=True):
        reference = next(
            other for each, other in zip(opened, sides, strict=True) if each.package.role == entry.package.role
        )
        if side is not reference:
            found.append(compare(side, reference, entry.package.kind))
    return tuple(found)


def _misses(sitting: _Sitting, threshold: float, most: int) -> tuple[Miss, ...]:
    said = list(zip(sitting.judged.items, sitting.judged.by_candidate[0], strict=True))
    said = [row for row in said if row[0].is_mended] or said
    escaped = sorted(
        (row for row in said if row[0].is_defective and row[1].score < threshold), key=lambda r: r[1].score
    )
    killed = sorted(
        (row for row in said if not row[0].is_defective and row[1].score >= threshold), key=lambda r: -r[1].score
    )
    misses = []
    for item, judgement in [*escaped[:most], *killed[:most]]:
        labelled = sitting.truth.pictures[item.picture].labelled
        height, width = read_picture(labelled.image).shape[:2]
        defects = [] if not item.is_defective else range(len(labelled.boxes)) if item.defect is None else [item.defect]
        truth = []
        for index in defects:
            x1, y1, x2, y2 = (float(side) for side in labelled.boxes[index])
            name = sitting.truth.classes[int(labelled.labels[index])]
            truth.append(Detection(name, 1.0, (x1, y1, x2 - x1, y2 - y1)))
        misses.append(
            Miss(
                labelled.image.name,
                item,
                width,
                height,
                judgement.score,
                judgement.is_registered,
                tuple(truth),
                judgement.detections,
            )
        )
    return tuple(misses)


def _time(opened: Sequence[_Entry], truth: Truth, plan: Plan, clock: Clock, on_step: OnStep) -> list[Speed]:
    if not plan.timed_pictures:
        return []
    runners = [
        Runner(each.package.spec.channels, each.package.spec.is_golden, each.detector.detect)
        for each in opened
        if each.detector is not None
    ]
    channels = {each.channels for each in runners}
    step = max(1, len(truth.pictures) // plan.timed_pictures)
    laps = []
    for picture in truth.pictures[::step][: plan.timed_pictures]:
        pairs = {each: read_pair(picture.labelled, each) for each in channels}
        registrars = {
            each: Registrar(golden, plan.presentation.register_px)
            for each, (_, golden) in pairs.items()
            if golden is not None
        }
        laps.append(Lap({each: image for each, (image, _) in pairs.items()}, registrars))
    return time_in_turn(runners, laps, clock, lambda done, every: on_step("timing", done, every))


def _versions(runtimes: set[str]) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in sorted(_LIBRARIES[each] for each in runtimes)}


def _processor() -> str:
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"
