"""Targets and losses for `models.nets.net.PeakNet`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.data import Boxes, Labels
from models.nets.net import reach_of

_SIGMA_PER_SIDE = 0.12  # of the Gaussian around a centre, per side of the box in cells
_SIGMA_MIN_CELLS = 0.5
_EPSILON = 1e-7


@dataclass(frozen=True, eq=False)
class Targets:
    """What the net should say about a batch.

    Attributes:
        heat: float (N, classes, h, w), 1 at centres, Gaussian around them.
        cells: int64 (M, 3), batch index, row and column of the cells that regress a box.
        boxes: float (M, 4), their boxes x1, y1, x2, y2 in pixels.
        objects: float (K, 6), batch index, class and box of each object.
        owners: int64 (M,), the object that each of the cells belongs to.
    """

    heat: Tensor
    cells: Tensor
    boxes: Tensor
    objects: Tensor
    owners: Tensor

    def to(self, device: torch.device) -> Targets:
        """The same on another device."""
        return Targets(*(getattr(self, each.name).to(device) for each in dataclasses.fields(self)))


def make_targets(
    truths: Sequence[tuple[Boxes, Labels]], classes: int, height_px: int, width_px: int, stride_px: int
) -> Targets:
    """Draws the heat maps and chooses the cells that regress boxes.

    Every cell in the neighbourhood of a centre (`models.nets.net.reach_of`) regresses that box if its own centre lies
    in the box; where two neighbourhoods meet, the later box wins.

    Args:
        truths: Per picture, boxes float32 (K, 4) in pixels and labels int64 (K,).
        classes: Number of classes.
        height_px: Height of the pictures.
        width_px: Width of the pictures.
        stride_px: Stride of the grid.
    """
    rows, columns, reach = height_px // stride_px, width_px // stride_px, reach_of(stride_px)
    heat = np.zeros((len(truths), classes, rows, columns), np.float32)
    owner: dict[tuple[int, int, int], int] = {}
    count = 0
    grid_y, grid_x = np.arange(rows, dtype=np.float32), np.arange(columns, dtype=np.float32)
    for index, (boxes, labels) in enumerate(truths):
        for box, label in zip(boxes, labels, strict=True):
            x1, y1, x2, y2 = (float(value) for value in box)
            column = min(columns - 1, int((x1 + x2) / 2 / stride_px))
            row = min(rows - 1, int((y1 + y2) / 2 / stride_px))
            sigma_x = max(_SIGMA_MIN_CELLS, _SIGMA_PER_SIDE * (x2 - x1) / stride_px)
            sigma_y = max(_SIGMA_MIN_CELLS, _SIGMA_PER_SIDE * (y2 - y1) / stride_px)
            bump_x = np.exp(-((grid_x - column) ** 2) / (2 * sigma_x**2))
            bump_y = np.exp(-((grid_y - row) ** 2) / (2 * sigma_y**2))
            np.maximum(heat[index, label], np.outer(bump_y, bump_x), out=heat[index, label])
            for y in range(max(0, row - reach), min(rows, row + reach + 1)):
                for x in range(max(0, column - reach), min(columns, column + reach + 1)):
                    centre_x, centre_y = (x + 0.5) * stride_px, (y + 0.5) * stride_px
                    if x1 < centre_x < x2 and y1 < centre_y < y2:
                        owner[index, y, x] = count
            count += 1
    cells = torch.tensor(list(owner), dtype=torch.int64).reshape(-1, 3)
    owners = torch.tensor(list(owner.values()), dtype=torch.int64)
    rows_of = [np.column_stack([np.full(len(labels), n), labels, boxes]) for n, (boxes, labels) in enumerate(truths)]
    objects = torch.from_numpy(np.concatenate([np.zeros((0, 6)), *rows_of]).astype(np.float32))
    return Targets(torch.from_numpy(heat), cells, objects[owners, 2:], objects, owners)


def detection_loss(
    logits: Tensor, distances: Tensor, targets: Targets, stride_px: int, box_weight: float
) -> tuple[Tensor, Tensor]:
    """Computes both losses of a batch.

    Returns:
        The sum to minimise, and the detached pair (heat map loss, box loss) to report.
    """
    heat = focal_loss(logits, targets.heat) / max(1, len(targets.objects))
    if len(targets.cells) == 0:
        return heat, torch.stack([heat.detach(), heat.new_zeros(())])
    index, row, column = targets.cells.unbind(1)
    predicted = boxes_at(distances[index, :, row, column], row, column, stride_px)
    box = (1.0 - generalised_iou(predicted, targets.boxes)).mean()
    return heat + box_weight * box, torch.stack([heat.detach(), box.detach()])


def focal_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Penalty-reduced focal loss with alpha 2 and beta 4, summed (Zhou et al., arXiv:1904.07850, equation 1)."""
    log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    p = torch.sigmoid(logits)
    is_centre = (heat > 1.0 - 1e-6).to(logits.dtype)
    positive = is_centre * (1.0 - p) ** 2 * log_p
    negative = (1.0 - is_centre) * (1.0 - heat) ** 4 * p**2 * log_q
    return -(positive + negative).sum()


def boxes_at(distances: Tensor, row: Tensor, column: Tensor, stride_px: int) -> Tensor:
    """Turns distances (M, 4) at cells (M,), (M,) into boxes x1, y1, x2, y2 (M, 4) in pixels."""
    x, y = (column + 0.5) * stride_px, (row + 0.5) * stride_px
    left, top, right, bottom = distances.unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union of paired boxes (M, 4), in (-1, 1] (Rezatofighi et al., arXiv:1902.09630)."""
    overlap = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - overlap
    return overlap / (union + _EPSILON) - (hull - union) / (hull + _EPSILON)
