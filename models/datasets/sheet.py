"""A contact sheet: for each class a row of its defects where they lie, and a row of good parts.

It shows the pictures themselves, so it may be passed on only as they may.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.errors import DataError
from app.types import Image
from models.datasets.gather import Entry
from models.datasets.records import Box
from models.datasets.splits import strata_of

TILES = 8
"""Pictures in a row."""

_TILE_PX = 176
_GAP_PX = 14
_CAPTION_PX = 36
_HEAD_PX = 40
_TITLE_PX = 52
_CONTEXT = 2.6
_LEAST_CONTEXT_PX = 48
_LEGEND = "thick red: a defect of the row's class; thin blue: other defects in the view"
_LEGEND_PX = 500
_SMALL, _MIDDLE, _LARGE = 0.36, 0.52, 0.7
_PLAIN, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX

Colour = tuple[int, int, int]
_PAPER: Colour = (245, 243, 242)
_CARD: Colour = (255, 255, 255)
_INK: Colour = (40, 35, 31)
_QUIET: Colour = (104, 96, 87)
_EDGE: Colour = (214, 206, 201)
_BOX: Colour = (30, 38, 179)
_OTHER: Colour = (150, 110, 20)


@dataclass(frozen=True, slots=True)
class _Shown:
    """One tile: a picture, and the box it is about (None: the whole picture)."""

    entry: Entry
    box: Box | None


def write_sheet(path: Path, entries: Sequence[Entry], classes: Sequence[str], title: str, seed: int = 0) -> None:
    """Draws the contact sheet and writes it as PNG, whole or not at all.

    Args:
        path: The file.
        entries: The pictures of the data set.
        classes: Its class names.
        title: What stands above.
        seed: Chooses the examples.

    Raises:
        DataError: It cannot be written.
    """
    sheet = draw_sheet(entries, classes, title, seed)
    fine, content = cv2.imencode(".png", sheet)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content.tobytes() if fine else b"")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DataError(f"{path} cannot be written ({error.strerror})", "give another file by --sheet") from error


def draw_sheet(entries: Sequence[Entry], classes: Sequence[str], title: str, seed: int = 0) -> Image:
    """Draws the contact sheet.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    rows = [(name, *_examples(entries, name, seed)) for name in classes]
    good = [entry for entry in entries if not entry.sample.boxes and entry.sample.is_good is not False]
    if good:
        rows.append(("no defect", _counted(len(good), "picture"), [_Shown(entry, None) for entry in _few(good, seed)]))
    width = TILES * (_TILE_PX + _GAP_PX) + _GAP_PX
    row_px = _HEAD_PX + _TILE_PX + _CAPTION_PX + _GAP_PX
    sheet = np.full((_TITLE_PX + max(1, len(rows)) * row_px, width, 3), _PAPER, np.uint8)
    _write(sheet, title, (_GAP_PX, 34), _INK, _LARGE, width // 2, font=_BOLD)
    _write(sheet, _LEGEND, (width - _GAP_PX - _LEGEND_PX, 34), _QUIET, _SMALL + 0.06, _LEGEND_PX)
    for index, (name, counts, shown) in enumerate(rows):
        top = _TITLE_PX + index * row_px
        cv2.line(sheet, (_GAP_PX, top), (width - _GAP_PX, top), _EDGE)
        end = _write(sheet, name, (_GAP_PX, top + 26), _INK, _MIDDLE, width // 2, font=_BOLD)
        _write(sheet, counts if shown else f"{counts}: no example", (end + 14, top + 26), _QUIET, _SMALL + 0.06, width)
        for column, each in enumerate(shown):
            _draw_tile(sheet, each, (_GAP_PX + column * (_TILE_PX + _GAP_PX), top + _HEAD_PX))
    return sheet


def _examples(entries: Sequence[Entry], name: str, seed: int) -> tuple[str, list[_Shown]]:
    """A class's counts in words, and examples from as many pictures as there are."""
    boxes = [(entry, box) for entry in entries for box in entry.sample.boxes if box.label == name]
    pictures = [entry for entry in entries if name in strata_of(entry.sample)]
    counts = f"{_counted(len(boxes), 'box')} in {_counted(len(pictures), 'picture')}" if boxes else ""
    shown = []
    for entry in _few(pictures, seed):
        own = [box for box in entry.sample.boxes if box.label == name]
        largest = max(own, key=lambda box: (box.x2 - box.x1) * (box.y2 - box.y1), default=None)
        shown.append(_Shown(entry, largest))
    return counts or _counted(len(pictures), "picture"), shown


def _few(entries: Sequence[Entry], seed: int) -> list[Entry]:
    chosen = np.random.default_rng(seed).permutation(len(entries))[:TILES]
    return [entries[index] for index in chosen]


def _draw_tile(sheet: Image, shown: _Shown, at: tuple[int, int]) -> None:
    x, y = at
    sample = shown.entry.sample
    picture = cv2.imread(str(sample.image), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    cv2.rectangle(sheet, (x - 1, y - 1), (x + _TILE_PX, y + _TILE_PX + _CAPTION_PX - 4), _EDGE, 1)
    sheet[y : y + _TILE_PX + _CAPTION_PX - 5, x : x + _TILE_PX] = _CARD
    if picture is not None:
        _draw_view(sheet[y : y + _TILE_PX, x : x + _TILE_PX], np.asarray(picture, np.uint8), shown)
    facts = shown.entry.facts
    words = f"{facts.width_px} x {facts.height_px} px"
    if shown.box is None and not sample.boxes and sample.is_good is False:
        words = f"no box; {words}"
    if shown.box is not None:
        words = f"{shown.box.x2 - shown.box.x1:.0f} x {shown.box.y2 - shown.box.y1:.0f} px of {words}"
    _write(sheet, sample.image.stem, (x + 5, y + _TILE_PX + 13), _INK, _SMALL, _TILE_PX - 10)
    _write(sheet, words, (x + 5, y + _TILE_PX + 27), _QUIET, _SMALL, _TILE_PX - 10)


def _draw_view(tile: Image, picture: Image, shown: _Shown) -> None:
    """The box with its surroundings, or the whole picture, in the middle of a square tile."""
    height, width = picture.shape[:2]
    left, top, side_x, side_y = 0, 0, width, height
    if shown.box is not None:
        box = shown.box
        wanted = max(_CONTEXT * max(box.x2 - box.x1, box.y2 - box.y1), _LEAST_CONTEXT_PX)
        side_x, side_y = (int(min(wanted, side)) for side in (width, height))
        left = int(np.clip((box.x1 + box.x2) / 2 - side_x / 2, 0, width - side_x))
        top = int(np.clip((box.y1 + box.y2) / 2 - side_y / 2, 0, height - side_y))
    scale = _TILE_PX / max(side_x, side_y)
    size = (max(1, min(_TILE_PX, round(side_x * scale))), max(1, min(_TILE_PX, round(side_y * scale))))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST if scale > 3 else cv2.INTER_LINEAR  # noqa: PLR2004
    view = cv2.resize(picture[top : top + side_y, left : left + side_x], size, interpolation=how)
    x, y = (_TILE_PX - size[0]) // 2, (_TILE_PX - size[1]) // 2
    tile[:] = _PAPER
    tile[y : y + size[1], x : x + size[0]] = view
    inside = tile[y : y + size[1], x : x + size[0]]
    for box in sorted(shown.entry.sample.boxes, key=lambda each: each is shown.box):
        corners = [round((edge - start) * scale) for edge, start in zip((box.x1, box.y1), (left, top), strict=True)]
        ends = [round((edge - start) * scale) for edge, start in zip((box.x2, box.y2), (left, top), strict=True)]
        _frame(inside, (corners[0], corners[1]), (ends[0], ends[1]), is_own=box is shown.box)


def _frame(image: Image, start: tuple[int, int], end: tuple[int, int], *, is_own: bool) -> None:
    """A light line around a dark one is seen on any ground; both lie outside, so that thin defects stay visible."""
    for grown, colour, width in ((3, _CARD, 2), (1, _BOX, 2)) if is_own else ((1, _CARD, 1), (0, _OTHER, 1)):
        corner, opposite = (start[0] - grown, start[1] - grown), (end[0] + grown, end[1] + grown)
        cv2.rectangle(image, corner, opposite, colour, width)


def _write(
    image: Image, text: str, at: tuple[int, int], colour: Colour, scale: float, width_px: int, *, font: int = _PLAIN
) -> int:
    """Writes a text, cut where it is too wide, and gives its right end."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

    def width(words: str) -> int:
        return int(cv2.getTextSize(words, font, scale, 1)[0][0])

    words = folded
    while words and width(words if words == folded else f"{words}...") > width_px:
        words = words[:-1]
    words = words if words == folded else f"{words}..."
    cv2.putText(image, words, at, font, scale, colour, 1, cv2.LINE_AA)
    return at[0] + width(words)


def _counted(count: int, word: str) -> str:
    plural = {"box": "boxes"}.get(word, f"{word}s")
    return f"{count} {word if count == 1 else plural}"
