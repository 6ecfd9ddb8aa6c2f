"""Which cells are to find a defect where its outline is known: all that it covers; and the loss that goes with it.

Around its centre alone a defect teaches a handful of cells, too few where a set has some hundred defects, and a defect
that runs along an edge is not even at the middle of its box. Here every covered cell is to tell the class and the whole
box. A part is judged by its highest score, so the loss also looks at that one: at the best cell of each defect, and at
the worst of each picture without one (multiple-instance learning: Maron, Lozano-Perez, NIPS 1997).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from models.mending import Board
from models.outlines import Region, rectangle
from models.training.loss import Targets, boxes_at, generalised_iou

_LEAST_COVERED = 0.2  # of a cell, or half of what the defect's best cell has
_NEXT_TO, _PARTLY = 0.6, 0.9  # how much of a defect is told of cells beside it, and of those that it only touches
_SHARE_POWER = -0.75  # of the cells of a defect: a large one counts for more than a small one, but by little
_HIGHEST_WEIGHT = 0.5
_FIXED_POINT_BITS = 3


def make_region_targets(crops: Sequence[Board], classes: int, height_px: int, width_px: int, stride_px: int) -> Targets:
    """Draws which cells the defects cover.

    Args:
        crops: Pictures of one size with boxes, labels and outlines; a box without outlines is its own.
        classes: Number of classes.
        height_px: Height of the pictures.
        width_px: Width of the pictures.
        stride_px: Stride of the grid.

    Returns:
        Targets whose heat is 1 in covered cells, between 0 and 1 in those beside, and whose cells are the covered ones;
        where two defects meet, the later one has the cell.
    """
    rows, columns = height_px // stride_px, width_px // stride_px
    heat = np.zeros((len(crops), classes, rows, columns), np.float32)
    owner = np.full((len(crops), rows, columns), -1, np.int64)
    objects: list[list[float]] = []
    for index, crop in enumerate(crops):
        regions = crop.outlines or tuple((rectangle(box),) for box in crop.boxes)
        for region, box, label in zip(regions, crop.boxes, crop.labels, strict=True):
            share = _covered(region, height_px, width_px, stride_px)
            highest = float(share.max())
            if not highest:
                continue  # what is left of its box in the crop has nothing of the defect
            is_covered = share >= min(_LEAST_COVERED, highest / 2)
            beside = cv2.dilate(is_covered.astype(np.float32), np.ones((3, 3), np.uint8)) * _NEXT_TO
            told = np.where(is_covered, 1.0, np.maximum(beside, _PARTLY * (share > 0))).astype(np.float32)
            np.maximum(heat[index, label], told, out=heat[index, label])
            owner[index][is_covered] = len(objects)
            objects.append([index, float(label), *map(float, box)])
    cells = torch.from_numpy(np.argwhere(owner >= 0))
    owners = torch.from_numpy(owner[owner >= 0])
    table = torch.tensor(objects, dtype=torch.float32).reshape(-1, 6)
    return Targets(torch.from_numpy(heat), cells, table[owners, 2:], table, owners)


def _covered(region: Region, height_px: int, width_px: int, stride_px: int) -> npt.NDArray[np.float32]:
    """The share of each cell that a region covers, float32 (rows, columns)."""
    drawn = np.zeros((height_px, width_px), np.uint8)
    points = [np.round(each * (1 << _FIXED_POINT_BITS)).astype(np.int32) for each in region]
    for each in points:
        cv2.fillPoly(drawn, [each], 1, shift=_FIXED_POINT_BITS)
    grid = drawn.reshape(height_px // stride_px, stride_px, width_px // stride_px, stride_px)
    return np.asarray(grid.mean(axis=(1, 3), dtype=np.float32), np.float32)


def region_loss(
    logits: Tensor, distances: Tensor, targets: Targets, stride_px: int, box_weight: float
) -> tuple[Tensor, Tensor]:
    """Computes both losses of a batch.

    Args:
        logits: float (N, classes, h, w).
        distances: float (N, 4, h, w), pixels.
        targets: Of `make_region_targets`.
        stride_px: Stride of the grid.
        box_weight: Of the box loss.

    Returns:
        The sum to minimise, and the detached pair (heat map loss, box loss) to report.
    """
    heat = (_faint(logits, targets.heat) + _HIGHEST_WEIGHT * _silent(logits, targets)) / len(logits)
    if len(targets.cells) == 0:
        return heat, torch.stack([heat.detach(), heat.new_zeros(())])
    index, row, column = targets.cells.unbind(1)
    owners = targets.owners
    counts = torch.bincount(owners, minlength=len(targets.objects)).to(logits.dtype)
    share = counts[owners] ** _SHARE_POWER
    at = logits[index, targets.objects[owners, 1].long(), row, column]
    covered = (share * (1.0 - torch.sigmoid(at)) ** 2 * functional.softplus(-at)).sum()
    lowest = torch.finfo(logits.dtype).min
    best = at.new_full((len(counts),), lowest).scatter_reduce(0, owners, at, "amax")[counts > 0]
    heat = heat + (covered + _HIGHEST_WEIGHT * functional.softplus(-best).sum()) / len(logits)
    predicted = boxes_at(distances[index, :, row, column], row, column, stride_px)
    box = (share * (1.0 - generalised_iou(predicted, targets.boxes))).sum() / share.sum()
    return heat + box_weight * box, torch.stack([heat.detach(), box.detach()])


def _faint(logits: Tensor, heat: Tensor) -> Tensor:
    """What cells without a defect say too loudly (the second half of `models.training.loss.focal_loss`)."""
    return ((1.0 - heat) ** 4 * torch.sigmoid(logits) ** 2 * functional.softplus(logits)).sum()


def _silent(logits: Tensor, targets: Targets) -> Tensor:
    """How loud the loudest cell is of each picture without a defect."""
    is_good = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    is_good[targets.objects[:, 0].long()] = False
    return (
        functional.softplus(logits[is_good].flatten(1).amax(dim=1)).sum() if bool(is_good.any()) else logits.sum() * 0
    )
