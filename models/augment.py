"""From a labelled board to a training crop: binary pictures in, binary pictures out.

Everything works on {0, 1} arrays: picture and golden sample are thresholded once when they are loaded, because they
may come from different codecs and a net that sees grey levels learns the codec.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from models.data import Boxes, LabelledPicture, Labels, Picture, read_pair
from models.recipe import Augmentation

THRESHOLD = 128
_REPAIR_MARGIN_PX = 3
_EVEN = 0.5
_FIELD_PX = 1024
_GRAIN_PX = (1.0, 1.6, 2.4)
_BLUR_PX = (0.6, 1.4)
_KERNEL_REACH_PX = 3


@dataclass(frozen=True, eq=False)
class Board:
    """A board held in memory.

    Attributes:
        part: uint8 {0, 1} (H, W), the part under test.
        golden: uint8 {0, 1} (H, W), its defect-free template.
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels.
        labels: int64 (N,).
    """

    part: Picture
    golden: Picture
    boxes: Boxes
    labels: Labels


def load_board(picture: LabelledPicture) -> Board:
    """Reads and thresholds a picture and its golden sample.

    Raises:
        DataError: A file cannot be read or the picture has no golden sample of its size.
    """
    part, golden = read_pair(picture)
    template = part if golden is None else golden
    return Board(binarise(part), binarise(template), picture.boxes, picture.labels)


def binarise(picture: Picture) -> Picture:
    """Thresholds (H, W) grey uint8 to {0, 1} uint8 at `THRESHOLD`."""
    return np.asarray(picture >= THRESHOLD, dtype=np.uint8)


def repair(board: Board, kept: np.ndarray) -> Board:
    """Mends defects by copying the template over them.

    Args:
        board: A board with N defects.
        kept: bool (N,), True for the defects that stay.

    Returns:
        A new board whose boxes are the kept ones.
    """
    if bool(kept.all()):
        return board
    part = board.part.copy()
    height, width = part.shape
    for x1, y1, x2, y2 in board.boxes[~kept]:
        rows = slice(max(0, int(y1) - _REPAIR_MARGIN_PX), min(height, int(np.ceil(y2)) + _REPAIR_MARGIN_PX))
        columns = slice(max(0, int(x1) - _REPAIR_MARGIN_PX), min(width, int(np.ceil(x2)) + _REPAIR_MARGIN_PX))
        part[rows, columns] = board.golden[rows, columns]
    for x1, y1, x2, y2 in board.boxes[kept]:
        # A mended neighbour may overlap a defect that stays: the defect wins.
        rows, columns = slice(int(y1), int(np.ceil(y2))), slice(int(x1), int(np.ceil(x2)))
        part[rows, columns] = board.part[rows, columns]
    return Board(part, board.golden, board.boxes[kept], board.labels[kept])


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
    mended = _maybe_design(_maybe_repair(board, odds, random), odds, random)
    span = min(size_px / random.uniform(odds.scale_min, odds.scale_max), *map(float, board.part.shape))
    left, top = _corner(board, span, odds, random)
    steps = (np.arange(size_px) + 0.5) * (span / size_px)
    columns, rows = (left + steps).astype(np.int64), (top + steps).astype(np.int64)
    shift_x, shift_y = (
        random.integers(-odds.shift_px, odds.shift_px + 1, 2) if random.random() < odds.shift_probability else (0, 0)
    )
    height, width = board.part.shape
    part = mended.part.take(rows, 0).take(columns, 1)
    shifted_rows, shifted_columns = np.clip(rows + shift_y, 0, height - 1), np.clip(columns + shift_x, 0, width - 1)
    golden = mended.golden.take(shifted_rows, 0).take(shifted_columns, 1)
    if random.random() < odds.thickness_probability:
        golden = _grow(golden) if random.random() < _EVEN else _shrink(golden)
    if random.random() < odds.part_thickness_probability:
        part = _grow(part) if random.random() < _EVEN else _shrink(part)
    part, golden = (_maybe_scan_again(one, odds, random) for one in (part, golden))
    scale = size_px / span
    boxes = (mended.boxes - np.array([left, top, left, top], np.float32)) * np.float32(scale)
    crop = _inside(Board(part, golden, boxes.astype(np.float32), mended.labels), size_px)
    return _turn(crop, size_px, int(random.integers(8)))


def _maybe_repair(board: Board, odds: Augmentation, random: np.random.Generator) -> Board:
    count = len(board.boxes)
    draw = random.random()
    if draw < odds.template_probability:
        return Board(board.golden, board.golden, board.boxes[:0], board.labels[:0])
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


def _turn(crop: Board, size_px: int, way: int) -> Board:
    """Applies one of the 8 symmetries of the square: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes."""
    part, golden, boxes = crop.part, crop.golden, crop.boxes
    if way & 1:
        part, golden = part[:, ::-1], golden[:, ::-1]
        boxes = np.stack([size_px - boxes[:, 2], boxes[:, 1], size_px - boxes[:, 0], boxes[:, 3]], axis=1)
    if way & 2:
        part, golden = part[::-1], golden[::-1]
        boxes = np.stack([boxes[:, 0], size_px - boxes[:, 3], boxes[:, 2], size_px - boxes[:, 1]], axis=1)
    if way & 4:
        part, golden, boxes = part.T, golden.T, boxes[:, [1, 0, 3, 2]]
    return Board(part, golden, boxes, crop.labels)


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
    top, left = random.integers(0, _FIELD_PX - height + 1), random.integers(0, _FIELD_PX - width + 1)
    depth = random.uniform(0, odds.roughness)
    return np.asarray(soft > _EVEN + depth * field[top : top + height, left : left + width], np.uint8)


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
