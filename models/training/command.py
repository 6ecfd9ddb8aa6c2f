"""`takt models train`."""

# ruff: noqa: PLC0415, FBT002, PLR0913, PLR0917  (torch and rich load only for the command that needs them; each option is an argument)
from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from models.extras import require

if TYPE_CHECKING:
    from models.recipe import TrainingRecipe
    from models.training.checkpoint import TrainingState
    from models.training.journal import Progress

Source = Annotated[
    str,
    typer.Option("--from", metavar="MODEL", help="Begin with a package's or checkpoint's weights."),
]
_INTERRUPTED_CODE = 130  # as a shell has it for Ctrl-C


def train(
    recipe: Annotated[Path, typer.Argument(help="Training recipe, such as models/recipes/pcb-nano.toml.")],
    data: Annotated[Path, typer.Option("--data", help="Data set: images/<split>/ and annotations/<split>.json.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for checkpoints, log and pictures.")],
    source: Source = "",
    resume: Annotated[bool, typer.Option("--resume", help="Continue from last.pt in --out.")] = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=1, max=256, help="CPU threads for torch.")] = 2,
    max_minutes: Annotated[
        Optional[float],  # noqa: UP045  (typer reads it on 3.10)
        typer.Option("--max-minutes", min=0.0, help="End after so long; continue later with --resume."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON line per evaluation and one at the end.")
    ] = False,
) -> None:
    """Train a model by a recipe; the best checkpoint on val is OUT/best.pt.

    Beside it: last.pt, log.jsonl, curves.png, examples.png. Ctrl-C ends it after the step with last.pt written.
    """
    torch = require("torch", "training")
    from models.recipe import load_recipe

    plan = load_recipe(recipe)
    if plan.kind == "detection":
        require("pycocotools", "training")
    from models.training.device import choose_device
    from models.training.progress import TrainingScreen
    from models.training.train import Start
    from models.training.train import train as run_training

    place = choose_device(device, plan)
    torch.set_num_threads(threads)

    def tell(progress: Progress) -> None:
        screen.update(progress)
        if as_json and progress.scores is not None:
            typer.echo(json.dumps(progress.row()))

    def remark(sentence: str) -> None:
        screen.say(f"warning: {sentence}")
        if as_json:
            typer.echo(json.dumps({"warning": sentence}))

    with stopper(max_minutes) as why_stop, TrainingScreen(plan.train.steps, is_shown=not as_json) as screen:
        start = Start(resume=resume, device=place.type, source=source)
        state = run_training(plan, data, out, start, on_progress=tell, on_remark=remark, why_stop=why_stop)
    report(plan, state, out, as_json=as_json)


@contextmanager
def stopper(max_minutes: float | None) -> Iterator[Callable[[], str]]:
    """Gives a function that says why to stop, if there is a reason: Ctrl-C, a polite kill, or the time that is up.

    A second Ctrl-C ends the program at once.
    """
    from models.training.train import INTERRUPTED, TIME_IS_UP

    reasons: list[str] = []
    until = None if max_minutes is None else time.monotonic() + 60.0 * max_minutes

    def note(number: int, _frame: FrameType | None) -> None:
        reasons.append(INTERRUPTED)
        signal.signal(number, before[signal.Signals(number)])

    def why_stop() -> str:
        if reasons:
            return reasons[0]
        return TIME_IS_UP if until is not None and time.monotonic() >= until else ""

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield why_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def report(recipe: TrainingRecipe, state: TrainingState, out: Path, *, as_json: bool) -> None:
    """Says how a training ended and where its best checkpoint is; an interrupted one ends with code 130.

    Raises:
        Exit: It was interrupted.
    """
    from models.training.train import BEST, FINISHED, INTERRUPTED, LAST, PATIENCE

    has_best = (out / BEST).is_file()
    score = round(state.best_score, 4) if has_best else None
    result = {
        "checkpoint": str(out / BEST) if has_best else str(out / LAST),
        "ended": state.ended,
        "step": state.step,
        "steps": recipe.train.steps,
        "score": recipe.selects,
        "val": score,
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        best = f"{out / BEST}: {recipe.selects} {score:.3f} on val" if has_best else "nothing was evaluated yet"
        mend = "" if state.ended in (FINISHED, PATIENCE) else f"; continue with --resume --out {out}"
        typer.echo(f"{state.ended} at step {state.step:,} of {recipe.train.steps:,}{mend}\n{best}")
    if state.ended == INTERRUPTED:
        raise typer.Exit(_INTERRUPTED_CODE)
