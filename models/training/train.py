"""The training loop: batches, steps, evaluation, checkpoints, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import DataError
from models.mending import Board
from models.recipe import TrainingRecipe
from models.training.begin import begun, load_trained
from models.training.boards import TRAIN, VAL, check_scores, fingerprint, load_training_boards, remarks
from models.training.checkpoint import (
    BEST,
    LAST,
    Net,
    TrainingState,
    load_average,
    new_state,
    resume_state,
    save_state,
)
from models.training.device import feed_processes
from models.training.feed import batches, make_batch
from models.training.journal import LOG, Journal, Progress
from models.training.schedule import has_patience
from models.training.step import LOSS_NAMES, LossFunction, batch_loss, learning_rate, net_input, train_step
from models.training.validation import Validation, evaluate_net, find, validate

__all__ = [
    "BEST",
    "LAST",
    "LOG",
    "Progress",
    "Start",
    "TrainingState",
    "find",
    "learning_rate",
    "load_average",
    "new_state",
    "resume_state",
    "save_state",
    "train",
    "train_step",
    "validate",
]

FINISHED, PATIENCE, TIME_IS_UP, INTERRUPTED = "finished", "patience", "time is up", "interrupted"
_LAST_EVERY_STEPS = 500
_LOG_EVERY_STEPS = 100


@dataclass(frozen=True, eq=False)
class Start:
    """What a training starts from, and by what it learns.

    Attributes:
        resume: Continue from the folder's `last.pt`.
        device: Where it runs, as torch names it (`models.training.device` chooses).
        initial: Weights to begin with instead of chance, such as a pruned net's.
        source: A checkpoint or a package whose weights it begins with, layer by layer where they fit
            (`models.training.begin.load_trained`); empty: none.
        loss_of: The loss; another one lets a teacher have its say.
        loss_names: Names of its parts, each ending in "_loss"; empty: those of the recipe's kind.
    """

    resume: bool = False
    device: str = "cpu"
    initial: Net | None = None
    source: str = ""
    loss_of: LossFunction = batch_loss
    loss_names: tuple[str, ...] = ()


def train(
    recipe: TrainingRecipe,
    data_dir: Path,
    out: Path,
    start: Start = Start(),
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_remark: Callable[[str], None] = lambda _: None,
    why_stop: Callable[[], str] = lambda: "",
) -> TrainingState:
    """Trains by a recipe on a data set's `train` split and chooses on its `val` split.

    All pictures are held in memory: one byte per pixel and channel, two with golden samples.

    Args:
        recipe: The recipe.
        data_dir: Folder with `images/` and `annotations/` (`models.data`).
        out: Folder for `last.pt`, `best.pt`, `log.jsonl`, `curves.png` and `examples.png`.
        start: What it starts from.
        on_progress: Told every step.
        on_remark: Told what is worth a look before hours are spent, such as classes without examples.
        why_stop: Asked after every step; a word ends the training there, with `last.pt` written.

    Returns:
        The state at the end; `ended` says why it is the end.

    Raises:
        DataError: The data, the folder or the checkpoint cannot be used, or the loss is not finite.
        PackageError: The package to begin with is broken.
        MissingDriverError: pycocotools is not installed; for a detector.
    """
    if not start.resume and (out / LAST).exists():
        raise DataError(f"{out} holds a training already", "continue it with --resume, or give another --out")
    trained = load_trained(start.source)[0] if start.source and not start.resume else None
    boards, held_out = (load_training_boards(data_dir, split, recipe) for split in (TRAIN, VAL))
    check_scores(held_out, recipe)
    for remark in (*remarks(boards, TRAIN, recipe), *remarks(held_out, VAL, recipe)):
        on_remark(remark)
    if trained is not None:
        start = replace(
            start, initial=begun(recipe, trained, on_remark, lambda: net_input(make_batch(boards, recipe, 0), recipe))
        )
    state = _begin(recipe, out, start, fingerprint(boards, held_out))
    names = start.loss_names or LOSS_NAMES[recipe.kind]
    run = _Run(recipe, out, state, names, on_progress)
    try:
        if not has_patience(recipe.train, state.evaluations_without_gain):
            state.ended = PATIENCE
            return state
        for batch in batches(boards, recipe, state.step, feed_processes(state.device)):
            train_step(state, batch, recipe, start.loss_of)
            if run.ends_after_step(held_out, why_stop):
                return state
        state.ended = FINISHED
    finally:
        run.journal.close()
    return state


def _begin(recipe: TrainingRecipe, out: Path, start: Start, data: str) -> TrainingState:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"folder {out} cannot be made ({error.strerror})", "give another --out") from error
    if not start.resume:
        state = new_state(recipe, start.device, start.initial)
        state.data = data
        return state
    state = resume_state(recipe, out / LAST, start.device)
    if state.data and state.data != data:
        raise DataError(
            f"{out / LAST} was trained on other pictures or labels than these",
            "resume with the data it began with, or train anew into another --out",
        )
    state.data = data
    return state


class _Run:
    """What happens between two steps."""

    def __init__(
        self,
        recipe: TrainingRecipe,
        out: Path,
        state: TrainingState,
        loss_names: Sequence[str],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.journal = Journal(out, recipe, state.step)
        self._recipe, self._out, self._state = recipe, out, state
        self._loss_names, self._on_progress = loss_names, on_progress
        self._began = time.monotonic()

    def ends_after_step(self, held_out: Sequence[Board], why_stop: Callable[[], str]) -> bool:
        """Evaluates, saves and tells, each when it is due; whether this was the last step."""
        state, plan = self._state, self._recipe.train
        is_last = state.step == plan.steps
        word = "" if is_last else why_stop()
        # A training whose time is up leaves a best checkpoint, whenever it was to be evaluated.
        is_due = state.step % plan.evaluate_every_steps == 0 or (word == TIME_IS_UP and state.best_score < 0)
        validation, is_best = None, False
        if is_last or is_due:
            validation = evaluate_net(state.average, held_out, self._recipe)
            is_best = self._judge(validation)
        if not word and not is_last and not has_patience(plan, state.evaluations_without_gain):
            word = PATIENCE
        if is_last or word or validation is not None or state.step % _LAST_EVERY_STEPS == 0:
            save_state(state, self._recipe, self._out / LAST)
        progress = self._progress(validation, is_best=is_best)
        if word or validation is not None or state.step % _LOG_EVERY_STEPS == 0:
            self.journal.tell(progress)
        if validation is not None:
            self.journal.draw(held_out, validation)
        self._on_progress(progress)
        state.ended = word or (FINISHED if is_last else "")
        return bool(state.ended)

    def _judge(self, validation: Validation) -> bool:
        """Keeps the averaged weights if they are the best so far."""
        state, score = self._state, validation.scores[self._recipe.selects]
        if score <= state.best_score:
            state.evaluations_without_gain += 1
            return False
        state.best_score, state.evaluations_without_gain = score, 0
        save_state(state, self._recipe, self._out / BEST)
        return True

    def _progress(self, validation: Validation | None, *, is_best: bool) -> Progress:
        state, plan = self._state, self._recipe.train
        return Progress(
            step=state.step,
            steps=plan.steps,
            seconds=time.monotonic() - self._began,
            learning_rate=learning_rate(self._recipe, state.step - 1),
            losses=dict(zip(self._loss_names, state.losses.tolist(), strict=True)),
            scores=None if validation is None else validation.scores,
            is_best=is_best,
        )
