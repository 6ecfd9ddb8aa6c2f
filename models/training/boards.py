"""Labelled pictures in memory, as training and validation want them. Without torch."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from app.detect.detector import Fit, InputSpec
from app.detect.prepare import Preparation, layout_of
from app.errors import DataError
from models.data import LabelledPicture, Picture, load_split, read_pair
from models.mending import Board, load_board
from models.outlines import Region, moved
from models.recipe import InputShape, TrainingRecipe
from models.training.picture_classes import load_classed

TRAIN, VAL = "train", "val"


def load_training_boards(data_dir: Path, split: str, recipe: TrainingRecipe) -> list[Board]:
    """Loads a split for a recipe's net.

    Golden samples come along where the net sees them, and for training wherever the set has them: they mend defects.

    Args:
        data_dir: Folder of the data set (`models.data`, or `models.training.picture_classes` for a classifier).
        split: "train" or "val".
        recipe: The recipe.

    Raises:
        DataError: The data cannot be used.
    """
    if recipe.kind == "classification":
        classed = load_classed(data_dir, split, recipe.classes, recipe.good_classes, golden=recipe.input.golden)
        boards = load_boards([each.labelled for each in classed], recipe)
        return [replace(board, category=each.category) for board, each in zip(boards, classed, strict=True)]
    mends = split == TRAIN and (data_dir / "images" / f"{split}_template").is_dir()
    labelled = load_split(data_dir, split, recipe.classes, golden=recipe.input.golden or mends)
    if split == TRAIN and recipe.input.fit == "letterbox":
        boards = [_letterboxed(each, recipe, recipe.train.crop_px) for each in labelled.pictures]
    else:
        boards = load_boards(labelled.pictures, recipe)
    if split == TRAIN and not any(len(board.boxes) for board in boards):
        raise DataError(f"{data_dir}: no picture of the split {split} has a box", "label some defects first")
    return boards


def load_boards(pictures: Sequence[LabelledPicture], recipe: TrainingRecipe) -> list[Board]:
    """Reads pictures as training wants them: of two levels as they are, others laid into the net's input.

    Raises:
        DataError: A file cannot be read, golden samples differ in size from their pictures, or a drawing is smaller
            than a crop of it.
    """
    if recipe.input.two_level:
        return [_drawing(each, recipe) for each in pictures]
    if recipe.input.fit == "letterbox":
        return [_letterboxed(each, recipe) for each in pictures]
    return [_stretched(each, recipe) for each in pictures]


def _drawing(picture: LabelledPicture, recipe: TrainingRecipe) -> Board:
    board = load_board(picture)
    side = recipe.train.crop_px * shrink_of(board, recipe)
    height, width = board.part.shape
    if min(height, width) < side:
        what = f"picture {picture.image} is {width}x{height} px, less than a crop of {side} px"
        raise DataError(what, "lower train.crop_px")
    return board


def shrink_of(board: Board, recipe: TrainingRecipe) -> int:
    """How many times smaller the net sees a drawing."""
    return max(1, round(int(board.part.shape[1]) / recipe.input.width_px))


def _stretched(picture: LabelledPicture, recipe: TrainingRecipe) -> Board:
    size = recipe.input.width_px, recipe.input.height_px
    part, golden = read_pair(picture, recipe.input.channels)
    scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]] * 2, np.float32)
    wide = to_size(part, size)
    template = wide if golden is None else to_size(golden, size)
    outlines = _outlines(picture, recipe, (float(scale[0]), float(scale[1])), (0.0, 0.0))
    return Board(wide, template, picture.boxes * scale, picture.labels, picture.image.name, outlines=outlines)


def _letterboxed(picture: LabelledPicture, recipe: TrainingRecipe, least_px: int | None = None) -> Board:
    """A picture in its own shape, scaled as a station does, with the border that the net will see.

    Args:
        picture: The picture.
        recipe: The recipe.
        least_px: Leave off all of the border that sides of so many pixels do not need: crops would be mostly border.
    """
    spec = input_spec(recipe.input)
    part, _ = read_pair(picture, spec.channels)
    preparation = Preparation(spec)
    placement = preparation.fill(part, None)
    whole = preparation.image[0] if spec.channels > 1 else preparation.image[0, :, :, 0]
    rows, columns = layout_of(spec, part.shape[1], part.shape[0]).filled
    if least_px is not None:
        rows, columns = _widened(rows, least_px, spec.height_px), _widened(columns, least_px, spec.width_px)
        whole = whole[rows, columns]
    else:
        rows = columns = slice(0, 0)
    scale = 1 / placement.scale_x, 1 / placement.scale_y
    shift = -placement.offset_x_px * scale[0] - columns.start, -placement.offset_y_px * scale[1] - rows.start
    boxes = picture.boxes * np.array([*scale, *scale], np.float32) + np.array([*shift, *shift], np.float32)
    inside = np.ascontiguousarray(whole)
    outlines = _outlines(picture, recipe, scale, shift)
    return Board(inside, inside, boxes, picture.labels, picture.image.name, outlines=outlines)


def _widened(filled: slice, least_px: int, most_px: int) -> slice:
    """At least so many pixels around the middle of a slice, inside 0 to `most_px`."""
    spare = max(0, min(least_px, most_px) - (filled.stop - filled.start))
    start = max(0, min(filled.start - spare // 2, most_px - (filled.stop - filled.start) - spare))
    return slice(start, start + (filled.stop - filled.start) + spare)


def _outlines(
    picture: LabelledPicture, recipe: TrainingRecipe, scale: tuple[float, float], shift: tuple[float, float]
) -> tuple[Region, ...]:
    """The regions of defects in pixels of the board, where the recipe learns from them."""
    if recipe.train.targets != "regions":
        return ()
    return moved(picture.outlines, np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]], float))


def input_spec(shape: InputShape) -> InputSpec:
    """What a package says of a recipe's input."""
    return InputSpec(shape.width_px, shape.height_px, shape.channels, shape.golden, cast("Fit", shape.fit))


def to_size(picture: Picture, size: tuple[int, int]) -> Picture:
    """Stretches a picture as a station does before its model (`app.detect.prepare`).

    Args:
        picture: uint8 (H, W) or (H, W, 3).
        size: Width and height.
    """
    if picture.shape[1::-1] == size:
        return picture
    is_smaller = size[0] < picture.shape[1] or size[1] < picture.shape[0]
    way = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def remarks(boards: Sequence[Board], split: str, recipe: TrainingRecipe) -> list[str]:
    """What is worth a look before hours are spent on a split, in sentences; such as classes without examples."""
    counts = dict.fromkeys(range(len(recipe.classes)), 0)
    for board in boards:
        for label in [board.category] if recipe.kind == "classification" else board.labels.tolist():
            counts[int(label)] += 1
    missing = [name for index, name in enumerate(recipe.classes) if not counts[index]]
    if not missing:
        return []
    end = "it cannot be learnt" if split == TRAIN else "it does not count in the scores"
    return [f"class {name!r} has no example in the split {split}: {end}" for name in missing]


def check_scores(boards: Sequence[Board], recipe: TrainingRecipe) -> None:
    """Checks that a validation split can give the score that the best checkpoint is chosen by.

    Raises:
        DataError: It cannot.
    """
    if recipe.selects == "auroc" and len({is_bad(board, recipe) for board in boards}) < 2:  # noqa: PLR2004
        raise DataError(
            "train.select is auroc, and the split val has not both good and defective pictures",
            f"add some, or select {'accuracy' if recipe.kind == 'classification' else 'map50'}",
        )
    if recipe.selects != "auroc" and recipe.kind == "detection" and not any(len(board.boxes) for board in boards):
        raise DataError("no picture of the split val has a box", "label some defects, or split the set anew")


def is_bad(board: Board, recipe: TrainingRecipe) -> bool:
    """Whether a part ought to be rejected."""
    if recipe.kind == "detection":
        return bool(len(board.boxes))
    return recipe.classes[board.category] not in recipe.good_classes


def fingerprint(*splits: Sequence[Board]) -> str:
    """A checksum of pictures and labels, by which a resumed training knows its data."""
    total = 0
    for boards in splits:
        total = zlib.crc32(str(len(boards)).encode(), total)
        for board in boards:
            total = zlib.crc32(f"{board.name} {board.category}".encode(), total)
            for array in (board.part, board.boxes, board.labels):
                total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return f"{total:08x}"
