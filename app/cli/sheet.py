"""A contact sheet: many parts on one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from app.cli.lettering import CARD, HAIRLINE, INK, PAPER, QUIET, Letters, Mark, badge
from app.cli.pictures import (
    Exhibit,
    Shown,
    canvas,
    coloured,
    draw_boxes,
    mark_of,
    reason_in_short,
    scaled,
    scaled_verdict,
)
from app.types import Image, Verdict

TILE_PX = 300
"""Side of a part's picture."""

_GAP_PX = 18
_TITLE = Letters(0.5, is_bold=True)
_TEXT = Letters(0.42)
_HEADLINE = Letters(0.8, is_bold=True)
_TEXT_LINES = 3
_LINE_PX = 19


def contact_sheet(items: Sequence[Shown], columns: int = 4, headline: str = "Rejected parts") -> Image:
    """Draws many parts on one sheet, each with its boxes, its verdict and its reasons in words.

    Args:
        items: The parts; none gives a sheet that says so.
        columns: Parts side by side.
        headline: What stands above them.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    if not items:
        return _empty_sheet(headline)
    columns = max(1, min(columns, len(items)))
    tiles = [_tile(Exhibit.of(each, TILE_PX)) for each in items]
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    top = 3 * _GAP_PX + _HEADLINE.height_px
    sheet = canvas(columns * (width + _GAP_PX) + _GAP_PX, top + rows * (height + _GAP_PX), PAPER)
    headline = _HEADLINE.fitted(headline, sheet.shape[1] - 2 * _GAP_PX)
    _HEADLINE.write(sheet, headline, (_GAP_PX, top - round(1.4 * _GAP_PX)), INK)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x, y = _GAP_PX + column * (width + _GAP_PX), top + row * (height + _GAP_PX)
        sheet[y : y + height, x : x + width] = tile
    return sheet


def _empty_sheet(headline: str) -> Image:
    sheet = canvas(2 * TILE_PX, TILE_PX // 2, PAPER)
    _HEADLINE.write(sheet, _HEADLINE.fitted(headline, sheet.shape[1] - 2 * _GAP_PX), (_GAP_PX, 3 * _GAP_PX), INK)
    _, height = badge(sheet, Mark.PASS, (_GAP_PX, 4 * _GAP_PX), _TITLE)
    _TEXT.write(sheet, "No part was rejected.", (_GAP_PX, 5 * _GAP_PX + height + _TEXT.height_px), QUIET)
    return sheet


def _tile(item: Exhibit) -> Image:
    tile = canvas(TILE_PX + 2, TILE_PX + 2 * _GAP_PX + 14 + _TEXT_LINES * _LINE_PX, CARD)
    if item.image is None:
        _TEXT.write(tile, "no picture", (_GAP_PX, TILE_PX // 2), QUIET)
    else:
        tile[1 : TILE_PX + 1, 1 : TILE_PX + 1] = _framed(item)
    cv2.rectangle(tile, (0, 0), (tile.shape[1] - 1, tile.shape[0] - 1), HAIRLINE)
    cv2.line(tile, (0, TILE_PX + 1), (tile.shape[1] - 1, TILE_PX + 1), HAIRLINE)
    top = TILE_PX + 10
    width, height = badge(tile, mark_of(item.verdict), (10, top), _TITLE)
    x, base = 20 + width, top + (height + _TITLE.height_px) // 2
    number = f"Part {item.verdict.part_id}"
    _TITLE.write(tile, number, (x, base), INK)
    x += _TITLE.width_px(number) + 10
    _TEXT.write(tile, _TEXT.fitted(item.name, TILE_PX - 8 - x), (x, base), QUIET)
    for index, text in enumerate(_reasons(item.verdict)):
        _TEXT.write(tile, text, (10, top + height + 20 + index * _LINE_PX), INK if index == 0 else QUIET)
    return tile


def _framed(item: Exhibit) -> Image:
    """The picture with boxes, in the middle of a square; small ones are enlarged by whole factors."""
    assert item.image is not None
    factor = max(1, TILE_PX // max(item.image.shape[:2]))
    picture = coloured(scaled(item.image, factor))
    draw_boxes(picture, scaled_verdict(item.verdict, factor).findings, 1.2, is_named=False)
    square = canvas(TILE_PX, TILE_PX, PAPER)
    height, width = picture.shape[:2]
    y, x = (TILE_PX - height) // 2, (TILE_PX - width) // 2
    square[y : y + height, x : x + width] = picture
    return square


def _reasons(verdict: Verdict) -> list[str]:
    """The first reasons in words, a line each where there are several."""
    texts = [reason_in_short(each) for each in verdict.findings] or ["nothing found"]
    if len(texts) == 1:
        return _TEXT.wrapped(texts[0], TILE_PX - 20, _TEXT_LINES)
    if len(texts) > _TEXT_LINES:
        texts[_TEXT_LINES - 1 :] = [f"and {len(texts) - _TEXT_LINES + 1} more"]
    return [_TEXT.fitted(text, TILE_PX - 20) for text in texts]
