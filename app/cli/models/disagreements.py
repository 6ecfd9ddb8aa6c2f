"""The disagreements of two models as one picture: each part twice, side by side."""

from __future__ import annotations

import cv2

from app.cli.lettering import CARD, HAIRLINE, INK, PAPER, QUIET, Letters, badge
from app.cli.models.comparing import Comparison
from app.cli.models.differences import title_of
from app.cli.pictures import Exhibit, canvas, coloured, draw_boxes, mark_of, reason_in_short, scaled, scaled_verdict
from app.cli.truth import Truth
from app.types import Image

TILE_PX = 420
"""Side of a part's picture."""

_GAP_PX = 18
_LINES = 2
_LINE_PX = 19
_HEADLINE = Letters(0.8, is_bold=True)
_TITLE = Letters(0.55, is_bold=True)
_TEXT = Letters(0.45)


def sheet_of(comparison: Comparison, truth: Truth | None) -> Image:
    """Draws the disagreements whose pictures were kept.

    Args:
        comparison: What was compared.
        truth: Which pictures are bad, if that is known.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    tiles = [(_tile(one), _tile(other)) for one, other in comparison.shown]
    width = 2 * (TILE_PX + 2) + 3 * _GAP_PX
    caption_px = _TITLE.height_px + _GAP_PX
    row_px = caption_px + (tiles[0][0].shape[0] if tiles else 0) + _GAP_PX
    head = _head(comparison, width)
    sheet = canvas(width, head.shape[0] + max(len(tiles) * row_px, 3 * _GAP_PX), PAPER)
    sheet[: head.shape[0]] = head
    if not tiles:
        _TEXT.write(sheet, "No verdict differs.", (_GAP_PX, head.shape[0] + _GAP_PX), QUIET)
    for row, pair in enumerate(tiles):
        top = head.shape[0] + row * row_px
        name = comparison.shown[row][0].name
        known = "" if truth is None else ", bad by the truth" if name in truth.bad else ", good by the truth"
        caption = _TITLE.fitted(f"{name}{known}", width - 2 * _GAP_PX)
        _TITLE.write(sheet, caption, (_GAP_PX, top + _TITLE.height_px), INK)
        for column, tile in enumerate(pair):
            x, y = _GAP_PX + column * (TILE_PX + 2 + _GAP_PX), top + caption_px
            sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def _head(comparison: Comparison, width: int) -> Image:
    different, shown = len(comparison.different), len(comparison.shown)
    first = f"; the first {shown} are shown" if shown < different else ""
    headline = f"{different} of {len(comparison.pairs)} verdicts differ{first}"
    head = canvas(width, 4 * _GAP_PX + _HEADLINE.height_px + _TITLE.height_px, PAPER)
    _HEADLINE.write(
        head, _HEADLINE.fitted(headline, width - 2 * _GAP_PX), (_GAP_PX, _GAP_PX + _HEADLINE.height_px), INK
    )
    for column, (letter, side) in enumerate(zip("AB", comparison.sides, strict=True)):
        x = _GAP_PX + column * (TILE_PX + 2 + _GAP_PX)
        name = f"{letter}: {title_of(side)} {side.package.version}"
        _TITLE.write(head, _TITLE.fitted(name, TILE_PX), (x, head.shape[0] - round(1.2 * _GAP_PX)), INK)
    return head


def _tile(item: Exhibit) -> Image:
    item = Exhibit.of(item, TILE_PX)
    tile = canvas(TILE_PX + 2, TILE_PX + 3 * _GAP_PX + _TITLE.height_px + _LINES * _LINE_PX, CARD)
    if item.image is None:
        _TEXT.write(tile, "no picture", (_GAP_PX, TILE_PX // 2), QUIET)
    else:
        factor = max(1, TILE_PX // max(item.image.shape[:2]))
        picture = coloured(scaled(item.image, factor))
        draw_boxes(picture, scaled_verdict(item.verdict, factor).findings, 1.2)
        height, width = picture.shape[:2]
        y, x = 1 + (TILE_PX - height) // 2, 1 + (TILE_PX - width) // 2
        tile[y : y + height, x : x + width] = picture
    cv2.rectangle(tile, (0, 0), (tile.shape[1] - 1, tile.shape[0] - 1), HAIRLINE)
    cv2.line(tile, (0, TILE_PX + 1), (tile.shape[1] - 1, TILE_PX + 1), HAIRLINE)
    _, height = badge(tile, mark_of(item.verdict), (10, TILE_PX + 10), _TITLE)
    for index, text in enumerate(_reasons(item)):
        _TEXT.write(tile, text, (10, TILE_PX + 10 + height + 20 + index * _LINE_PX), INK if index == 0 else QUIET)
    return tile


def _reasons(item: Exhibit) -> list[str]:
    texts = [reason_in_short(each) for each in item.verdict.findings] or ["nothing found"]
    if len(texts) > _LINES:
        texts[_LINES - 1 :] = [f"and {len(texts) - _LINES + 1} more"]
    return [_TEXT.fitted(text, TILE_PX - 20) for text in texts]
