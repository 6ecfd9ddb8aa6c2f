"""Distillation: a small net learns from the labels and from a large one that looks at the same pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from app.errors import DataError
from models.mending import Board
from models.nets.net import PeakNet
from models.recipe import TrainingRecipe, read_toml, recipe_from_dict
from models.smaller.teaching import Lesson, Teacher, lesson_loss
from models.training.begin import is_checkpoint, load_trained
from models.training.boards import TRAIN, load_training_boards
from models.training.checkpoint import TrainingState
from models.training.device import feed_processes
from models.training.feed import Batch, batches
from models.training.journal import Progress
from models.training.loss import Targets
from models.training.step import LossFunction
from models.training.train import Start, train

SECTION = "distil"
LOSS_NAMES = ("heat_loss", "box_loss")


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while a net is trained; each as for `models.training.train.train`.

    Attributes:
        on_progress: Told every step.
        on_remark: Told what is worth a look.
        why_stop: A word ends the training.
    """

    on_progress: Callable[[Progress], None] = lambda _: None
    on_remark: Callable[[str], None] = lambda _: None
    why_stop: Callable[[], str] = lambda: ""

    def train(self, recipe: TrainingRecipe, data_dir: Path, out: Path, start: Start) -> TrainingState:
        """Trains under its eyes."""
        return train(
            recipe,
            data_dir,
            out,
            start,
            on_progress=self.on_progress,
            on_remark=self.on_remark,
            why_stop=self.why_stop,
        )


UNWATCHED = Watch()
FRESH = Start()


def load_student(path: Path) -> tuple[TrainingRecipe, Lesson]:
    """Reads a training recipe with a section `[distil]`, or without: then the lesson is `Lesson()`.

    Raises:
        DataError: The file is missing, is not TOML, or holds an unknown, missing or out-of-bounds key.
    """
    values = read_toml(path)
    section = values.pop(SECTION, {})
    return recipe_from_dict(values, str(path)), _lesson(section, f"{path} [{SECTION}]")


def distil(
    student: tuple[TrainingRecipe, Lesson],
    teacher: str,
    data_dir: Path,
    out: Path,
    watch: Watch = UNWATCHED,
    *,
    start: Start = FRESH,
) -> TrainingState:
    """Trains a small detector under a large one.

    Args:
        student: The small one's recipe, and how much it learns from where. Its input may be a whole number of times
            smaller than the teacher's.
        teacher: The large one, see `models.training.begin.load_trained`.
        data_dir: As for `models.training.train.train`.
        out: As for `models.training.train.train`; the checkpoints are those of a training.
        watch: Who looks on.
        start: What it starts from, and where it runs.

    Raises:
        DataError: As for `models.training.train.train`; or the two do not fit together.
        MissingDriverError: pycocotools is not installed.
    """
    recipe, lesson = student
    with taught_by(teacher, recipe, lesson, data_dir, start.device) as loss_of:
        return watch.train(recipe, data_dir, out, replace(start, loss_of=loss_of, loss_names=LOSS_NAMES))


@contextmanager
def taught_by(
    teacher: str, recipe: TrainingRecipe, lesson: Lesson, data_dir: Path, device: str = "cpu"
) -> Iterator[LossFunction]:
    """The loss of a net that learns by this recipe under this teacher.

    Raises:
        DataError: The checkpoint cannot be used, the two do not fit together, or the pictures cannot be read.
    """
    net, wide = load_trained(teacher)
    if recipe.kind != "detection":
        raise DataError(f"{recipe.name} is a classifier", "give the recipe of a detector")
    if not isinstance(net, PeakNet):
        raise DataError(f"teacher {teacher} is a classifier", "give a detector's checkpoint or package")
    if not is_checkpoint(teacher):  # whose pictures were drawings, a package does not say
        wide = replace(wide, input=replace(wide.input, two_level=recipe.input.two_level))
    large = Teacher(net, wide, recipe)
    if large.factor == 1:
        yield lambda student, batch, plan: _loss(student, batch, plan, large, lesson)
        return
    drawn = enlarged(recipe, wide, large.factor)
    boards = load_training_boards(data_dir, TRAIN, drawn)
    feed = _Feed(boards, drawn, feed_processes(torch.device(device)))
    with closing(feed):
        yield lambda student, batch, plan: _loss(student, batch, plan, large, lesson, feed.of(batch.step))


class _Feed:
    """The batches of a training as large as the teacher sees them, from the step that is asked for first."""

    def __init__(self, boards: Sequence[Board], recipe: TrainingRecipe, processes: int) -> None:
        self._boards, self._recipe, self._processes = boards, recipe, processes
        self._batches: Any = None

    def of(self, step: int) -> Batch:
        """The batch of a step; steps are asked for in order."""
        if self._batches is None:
            self._batches = batches(self._boards, self._recipe, step, self._processes)
        batch: Batch = next(self._batches)
        assert batch.step == step
        return batch

    def close(self) -> None:
        """Ends the processes."""
        if self._batches is not None:
            self._batches.close()


def enlarged(recipe: TrainingRecipe, teacher: TrainingRecipe, factor: int) -> TrainingRecipe:
    """A recipe whose batches are those of the student's recipe, so many times larger, with labels on its grid."""
    return replace(
        recipe,
        input=teacher.input,
        net=replace(recipe.net, head_stride_px=recipe.net.head_stride_px * factor),
        train=replace(recipe.train, crop_px=recipe.train.crop_px * factor),
    )


def shrunk(batch: Batch, factor: int) -> Batch:
    """The batch of an enlarged recipe as the student sees it."""
    targets, objects = batch.targets, batch.targets.objects.clone()
    objects[:, 2:] /= factor
    return replace(
        batch,
        part=_smaller(batch.part, factor),
        golden=None if batch.golden is None else _smaller(batch.golden, factor),
        targets=Targets(targets.heat, targets.cells, targets.boxes / factor, objects, targets.owners),
    )


def _smaller(levels: Tensor, factor: int) -> Tensor:
    return functional.avg_pool2d(levels.float(), factor).round().to(torch.uint8)


def _loss(
    net: Any, batch: Batch, recipe: TrainingRecipe, teacher: Teacher, lesson: Lesson, wide: Batch | None = None
) -> tuple[Tensor, Tensor]:
    if wide is not None:
        wide = wide.to(batch.part.device)
        # A drawing's crop depends on seed and step alone: both batches show the same. What is done to grey levels goes
        # by pixels, so there the small pictures are made of the large ones.
        batch = batch if recipe.input.two_level else shrunk(wide, teacher.factor)
    return lesson_loss(net, batch, recipe, teacher.guide(wide or batch), lesson)


def _lesson(values: dict[str, Any], source: str) -> Lesson:
    known = {field.name for field in dataclasses.fields(Lesson)}
    for key, value in values.items():
        if key not in known:
            raise DataError(f"{source}: unknown key {key!r}", f"use only {', '.join(sorted(known))}")
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise DataError(f"{source}: {key} must be a number that is not negative", "correct the recipe")
    lesson = Lesson(**{key: float(value) for key, value in values.items()})
    if not lesson.score_floor < 1:
        raise DataError(f"{source}: score_floor must be less than 1", "correct the recipe")
    if not lesson.label_weight + lesson.heat_weight + lesson.box_weight:
        raise DataError(f"{source}: all weights are 0", "leave at least one above")
    return lesson
