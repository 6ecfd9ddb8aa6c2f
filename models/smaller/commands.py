"""`takt models quantize | sensitivity | distil | prune`: smaller models out of larger ones."""

# ruff: noqa: FBT002, PLC0415, PLR0913, PLR0917, UP045  (torch and rich load only when needed; each option is an argument)
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from app.detect.zoo import find_package, zoo_folder
from app.errors import UsageError
from models.extras import require
from models.training.command import Source as Beginning

if TYPE_CHECKING:
    from app.detect.manifest import Role
    from models.smaller.distil import Watch
    from models.smaller.jobs import Job
    from models.smaller.qat import Tuned
    from models.smaller.quantize import Quantized
    from models.smaller.sensitivity import Loss, SensitivityTable
    from models.training.journal import Progress

Source = Annotated[Path, typer.Argument(help="A package by name or folder, or a checkpoint (best.pt) of a training.")]
DataDir = Annotated[Path, typer.Option("--data", help="Data set: images/<split>/ and annotations/<split>.json.")]
OutPackage = Annotated[
    Optional[Path], typer.Option("--out", help="The package that gets the model; by default PACKAGE itself.")
]
OutDir = Annotated[Path, typer.Option("--out", help="Folder for checkpoints, log and pictures.")]
Variant = Annotated[str, typer.Option("--variant", help="Which model of the package; by default its first.")]
RoleName = Annotated[str, typer.Option("--role", help="What a checkpoint's model is for: accelerator or standby.")]
Threshold = Annotated[
    Optional[float], typer.Option("--threshold", min=0.01, max=0.99, help="A checkpoint's default score threshold.")
]
Keep = Annotated[
    str,
    typer.Option("--keep", help="What stays in float: edges (first and last), auto, none, or names of layers: a,b"),
]
Bits = Annotated[int, typer.Option("--bits", min=7, max=8, help="Of kernels; 8 only where every CPU has VNNI.")]
MaxLoss = Annotated[
    float, typer.Option("--max-loss", min=0.0, max=1.0, help="Mean average precision that auto may lose.")
]
Pictures = Annotated[int, typer.Option("--pictures", min=1, help="Pictures of val that layers are judged on.")]
QatSteps = Annotated[int, typer.Option("--qat-steps", min=0, help="Train the rounded net on for so many steps.")]
Rate = Annotated[float, typer.Option("--learning-rate", min=1e-7, max=0.1, help="At its highest.")]
Work = Annotated[Optional[Path], typer.Option("--work", help="Keep checkpoints and curves of --qat-steps here.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=256, help="CPU threads for torch.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from last.pt in --out.")]
MaxMinutes = Annotated[
    Optional[float], typer.Option("--max-minutes", min=0.0, help="End after so long; continue later with --resume.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def quantize(
    source: Source,
    data: DataDir,
    out: OutPackage = None,
    variant: Variant = "",
    role: RoleName = "accelerator",
    threshold: Threshold = None,
    keep: Keep = "edges",
    bits: Bits = 7,
    max_loss: MaxLoss = 0.005,
    pictures: Pictures = 100,
    qat_steps: QatSteps = 0,
    learning_rate: Rate = 1e-4,
    work: Work = None,
    device: Device = "auto",
    threads: Threads = 2,
    as_json: Json = False,
) -> None:
    """Write a model with 8-bit convolutions into a package, for CPUs and GPUs.

    Ranges are measured on 100 pictures of the split train. With --qat-steps the rounded net is trained on, under the
    float net, from a checkpoint. Compare the models with takt models evaluate.
    """
    job = _job(source, data, variant, role, threshold, keep, bits, max_loss, pictures)
    from models.smaller.jobs import as_row, run_quantize, run_tuned
    from models.steps import Steps

    if not qat_steps:
        with Steps(is_shown=not as_json) as screen:
            written = run_quantize(job, out, screen.update)
        typer.echo(json.dumps(as_row(written)) if as_json else _written(written))
        return
    if not job.is_checkpoint:
        raise UsageError(
            f"{source} is a package, whose net cannot be trained on", "give the checkpoint that it was made from"
        )
    place = _prepare_torch(device, threads)
    from models.smaller.qat import Plan

    plan = Plan(qat_steps, learning_rate, place, work)
    with Steps(is_shown=not as_json) as measuring, _watched(qat_steps, None, as_json=as_json) as watch:
        tuned = run_tuned(job, out, plan, measuring.update, watch)
    typer.echo(json.dumps(as_row(tuned)) if as_json else _tuned(tuned))


def sensitivity(
    source: Source,
    data: DataDir,
    variant: Variant = "",
    keep: Keep = "edges",
    bits: Bits = 7,
    max_loss: MaxLoss = 0.005,
    pictures: Pictures = 100,
    as_json: Json = False,
) -> None:
    """Tell what each layer of a model costs in 8 bits, and which should stay in float.

    Every layer is judged alone in 8 bits, and alone in float. Ranges come from train, the judgement from val.
    """
    job = _job(source, data, variant, "accelerator", None, keep, bits, max_loss, pictures)
    from models.smaller.jobs import as_row, run_sensitivity
    from models.steps import Steps

    with Steps(is_shown=not as_json) as screen:
        table = run_sensitivity(job, screen.update)
    if as_json:
        typer.echo(json.dumps(as_row(table)))
    else:
        _show(table)


def distil(
    recipe: Annotated[Path, typer.Argument(help="Recipe of the small model; [distil] says how it learns.")],
    teacher: Annotated[str, typer.Option("--teacher", metavar="MODEL", help="The large model: package or checkpoint.")],
    data: DataDir,
    out: OutDir,
    source: Beginning = "",
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 2,
    max_minutes: MaxMinutes = None,
    as_json: Json = False,
) -> None:
    """Train a small model on labels and on what a large one says; the best checkpoint on val is OUT/best.pt."""
    place = _prepare_torch(device, threads)
    from models.smaller.distil import distil as run_distil
    from models.smaller.distil import load_student
    from models.training.command import report
    from models.training.train import Start

    student = load_student(recipe)
    with _watched(student[0].train.steps, max_minutes, as_json=as_json) as watch:
        start = Start(resume=resume, device=place, source=source)
        state = run_distil(student, teacher, data, out, watch, start=start)
    report(student[0], state, out, as_json=as_json)


def prune(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint (best.pt) of the model to prune.")],
    data: DataDir,
    out: OutDir,
    macs: Annotated[float, typer.Option("--macs", min=0.01, max=0.99, help="Share of multiplications left.")] = 0.7,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Train the pruned model on for so many.")] = 3000,
    learning_rate: Rate = 1e-3,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = 2,
    max_minutes: MaxMinutes = None,
    as_json: Json = False,
) -> None:
    """Leave out the channels of a model that count least and train the rest on; the best on val is OUT/best.pt."""
    place = _prepare_torch(device, threads)
    from models.smaller.prune_training import PrunePlan, prune_checkpoint
    from models.training.checkpoint import LAST, load_average
    from models.training.command import report

    plan = PrunePlan(macs, steps, learning_rate, place, resume)
    with _watched(steps, max_minutes, as_json=as_json) as watch:
        state = prune_checkpoint(checkpoint, data, out, plan, watch)
    report(load_average(out / LAST)[1], state, out, as_json=as_json)


def _job(
    source: Path,
    data: Path,
    variant: str,
    role: str,
    threshold: float | None,
    keep: str,
    bits: int,
    max_loss: float,
    pictures: int,
) -> Job:
    require("onnx", "quantizing")
    from models.smaller.jobs import Job
    from models.smaller.quantize import Rounding

    roles: dict[str, Role] = {"accelerator": "accelerator", "standby": "standby"}
    if role not in roles:
        raise UsageError(f"there is no role {role!r}", "use accelerator or standby")
    if not source.exists():
        named = find_package(str(source), zoo_folder(), is_draft=True)
        source, variant = named.folder, variant or (named.variant if ":" in str(source) else "")
    words = tuple(word.strip() for word in keep.split(",") if word.strip())
    return Job(source, data, variant, roles[role], threshold, Rounding(words, bits, max_loss, pictures))


def _prepare_torch(device: str, threads: int) -> str:
    """Loads torch and chooses where it runs."""
    torch = require("torch", "training")
    require("pycocotools", "training")
    torch.set_num_threads(threads)
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"there is no device {device!r}", "use auto, cpu or cuda")
    has_gpu = bool(torch.cuda.is_available())
    if device == "cuda" and not has_gpu:
        raise UsageError("there is no GPU that torch can use", "use --device cpu, or install torch for your GPU")
    return "cuda" if has_gpu and device != "cpu" else "cpu"


@contextmanager
def _watched(steps: int, max_minutes: float | None, *, as_json: bool) -> Iterator[Watch]:
    """A training's progress on the screen, or a JSON line per evaluation; Ctrl-C ends it after the step."""
    from models.smaller.distil import Watch
    from models.training.command import stopper
    from models.training.progress import TrainingScreen

    with stopper(max_minutes) as why_stop, TrainingScreen(steps, is_shown=not as_json) as screen:

        def tell(progress: Progress) -> None:
            screen.update(progress)
            if as_json and progress.scores is not None:
                typer.echo(json.dumps(progress.row()))

        def remark(sentence: str) -> None:
            screen.say(sentence)
            if as_json:
                typer.echo(json.dumps({"remark": sentence}))

        yield Watch(tell, remark, why_stop)


def _written(model: Quantized) -> str:
    kept = ", ".join(model.kept) or "none"
    return f"{model.onnx}: {model.variant}, {len(model.layers)} layers in 8 bits; in float: {kept}"


def _tuned(result: Tuned) -> str:
    end = "" if result.is_trained else "; what was before training is written, for it is better"
    return (
        f"{_written(result.quantized)}\non val: float {result.float_score:.4f}, rounded {result.before:.4f},"
        f" trained on {result.after:.4f}{end}"
    )


def _show(table: SensitivityTable) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    is_detector = table.map50 is not None
    unit = "mAP50" if is_detector else "score"
    title = f"lost in 8 bits, {table.pictures} pictures of val" + (f", mAP50 {table.map50:.4f}" if is_detector else "")
    grid = Table(title=title)
    for heading in ("layer", "weights", f"alone ({unit})", "alone (score)", f"all others ({unit})", "stays in float"):
        grid.add_column(heading, justify="left" if heading == "layer" else "right")
    for row in table.layers:
        cells = (_points(row.alone), f"{row.alone.score:.4f}", _points(row.spared))
        grid.add_row(row.layer, f"{row.weights:,}", *cells, "yes" if row.layer in table.kept else "")
    console.print(grid)
    console.print(f"all in 8 bits lose {_points(table.every)}; wanted at most {table.max_loss:.4f}")
    if table.kept:
        console.print(f"with {', '.join(table.kept)} in float: {_points(table.chosen)}")


def _points(loss: Loss) -> str:
    return f"{loss.value:+.4f}"
