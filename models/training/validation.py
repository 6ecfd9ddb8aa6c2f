"""What a net finds on whole pictures while it trains, and how good that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from app.detect.suppress import Suppressor
from models.data import LabelledPicture
from models.measures.precision import Found, Precision, average_precision
from models.measures.statistics import auroc
from models.mending import Board
from models.nets.classify import ClassNet
from models.nets.net import PeakNet, stack_inputs
from models.nets.peaks import decode_peaks
from models.recipe import TrainingRecipe
from models.training.boards import is_bad
from models.training.checkpoint import Net
from models.training.feed import as_levels

_AT_ONCE = 4
_LEAST_SCORE = 0.002
"""Fainter findings are not counted: they cost most of the time of counting and change no score's third digit."""


@dataclass(frozen=True, eq=False)
class Validation:
    """An evaluation while training.

    Attributes:
        scores: By name, those of `models.recipe_checks.SCORES` that the pictures can give.
        found: A detector's findings per picture, boxes in pixels of the board; empty for a classifier.
        probabilities: A classifier's, float32 (N, classes); (0, 0) for a detector.
    """

    scores: Mapping[str, float]
    found: Sequence[Found]
    probabilities: npt.NDArray[np.float32]


@torch.no_grad()
def find(net: PeakNet, boards: Sequence[Board], recipe: TrainingRecipe) -> list[Found]:
    """Runs a detector over whole pictures; boxes in pixels of the board."""
    net.eval()
    found: list[Found] = []
    for some, x in _pictures(net, boards, recipe):
        logits, distances = net(x)
        peaks = decode_peaks(logits, distances, net.stride_px)
        for index, board in enumerate(some):
            height, width = board.part.shape[:2]
            scale = np.array([width / recipe.input.width_px, height / recipe.input.height_px] * 2, np.float32)
            boxes, scores, labels = (
                values[index].cpu().numpy() for values in (peaks.boxes, peaks.scores, peaks.classes)
            )
            if recipe.suppression is not None:
                kept = Suppressor(len(scores), recipe.suppression).keep(boxes[None], scores[None], labels[None])
                boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
            found.append(Found(boxes * scale, scores, labels))
    return found


@torch.no_grad()
def classify(net: ClassNet, boards: Sequence[Board], recipe: TrainingRecipe) -> npt.NDArray[np.float32]:
    """Runs a classifier over whole pictures: probabilities, float32 (N, classes)."""
    net.eval()
    rows = [net.probabilities(x).cpu().numpy() for _, x in _pictures(net, boards, recipe)]
    return np.concatenate(rows).astype(np.float32)


def _pictures(
    net: Net, boards: Sequence[Board], recipe: TrainingRecipe
) -> Iterator[tuple[Sequence[Board], torch.Tensor]]:
    """Yields a few pictures at a time as the net takes them."""
    device = next(net.parameters()).device
    for first in range(0, len(boards), _AT_ONCE):
        some = boards[first : first + _AT_ONCE]
        part = torch.cat([as_levels(board.part, recipe) for board in some]).to(device)
        golden = None
        if recipe.input.golden:
            golden = torch.cat([as_levels(board.golden, recipe) for board in some]).to(device)
        yield some, stack_inputs(part, golden, recipe.input).contiguous(memory_format=torch.channels_last)


def validate(net: PeakNet, boards: Sequence[Board], recipe: TrainingRecipe) -> Precision:
    """Mean average precision of a detector on whole pictures."""
    return precision_of(find(net, boards, recipe), boards, recipe)


def precision_of(found: Sequence[Found], boards: Sequence[Board], recipe: TrainingRecipe) -> Precision:
    """Mean average precision of findings."""
    truth = [LabelledPicture(number, Path(), None, board.boxes, board.labels) for number, board in enumerate(boards)]
    return average_precision(truth, [_audible(each) for each in found], recipe.classes)


def _audible(found: Found) -> Found:
    kept = found.scores >= _LEAST_SCORE
    return Found(found.boxes[kept], found.scores[kept], found.labels[kept])


def evaluate_net(net: Net, boards: Sequence[Board], recipe: TrainingRecipe) -> Validation:
    """Measures a net on a validation split.

    Raises:
        MissingDriverError: pycocotools is not installed; for a detector.
    """
    is_defective = [is_bad(board, recipe) for board in boards]
    if isinstance(net, ClassNet):
        probabilities = classify(net, boards, recipe)
        truth = np.array([board.category for board in boards])
        accuracy = float((probabilities.argmax(axis=1) == truth).mean())
        bad = [index for index, name in enumerate(recipe.classes) if name not in recipe.good_classes]
        scores = {"accuracy": accuracy, **_auroc(probabilities[:, bad].sum(axis=1).tolist(), is_defective)}
        return Validation(scores, (), probabilities)
    found = find(net, boards, recipe)
    precision = precision_of(found, boards, recipe)
    highest = [float(each.scores.max(initial=0.0)) for each in found]
    scores = {"map50": precision.map50, "map50_95": precision.map50_95, **_auroc(highest, is_defective)}
    return Validation(scores, found, np.zeros((0, 0), np.float32))


def _auroc(ranks: Sequence[float], is_defective: Sequence[bool]) -> dict[str, float]:
    bad, good = (
        [rank for rank, each in zip(ranks, is_defective, strict=True) if each is kind] for kind in (True, False)
    )
    area = auroc(bad, good)
    return {} if area is None else {"auroc": area.value}
