"""Pictures of the worst misses: where the defect is, what was found, and the score.

Terms of a data set may forbid to pass its pictures on, so a miss can also be drawn on a blank field: the boxes alone,
with no pixel of the picture. The truth has a solid line and findings a dashed one; never colour alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from app.types import Detection, Image
from models.evaluation.report import Miss

PANEL_PX = 288
_GAP_PX = 14
_TEXT_PX = 62
_LINE_PX = 20
_LEAST_FIELD_PX = 48
_FIELD_PER_BOX = 3.0
_DASH_PX = 7
_MOST_FOUND = 8
_CHIP_SCALE = 0.42
_FONT, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX

Colour = tuple[int, int, int]
_PAPER: Colour = (245, 243, 242)
_CARD: Colour = (255, 255, 255)
_INK: Colour = (40, 35, 31)
_QUIET: Colour = (104, 96, 87)
_GRID: Colour = (236, 231, 228)
_EDGE: Colour = (198, 190, 184)
_TRUTH: Colour = (122, 92, 0)
_FOUND: Colour = (30, 38, 179)

Field = tuple[float, float, float, float]
"""x, y, width, height of what a panel shows, in pixels of the picture."""


def sheet_of(misses: Sequence[Miss], threshold: float, pictures: Sequence[Sequence[Image]] | None = None) -> Image:
    """Draws misses two abreast.

    Args:
        misses: The misses; at least one.
        threshold: The score from which parts were rejected.
        pictures: For each miss the pictures to draw on, as `draw` takes them; `None` for blank fields.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    tiles = [draw(each, threshold, pictures[index] if pictures else ()) for index, each in enumerate(misses)]
    width = max(each.shape[1] for each in tiles)
    height = max(each.shape[0] for each in tiles)
    columns = min(2, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = _blank(columns * (width + _GAP_PX) + _GAP_PX, rows * (height + _GAP_PX) + _GAP_PX, _PAPER)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x, y = _GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + _GAP_PX)
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def draw(miss: Miss, threshold: float, pictures: Sequence[Image] = ()) -> Image:
    """Draws one miss: the whole field, and the place of the defect or of the false alarm enlarged.

    Args:
        miss: The miss.
        threshold: The score from which it would have been rejected.
        pictures: uint8 (height, width) or (height, width, 3) BGR: the part, and its golden sample where it has one.
            With none the boxes are drawn on blank fields.

    Returns:
        uint8 (height, width, 3) BGR.
    """
    whole: Field = (0.0, 0.0, float(miss.width_px), float(miss.height_px))
    near = _near(miss, whole)
    part = pictures[0] if pictures else None
    panels = [_panel(miss, whole, part, is_small=True), _panel(miss, near, part)]
    panels += [_panel(miss, near, golden, is_golden=True) for golden in pictures[1:]]
    width = len(panels) * (PANEL_PX + _GAP_PX) + _GAP_PX
    tile = _blank(width, _TEXT_PX + PANEL_PX + _GAP_PX, _CARD)
    cv2.rectangle(tile, (0, 0), (width - 1, tile.shape[0] - 1), _EDGE)
    _write(tile, _headline(miss, threshold), (_GAP_PX, 28), _INK, 0.56, _BOLD)
    _write(tile, _byline(miss, near), (_GAP_PX, 28 + _LINE_PX), _QUIET, 0.42, _FONT)
    for index, panel in enumerate(panels):
        x, y = _GAP_PX + index * (PANEL_PX + _GAP_PX), _TEXT_PX
        tile[y : y + PANEL_PX, x : x + PANEL_PX] = panel
    return tile


def _headline(miss: Miss, threshold: float) -> str:
    if not miss.is_registered:
        return "OVERKILL: golden sample not registered"
    names = ", ".join(sorted({each.label for each in miss.truth})) or miss.item.label
    if miss.is_escape:
        return f"ESCAPE: {names or 'defect'}, best score {miss.score:.3f} < {threshold:g}"
    found = f"{miss.found[0].label} " if miss.found else ""
    return f"OVERKILL: {found}{miss.score:.3f} >= {threshold:g}, no defect"


def _byline(miss: Miss, near: Field) -> str:
    made = "mended" if miss.item.is_mended else "as it is"
    field = f"right: x {near[0]:.0f} y {near[1]:.0f}, {near[2]:.0f} px wide"
    return f"{miss.picture}, {miss.width_px} x {miss.height_px} px, {made}; {field}"


def _near(miss: Miss, whole: Field) -> Field:
    """A square around the first defect, or around the best false alarm, within the picture as far as it goes."""
    boxes = miss.truth or miss.found[:1]
    if not boxes:
        return whole
    x, y, width, height = boxes[0].box_px
    side = min(max(width, height) * _FIELD_PER_BOX, max(whole[2:]))
    side = max(side, min(_LEAST_FIELD_PX, max(whole[2:])))
    left = min(max(0.0, x + width / 2 - side / 2), max(0.0, whole[2] - side))
    top = min(max(0.0, y + height / 2 - side / 2), max(0.0, whole[3] - side))
    return left, top, side, side


def _panel(
    miss: Miss, field: Field, picture: Image | None, *, is_small: bool = False, is_golden: bool = False
) -> Image:
    scale = PANEL_PX / max(field[2:])
    panel = _ground(field, picture, scale)
    if is_golden:
        _Chips(panel).write("golden sample", (6, PANEL_PX - 8), _QUIET, up=True)
    else:
        _draw_boxes(panel, miss, field, scale, is_named=not is_small)
    cv2.rectangle(panel, (0, 0), (PANEL_PX - 1, PANEL_PX - 1), _EDGE)
    return panel


def _draw_boxes(panel: Image, miss: Miss, field: Field, scale: float, *, is_named: bool) -> None:
    thickness = 2 if is_named else 1
    chips = _Chips(panel)
    found = [(each, _corners(each, field, scale)) for each in miss.found[:_MOST_FOUND]]
    truth = [(each, _corners(each, field, scale)) for each in miss.truth]
    shown = [row for row in found if _is_inside(row[1])]
    for _, place in shown:
        _dashed(panel, place, thickness)
    for _, (x1, y1, x2, y2) in truth:
        cv2.rectangle(panel, (x1, y1), (x2, y2), _TRUTH, thickness, cv2.LINE_AA)
    if is_named:
        for each, (x1, y1, _, _) in truth:
            chips.write(f"truth: {each.label}", (x1, y1 - 6), _TRUTH, up=True)
        for each, (x1, _, _, y2) in shown:
            chips.write(f"{each.label} {each.score:.2f}", (x1, y2 + 18), _FOUND)


def _ground(field: Field, picture: Image | None, scale: float) -> Image:
    panel = _blank(PANEL_PX, PANEL_PX, _PAPER)
    width, height = round(field[2] * scale), round(field[3] * scale)
    if picture is None:
        panel[:height, :width] = _CARD
        for step in range(1, 8):
            at = step * PANEL_PX // 8
            cv2.line(panel, (at, 0), (at, height - 1), _GRID)
            cv2.line(panel, (0, at), (width - 1, at), _GRID)
        return panel
    x, y = round(field[0]), round(field[1])
    cut = picture[y : y + max(1, round(field[3])), x : x + max(1, round(field[2]))]
    colour = cv2.cvtColor(cut, cv2.COLOR_GRAY2BGR) if cut.ndim == 2 else cut  # noqa: PLR2004 - a grey picture
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    # Paled, so that lines and letters can be read on it.
    pale = cv2.addWeighted(colour, 0.6, np.full_like(colour, 255), 0.4, 0)
    scaled = cv2.resize(
        pale, (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))), interpolation=way
    )
    scaled = scaled[:PANEL_PX, :PANEL_PX]
    panel[: scaled.shape[0], : scaled.shape[1]] = scaled
    return panel


def _corners(box: Detection, field: Field, scale: float) -> tuple[int, int, int, int]:
    x, y, width, height = box.box_px
    left, top = (x - field[0]) * scale, (y - field[1]) * scale
    return round(left), round(top), round(left + width * scale), round(top + height * scale)


def _is_inside(place: tuple[int, int, int, int]) -> bool:
    x1, y1, x2, y2 = place
    return x2 >= 0 and y2 >= 0 and x1 < PANEL_PX and y1 < PANEL_PX


def _dashed(panel: Image, place: tuple[int, int, int, int], thickness: int) -> None:
    x1, y1, x2, y2 = place
    for at in range(x1, x2, 2 * _DASH_PX):
        for y in (y1, y2):
            cv2.line(panel, (at, y), (min(at + _DASH_PX, x2), y), _FOUND, thickness, cv2.LINE_AA)
    for at in range(y1, y2, 2 * _DASH_PX):
        for x in (x1, x2):
            cv2.line(panel, (x, at), (x, min(at + _DASH_PX, y2)), _FOUND, thickness, cv2.LINE_AA)


class _Chips:
    """Names on a panel: white letters on a colour, inside the panel and none over another."""

    def __init__(self, panel: Image) -> None:
        self._panel = panel
        self._taken: list[tuple[int, int, int, int]] = []

    def write(self, text: str, at: tuple[int, int], colour: Colour, *, up: bool = False) -> None:
        """Writes a name near a place, clear of the others; where there is no room left, not at all."""
        text = _plain(text)
        (width, height), _ = cv2.getTextSize(text, _FONT, _CHIP_SCALE, 1)
        x = min(max(at[0], 3), PANEL_PX - width - 9)
        y = min(max(at[1], height + 6), PANEL_PX - 6)
        step = -_LINE_PX if up else _LINE_PX
        for base in (*range(y, PANEL_PX - 5 if step > 0 else height + 5, step), *range(y, height + 5, -_LINE_PX)):
            place = (x - 1, base - height - 5, x + width + 5, base + 5)
            if not any(_overlap(place, each) for each in self._taken):
                self._taken.append(place)
                cv2.rectangle(self._panel, place[:2], place[2:], colour, -1)
                cv2.putText(self._panel, text, (x + 2, base), _FONT, _CHIP_SCALE, _CARD, 1, cv2.LINE_AA)
                return


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _write(image: Image, text: str, at: tuple[int, int], colour: Colour, scale: float, font: int) -> None:
    text = _plain(text)
    room = image.shape[1] - at[0] - _GAP_PX
    while text and cv2.getTextSize(text, font, scale, 1)[0][0] > room:
        text = f"{text.rstrip('.')[:-1].rstrip()}..." if len(text) > 4 else ""  # noqa: PLR2004 - three dots and a letter
    cv2.putText(image, text, at, font, scale, colour, 1, cv2.LINE_AA)


def _plain(text: str) -> str:
    """The text in printable ASCII, which OpenCV draws in every version."""
    bare = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return "".join(each if " " <= each <= "~" else "?" for each in bare)


def _blank(width: int, height: int, colour: Colour) -> Image:
    return np.full((height, width, 3), colour, np.uint8)
