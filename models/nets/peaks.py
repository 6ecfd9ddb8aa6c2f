"""Peaks of the heat maps -> boxes, in torch; `models.packaging.graph` writes the same arithmetic into the ONNX file."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.nets.net import reach_of

TOP_K = 100
SCORE_FLOOR = 1e-6  # a mean score below this no longer counts as a weight


@dataclass(frozen=True, eq=False)
class Peaks:
    """The K best peaks of each picture.

    Attributes:
        boxes: float (N, K, 4), x1, y1, x2, y2 in pixels, inside the picture.
        scores: float (N, K), descending.
        classes: int64 (N, K).
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor


@torch.no_grad()
def decode_peaks(logits: Tensor, distances: Tensor, stride_px: int, top_k: int = TOP_K) -> Peaks:
    """Finds the peaks and averages their boxes.

    A peak is a cell whose best class is not beaten within 8 px (`models.nets.net.reach_of`), whatever the class.
    Its box is the mean of that neighbourhood's boxes, weighted by their scores.

    Args:
        logits: float (N, classes, h, w).
        distances: float (N, 4, h, w), left, top, right, bottom in pixels.
        stride_px: Stride of the grid.
        top_k: How many peaks to return, if there are as many cells.
    """
    reach = reach_of(stride_px)
    side = 2 * reach + 1
    best, label = logits.max(dim=1, keepdim=True)
    heat = torch.sigmoid(best)
    rows, columns = heat.shape[2:]
    boxes = cell_boxes(distances, stride_px)
    weight = functional.avg_pool2d(heat, side, 1, reach).clamp(min=SCORE_FLOOR)
    boxes = functional.avg_pool2d(boxes * heat, side, 1, reach) / weight
    is_peak = heat == functional.max_pool2d(heat, side, 1, reach)
    scores, index = (heat * is_peak).flatten(1).topk(min(top_k, rows * columns))
    limit = torch.tensor([columns, rows, columns, rows], dtype=heat.dtype, device=heat.device) * stride_px
    chosen = boxes.flatten(2).transpose(1, 2).gather(1, index[:, :, None].expand(-1, -1, 4))
    return Peaks(chosen.clamp(min=0).minimum(limit), scores, label.flatten(1).gather(1, index))


def cell_centres(maps: Tensor, stride_px: int) -> Tensor:
    """The centre x, y of every cell of maps (..., h, w), float (2, h, w) in pixels."""
    rows, columns = maps.shape[-2:]
    x = (torch.arange(columns, dtype=maps.dtype, device=maps.device) + 0.5) * stride_px
    y = (torch.arange(rows, dtype=maps.dtype, device=maps.device) + 0.5) * stride_px
    return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)])


def cell_boxes(distances: Tensor, stride_px: int) -> Tensor:
    """Boxes x1, y1, x2, y2 of every cell in pixels, (N, 4, h, w), from distances of the same shape."""
    centres = cell_centres(distances, stride_px)
    return torch.cat([centres - distances[:, :2], centres + distances[:, 2:]], dim=1)
