"""`takt models evaluate`: measures a package, and writes its card."""

# ruff: noqa: PLC0415, UP045  (rich and the runtimes load only for the command that needs them; typer's options)
from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from app.errors import UsageError

if TYPE_CHECKING:
    from models.evaluation.truth import Source

_CHOOSE_ON = "val"
REGISTER_PX = 12  # as a line's recipe has it by default

PackageName = Annotated[
    str, typer.Argument(help="The package's folder, or its name in the zoo; NAME:VARIANT is one model of it.")
]
DataDir = Annotated[
    Optional[Path],
    typer.Option("--data", help="Data set: images/SPLIT/, annotations/SPLIT.json, images/SPLIT_template/."),
]
Split = Annotated[str, typer.Option("--split", help="Split of --data that is reported.")]
ChooseOn = Annotated[
    Optional[str],
    typer.Option("--choose-on", help="Split of --data that thresholds are chosen on; val, where it is there."),
]
Images = Annotated[Optional[Path], typer.Option("--images", help="Instead of --data: folder of pictures.")]
TruthFile = Annotated[Optional[Path], typer.Option("--truth", help="COCO annotations of --images.")]
Golden = Annotated[Optional[Path], typer.Option("--golden", help="Folder of golden samples of --images.")]
Variants = Annotated[
    Optional[list[str]], typer.Option("--variant", help="Model of the package, such as standby-int8; repeat. All.")
]
Runtimes = Annotated[
    Optional[list[str]], typer.Option("--runtime", help="onnx or openvino; repeat. Those that are installed.")
]
Threshold = Annotated[
    Optional[float], typer.Option("--threshold", min=0.01, max=0.999, help="Instead of each model's own.")
]
MaxEscapes = Annotated[
    Optional[float],
    typer.Option("--max-escapes", min=0, max=1, help="Choose a threshold at which no more defective parts pass: 0.01."),
]
MaxOverkill = Annotated[
    Optional[float],
    typer.Option("--max-overkill", min=0, max=1, help="Choose one at which no more good parts are rejected: 0.03."),
]
RegisterPx = Annotated[
    float,
    typer.Option("--register-px", min=0, max=200, help="Register golden samples within so many px; 0: as they lie."),
]
AsTheyLie = Annotated[
    bool,
    typer.Option(
        "--unregistered-as-they-lie",
        help="Compare a part with a golden sample that cannot be registered, instead of rejecting it as a line does.",
    ),
]
NoMending = Annotated[bool, typer.Option("--no-mending", help="Count pictures as they are only: quick, and too kind.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Chooses the one defect of each board.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads of one inference.")]
Timed = Annotated[int, typer.Option("--timed", min=0, max=100_000, help="Pictures that are timed; 0: none.")]
CardFile = Annotated[
    Optional[Path], typer.Option("--card", help="Write the card here: PACKAGE/card.md. Wants --terms.")
]
TermsFile = Annotated[
    Optional[Path], typer.Option("--terms", help="Markdown for the card: origin and terms of the data.")
]
AboutFile = Annotated[
    Optional[Path],
    typer.Option("--about", help="Markdown for the card: ## Intended use, ## Limits, ## How it was made, others."),
]
PicturesDir = Annotated[
    Optional[Path], typer.Option("--pictures", help="Draw the worst misses on their pictures into this folder.")
]
MayShip = Annotated[
    bool,
    typer.Option("--may-ship-pictures", help="The terms allow it: the card shows the pictures, not only the boxes."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def evaluate(  # noqa: PLR0913 - an argument per option
    package: PackageName,
    *,
    data: DataDir = None,
    split: Split = "test",
    choose_on: ChooseOn = None,
    images: Images = None,
    truth: TruthFile = None,
    golden: Golden = None,
    variant: Variants = None,
    runtime: Runtimes = None,
    threshold: Threshold = None,
    max_escapes: MaxEscapes = None,
    max_overkill: MaxOverkill = None,
    register_px: RegisterPx = REGISTER_PX,
    unregistered_as_they_lie: AsTheyLie = False,
    no_mending: NoMending = False,
    seed: Seed = 0,
    threads: Threads = 1,
    timed: Timed = 100,
    card: CardFile = None,
    terms: TermsFile = None,
    about: AboutFile = None,
    pictures: PicturesDir = None,
    may_ship_pictures: MayShip = False,
    as_json: Json = False,
) -> None:
    """Measure a package: precision, escapes and overkill, thresholds, calibration, parity and speed.

    Every model of the package judges the same pictures on every runtime. Where the set has golden samples, each board
    is also mended to one defect, once per defect, and to none. Thresholds are chosen on one split and reported on
    another. With --card all of it is written as the package's card.
    """
    from app.detect.zoo import find_package, split_variant, zoo_folder
    from models.evaluation.judging import Presentation
    from models.evaluation.measure import Plan, measure
    from models.evaluation.screen import show
    from models.evaluation.writing import Writing
    from models.measures.statistics import Wish
    from models.steps import Steps

    has_wish = max_escapes is not None or max_overkill is not None
    if data is not None:
        source, chosen_on = _of_data(data, split, choose_on, (images, truth, golden))
    else:
        source, chosen_on = _of_files(images, truth, golden), None
    name, named = split_variant(package)
    folder = Path(name) if Path(name).is_dir() else find_package(name, zoo_folder(), is_draft=True).folder
    presentation = Presentation(register_px, unregistered_as_they_lie, not no_mending, seed)
    plan = Plan(
        folder=folder,
        source=source,
        chosen_on=chosen_on if has_wish or card or choose_on else None,
        variants=tuple(variant or ([named] if named else ())),
        runtimes=tuple(runtime or ()),
        threshold=threshold,
        wishes=(Wish(max_escapes, max_overkill),) if has_wish else (),
        presentation=presentation,
        threads=threads,
        timed_pictures=timed,
    )
    writing = Writing(folder, source, presentation, card, terms, about, pictures, may_ship_pictures)
    words = writing.check()
    with Steps(is_shown=not as_json) as steps:
        steps.update("opening", 0, 1)
        report = measure(plan, steps.update)
    written = writing.write(report, words)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(report) | {"written": written}))
        return
    show(report)
    for each in written:
        typer.echo(f"written: {each}")


def _of_data(
    data: Path, split: str, choose_on: str | None, others: tuple[Path | None, ...]
) -> tuple[Source, Source | None]:
    from models.evaluation.truth import Source

    if any(others):
        raise UsageError("--data names pictures and truth already", "leave out --images, --truth and --golden")
    source, chosen_on = (Source.of_split(data, each) for each in (split, choose_on or _CHOOSE_ON))
    is_there = choose_on is not None or chosen_on.truth.is_file()
    return source, chosen_on if is_there and source.name != chosen_on.name else None


def _of_files(images: Path | None, truth: Path | None, golden: Path | None) -> Source:
    from models.evaluation.truth import Source

    if images is None or truth is None:
        raise UsageError("no pictures to measure on are given", "give --data DIR, or --images DIR and --truth FILE")
    return Source(images.name or "pictures", images, truth, golden)
