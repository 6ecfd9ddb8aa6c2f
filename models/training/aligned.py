"""Which cells are to find an object, decided by what the net already makes of them; for objects of many cells.

Around its centre alone an object of a hundred pixels teaches few cells, and where such a texture's centre lies is a
matter of opinion. Here every cell inside is a candidate, and those whose class and box agree best with the object learn
it (task alignment: Feng, Zhong, Gao, Scott, Huang, arXiv:2108.07755).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.nets.peaks import cell_boxes, cell_centres
from models.training.loss import Targets, generalised_iou

_SCORE_POWER = 0.5
_IOU_POWER = 6.0
_CELLS_PER_OBJECT = 10
_EPSILON = 1e-9


def aligned_loss(
    logits: Tensor, distances: Tensor, targets: Targets, stride_px: int, box_weight: float
) -> tuple[Tensor, Tensor]:
    """Computes both losses of a batch.

    The score that a cell is to give is the overlap that its box reaches: so scores rank boxes too.

    Args:
        logits: float (N, classes, h, w).
        distances: float (N, 4, h, w), pixels.
        targets: Of the batch; only `objects` is read.
        stride_px: Stride of the grid.
        box_weight: Of the box loss.

    Returns:
        The sum to minimise, and the detached pair (class loss, box loss) to report.
    """
    boxes = cell_boxes(distances, stride_px).flatten(2).transpose(1, 2)
    scores = logits.flatten(2).transpose(1, 2)
    truth, labels, is_object = _padded(targets.objects, len(logits))
    is_candidate = _inside(truth, cell_centres(distances, stride_px).flatten(1).T) & is_object[:, :, None]
    weight, owner = _assign(scores.detach().sigmoid(), boxes.detach(), truth, labels, is_candidate)
    wanted = torch.zeros_like(scores)
    wanted.scatter_(2, labels.gather(1, owner)[:, :, None], weight[:, :, None])
    total = weight.sum().clamp(min=1.0)
    cross = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum") / total
    chosen = weight > 0
    matched = truth.gather(1, owner[:, :, None].expand(-1, -1, 4))
    box = (weight[chosen] * (1.0 - generalised_iou(boxes[chosen], matched[chosen]))).sum() / total
    return cross + box_weight * box, torch.stack([cross.detach(), box.detach()])


def _padded(objects: Tensor, pictures: int) -> tuple[Tensor, Tensor, Tensor]:
    """Objects (K, 6) as boxes (N, G, 4), labels (N, G) and which of them are real (N, G); G is at least 1."""
    picture = objects[:, 0].long()
    counts = torch.bincount(picture, minlength=pictures)
    most = max(1, int(counts.max())) if len(objects) else 1
    first = counts.cumsum(0) - counts
    place = torch.arange(len(objects), device=objects.device) - first[picture]
    boxes, labels = objects.new_zeros(pictures, most, 4), picture.new_zeros(pictures, most)
    is_object = torch.zeros(pictures, most, dtype=torch.bool, device=objects.device)
    boxes[picture, place], labels[picture, place] = objects[:, 2:], objects[:, 1].long()
    is_object[picture, place] = True
    return boxes, labels, is_object


@torch.no_grad()
def _assign(
    scores: Tensor, boxes: Tensor, truth: Tensor, labels: Tensor, is_candidate: Tensor
) -> tuple[Tensor, Tensor]:
    """Chooses each object's cells.

    Returns:
        Per cell the score that it is to give (N, A), 0 for background, and the object it belongs to (N, A).
    """
    overlap = _overlap(truth[:, :, None], boxes[:, None])
    told = scores.transpose(1, 2).gather(1, labels[:, :, None].expand(-1, -1, scores.shape[1]))
    aligned = (told**_SCORE_POWER * overlap**_IOU_POWER + _EPSILON) * is_candidate
    best, cells = aligned.topk(min(_CELLS_PER_OBJECT, aligned.shape[2]), dim=2)
    is_chosen = torch.zeros_like(is_candidate).scatter_(2, cells, best > 0)
    # A cell that several objects want goes to the one that its box meets best.
    owner = torch.where(is_chosen, overlap, -1.0).argmax(dim=1)
    is_chosen &= torch.zeros_like(is_chosen).scatter_(1, owner[:, None], value=True)
    aligned, overlap = aligned * is_chosen, overlap * is_chosen
    share = aligned / (aligned.amax(dim=2, keepdim=True) + _EPSILON)
    weight = share * overlap.amax(dim=2, keepdim=True)
    return weight.amax(dim=1), owner


def _inside(truth: Tensor, centres: Tensor) -> Tensor:
    """Whether a cell's centre (A, 2) lies in an object (N, G, 4), or is the nearest to its middle: (N, G, A)."""
    off_low, off_high = centres - truth[:, :, None, :2], truth[:, :, None, 2:] - centres
    is_inside = torch.cat([off_low, off_high], dim=3).amin(dim=3) > 0
    nearest = (off_low - off_high).abs().amax(dim=3).argmin(dim=2, keepdim=True)
    return is_inside.scatter(2, nearest, value=True)


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4) that are broadcast against each other."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / (union + _EPSILON)
