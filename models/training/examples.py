"""Pictures of a validation split with truth and findings side by side, so that a person sees what a net does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.data import Picture
from models.measures.precision import Found
from models.mending import Board

_TILE_PX, _GAP_PX, _TEXT_PX, _COLUMNS = 420, 14, 30, 4
_SHOWN = 12
_LEAST_SCORE, _MOST_FOUND = 0.2, 20
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _CARD, _INK = (245, 243, 242), (255, 255, 255), (40, 35, 31)
_TRUTH, _FOUND = (122, 92, 0), (30, 38, 179)
_DASH_PX = 7
_WHITE = 255


@dataclass(frozen=True, eq=False)
class Example:
    """One picture of the sheet.

    Attributes:
        board: Picture and truth.
        words: What stands above it.
        found: What a detector found; None where the net classifies.
    """

    board: Board
    words: str
    found: Found | None = None


def chosen(count: int) -> list[int]:
    """Which of `count` pictures are shown: always the same ones, evenly spread."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, _SHOWN))})


def draw_examples(examples: Sequence[Example], classes: Sequence[str]) -> Picture:
    """Draws a sheet of pictures: truth with a solid line, findings of a score from 0.2 on with a dashed one.

    Args:
        examples: At least one.
        classes: Class names.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    tiles = [_tile(each, classes) for each in examples]
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    high, wide = max(tile.shape[0] for tile in tiles), _TILE_PX
    sheet = np.full((rows * (high + _GAP_PX) + _GAP_PX, columns * (wide + _GAP_PX) + _GAP_PX, 3), _PAPER, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        y, x = _GAP_PX + row * (high + _GAP_PX), _GAP_PX + column * (wide + _GAP_PX)
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def _tile(example: Example, classes: Sequence[str]) -> Picture:
    part = example.board.part
    levels = part * np.uint8(_WHITE) if part.max(initial=0) <= 1 else part
    scale = _TILE_PX / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    shown = cv2.resize(levels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    if shown.ndim == 2:  # noqa: PLR2004
        shown = cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR)
    # Paled, so that lines and letters can be read on it.
    field = np.asarray(cv2.addWeighted(shown, 0.6, np.full_like(shown, _WHITE), 0.4, 0), np.uint8)
    if example.found is not None:
        _draw_found(field, example.found, scale, classes)
        for box, label in zip(example.board.boxes * scale, example.board.labels, strict=True):
            x1, y1, x2, y2 = (round(float(value)) for value in box)
            cv2.rectangle(field, (x1, y1), (x2, y2), _TRUTH, 2, cv2.LINE_AA)
            _chip(field, classes[int(label)], (x1, y1 - 4), _TRUTH)
    tile = np.full((_TEXT_PX + field.shape[0], _TILE_PX, 3), _CARD, np.uint8)
    tile[_TEXT_PX:, : field.shape[1]] = field
    cv2.putText(tile, _fitted(_plain(example.words), _TILE_PX - 12), (6, 20), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
    return tile


def _draw_found(field: Picture, found: Found, scale: float, classes: Sequence[str]) -> None:
    loud = np.flatnonzero(found.scores >= _LEAST_SCORE)[:_MOST_FOUND]
    for index in loud[::-1]:
        x1, y1, x2, y2 = (round(float(value) * scale) for value in found.boxes[index])
        for at in range(x1, x2, 2 * _DASH_PX):
            for y in (y1, y2):
                cv2.line(field, (at, y), (min(at + _DASH_PX, x2), y), _FOUND, 2, cv2.LINE_AA)
        for at in range(y1, y2, 2 * _DASH_PX):
            for x in (x1, x2):
                cv2.line(field, (x, at), (x, min(at + _DASH_PX, y2)), _FOUND, 2, cv2.LINE_AA)
        _chip(field, f"{classes[int(found.labels[index])]} {found.scores[index]:.2f}", (x1, y2 + 15), _FOUND)


def _chip(field: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    """White letters on a colour, moved as far as needed to stand inside the picture."""
    text = _plain(text)
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.4, 1)
    x = max(2, min(at[0], field.shape[1] - width - 6))
    y = max(height + 4, min(at[1], field.shape[0] - 5))
    cv2.rectangle(field, (x - 2, y - height - 3), (x + width + 3, y + 4), colour, cv2.FILLED)
    cv2.putText(field, text, (x, y), _FONT, 0.4, _CARD, 1, cv2.LINE_AA)


def _fitted(text: str, width_px: int) -> str:
    while text and cv2.getTextSize(text, _FONT, 0.45, 1)[0][0] > width_px:
        text = text[:-1]
    return text


def _plain(text: str) -> str:
    return "".join(each if " " <= each <= "~" else "?" for each in text)
