"""A sheet of sample pictures with what the model found, to be looked at before anybody believes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import DataError
from app.types import Detection, Image
from models.importing.trying import Tried

TILES = 24

_COLUMNS, _TILE_PX, _GAP_PX, _CAPTION_PX, _HEAD_PX = 4, 360, 14, 26, 60
_PAPER, _FRAME, _INK, _QUIET = (250, 250, 250), (236, 236, 236), (40, 40, 40), (130, 130, 130)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BOXES = 40
_HEAT = 0.45
# Colours that stay apart for people who see red and green alike (Okabe and Ito 2008), as BGR.
_COLOURS = ((0, 94, 213), (178, 114, 0), (115, 158, 0), (167, 121, 204), (0, 159, 230), (233, 180, 86), (66, 228, 240))


def write_sheet(path: Path, tried: Sequence[Tried], classes: Sequence[str], threshold: float, headline: str) -> None:
    """Draws the pictures with most to see.

    Args:
        path: The PNG file.
        tried: Pictures and what was found in them.
        classes: All class names; they choose the colours.
        threshold: Findings below are not drawn.
        headline: What stands above the pictures.

    Raises:
        DataError: The file cannot be written.
    """
    shown = sorted(tried, key=lambda each: -sum(found.score >= threshold for found in each.detections))[:TILES]
    colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(classes)}
    tiles = [_tile(each, colours, threshold) for each in shown]
    if not cv2.imwrite(str(path), _arranged(tiles, headline)):
        raise DataError(f"picture {path} cannot be written", "check the folder and the disk")


def _arranged(tiles: Sequence[Image], headline: str) -> Image:
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    step_x, step_y = _TILE_PX + _GAP_PX, _TILE_PX + _CAPTION_PX + _GAP_PX
    width = max(columns * step_x + _GAP_PX, 2 * step_x)
    sheet = np.full((_HEAD_PX + rows * step_y, width, 3), _PAPER, np.uint8)
    _write(sheet, headline, (_GAP_PX, 38), _INK, size=_fitting(headline, 0.75, width - 2 * _GAP_PX))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        top, left = _HEAD_PX + row * step_y, _GAP_PX + column * step_x
        sheet[top : top + tile.shape[0], left : left + _TILE_PX] = tile
    return sheet


def _tile(each: Tried, colours: dict[str, tuple[int, int, int]], threshold: float) -> Image:
    tile = np.full((_TILE_PX + _CAPTION_PX, _TILE_PX, 3), _PAPER, np.uint8)
    picture = _heated(_coloured(each.sample.image), each.anomaly_map)
    height, width = picture.shape[:2]
    scale = _TILE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small: Image = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    found = [one for one in each.detections if one.score >= threshold]
    shown = [one for one in found if not _is_whole(one, width, height)][:_BOXES]
    for one in reversed(shown):
        _draw_box(small, one, scale, colours[one.label])
    top, left = (_TILE_PX - size[1]) // 2, (_TILE_PX - size[0]) // 2
    tile[:_TILE_PX] = _FRAME
    tile[top : top + size[1], left : left + size[0]] = small
    caption = _caption(each, found, width, height)
    _write(tile, caption, (2, _TILE_PX + 18), _INK if found else _QUIET, size=_fitting(caption, 0.45, _TILE_PX - 4))
    return tile


def _caption(each: Tried, found: Sequence[Detection], width: int, height: int) -> str:
    whole = [f"{one.label} {one.score:.2f}" for one in found if _is_whole(one, width, height)]
    parts = [f"score {each.picture_score:.2f}"] if each.picture_score is not None else []
    parts += whole[:2] or ([f"{len(found)} found"] if found else ["nothing found"])
    return f"{each.sample.name}  {width}x{height}  {', '.join(parts)}"


def _is_whole(found: Detection, width: int, height: int) -> bool:
    x, y, across, down = found.box_px
    return x <= 0 and y <= 0 and x + across >= width and y + down >= height


def _draw_box(picture: Image, found: Detection, scale: float, colour: tuple[int, int, int]) -> None:
    x, y, width, height = (each * scale for each in found.box_px)
    start, end = (round(x), round(y)), (round(x + width), round(y + height))
    cv2.rectangle(picture, start, end, colour, 2, cv2.LINE_AA)
    text = f"{found.label} {found.score:.2f}"
    (across, down), _ = cv2.getTextSize(text, _FONT, 0.36, 1)
    left = min(max(start[0], 0), max(0, picture.shape[1] - across - 4))
    top = start[1] - down - 5 if start[1] > down + 5 else min(max(end[1], 0), picture.shape[0] - down - 5)
    cv2.rectangle(picture, (left, top), (left + across + 4, top + down + 5), colour, -1)
    _write(picture, text, (left + 2, top + down + 2), (255, 255, 255), size=0.36)


def _heated(picture: Image, plane: NDArray[np.float32] | None) -> Image:
    if plane is None:
        return picture
    large = cv2.resize(plane, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
    heat = cv2.applyColorMap((np.clip(large, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.addWeighted(picture, 1 - _HEAT, heat, _HEAT, 0), np.uint8)


def _coloured(picture: Image) -> Image:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8) if picture.ndim == 2 else picture.copy()  # noqa: PLR2004


def _fitting(text: str, size: float, width_px: int) -> float:
    (across, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    return size if across <= width_px else size * width_px / across


def _write(picture: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int], *, size: float) -> None:
    cv2.putText(picture, text, at, _FONT, size, colour, 1, cv2.LINE_AA)
