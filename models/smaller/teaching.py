"""What a smaller net learns from a larger one, beside the labels.

The teacher's heat maps are soft labels (Hinton et al., arXiv:1503.02531) under the quality focal loss (Li et al.,
arXiv:2006.04388, equation 3), which weighs a cell by how far the two nets differ. Its boxes count where it is sure of
something. It may see the pictures larger: its maps are brought to the student's grid by their highest cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.errors import DataError
from models.nets.net import PeakNet
from models.nets.peaks import cell_boxes
from models.recipe import TrainingRecipe
from models.training.feed import Batch
from models.training.loss import generalised_iou
from models.training.step import label_loss, net_input

_LEAST_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """How much of a loss comes from where; the section `[distil]` of a recipe.

    Attributes:
        label_weight: Of the loss that labels alone give.
        heat_weight: Of the teacher's heat maps.
        box_weight: Of the teacher's boxes.
        score_floor: Cells count for the boxes where the teacher's score is at least this.
    """

    label_weight: float = 1.0
    heat_weight: float = 1.0
    box_weight: float = 1.0
    score_floor: float = 0.1


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a teacher says of a batch, on the student's grid.

    Attributes:
        heat: float (N, classes, h, w), 0 .. 1.
        boxes: float (N, 4, h, w), x1, y1, x2, y2 in the student's pixels.
    """

    heat: Tensor
    boxes: Tensor


class Teacher:
    """A trained net that says what it sees.

    Args:
        net: The trained net; a folded copy is used.
        recipe: Its recipe.
        student: The recipe of the net that learns.

    Attributes:
        factor: Pixels of the teacher's pictures to one of the student's.

    Raises:
        DataError: The two do not see the same, or the student's grid is the finer one.
    """

    def __init__(self, net: PeakNet, recipe: TrainingRecipe, student: TrainingRecipe) -> None:
        _check_pair(recipe, student)
        self._net = net.folded().requires_grad_(requires_grad=False)
        self._recipe = recipe
        self.factor = recipe.input.width_px // student.input.width_px
        cell_px = student.net.head_stride_px * self.factor
        if cell_px % net.stride_px:
            raise DataError(
                f"the student's cells are {cell_px} px of the teacher's pictures, and the teacher's {net.stride_px}",
                "give the student a coarser grid: net.head_stride_px",
            )
        self._ratio = cell_px // net.stride_px

    @torch.no_grad()
    def guide(self, batch: Batch) -> Guidance:
        """Looks at a batch as large as the teacher sees it."""
        x = net_input(batch, self._recipe)
        self._net.to(x.device)
        logits, distances = self._net(x)
        heat, boxes = torch.sigmoid(logits), cell_boxes(distances, self._net.stride_px)
        if self._ratio > 1:
            best = heat.max(dim=1, keepdim=True).values
            _, cells = functional.max_pool2d(best, self._ratio, return_indices=True)
            rows, columns = cells.shape[2:]
            chosen = cells.flatten(2).expand(-1, 4, -1)
            boxes = boxes.flatten(2).gather(2, chosen).reshape(-1, 4, rows, columns)
            heat = functional.max_pool2d(heat, self._ratio)
        return Guidance(heat, boxes / self.factor)


def lesson_loss(
    net: PeakNet, batch: Batch, recipe: TrainingRecipe, guidance: Guidance, lesson: Lesson
) -> tuple[Tensor, Tensor]:
    """The loss of a net that learns from labels and a teacher.

    Args:
        net: The student.
        batch: A batch as the student sees it, with its labels.
        recipe: The student's recipe.
        guidance: What the teacher says of the same.
        lesson: The weights.

    Returns:
        The sum to minimise, and the detached pair (heat maps, boxes) to report.
    """
    logits, distances = net(net_input(batch, recipe))
    labels, _ = label_loss(logits, distances, batch, recipe)
    heat = soft_focal_loss(logits, guidance.heat) / guidance.heat.amax(dim=1).sum().clamp(min=_LEAST_WEIGHT)
    box = _box_loss(cell_boxes(distances, net.stride_px), guidance, lesson.score_floor)
    total = lesson.label_weight * labels + lesson.heat_weight * heat + lesson.box_weight * box
    return total, torch.stack([heat.detach(), box.detach()])


def soft_focal_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Quality focal loss with beta 2 against soft labels 0 .. 1, summed; 0 where the two are equal."""
    cross = functional.binary_cross_entropy_with_logits(logits, heat, reduction="none")
    return ((torch.sigmoid(logits) - heat) ** 2 * cross).sum()


def _box_loss(boxes: Tensor, guidance: Guidance, floor: float) -> Tensor:
    weight = guidance.heat.amax(dim=1)
    is_sure = weight >= floor
    if not bool(is_sure.any()):
        return boxes.sum() * 0.0
    mine, theirs = (each.permute(0, 2, 3, 1)[is_sure] for each in (boxes, guidance.boxes))
    sure = weight[is_sure]
    return (sure * (1.0 - generalised_iou(mine, theirs))).sum() / sure.sum()


def _check_pair(teacher: TrainingRecipe, student: TrainingRecipe) -> None:
    large, small = teacher.input, student.input
    factor = large.width_px / small.width_px
    checks = (
        (teacher.classes == student.classes, "classes"),
        ((large.channels, large.golden) == (small.channels, small.golden), "input.channels or input.golden"),
        (large.two_level == small.two_level, "input.two_level"),
    )
    for is_same, what in checks:
        if not is_same:
            raise DataError(f"teacher {teacher.name} and student {student.name} differ in {what}", "make them alike")
    if not factor.is_integer() or small.height_px * factor != large.height_px:
        raise DataError(
            f"the teacher sees {large.width_px}x{large.height_px} px and the student"
            f" {small.width_px}x{small.height_px}",
            "divide both of the teacher's sides by one whole number",
        )
