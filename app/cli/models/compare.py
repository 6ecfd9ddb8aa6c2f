"""`takt models compare`: whether another model may take the place of one, on pictures that count."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.console import complain, print_json, progress
from app.cli.options import Json, Runtime, StateDir, Threads, state_folder
from app.errors import PackageError, UsageError

if TYPE_CHECKING:
    from app.cli.judging import Judging
    from app.cli.models.comparing import Comparison, Side
    from app.cli.truth import Truth
    from app.detect.golden import Goldens
    from app.detect.package import Package
    from app.recipe import Recipe

DIFFERENT = 10
"""Exit code of `--fail-on-difference`."""

_HELP = (
    "A package by its name, a folder with a separator in its path, or active; each with :MODEL for one of its models."
)

One = Annotated[str, typer.Argument(metavar="A", help=_HELP)]
Other = Annotated[str, typer.Argument(metavar="B", help="What to compare it with, named likewise.")]
Images = Annotated[
    Path | None,
    typer.Option(metavar="DIR|FILE", help="Pictures to judge; by default the golden frames of A."),
]
Golden = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|FILE", help="Golden samples of --images, each named as its picture; or one file for all."
    ),
]
TruthFile = Annotated[
    Path | None, typer.Option(metavar="COCO", help="Annotations of --images: counts escapes and overkill of both.")
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What counts as a defect; by default whatever scores each model's threshold."),
]
SheetFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write one picture with the first 24 disagreements side by side.")
]
FailOnDifference = Annotated[
    bool, typer.Option("--fail-on-difference", help="End with code 10 when any verdict differs.")
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared, checked before any model is loaded.

    Attributes:
        packages: The two models.
        rules: What counts as a defect for each.
        paths: The pictures.
        goldens: Their golden samples; `None` where neither wants them.
        truth: Which of them are bad; `None` where nobody said.
    """

    packages: tuple[Package, Package]
    rules: tuple[Recipe, Recipe]
    paths: tuple[Path, ...]
    goldens: Goldens | None
    truth: Truth | None


def compare(  # noqa: PLR0913 - an argument per option
    one: One,
    other: Other,
    *,
    images: Images = None,
    golden: Golden = None,
    truth: TruthFile = None,
    recipe: RecipeFile = None,
    runtime: Runtime = "auto",
    threads: Threads = 2,
    sheet: SheetFile = None,
    fail_on_difference: FailOnDifference = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Judge the same pictures by two models: which verdicts differ, by how much the scores do, and which is faster.

    The two take turns, each going first every other time, so that both meet the same machine. With a truth it counts
    escapes (bad parts that pass) and overkill (good parts that are rejected) of both. Changes nothing. Exit code 0
    whatever the difference; see --fail-on-difference.
    """
    from app.cli.files import check_outputs, write_whole
    from app.cli.models import differences, disagreements

    plan = _planned((one, other), state_folder(state), images, golden, truth, recipe)
    if sheet:
        _check_format(sheet)
        sources = [each for each in (images, golden, truth, recipe) if each]
        read = [file for each in sources for file in (each.iterdir() if each.is_dir() else (each,))]
        check_outputs([sheet], [*plan.paths, *read])
    comparison = _compared(plan, runtime, threads)
    if sheet:
        from app.cli.report import encoded

        write_whole(sheet, encoded(disagreements.sheet_of(comparison, plan.truth), sheet.suffix.lower()))
    if as_json:
        print_json(differences.as_data(comparison, plan.truth))
    else:
        differences.show(comparison, plan.truth)
    _end(comparison, is_difference_failure=fail_on_difference)


def _planned(
    names: tuple[str, str],
    state: Path,
    images: Path | None,
    golden: Path | None,
    truth: Path | None,
    recipe: Path | None,
) -> Plan:
    from app.cli.judging import find_pictures
    from app.cli.truth import load_truth
    from app.detect.zoo import chosen_package, find_package, zoo_folder

    first, second = (find_package(chosen_package(each, state), zoo_folder()) for each in names)
    rules = _rules(first, recipe), _rules(second, recipe)
    if images is None and (golden or truth):
        raise UsageError("--golden and --truth are of pictures, and none are given", "name them with --images")
    paths = find_pictures([images]) if images else tuple(each.image for each in first.frames)
    wants = [each for each in (first, second) if each.spec.is_golden]
    if golden and not wants:
        raise UsageError("neither model takes a golden sample", "leave --golden out")
    known = load_truth(truth) if truth else None
    if known:
        known.check_covers(paths, ())
    goldens = _goldens(first, wants[0], rules[0], images, golden, recipe) if wants else None
    return Plan((first, second), rules, paths, goldens, known)


def _rules(package: Package, path: Path | None) -> Recipe:
    from app.recipe import Recipe, check_recipe, load_recipe

    rules = load_recipe(path) if path else Recipe.model_validate({"schema": 1})
    check_recipe(rules, package.classes, str(path))
    return rules.settled(package.score_threshold)


def _goldens(
    first: Package, wanting: Package, rules: Recipe, images: Path | None, golden: Path | None, recipe: Path | None
) -> Goldens:
    from app.capture.pictures import read_picture
    from app.cli.models.comparing import FrameGoldens
    from app.detect.golden import GoldenSamples

    if images is None:
        return FrameGoldens(first.frames, read_picture)
    if golden is None and recipe and rules.golden_sample:
        golden = recipe.parent / rules.golden_sample
    if golden is None:
        raise UsageError(
            f"the model {wanting.name} compares each picture with its golden sample, and none is given",
            "name a folder or a picture with --golden",
        )
    return GoldenSamples(golden, read_picture)


def _check_format(sheet: Path) -> None:
    from app.cli.outputs import SHEET_SUFFIXES

    if sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise UsageError(f"--sheet {sheet} names no picture format", f"end it in one of {', '.join(SHEET_SUFFIXES)}")


def _compared(plan: Plan, runtime: str, threads: int) -> Comparison:
    from app.cli.models.comparing import compare_on

    with ExitStack() as opened:
        (first, judge), (second, other) = (
            _seated(package, rules, plan.goldens, runtime, threads, opened)
            for package, rules in zip(plan.packages, plan.rules, strict=True)
        )
        with progress("judging", len(plan.paths)) as step:
            return compare_on(plan.paths, (first, second), (judge, other), step)


def _seated(
    package: Package, rules: Recipe, goldens: Goldens | None, runtime: str, threads: int, opened: ExitStack
) -> tuple[Side, Judging]:
    from app.capture.pictures import read_picture
    from app.cli.judging import Judging
    from app.cli.models.comparing import Side
    from app.clock import SystemClock
    from app.detect.inspection import Inspector
    from app.detect.proof import prove
    from app.detect.runtimes import open_detector

    detector = open_detector(package, runtime, threads)
    opened.callback(detector.close)
    unproven = ""
    try:
        prove(package, detector, read_picture)
    except PackageError as error:
        # Not refused: how far a model is off is what one may want to see.
        unproven = error.what
    side = Side(package, detector.runtime, rules.default.threshold, unproven)
    return side, Judging(Inspector(detector, rules, goldens), rules, SystemClock())


def _end(comparison: Comparison, *, is_difference_failure: bool) -> None:
    failed = [judged for pair in comparison.pairs for judged in (pair.one, pair.other) if judged.error]
    for judged in failed:
        complain(f"{judged.path}: {judged.error}")
    codes = [judged.error.exit_code for judged in failed if judged.error]
    if codes:
        raise typer.Exit(max(codes))
    if is_difference_failure and comparison.different:
        raise typer.Exit(DIFFERENT)
