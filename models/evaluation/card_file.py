"""The files around a card: what its maker wrote, the card itself, and the picture beside it."""

from __future__ import annotations

import re
from pathlib import Path

import cv2

from app.durable import replace_bytes
from app.errors import DataError
from app.types import Image

MARK = "<!-- Written by takt models evaluate; it may be written again. -->"
"""Stands in every card that was written from figures: only such a card is written over."""

_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)
_MOST_BYTES = 1_000_000


def read_sections(path: Path) -> dict[str, str]:
    """Reads a maker's Markdown and cuts it at its second-level headings.

    Returns:
        Text by heading, in order; what stands before the first heading by the empty name.

    Raises:
        DataError: The file cannot be read, is no text, is too large, or has a heading twice.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES} bytes", "give a page of Markdown")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "give a file of Markdown") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text", "give a file of Markdown") from error
    before, *pieces = _HEADING.split(text)
    names, bodies = pieces[::2], [each.strip() for each in pieces[1::2]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise DataError(f"{path} has the heading {twice!r} twice", "join the two sections")
    found = dict(zip(names, bodies, strict=True))
    return ({"": before.strip()} if before.strip() else {}) | found


def check_place(card: Path) -> None:
    """Checks that a card may be written there, before anything is measured for it.

    Raises:
        DataError: Its folder does not exist, or a card lies there that a person wrote.
    """
    if not card.parent.is_dir():
        raise DataError(f"the folder {card.parent} of the card does not exist", "make it, or give another file")
    try:
        is_ours = not card.exists() or MARK in card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{card} is no card that can be read", "give another file") from error
    if not is_ours:
        raise DataError(
            f"{card} was not written by this command and would be lost", "move it away, or give another file"
        )


def write_card(card: Path, text: str, misses: Image | None) -> None:
    """Writes a card, and its picture beside it; each is replaced as a whole.

    Args:
        card: The file.
        text: What `card_text` gives.
        misses: The picture of the worst misses; `None` where there are none.

    Raises:
        DataError: The card there was written by a person, or the disk refuses it.
    """
    check_place(card)
    try:
        if misses is None:
            picture_of(card).unlink(missing_ok=True)
        else:
            replace_bytes(picture_of(card), cv2.imencode(".png", misses, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
        replace_bytes(card, text.encode("utf-8"))
    except OSError as error:
        raise DataError(f"{card} cannot be written: {error.strerror}", "check the folder and the disk") from error


def picture_of(card: Path) -> Path:
    """Where the picture of the worst misses lies."""
    return card.with_name(f"{card.stem}-misses.png")
