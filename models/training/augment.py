"""From a labelled board of two levels to a training crop.

Everything works on {0, 1} arrays: picture and golden sample are thresholded once when they are loaded, because they
may come from different codecs and a net that sees grey levels learns the codec.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from models.data import Picture
from models.mending import Board, repair
from models.outlines import turned
from models.recipe import Augmentation

_EVEN = 0.5
_FIELD_PX = 1024
_GRAIN_PX = (1.0, 1.6, 2.4)
_BLUR_PX = (0.6, 1.4)
_KERNEL_REACH_PX = 3


def training_crop(board: Board, size_px: int, odds: Augmentation, random: np.random.Generator) -> Board:
    """Draws one augmented crop.

    Args:
        board: The whole board.
        size_px: Side of the crop.
        odds: What may be done to it.
        random: The only source of chance.

    Returns:
        A board of size_px x size_px.
    """
    mended = mend(board, odds, random)
    span = min(size_px / random.uniform(odds.scale_min, odds.scale_max), *map(float, board.part.shape))
    left, top = _corner(board, span, odds, random)
    steps = (np.arange(size_px) + 0.5) * (span / size_px)
    columns, rows = (left + steps).astype(np.int64), (top + steps).astype(np.int64)
    part = mended.part.take(rows, 0).take(columns, 1)
    golden = _seen_golden(mended, rows, columns, odds, random) if mended.has_golden else part
    if random.random() < odds.part_thickness_probability:
        part = _grow(part) if random.random() < _EVEN else _shrink(part)
    part = _maybe_scan_again(part, odds, random)
    golden = _maybe_scan_again(golden, odds, random) if mended.has_golden else part
    scale = size_px / span
    boxes = (mended.boxes - np.array([left, top, left, top], np.float32)) * np.float32(scale)
    crop = _inside(Board(part, golden, boxes.astype(np.float32), mended.labels), size_px)
    way = int(random.integers(8))
    return turn(crop, (size_px, size_px), way) if odds.symmetries else crop


def _seen_golden(
    board: Board, rows: np.ndarray, columns: np.ndarray, odds: Augmentation, random: np.random.Generator
) -> Picture:
    """The golden sample's crop, as far off as registration leaves it, and bolder or thinner."""
    height, width = board.golden.shape
    is_moved = random.random() < odds.shift_probability
    shift_x, shift_y = random.integers(-odds.shift_px, odds.shift_px + 1, 2) if is_moved else (0, 0)
    shifted_rows, shifted_columns = np.clip(rows + shift_y, 0, height - 1), np.clip(columns + shift_x, 0, width - 1)
    golden: Picture = board.golden.take(shifted_rows, 0).take(shifted_columns, 1)
    if random.random() < odds.thickness_probability:
        golden = _grow(golden) if random.random() < _EVEN else _shrink(golden)
    return golden


def mend(board: Board, odds: Augmentation, random: np.random.Generator) -> Board:
    """Mends defects from the golden sample, or makes them part of it, by chance; without one it leaves all as it is."""
    if not board.has_golden:
        return board
    return _maybe_design(_maybe_repair(board, odds, random), odds, random)


def _maybe_repair(board: Board, odds: Augmentation, random: np.random.Generator) -> Board:
    count = len(board.boxes)
    draw = random.random()
    if draw < odds.template_probability:
        return Board(board.golden.copy(), board.golden, board.boxes[:0], board.labels[:0])
    draw -= odds.template_probability
    if draw < odds.repaired_probability:
        return repair(board, np.zeros(count, bool))
    if draw - odds.repaired_probability < odds.partly_repaired_probability:
        return repair(board, random.random(count) < _EVEN)
    return board


def _maybe_design(board: Board, odds: Augmentation, random: np.random.Generator) -> Board:
    """Copies defects into the golden sample: a shape that the design itself has is no defect, however it looks."""
    if not len(board.boxes) or random.random() >= odds.designed_probability:
        return board
    kept = random.random(len(board.boxes)) < _EVEN
    swapped = repair(Board(board.golden, board.part, board.boxes, board.labels), kept)
    return Board(board.part, swapped.part, board.boxes[kept], board.labels[kept])


def _corner(board: Board, span: float, odds: Augmentation, random: np.random.Generator) -> tuple[float, float]:
    height, width = board.part.shape
    if len(board.boxes) and random.random() < odds.centred_probability:
        # The place of a mended defect is as good a centre: a negative where a positive was.
        box = board.boxes[random.integers(len(board.boxes))]
        jitter = random.uniform(-0.35, 0.35, 2) * span
        left = (box[0] + box[2]) / 2 - span / 2 + jitter[0]
        top = (box[1] + box[3]) / 2 - span / 2 + jitter[1]
    else:
        left, top = random.uniform(0, width - span + 1e-6), random.uniform(0, height - span + 1e-6)
    return float(np.clip(left, 0, width - span)), float(np.clip(top, 0, height - span))


def _inside(crop: Board, size_px: int) -> Board:
    centres = (crop.boxes[:, :2] + crop.boxes[:, 2:]) / 2
    kept = ((centres > 0) & (centres < size_px)).all(axis=1)
    boxes = np.clip(crop.boxes[kept], 0, size_px)
    return Board(crop.part, crop.golden, boxes, crop.labels[kept])


def turn(crop: Board, size_px: tuple[int, int], way: int) -> Board:
    """Applies one of the 8 symmetries of the square: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes.

    Args:
        crop: The crop.
        size_px: Its width and height.
        way: 0 to 7.
    """
    part, golden, boxes = crop.part, crop.golden, crop.boxes
    width, height = size_px
    if way & 1:
        part, golden = part[:, ::-1], golden[:, ::-1]
        boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    if way & 2:
        part, golden = part[::-1], golden[::-1]
        boxes = np.stack([boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], axis=1)
    if way & 4:
        part, golden, boxes = part.swapaxes(0, 1), golden.swapaxes(0, 1), boxes[:, [1, 0, 3, 2]]
    outlines = turned(crop.outlines, size_px, way)
    return Board(part, golden if crop.has_golden else part, boxes, crop.labels, outlines=outlines)


def _maybe_scan_again(picture: Picture, odds: Augmentation, random: np.random.Generator) -> Picture:
    """Scans a picture as another camera would: moved by part of a pixel, softened, and rough at the edges.

    The roughness is a threshold that wavers from place to place.
    """
    if random.random() >= odds.roughness_probability:
        return picture
    sigma = random.uniform(*_BLUR_PX)
    across, down = (_moving_blur(sigma, rest) for rest in random.uniform(-0.5, 0.5, 2))
    soft = cv2.sepFilter2D(picture, cv2.CV_32F, across, down, borderType=cv2.BORDER_REPLICATE)
    field = _waver(_GRAIN_PX[random.integers(len(_GRAIN_PX))])
    height, width = picture.shape
    top, left = (random.integers(0, max(1, _FIELD_PX - side + 1)) for side in (height, width))
    piece = field[top : top + height, left : left + width]
    if piece.shape != picture.shape:
        piece = np.pad(piece, [(0, height - piece.shape[0]), (0, width - piece.shape[1])], mode="symmetric")
    return np.asarray(soft > _EVEN + random.uniform(0, odds.roughness) * piece, np.uint8)


def _moving_blur(sigma_px: float, shift_px: float) -> npt.NDArray[np.float64]:
    places = np.arange(-_KERNEL_REACH_PX, _KERNEL_REACH_PX + 1)
    weights = np.exp(-0.5 * ((places - shift_px) / sigma_px) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)


@lru_cache(maxsize=len(_GRAIN_PX))
def _waver(grain_px: float) -> npt.NDArray[np.float32]:
    """A fixed field of smooth noise with unit variance, of which each scan takes another piece."""
    noise = np.random.default_rng(0).standard_normal((_FIELD_PX, _FIELD_PX)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), grain_px)
    return np.asarray(smooth / smooth.std(), np.float32)


def _grow(picture: Picture) -> Picture:
    grown = picture.copy()
    grown[1:] |= picture[:-1]
    grown[:-1] |= picture[1:]
    wide: Picture = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def _shrink(picture: Picture) -> Picture:
    return np.asarray(1 - _grow(np.asarray(1 - picture, np.uint8)), np.uint8)
