"""Boards in memory: a part with its golden sample and its defects, and the same with defects mended.

A defect is mended by copying the golden sample over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.data import Boxes, LabelledPicture, Labels, Picture, read_pair
from models.outlines import Region, chosen

THRESHOLD = 128
_REPAIR_MARGIN_PX = 3


@dataclass(frozen=True, eq=False)
class Board:
    """A board held in memory.

    Attributes:
        part: uint8 (H, W) or (H, W, 3), the part under test; {0, 1} where the recipe says two levels.
        golden: The same, its defect-free template; the very array of the part in a set without.
        boxes: float32 (N, 4), x1, y1, x2, y2 in pixels.
        labels: int64 (N,).
        name: The picture's file.
        category: For a classifier: the class of the picture as a whole; else -1.
        outlines: Per box the region of its defect; empty where boxes are all that is known.
    """

    part: Picture
    golden: Picture
    boxes: Boxes
    labels: Labels
    name: str = ""
    category: int = -1
    outlines: tuple[Region, ...] = ()

    @property
    def has_golden(self) -> bool:
        """A golden sample of its own."""
        return self.golden is not self.part


def load_board(picture: LabelledPicture) -> Board:
    """Reads and thresholds a picture and its golden sample.

    Raises:
        DataError: A file cannot be read or the picture has no golden sample of its size.
    """
    part, golden = read_pair(picture)
    drawn = binarise(part)
    template = drawn if golden is None else binarise(golden)
    return Board(drawn, template, picture.boxes, picture.labels, picture.image.name)


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
    height, width = part.shape[:2]
    for x1, y1, x2, y2 in board.boxes[~kept]:
        rows = slice(max(0, int(y1) - _REPAIR_MARGIN_PX), min(height, int(np.ceil(y2)) + _REPAIR_MARGIN_PX))
        columns = slice(max(0, int(x1) - _REPAIR_MARGIN_PX), min(width, int(np.ceil(x2)) + _REPAIR_MARGIN_PX))
        part[rows, columns] = board.golden[rows, columns]
    for x1, y1, x2, y2 in board.boxes[kept]:
        # A mended neighbour may overlap a defect that stays: the defect wins.
        rows, columns = slice(int(y1), int(np.ceil(y2))), slice(int(x1), int(np.ceil(x2)))
        part[rows, columns] = board.part[rows, columns]
    outlines = chosen(board.outlines, kept)
    return Board(part, board.golden, board.boxes[kept], board.labels[kept], outlines=outlines)
