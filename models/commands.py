"""`takt models train | export | quantize | evaluate`: thin commands over this room."""

# ruff: noqa: PLC0415, FBT002  (torch and rich load only for the command that needs them; typer options are booleans)
from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from app.errors import DataError, DetectorError
from models.extras import require

if TYPE_CHECKING:
    from app.types import Detection, Image
    from models.evaluate import Evaluation
    from models.statistics import Rate
    from models.train import Progress

app = typer.Typer(help="Train, export and evaluate models.", no_args_is_help=True)

_REGISTRATION_PX = 12  # as a line's recipe has it by default

RecipeFile = Annotated[Path, typer.Argument(help="Training recipe, such as models/recipes/pcb-nano.toml.")]
DataDir = Annotated[Path, typer.Option("--data", help="Data set: images/<split>/ and annotations/<split>.json.")]
OutDir = Annotated[Path, typer.Option("--out", help="Folder for checkpoints and log.")]
Threshold = Annotated[float, typer.Option("--threshold", min=0.01, max=0.99, help="Default score threshold.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def train(
    recipe: RecipeFile,
    data: DataDir,
    out: OutDir,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from last.pt in --out.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="Threads for torch.")] = 2,
    as_json: Json = False,
) -> None:
    """Train a model by a recipe; the best checkpoint on val is OUT/best.pt."""
    require("pycocotools", "training")
    torch = require("torch", "training")
    from models.recipe import load_recipe
    from models.train import BEST
    from models.train import train as run_training

    torch.set_num_threads(threads)
    plan = load_recipe(recipe)
    with _Steps("starting", plan.train.steps, is_shown=not as_json) as screen:
        state = run_training(plan, data, out, resume=resume, on_progress=screen.update_training)
    result = {"checkpoint": str(out / BEST), "steps": state.step, "val_map50": round(state.best_map50, 4)}
    typer.echo(json.dumps(result) if as_json else f"{out / BEST}: mAP50 {state.best_map50:.3f} on val")


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="best.pt or last.pt of a training.")],
    out: Annotated[Path, typer.Option("--out", help="The package's folder.")],
    threshold: Threshold = 0.35,
    as_json: Json = False,
) -> None:
    """Write a checkpoint as a package: model.onnx and manifest.toml."""
    from models.export import export_package

    model = export_package(checkpoint, out, threshold)
    result = {"model": str(model), "bytes": model.stat().st_size}
    typer.echo(json.dumps(result) if as_json else f"{model}: {model.stat().st_size} bytes")


@app.command()
def quantize(
    package: Annotated[Path, typer.Argument(help="Folder of a package with a float model.")],
    data: DataDir,
    out: Annotated[Path, typer.Option("--out", help="The new package's folder.")],
    as_json: Json = False,
) -> None:
    """Write a package's model with 8-bit convolutions, as a package of its own, for CPUs with OpenVINO.

    Ranges are measured on 100 pictures of the split train. Measure the new package with takt models evaluate.
    """
    for library in ("torch", "onnx"):
        require(library, "quantizing")
    from models.quantize import CALIBRATION_PICTURES, quantize_package

    with _Steps("measuring ranges", CALIBRATION_PICTURES, is_shown=not as_json) as steps:
        model = quantize_package(package, data, out, on_step=steps.update)
    result = {"model": str(model), "bytes": model.stat().st_size}
    typer.echo(json.dumps(result) if as_json else f"{model}: {model.stat().st_size} bytes")


@app.command()
def evaluate(
    package: Annotated[Path, typer.Argument(help="The package's folder.")],
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures.")],
    truth: Annotated[Path, typer.Option("--truth", help="COCO annotations of them.")],
    golden: Annotated[Optional[Path], typer.Option("--golden", help="Folder of golden samples.")] = None,  # noqa: UP045  (typer reads it on 3.10)
    threshold: Annotated[
        Optional[float],  # noqa: UP045  (typer reads it on 3.10)
        typer.Option("--threshold", min=0.01, max=0.99, help="Instead of the package's."),
    ] = None,
    register_px: Annotated[
        int,
        typer.Option(
            "--register-px", min=0, max=200, help="Register golden samples within so many px; 0: as they lie."
        ),
    ] = _REGISTRATION_PX,
    runtime: Annotated[str, typer.Option("--runtime", help="auto, onnx or openvino.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Measure a package: mean average precision, escapes and overkill per part."""
    require("pycocotools", "evaluation", "evaluate")
    from app.detect.package import load_package
    from app.detect.registration import Registrar
    from app.detect.runtimes import open_detector
    from models.data import load_coco
    from models.evaluate import evaluate as run_evaluation

    loaded = load_package(package, is_draft=True)
    if loaded.spec.is_golden and golden is None:
        raise DataError(f"{loaded.name} compares with a golden sample", "give --golden DIR")
    labelled = load_coco(truth, images, golden, loaded.classes)
    detector = open_detector(loaded, runtime, threads=1)
    limit = loaded.score_threshold if threshold is None else threshold

    def infer(image: Image, sample: Image | None) -> Sequence[Detection]:
        return detector.detect(image, sample).detections

    not_found = 0

    def align(image: Image, sample: Image) -> Image:
        nonlocal not_found
        try:
            registered: Image = Registrar(sample, register_px).register(image).golden.copy()
        except DetectorError:
            not_found += 1
            return sample
        return registered

    with _Steps("evaluating", len(labelled.pictures), is_shown=not as_json) as steps:
        result = run_evaluation(labelled, infer, limit, align=align if register_px else None, on_step=steps.update)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result) | {"golden_samples_not_found": not_found}))
    else:
        _print_evaluation(result, loaded.name, not_found)


class _Steps:
    """A progress bar on stderr."""

    def __init__(self, text: str, steps: int, *, is_shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not is_shown)
        self._task = self._bar.add_task(text, total=steps)
        self._score = ""

    def __enter__(self) -> _Steps:  # noqa: PYI034  (Self is not in Python 3.10)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, done: int, steps: int) -> None:
        """Shows how far it is."""
        self._bar.update(self._task, completed=done, total=steps)

    def update_training(self, progress: Progress) -> None:
        """Shows a training step with its losses and the last mean average precision."""
        if progress.map50 is not None:
            self._score = f"  mAP50 {progress.map50:.3f}"
        text = f"heat {progress.heat_loss:.3f}  box {progress.box_loss:.3f}{self._score}"
        self._bar.update(self._task, completed=progress.step, description=text)


def _print_evaluation(result: Evaluation, name: str, not_found: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{name}, {result.pictures} pictures, threshold {result.threshold:g}")
    for heading in ("class", "AP50", "AP50-95", "escapes of one-defect parts"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    scores = result.precision
    for label, escape in result.escapes_by_class.items():
        row = (f"{scores.per_class50[label]:.3f}", f"{scores.per_class50_95[label]:.3f}", _words(escape))
        table.add_row(label, *row)
    table.add_row("all", f"{scores.map50:.3f}", f"{scores.map50_95:.3f}", _words(result.single_escapes), style="bold")
    console.print(table)
    console.print(f"escapes, pictures as they are: {_words(result.whole_escapes)}")
    console.print(f"one-defect parts on which nothing overlaps the defect: {_words(result.single_missed)}")
    console.print(f"overkill, parts without a defect: {_words(result.overkill)}")
    if not_found:
        console.print(f"golden samples that could not be registered and were taken as they lie: {not_found}")
    console.print(f"fewest escapes and overkill at threshold {result.best_threshold:g}")


def _words(rate: Rate) -> str:
    return f"{rate.count}/{rate.trials} = {rate.value:.2%} [{rate.low:.2%}, {rate.high:.2%}]"
