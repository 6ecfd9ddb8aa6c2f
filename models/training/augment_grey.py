"""From a labelled picture in grey or colour to a training crop, with what a line really shows.

Turned, scaled and stretched parts, defects of one part laid over another, and a golden sample that registration left
a little off. How light and camera change them stands in `models.training.augment_light`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from models.data import Boxes, Picture
from models.mending import Board
from models.outlines import Region, chosen, moved, rectangle
from models.recipe import Augmentation
from models.training.augment import mend, turn
from models.training.augment_light import lit

_FULL = 255.0
_LEAST_SHARE, _LEAST_SHARE_OUTLINED = 0.4, 0.02
_LEAST_SIDE_PX = 3.0
_TRIES = 8
_JOIN_SHARES = (0.3, 0.7)
_FEATHER_SHARE = 0.15
_PASTE_SHARE = 0.6
_JITTER_SHARE = 0.35
_AXES_KEPT = 4  # of the 8 symmetries, those that leave width and height what they are

Affine = npt.NDArray[np.float64]
"""(2, 3), from the picture to the crop, both measured from the outer corner of the first pixel."""


def grey_crop(
    board: Board, others: Sequence[Board], size_px: tuple[int, int], odds: Augmentation, random: np.random.Generator
) -> Board:
    """Draws one augmented crop, by chance joined from two pictures.

    Args:
        board: The whole picture, uint8 (H, W) or (H, W, 3).
        others: Pictures whose defects may be laid over this one, or of which a piece may stand beside it.
        size_px: Width and height of the crop.
        odds: What may be done to it.
        random: The only source of chance.

    Returns:
        A board of that size.
    """
    crop = _single_crop(board, others, size_px, odds, random)
    if others and random.random() < odds.join_probability:
        second = _single_crop(others[int(random.integers(len(others)))], others, size_px, odds, random)
        crop = joined(crop, second, int(random.integers(2)), random.uniform(*_JOIN_SHARES))
    return crop


def joined(one: Board, two: Board, axis: int, share: float) -> Board:
    """Two crops of one size side by side, or one above the other; each shows in its place what it shows there.

    With some hundred pictures a net learns which picture it sees, and not what is in it; so it never sees one twice
    (after S. Yun and others, "CutMix", ICCV 2019).

    Args:
        one: The left or upper one; neither may have outlines.
        two: The right or lower one.
        axis: 0 for side by side, 1 for above each other.
        share: How much of the crop is the first one's.
    """
    side = one.part.shape[1 - axis]
    cut = round(share * side)
    boxes, labels = [], []
    for board, low, high in ((one, 0, cut), (two, cut, side)):
        clipped = board.boxes.copy()
        clipped[:, axis::2] = np.clip(clipped[:, axis::2], low, high)
        left, whole = (np.subtract(each[:, axis + 2], each[:, axis]) for each in (clipped, board.boxes))
        kept = left > np.maximum(_LEAST_SIDE_PX, _LEAST_SHARE * whole)
        boxes.append(clipped[kept])
        labels.append(board.labels[kept])
    part = _halves(one.part, two.part, axis, cut)
    golden = _halves(one.golden, two.golden, axis, cut) if one.has_golden else part
    return replace(one, part=part, golden=golden, boxes=np.concatenate(boxes), labels=np.concatenate(labels))


def _halves(one: Picture, two: Picture, axis: int, cut: int) -> Picture:
    picture: Picture = two.copy()
    place = (slice(None), slice(0, cut)) if axis == 0 else (slice(0, cut),)
    picture[place] = one[place]
    return picture


def _single_crop(
    board: Board, others: Sequence[Board], size_px: tuple[int, int], odds: Augmentation, random: np.random.Generator
) -> Board:
    board = mend(board, odds, random)
    if others and random.random() < odds.paste_probability:
        board = paste_defect(board, others[int(random.integers(len(others)))], random)
    matrix = _placement(board, size_px, odds, random)
    part = _warped(board.part, matrix, size_px)
    golden = part
    if board.has_golden:
        golden = _warped(board.golden, _misregistered(matrix, odds, random), size_px)
    # Of a defect whose outline is known, whatever of it is left in the crop is still marked as such.
    least = _LEAST_SHARE_OUTLINED if board.outlines else _LEAST_SHARE
    boxes, kept = _moved(board.boxes, matrix, size_px, least)
    outlines = chosen(moved(board.outlines, matrix), kept)
    crop = Board(part, golden, boxes, board.labels[kept], outlines=outlines)
    if odds.symmetries:
        ways = 2 * _AXES_KEPT if size_px[0] == size_px[1] and odds.quarter_turns else _AXES_KEPT
        crop = turn(crop, size_px, int(random.integers(ways)))
    part = lit(crop.part, odds, random)
    # The golden sample was taken on another day: its light is its own.
    golden = lit(crop.golden, odds, random) if crop.has_golden else part
    return replace(crop, part=part, golden=golden)


def _placement(board: Board, size_px: tuple[int, int], odds: Augmentation, random: np.random.Generator) -> Affine:
    """Draws the map from the picture to the crop."""
    height, width = board.part.shape[:2]
    scale = random.uniform(odds.scale_min, odds.scale_max)
    across, down = scale * (1 + random.uniform(-odds.stretch, odds.stretch, 2))
    angle = np.deg2rad(random.uniform(-odds.rotation_deg, odds.rotation_deg))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([across, down])
    size = np.array(size_px, float)
    if len(board.boxes) and random.random() < odds.centred_probability:
        box = board.boxes[int(random.integers(len(board.boxes)))]
        jitter = random.uniform(-_JITTER_SHARE, _JITTER_SHARE, 2) * size / scale
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2 + jitter
    else:
        centre = np.array([random.uniform(0, width), random.uniform(0, height)])
    # What is larger than the picture is centred on it; otherwise the crop stays inside.
    side = np.array([width, height], float)
    spare = np.maximum(0.0, side / 2 - size / np.array([across, down]) / 2)
    centre = np.clip(centre, side / 2 - spare, side / 2 + spare)
    return np.concatenate([turned, (size / 2 - turned @ centre)[:, None]], axis=1)


def _misregistered(matrix: Affine, odds: Augmentation, random: np.random.Generator) -> Affine:
    """The golden sample's map, off by what registration leaves."""
    if random.random() >= odds.shift_probability:
        return matrix
    moved: Affine = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ random.uniform(-odds.shift_px, odds.shift_px, 2)
    return moved


def _warped(picture: Picture, matrix: Affine, size_px: tuple[int, int]) -> Picture:
    centred = matrix.copy()  # OpenCV measures from the middle of the first pixel
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    # A mirrored edge would show defects that no box tells of.
    out = cv2.warpAffine(picture, centred, size_px, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _moved(
    boxes: Boxes, matrix: Affine, size_px: tuple[int, int], least_share: float
) -> tuple[Boxes, npt.NDArray[np.bool_]]:
    """The upright hulls of the moved boxes, and which of them are still inside by that share and more."""
    if not len(boxes):
        return boxes, np.zeros(0, bool)
    corners = np.stack([boxes[:, [0, 1]], boxes[:, [2, 1]], boxes[:, [2, 3]], boxes[:, [0, 3]]], axis=1)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    # The hull of a turned box is larger than what it holds: the middle between hull and turned sides is nearer.
    hull = np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
    centre, half = (hull[:, :2] + hull[:, 2:]) / 2, (hull[:, 2:] - hull[:, :2]) / 2
    sides = [np.linalg.norm(moved[:, 1] - moved[:, 0], axis=1), np.linalg.norm(moved[:, 3] - moved[:, 0], axis=1)]
    half = (half + np.minimum(half, np.stack(sides, axis=1) / 2)) / 2
    whole = np.concatenate([centre - half, centre + half], axis=1)
    clipped = np.clip(whole, 0, np.array([*size_px, *size_px]))
    area = (whole[:, 2:] - whole[:, :2]).prod(axis=1)
    left = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
    least = (clipped[:, 2:] - clipped[:, :2]).min(axis=1)
    kept = (left > least_share * area) & (least > _LEAST_SIDE_PX)
    return np.asarray(clipped[kept], np.float32), kept


def paste_defect(board: Board, other: Board, random: np.random.Generator) -> Board:
    """Lays one defect of another picture over this one, with soft edges and the light of the place it goes to.

    The place overlaps no defect that is there already. Where none is found, where the defect has a neighbour so near
    that part of it would come along, or where it is too large, the picture comes back as it is.
    """
    height, width = board.part.shape[:2]
    if not len(other.boxes):
        return board
    index = int(random.integers(len(other.boxes)))
    x1, y1, x2, y2 = (float(value) for value in other.boxes[index])
    margin = max(2.0, _FEATHER_SHARE * max(x2 - x1, y2 - y1))
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    right = min(other.part.shape[1], int(np.ceil(x2 + margin)))
    bottom = min(other.part.shape[0], int(np.ceil(y2 + margin)))
    patch = other.part[top:bottom, left:right]
    is_large = patch.shape[0] >= _PASTE_SHARE * height or patch.shape[1] >= _PASTE_SHARE * width
    neighbours = np.delete(other.boxes, index, axis=0)
    if is_large or _meets(neighbours, np.array([left, top, right, bottom], np.float32)):
        return board
    inner = np.array([x1 - left, y1 - top, x2 - left, y2 - top], np.float32)
    for _ in range(_TRIES):
        x = int(random.integers(0, width - patch.shape[1] + 1))
        y = int(random.integers(0, height - patch.shape[0] + 1))
        box = inner + np.array([x, y, x, y], np.float32)
        if not _meets(board.boxes, box):
            part = _blended(board.part, patch, x, y, margin)
            boxes = np.concatenate([board.boxes, box[None]]).astype(np.float32)
            labels = np.append(board.labels, other.labels[index])
            outlines = _with_region(board, other, index, (x - left, y - top))
            return Board(part, board.golden if board.has_golden else part, boxes, labels, outlines=outlines)
    return board


def _with_region(board: Board, other: Board, index: int, shift_px: tuple[int, int]) -> tuple[Region, ...]:
    """The regions of a board and of the defect laid over it; none where neither board knows any."""
    if not board.outlines and not other.outlines:
        return ()
    own = board.outlines or tuple((rectangle(box),) for box in board.boxes)
    laid = other.outlines[index] if other.outlines else (rectangle(other.boxes[index]),)
    return *own, *moved([laid], np.array([[1, 0, shift_px[0]], [0, 1, shift_px[1]]], float))


def _meets(boxes: Boxes, box: Boxes) -> bool:
    overlaps = (boxes[:, :2] < box[2:]).all(axis=1) & (boxes[:, 2:] > box[:2]).all(axis=1)
    return bool(overlaps.any())


def _blended(picture: Picture, patch: Picture, x: int, y: int, margin: float) -> Picture:
    rows, columns = patch.shape[:2]
    place = picture[y : y + rows, x : x + columns].astype(np.float32)
    mask = np.zeros((rows, columns), np.float32)
    edge = max(1, int(margin / 2))
    mask[edge : rows - edge, edge : columns - edge] = 1.0
    level = _tilt(place - patch, mask == 0)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.8, margin / 3)), np.float32)
    if patch.ndim > 2:  # noqa: PLR2004
        mask = mask[:, :, None]
    mixed: Picture = picture.copy()
    mixed[y : y + rows, x : x + columns] = np.clip(place + mask * (patch + level - place) + 0.5, 0, _FULL)
    return mixed


def _tilt(difference: npt.NDArray[np.float32], rim: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """The plane through the differences on the rim of a patch: its rim is good surface, and so is its new place."""
    rows, columns = np.indices(rim.shape, np.float32)
    planes = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    fitted = np.linalg.lstsq(planes[rim], difference[rim], rcond=None)[0]
    return np.asarray(planes @ fitted, np.float32)
