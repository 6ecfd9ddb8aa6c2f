"""Colours, shapes and letters of the pictures that commands draw.

Never colour alone: each verdict has a colour, a shape and a word. Words on a colour have a contrast of 4.5:1 or more.
OpenCV draws ASCII in every version, so other letters are written by their nearest ASCII ones.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from app.types import Image

Colour = tuple[int, int, int]
"""Blue, green, red."""

INK: Colour = (40, 35, 31)
QUIET: Colour = (104, 96, 87)
HAIRLINE: Colour = (214, 206, 201)
CARD: Colour = (255, 255, 255)
PAPER: Colour = (245, 243, 242)


class Mark(Enum):
    """A verdict as it is drawn: word, colour."""

    REJECT = ("REJECT", (30, 38, 179))
    FLAG = ("LOOK", (0, 83, 138))
    PASS = ("PASS", (104, 96, 87))

    @property
    def word(self) -> str:
        """The word."""
        return self.value[0]

    @property
    def colour(self) -> Colour:
        """The colour behind the word, and of boxes."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Letters:
    """One size of letters.

    Attributes:
        scale: OpenCV's scale.
        is_bold: Heavy strokes.
    """

    scale: float
    is_bold: bool = False

    @property
    def height_px(self) -> int:
        """Height of a capital."""
        return self._measure("X")[1]

    def width_px(self, text: str) -> int:
        """Width of a text."""
        return self._measure(plain(text))[0]

    def fitted(self, text: str, width_px: int) -> str:
        """The text, cut and ended with dots where it is wider than there is room."""
        text = plain(text)
        if self.width_px(text) <= width_px:
            return text
        while text and self.width_px(f"{text}...") > width_px:
            text = text[:-1].rstrip()
        return f"{text}..."

    def wrapped(self, text: str, width_px: int, lines: int) -> list[str]:
        """The text in at most so many lines, broken between words; the last one is cut where it does not fit."""
        words = plain(text).split()
        found: list[str] = []
        while words and len(found) < lines - 1:
            line = words.pop(0)
            while words and self.width_px(f"{line} {words[0]}") <= width_px:
                line = f"{line} {words.pop(0)}"
            found.append(self.fitted(line, width_px))
        if words:
            found.append(self.fitted(" ".join(words), width_px))
        return found

    def write(self, image: Image, text: str, at: tuple[int, int], colour: Colour) -> None:
        """Writes a text.

        Args:
            image: uint8 (height, width, 3).
            text: The text.
            at: Left end of its base line.
            colour: Its colour.
        """
        cv2.putText(image, plain(text), at, self._font, self.scale, colour, self._thickness, cv2.LINE_AA)

    @property
    def _font(self) -> int:
        return cv2.FONT_HERSHEY_DUPLEX if self.is_bold else cv2.FONT_HERSHEY_SIMPLEX

    @property
    def _thickness(self) -> int:
        return max(1, round(self.scale * 1.4))

    def _measure(self, text: str) -> tuple[int, int]:
        (width, height), _ = cv2.getTextSize(text, self._font, self.scale, self._thickness)
        return width, height


def plain(text: str) -> str:
    """The text in printable ASCII."""
    folded = unicodedata.normalize("NFKD", text.replace("—", "-").replace("–", "-").replace("×", "x"))  # noqa: RUF001
    bare = "".join(each for each in folded if not unicodedata.combining(each))
    return "".join(each if " " <= each <= "~" else "?" for each in bare)


def chip(image: Image, text: str, at: tuple[int, int], colour: Colour, letters: Letters) -> tuple[int, int]:
    """Draws a word in white on a filled plate.

    Args:
        image: uint8 (height, width, 3).
        text: The word.
        at: The plate's left upper corner.
        colour: The plate's colour.
        letters: Size of the letters.

    Returns:
        The plate's width and height.
    """
    width, height = chip_size(text, letters)
    x, y = at
    cv2.rectangle(image, (x, y), (x + width - 1, y + height - 1), colour, cv2.FILLED)
    pad = letters.height_px // 2
    letters.write(image, text, (x + pad, y + height - pad - 1), CARD)
    return width, height


def chip_size(text: str, letters: Letters) -> tuple[int, int]:
    """Width and height of a plate."""
    pad = letters.height_px // 2
    return letters.width_px(text) + 2 * pad, letters.height_px + 2 * pad


def badge(image: Image, mark: Mark, at: tuple[int, int], letters: Letters) -> tuple[int, int]:
    """Draws a verdict: its shape and its word in white on its colour.

    Args:
        image: uint8 (height, width, 3).
        mark: The verdict.
        at: The plate's left upper corner.
        letters: Size of the letters.

    Returns:
        The plate's width and height.
    """
    size = letters.height_px
    pad = size // 2
    lead = size + pad
    width, height = chip_size(mark.word, letters)
    x, y = at
    cv2.rectangle(image, (x, y), (x + width + lead - 1, y + height - 1), mark.colour, cv2.FILLED)
    _shape(image, mark, (x + pad + size / 2, y + height / 2), size)
    letters.write(image, mark.word, (x + pad + lead, y + height - pad - 1), CARD)
    return width + lead, height


def _shape(image: Image, mark: Mark, centre: tuple[float, float], size: int) -> None:
    """A diamond rejects, a triangle asks to look, a disc passes."""
    x, y = centre
    half = size / 2
    if mark is Mark.PASS:
        corners = [(x + half * np.cos(a), y + half * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)]
    elif mark is Mark.FLAG:
        corners = [(x, y - half), (x + half, y + half), (x - half, y + half)]
    else:
        corners = [(x, y - half), (x + half, y), (x, y + half), (x - half, y)]
    # 4 fractional bits keep small shapes smooth.
    points = np.round(np.array(corners) * 16).astype(np.int32)
    cv2.fillPoly(image, [points], CARD, cv2.LINE_AA, 4)
