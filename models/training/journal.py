"""What a training leaves to read: its log, curves, examples, and TensorBoard's files where that is installed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from app.errors import DataError
from models.data import Picture
from models.mending import Board
from models.recipe import TrainingRecipe
from models.training.curves import draw_curves
from models.training.examples import Example, chosen, draw_examples
from models.whole_file import write_whole

if TYPE_CHECKING:
    from models.training.validation import Validation

LOG, CURVES, EXAMPLES, TENSORBOARD = "log.jsonl", "curves.png", "examples.png", "tensorboard"


@dataclass(frozen=True)
class Progress:
    """What a running training tells.

    Attributes:
        step: Steps done.
        steps: Steps to do.
        seconds: Since this start.
        learning_rate: Of the last step.
        losses: Moving averages, by name: "heat_loss" and "box_loss", or "class_loss".
        scores: Of the averaged weights on `val`, where this step was evaluated: "map50" and "map50_95", or
            "accuracy", and "auroc" where there are good and defective pictures.
        is_best: They are the best so far.
    """

    step: int
    steps: int
    seconds: float
    learning_rate: float
    losses: Mapping[str, float]
    scores: Mapping[str, float] | None = None
    is_best: bool = False

    def row(self) -> dict[str, Any]:
        """A line of the log."""
        known = {"step": self.step, "steps": self.steps, "seconds": round(self.seconds, 1)}
        row = {**known, "learning_rate": self.learning_rate, **self.losses}
        return {**row, **self.scores, "is_best": self.is_best} if self.scores is not None else row


class Journal:
    """Writes down how a training goes.

    Args:
        out: The training's folder.
        recipe: Its recipe.
        step: Where it begins: what the log says of later steps was not kept and is taken out.

    Raises:
        DataError: The folder cannot be written.
    """

    def __init__(self, out: Path, recipe: TrainingRecipe, step: int) -> None:
        self._out, self._recipe = out, recipe
        self._rows = [row for row in read_log(out / LOG) if row["step"] <= step] if step else []
        write_whole(out / LOG, "".join(json.dumps(row) + "\n" for row in self._rows).encode())
        self._board = _event_writer(out / TENSORBOARD, step)

    def tell(self, progress: Progress) -> None:
        """Adds a line to the log.

        Raises:
            DataError: It cannot be written.
        """
        row = progress.row()
        self._rows.append(row)
        try:
            with (self._out / LOG).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
        except OSError as error:
            what = f"{self._out / LOG} cannot be written ({error.strerror})"
            raise DataError(what, "make room on the disk, then continue with --resume") from error
        if self._board is not None:
            for name, value in {"learning_rate": progress.learning_rate, **progress.losses}.items():
                self._board.add_scalar(f"train/{name}", value, progress.step)
            for name, value in (progress.scores or {}).items():
                self._board.add_scalar(f"val/{name}", value, progress.step)

    def draw(self, boards: Sequence[Board], validation: Validation) -> None:
        """Draws the curves so far, and a few pictures with what was found in them.

        Raises:
            DataError: They cannot be written.
        """
        write_whole(self._out / CURVES, _png(draw_curves(self._rows, f"{self._recipe.name} {self._recipe.version}")))
        examples = [self._example(boards[index], index, validation) for index in chosen(len(boards))]
        write_whole(self._out / EXAMPLES, _png(draw_examples(examples, self._recipe.classes)))
        if self._board is not None:
            self._board.flush()

    def close(self) -> None:
        """Ends the event file."""
        if self._board is not None:
            self._board.close()

    def _example(self, board: Board, index: int, validation: Validation) -> Example:
        if self._recipe.kind == "detection":
            return Example(board, board.name, validation.found[index])
        row = validation.probabilities[index]
        best, classes = int(row.argmax()), self._recipe.classes
        sign = "right" if best == board.category else "WRONG"
        return Example(board, f"{sign}: {classes[best]} {row[best]:.2f}, truth {classes[board.category]}  {board.name}")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Reads a training's log; a line that a power cut left unfinished is passed over."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and "step" in row and "steps" in row:
            rows.append(row)
    return rows


def _png(picture: Picture) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def _event_writer(folder: Path, step: int) -> Any:
    """TensorBoard's writer; None where it is not installed."""
    try:
        importlib.import_module("tensorboard")
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder), purge_step=step or None)
    except ImportError:
        return None
