"""The parts that a picture stands for, as a station would see them.

Whole test boards carry some six defects each, so that nearly every one is rejected for one of them. The honest parts
are therefore made by mending: each board once per defect with all others repaired from its golden sample, and each
board with every defect repaired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.types import Image
from models.data import LabelledPicture
from models.mending import Board, repair


@dataclass(frozen=True, slots=True)
class Item:
    """What one picture that a model is shown is.

    Attributes:
        picture: Its number in the split.
        is_mended: Made by mending; else it is the picture as it is.
        defect: Of a mended one, the number of the one defect that is left; `None` where none is.
        is_defective: It must be rejected.
        label: Class of its one defect, or of the whole picture; empty where there is none to name.
        is_chosen: Of a mended one: it is among the one defective and the one good part of its board.
    """

    picture: int
    is_mended: bool
    defect: int | None
    is_defective: bool
    label: str
    is_chosen: bool = False


def mended_parts(
    number: int, picture: LabelledPicture, image: Image, golden: Image, classes: tuple[str, ...], seed: int
) -> Iterator[tuple[Item, Image]]:
    """Makes the parts with one defect or none.

    One of a board's defects is chosen by chance for the set of one defective and one good part per board: seeded by the
    picture's id, so that the choice is the same for every model, split of the work and run.

    Args:
        number: The picture's number in its split.
        picture: Boxes and labels.
        image: uint8, its pixels.
        golden: The golden sample, registered to `image`.
        classes: What the labels index.
        seed: The seed of the choice.

    Yields:
        The part's description and its pixels: a part for each defect, then the one without.
    """
    board = Board(image, golden, picture.boxes, picture.labels)
    count = len(board.boxes)
    chosen = int(np.random.default_rng((seed, picture.image_id)).integers(count)) if count else -1
    for index in range(count):
        label = classes[int(board.labels[index])]
        part = repair(board, np.arange(count) == index).part
        yield Item(number, True, index, True, label, index == chosen), part
    yield Item(number, True, None, False, "", True), repair(board, np.zeros(count, bool)).part
