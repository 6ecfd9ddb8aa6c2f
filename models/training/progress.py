"""A training on the screen: a bar with rate and time left, and a line for each evaluation."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from models.training.journal import Progress

_WORDS = {"map50": "mAP50", "map50_95": "mAP50-95", "auroc": "AUROC", "accuracy": "accuracy"}


class TrainingScreen:
    """A progress bar on stderr.

    Args:
        steps: Steps to do.
        is_shown: Whether anything is shown at all.
    """

    def __init__(self, steps: int, *, is_shown: bool) -> None:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.description}"),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), disable=not is_shown, speed_estimate_period=120)
        self._task = self._bar.add_task("reading pictures", total=steps, rate="")
        self._is_shown, self._first, self._score = is_shown, True, ""

    def __enter__(self) -> TrainingScreen:  # noqa: PYI034  (Self is not in Python 3.10)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, remark: str) -> None:
        """Shows a sentence above the bar."""
        if self._is_shown:
            self._bar.console.print(remark, highlight=False, soft_wrap=True)

    def update(self, progress: Progress) -> None:
        """Shows a step, and a line where the net was evaluated."""
        if self._first:
            # A resumed training begins where it was: the time left is not reckoned from steps of another day.
            self._bar.reset(self._task, total=progress.steps, completed=progress.step, description="", rate="")
            self._first = False
        losses = "  ".join(f"{name.removesuffix('_loss')} {value:.3f}" for name, value in progress.losses.items())
        if progress.scores is not None:
            self._score = "  ".join(f"{_WORDS[name]} {value:.3f}" for name, value in progress.scores.items())
            best = "  best so far" if progress.is_best else ""
            self.say(f"step {progress.step:,}: {losses}  on val {self._score}{best}")
        speed = self._bar.tasks[0].speed
        rate = f"{speed:.1f} steps/s" if speed else ""
        words = f"{losses}  {self._score}".rstrip()
        self._bar.update(self._task, completed=progress.step, description=words, rate=rate)
