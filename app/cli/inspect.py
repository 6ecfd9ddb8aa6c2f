"""`takt inspect`: pictures in, verdicts out, as the station would reach them."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import complain, out, print_json, progress
from app.cli.options import Json, Runtime, Threads, state_folder
from app.errors import UsageError

if TYPE_CHECKING:
    from app.cli.judging import Judged
    from app.cli.outputs import Outputs
    from app.cli.pictures import Exhibit
    from app.cli.truth import Truth
    from app.detect.detector import Detector
    from app.detect.golden import GoldenSamples
    from app.detect.package import Package
    from app.latency import LatencyLedger
    from app.recipe import Recipe

REJECTED = 10
"""Exit code of `--fail-on-reject`."""

KEPT_PX = 640
"""Longest side of a reject's picture that is kept to be shown."""


Images = Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Pictures, and folders of pictures.")]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR", help="A package of the zoo, or its folder; by default the active one, else pcb-nano."
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What counts as a defect; by default whatever scores the package's threshold."),
]
Golden = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|FILE",
        help="Golden samples, each named as its picture but for the suffix; or one file for all pictures.",
    ),
]
Threshold = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, help="One score for all classes, instead of the recipe's.")
]
TruthFile = Annotated[
    Path | None,
    typer.Option(
        metavar="COCO", help="Annotations of these pictures: counts escapes and overkill, and gives --coco its numbers."
    ),
]
CocoFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write all detections in COCO result format, with file_name and category_name; verdicts go to"
        " <stem>.verdicts.json beside it.",
    ),
]
AnnotateDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write each picture with boxes, classes, scores and verdict.")
]
SheetFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write one picture with the first 60 rejects.")]
ReportDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write the first 60 rejects as an HTML page with pictures.")
]
FailOnReject = Annotated[bool, typer.Option("--fail-on-reject", help="End with code 10 when any part is rejected.")]


@dataclass(slots=True)
class Run:
    """What comes of a run.

    Attributes:
        judged: Every picture, without its pixels.
        rejects: The first rejects, with pictures small enough to keep.
        latency: How long they took.
    """

    judged: list[Judged]
    rejects: list[Exhibit]
    latency: LatencyLedger


def inspect(  # noqa: PLR0913 - an argument per option
    images: Images,
    *,
    model: Model = None,
    runtime: Runtime = "auto",
    threads: Threads = 2,
    recipe: RecipeFile = None,
    golden: Golden = None,
    threshold: Threshold = None,
    truth: TruthFile = None,
    coco: CocoFile = None,
    annotate: AnnotateDir = None,
    sheet: SheetFile = None,
    report: ReportDir = None,
    fail_on_reject: FailOnReject = False,
    as_json: Json = False,
) -> None:
    """Judge pictures as the station would, and say why.

    Prints each picture's verdict, its reasons and its latency from picture in memory to verdict. A picture that cannot
    be read or judged is rejected, named on stderr, and the others are judged all the same; the exit code is then 4, or
    8 where inference failed. Exit code 0 says that all were judged, whatever the verdicts; see --fail-on-reject.
    """
    from app.capture.pictures import read_picture
    from app.cli.judging import find_pictures
    from app.cli.outputs import check_places, planned
    from app.cli.truth import load_truth
    from app.detect.golden import GoldenSamples
    from app.detect.zoo import ACTIVE, chosen_package, find_package, zoo_folder

    paths = find_pictures(images)
    package = find_package(chosen_package(model or ACTIVE, state_folder(None)), zoo_folder())
    rules = _rules(package, recipe, threshold)
    known = load_truth(truth) if truth else None
    if known:
        known.check_covers(paths, package.classes)
    outputs = planned(paths, coco, annotate, sheet, report)
    source = _golden_source(package, rules, recipe, golden)
    others = [each for each in (recipe, source, truth) if each]
    check_places(outputs, [*paths, *images, *package.folder.rglob("*"), *others])
    goldens = GoldenSamples(source, read_picture) if source else None
    detector, run = _judge_all(paths, package, runtime, threads, rules, goldens, outputs)
    _write(run, package, known, outputs)
    _tell(run, package, detector.runtime, rules, known, as_json=as_json)
    code = _exit_code(run.judged, fail_on_reject=fail_on_reject)
    if code:
        raise typer.Exit(code)


def _rules(package: Package, path: Path | None, threshold: float | None) -> Recipe:
    from app.recipe import Recipe, check_recipe, load_recipe

    rules = load_recipe(path) if path else Recipe.model_validate({"schema": 1})
    check_recipe(rules, package.classes, str(path))
    if threshold is None:
        return rules.settled(package.score_threshold)
    classes = {label: rule.model_copy(update={"threshold": None}) for label, rule in rules.classes.items()}
    default = rules.default.model_copy(update={"threshold": threshold})
    return rules.model_copy(update={"default": default, "classes": classes})


def _golden_source(package: Package, rules: Recipe, recipe: Path | None, named: Path | None) -> Path | None:
    """The golden samples: those named, else the one that the recipe names; `None` where the model wants none."""
    if not package.spec.is_golden:
        if named:
            raise UsageError(f"the model {package.name} takes no golden sample", "leave --golden out")
        return None
    if named is None and recipe is not None and rules.golden_sample:
        return recipe.parent / rules.golden_sample
    if named is None:
        raise UsageError(
            f"the model {package.name} compares each picture with its golden sample, and none is given",
            "name a folder or a picture with --golden, or one in the recipe (golden_sample)",
        )
    return named


def _judge_all(
    paths: tuple[Path, ...],
    package: Package,
    runtime: str,
    threads: int,
    rules: Recipe,
    goldens: GoldenSamples | None,
    outputs: Outputs,
) -> tuple[Detector, Run]:
    from app.capture.pictures import read_picture
    from app.cli.judging import Judging
    from app.cli.reading import read_ahead
    from app.clock import SystemClock
    from app.detect.inspection import Inspector
    from app.latency import LatencyLedger
    from app.main import open_proven

    detector = open_proven(package, runtime, threads, complain)
    run = Run([], [], LatencyLedger(("total",)))
    try:
        find_golden = goldens.find if goldens else None
        with progress("judging", len(paths)) as step, read_ahead(paths, read_picture, find_golden) as read:
            judging = Judging(Inspector(detector, rules, goldens), rules, SystemClock(), read)
            for number, path in enumerate(paths, 1):
                _keep(run, judging.judge(number, path), outputs)
                step(path.name)
    finally:
        detector.close()
    return detector, run


def _keep(run: Run, judged: Judged, outputs: Outputs) -> None:
    from app.cli.files import write_whole
    from app.cli.outputs import MOST_SHOWN
    from app.cli.pictures import Exhibit, annotate
    from app.cli.report import encoded
    from app.clock import NS_PER_MS

    if judged.error:
        where = "" if str(judged.path) in judged.error.what else f"{judged.path}: "
        complain(f"{where}{judged.error}")
    if judged.times:
        run.latency.note("total", round(judged.times.total * NS_PER_MS))
    if judged.image is not None and judged.path in outputs.annotated:
        drawn = annotate(judged.image, judged.verdict, judged.path.name)
        write_whole(outputs.annotated[judged.path], encoded(drawn, ".png"))
    if outputs.shows_rejects and not judged.verdict.is_pass and len(run.rejects) < MOST_SHOWN:
        run.rejects.append(Exhibit.of(judged, KEPT_PX))
    run.judged.append(replace(judged, image=None))


def _write(run: Run, package: Package, known: Truth | None, outputs: Outputs) -> None:
    from app.cli.files import write_json, write_whole
    from app.cli.report import encoded, write_report
    from app.cli.results import coco_rows, summarise
    from app.cli.sheet import contact_sheet

    if outputs.coco and outputs.verdicts:
        results, verdicts = coco_rows(run.judged, package.classes, known)
        write_json(outputs.verdicts, verdicts)
        write_json(outputs.coco, results)
    summary = summarise(run.judged, known, run.latency)
    headline = f"{summary.rejected} of {summary.pictures} pictures rejected"
    if outputs.sheet:
        suffix = outputs.sheet.suffix.lower()
        write_whole(outputs.sheet, encoded(contact_sheet(run.rejects, headline=headline), suffix))
    if outputs.report:
        write_report(outputs.report, run.rejects, asdict(summary), headline)


def _tell(run: Run, package: Package, runtime: str, rules: Recipe, known: Truth | None, *, as_json: bool) -> None:
    from app.cli.results import as_data, result_table, summarise, summary_line

    summary = summarise(run.judged, known, run.latency)
    if as_json:
        print_json(
            {
                "model": {"name": package.name, "version": package.version, "onnx_sha256": package.onnx_sha256},
                "runtime": runtime,
                "recipe": rules.name,
                "pictures": [as_data(each, known) for each in run.judged],
                "summary": asdict(summary),
            }
        )
        return
    console = out()
    console.print(result_table(run.judged, known))
    console.print(summary_line(summary, f"{package.name} {package.version} on {runtime}"), soft_wrap=True)


def _exit_code(judged: list[Judged], *, fail_on_reject: bool) -> int:
    failures = [each.error.exit_code for each in judged if each.error]
    if failures:
        return max(failures)
    return REJECTED if fail_on_reject and any(not each.verdict.is_pass for each in judged) else 0
