"""Training batches, drawn a few steps ahead of the net by other processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data import Picture
from models.mending import Board
from models.recipe import Augmentation, TrainingRecipe
from models.training.augment import training_crop
from models.training.augment_grey import grey_crop
from models.training.boards import load_boards, shrink_of, to_size
from models.training.loss import Targets, make_targets
from models.training.regions import make_region_targets

__all__ = ["Batch", "as_levels", "batches", "load_boards", "make_batch", "to_size"]

_AHEAD = 3  # per process
_WHITE = 255


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's input.

    Attributes:
        step: The step it belongs to.
        part: uint8 (N, C, H, W), levels.
        golden: The same, or None for a model without.
        targets: What a detector should say; of no object where the net classifies.
        categories: int64 (N,), what a classifier should say; -1 where the net detects.
        names: The pictures' files.
    """

    step: int
    part: Tensor
    golden: Tensor | None
    targets: Targets
    categories: Tensor
    names: tuple[str, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        if device.type == "cpu":
            return self
        golden = None if self.golden is None else self.golden.to(device)
        moved = replace(self, part=self.part.to(device), golden=golden, targets=self.targets.to(device))
        return replace(moved, categories=self.categories.to(device))


def make_batch(boards: Sequence[Board], recipe: TrainingRecipe, step: int) -> Batch:
    """Draws the batch of a step.

    It depends on seed and step alone, so that a resumed run sees what an uninterrupted one would have seen.
    """
    random = np.random.default_rng((recipe.train.seed, step))
    chosen = [boards[int(index)] for index in random.integers(len(boards), size=recipe.train.batch)]
    draw, odds = _two_level_crop if recipe.input.two_level else _grey_crop, _odds(recipe, step)
    crops = [draw(board, boards, recipe, odds, random) for board in chosen]
    golden = _as_tensor([crop.golden for crop in crops]) if recipe.input.golden else None
    return Batch(
        step=step,
        part=_as_tensor([crop.part for crop in crops]),
        golden=golden,
        targets=_targets(crops, recipe),
        categories=torch.tensor([board.category for board in chosen]),
        names=tuple(board.name for board in chosen),
    )


def _targets(crops: Sequence[Board], recipe: TrainingRecipe) -> Targets:
    if recipe.kind == "classification":
        return make_targets([], 1, 1, 1, 1)
    size = recipe.train.crop_px
    if recipe.train.targets == "regions":
        return make_region_targets(crops, len(recipe.classes), size, size, recipe.net.head_stride_px)
    truths = [(crop.boxes, crop.labels) for crop in crops]
    return make_targets(truths, len(recipe.classes), size, size, recipe.net.head_stride_px)


def _two_level_crop(
    board: Board, _others: Sequence[Board], recipe: TrainingRecipe, odds: Augmentation, random: np.random.Generator
) -> Board:
    """A crop of the drawing, shrunk as the picture is for a net of lower input."""
    size, shrink = recipe.train.crop_px, shrink_of(board, recipe)
    crop = training_crop(board, size * shrink, odds, random)
    part, golden = (to_size(each * np.uint8(_WHITE), (size, size)) for each in (crop.part, crop.golden))
    return Board(part, golden, crop.boxes / np.float32(shrink), crop.labels)


def _grey_crop(
    board: Board, others: Sequence[Board], recipe: TrainingRecipe, odds: Augmentation, random: np.random.Generator
) -> Board:
    shape, side = recipe.input, recipe.train.crop_px
    size = (side, side) if recipe.kind == "detection" else (shape.width_px, shape.height_px)
    return grey_crop(board, others, size, odds, random)


def _odds(recipe: TrainingRecipe, step: int) -> Augmentation:
    odds, plan = recipe.augment, recipe.train
    if step >= plan.steps - plan.upright_steps:
        odds = replace(odds, symmetries=False)
    if recipe.kind == "classification":
        # What mends or adds a defect would change the picture's class.
        return replace(odds, template_probability=0.0, paste_probability=0.0)
    # A net that does not see the golden sample cannot know that a defect is in it too.
    return odds if recipe.input.golden else replace(odds, designed_probability=0.0)


def as_levels(picture: Picture, recipe: TrainingRecipe) -> Tensor:
    """A whole picture as the net takes it, uint8 (1, C, H, W).

    Args:
        picture: A `Board`'s part or golden sample.
        recipe: Says what its numbers mean.
    """
    if recipe.input.two_level:
        picture = to_size(picture * np.uint8(_WHITE), (recipe.input.width_px, recipe.input.height_px))
    return _as_tensor([picture])


def _as_tensor(pictures: Sequence[Picture]) -> Tensor:
    stack = np.stack(pictures)
    stack = stack[:, None] if stack.ndim == 3 else stack.transpose(0, 3, 1, 2)  # noqa: PLR2004
    return torch.from_numpy(np.ascontiguousarray(stack))


def batches(boards: Sequence[Board], recipe: TrainingRecipe, first: int, workers: int = 1) -> Iterator[Batch]:
    """Yields the batches of steps `first` to the recipe's last, in order, drawn ahead in processes of their own.

    Threads would contend with the net for the interpreter's lock: on two cores a step was measured to take 3.5 times
    as long. Processes are forked, so the boards are there without being sent.
    """
    loader = DataLoader(
        _Steps(boards, recipe, first),
        batch_size=None,
        shuffle=False,
        num_workers=workers,
        prefetch_factor=_AHEAD,
        multiprocessing_context="fork",
        worker_init_fn=_draw_alone,
    )
    yield from loader


class _Steps(Dataset[Batch]):
    """The batches that are still to be drawn, by their place in the queue."""

    def __init__(self, boards: Sequence[Board], recipe: TrainingRecipe, first: int) -> None:
        self._boards, self._recipe, self._first = boards, recipe, first

    def __len__(self) -> int:
        return max(0, self._recipe.train.steps - self._first)

    def __getitem__(self, index: int) -> Batch:
        return make_batch(self._boards, self._recipe, self._first + index)


def _draw_alone(_worker: int) -> None:
    # Whoever ends the training tells all its processes; it ends them itself, once its step is done and written.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
