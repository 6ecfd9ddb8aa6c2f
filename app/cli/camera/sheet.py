"""A contact sheet of what a camera saw: each picture with its histogram and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.cli.camera.shots import Shot, check_new
from app.cli.files import check_outputs, write_whole
from app.cli.lettering import CARD, HAIRLINE, INK, PAPER, QUIET, Letters, Mark
from app.cli.outputs import SHEET_SUFFIXES
from app.cli.pictures import canvas, coloured, scaled
from app.cli.report import encoded
from app.cli.sheet import TILE_PX
from app.errors import UsageError
from app.picture_figures import LEVELS, WHITE
from app.types import Image

MOST_SHOWN = 60
_COLUMNS = 3
_GAP_PX = 18
_PLOT_PX = 96
_LINE_PX = 19
_LINES = 4
_TITLE = Letters(0.5, is_bold=True)
_TEXT = Letters(0.42)
_HEADLINE = Letters(0.8, is_bold=True)
_WIDTH_PX = TILE_PX + 2
_HEIGHT_PX = TILE_PX + _PLOT_PX + (_LINES + 1) * _LINE_PX + 2 * _GAP_PX


def shot_sheet(shots: Sequence[Shot], headline: str) -> Image:
    """Draws pictures side by side.

    Args:
        shots: The pictures, at least one; the first 60 are drawn.
        headline: What stands above them.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    shots = shots[:MOST_SHOWN]
    columns = min(_COLUMNS, len(shots))
    rows = -(-len(shots) // columns)
    top = 3 * _GAP_PX + _HEADLINE.height_px
    sheet = canvas(columns * (_WIDTH_PX + _GAP_PX) + _GAP_PX, top + rows * (_HEIGHT_PX + _GAP_PX), PAPER)
    fitted = _HEADLINE.fitted(headline, sheet.shape[1] - 2 * _GAP_PX)
    _HEADLINE.write(sheet, fitted, (_GAP_PX, top - round(1.4 * _GAP_PX)), INK)
    for index, each in enumerate(shots):
        row, column = divmod(index, columns)
        x, y = _GAP_PX + column * (_WIDTH_PX + _GAP_PX), top + row * (_HEIGHT_PX + _GAP_PX)
        sheet[y : y + _HEIGHT_PX, x : x + _WIDTH_PX] = _tile(each)
    return sheet


def check_sheet(sheet: Path | None, others: Sequence[Path], *, is_forced: bool) -> None:
    """Refuses a sheet that cannot be written, before any picture is taken.

    Raises:
        UsageError: Its name is none of a picture, it is there already, or it is one of the other files.
    """
    if sheet is None:
        return
    if sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise UsageError(f"{sheet} is no name of a picture", f"end it with one of {', '.join(SHEET_SUFFIXES)}")
    check_new(sheet, is_forced=is_forced)
    check_outputs([*others, sheet], ())


def write_sheet(sheet: Path, shots: Sequence[Shot], headline: str) -> None:
    """Draws and writes a sheet.

    Raises:
        UsageError: It cannot be written.
    """
    write_whole(sheet, encoded(shot_sheet(shots, headline), sheet.suffix.lower()))


def plot(histogram: NDArray[np.float64]) -> Image:
    """Draws a histogram; heights are the roots of the shares, so that few pixels are seen too.

    Args:
        histogram: float64 (256,).

    Returns:
        uint8 (96, 300, 3) BGR: black to white from left to right, the last bin in red where anything is saturated.
    """
    picture = canvas(TILE_PX, _PLOT_PX, PAPER)
    heights = np.sqrt(histogram / max(float(histogram.max()), 1e-12)) * (_PLOT_PX - 4)
    for level in range(LEVELS):
        left, right = level * TILE_PX // LEVELS, (level + 1) * TILE_PX // LEVELS - 1
        top = _PLOT_PX - int(np.ceil(heights[level]))
        if top < _PLOT_PX:
            colour = Mark.REJECT.colour if level == WHITE else QUIET
            cv2.rectangle(picture, (left, top), (right, _PLOT_PX - 1), colour, cv2.FILLED)
    return picture


def _tile(shot: Shot) -> Image:
    tile = canvas(_WIDTH_PX, _HEIGHT_PX, CARD)
    tile[1 : TILE_PX + 1, 1 : TILE_PX + 1] = _framed(shot.small if shot.small is not None else canvas(1, 1, PAPER))
    tile[TILE_PX + 1 : TILE_PX + 1 + _PLOT_PX, 1 : TILE_PX + 1] = plot(shot.figures.histogram)
    cv2.rectangle(tile, (0, 0), (_WIDTH_PX - 1, _HEIGHT_PX - 1), HAIRLINE)
    cv2.line(tile, (0, TILE_PX + 1 + _PLOT_PX), (_WIDTH_PX - 1, TILE_PX + 1 + _PLOT_PX), HAIRLINE)
    base = TILE_PX + _PLOT_PX + _GAP_PX + _TITLE.height_px
    _TITLE.write(tile, _TITLE.fitted(shot.title, TILE_PX - 20), (10, base), INK)
    for number, (text, colour) in enumerate(_texts(shot), 1):
        _TEXT.write(tile, _TEXT.fitted(text, TILE_PX - 20), (10, base + 4 + number * _LINE_PX), colour)
    return tile


def _texts(shot: Shot) -> list[tuple[str, tuple[int, int, int]]]:
    figures, stamps = shot.figures, shot.stamps
    counter = "" if stamps.counter is None else f", counter {stamps.counter}"
    texts = [
        (f"{figures.width_px} x {figures.height_px}, focus {figures.focus:.1f}", INK),
        (f"mean {figures.mean:.1f}, {figures.low} to {figures.high}, {figures.saturated:.1%} at 255", INK),
        (f"in memory after {stamps.memory_ms:.1f} ms{counter}", QUIET),
    ]
    # The word before the colon names the trouble; the table below has the rest.
    troubles = [remark.partition(":")[0].upper() for remark in shot.remarks]
    return [*texts, (", ".join(troubles), Mark.REJECT.colour)] if troubles else texts


def _framed(image: Image) -> Image:
    """The picture in the middle of a square; small ones are enlarged by whole factors."""
    picture = coloured(scaled(image, max(1, TILE_PX // max(image.shape[:2]))))
    square = canvas(TILE_PX, TILE_PX, PAPER)
    height, width = picture.shape[:2]
    y, x = (TILE_PX - height) // 2, (TILE_PX - width) // 2
    square[y : y + height, x : x + width] = picture
    return square
