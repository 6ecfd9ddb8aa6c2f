"""Training batches, drawn one step ahead of the net by one background thread."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.augment import Board, training_crop
from models.loss import Targets, make_targets
from models.recipe import TrainingRecipe

_AHEAD = 3


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's input.

    Attributes:
        step: The step it belongs to.
        part: uint8 {0, 1} (N, 1, S, S).
        golden: The same.
        targets: What the net should say.
    """

    step: int
    part: Tensor
    golden: Tensor
    targets: Targets


def make_batch(boards: Sequence[Board], recipe: TrainingRecipe, step: int) -> Batch:
    """Draws the batch of a step.

    It depends on seed and step alone, so that a resumed run sees what an uninterrupted one would have seen.
    """
    random = np.random.default_rng((recipe.train.seed, step))
    chosen = random.integers(len(boards), size=recipe.train.batch)
    size = recipe.train.crop_px
    crops = [training_crop(boards[index], size, recipe.augment, random) for index in chosen]
    targets = make_targets([(crop.boxes, crop.labels) for crop in crops], len(recipe.classes), size, size)
    part = np.stack([crop.part for crop in crops])[:, None]
    golden = np.stack([crop.golden for crop in crops])[:, None]
    return Batch(step, torch.from_numpy(part), torch.from_numpy(golden), targets)


def batches(boards: Sequence[Board], recipe: TrainingRecipe, first: int) -> Iterator[Batch]:
    """Yields the batches of steps `first` to the recipe's last, drawn ahead in one background thread."""
    pending: queue.SimpleQueue[Future[Batch]] = queue.SimpleQueue()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed") as pool:
        for step in range(first, recipe.train.steps):
            pending.put(pool.submit(make_batch, boards, recipe, step))
            if pending.qsize() > _AHEAD:
                yield pending.get().result()
        while not pending.empty():
            yield pending.get().result()
