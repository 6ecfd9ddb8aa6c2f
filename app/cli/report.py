"""The contact sheet as a page: HTML, a style sheet and pictures in one folder that can be carried anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import cv2

from app import __version__
from app.cli.files import write_whole
from app.cli.lettering import Mark
from app.cli.pictures import Exhibit, Shown, boxed, mark_of
from app.cli.sheet import contact_sheet
from app.errors import DataError
from app.types import Image

PAGE = "index.html"
SHEET = "contact-sheet.png"
PICTURE_PX = 1280
"""Longest side of a picture beside the page."""

_SHEET_COLUMNS = 4
_MOST_REASONS = 6
_TILES = (
    ("triggers", False),
    ("pictures", False),
    ("passed", False),
    ("rejected", False),
    ("flagged", False),
    ("lost", True),
    ("in_flight", False),
    ("unaccounted", True),
    ("unjudged", True),
    ("escapes", True),
    ("overkill", True),
    ("misses", True),
    ("failovers", True),
)
"""What is shown large, and whether anything but 0 is abnormal."""

_SHAPES = {Mark.REJECT: "&#9670;", Mark.FLAG: "&#9650;", Mark.PASS: "&#9679;"}


def write_report(
    folder: Path, items: Sequence[Shown], summary: Mapping[str, Any], title: str = "Rejected parts"
) -> Path:
    """Writes a page with the parts that were rejected: boxes, verdicts and reasons, and the figures of the run.

    The folder gets `index.html`, `takt.css`, `contact-sheet.png` and `parts/`. The page is written last, so that it
    never names a picture that is not there.

    Args:
        folder: Where to write; made where it is missing.
        items: The parts, in the order in which they are shown; none gives a page that says so.
        summary: The figures; numbers and words are shown, `latency_ms` and other tables of numbers below them.
        title: The page's title.

    Returns:
        The page.

    Raises:
        UsageError: A file cannot be written.
    """
    names = [_write_picture(folder, number, item) for number, item in enumerate(items, 1)]
    shown = len(items)
    rejected = summary.get("rejected", shown)
    subtitle = f"{shown} of {rejected} rejected parts shown" if rejected != shown else _counted(shown, "rejected part")
    write_whole(folder / SHEET, encoded(contact_sheet(items, _SHEET_COLUMNS, title), ".png"))
    write_whole(folder / "takt.css", _resource("static/takt.css").encode())
    page = Template(_resource("templates/contact_sheet.html")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        figures="\n".join(_tiles(summary)),
        details=_details(summary),
        parts=_parts(items, names),
        version=escape(__version__),
    )
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE


def encoded(image: Image, suffix: str) -> bytes:
    """A picture as the bytes of a file.

    Raises:
        DataError: OpenCV cannot write it in that format.
    """
    is_done, content = cv2.imencode(suffix, image)
    if not is_done:
        raise DataError(f"a picture of {image.shape[1]} x {image.shape[0]} px does not fit into {suffix}", "use .png")
    return content.tobytes()


def _write_picture(folder: Path, number: int, item: Shown) -> str | None:
    exhibit = Exhibit.of(item, PICTURE_PX)
    if exhibit.image is None:
        return None
    name = f"parts/{number:04d}.png"
    write_whole(folder / name, encoded(boxed(exhibit.image, exhibit.verdict), ".png"))
    return name


def _tiles(summary: Mapping[str, Any]) -> Iterator[str]:
    for key, is_wanted_zero in _TILES:
        value = summary.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            continue
        is_abnormal = is_wanted_zero and value != 0
        # Never colour alone: the sign says it too.
        sign = "&#9670; " if is_abnormal else ""
        kind = ' class="abnormal"' if is_abnormal else ""
        yield f"<div{kind}><dt>{escape(_words(key))}</dt><dd>{sign}{value}</dd></div>"


def _details(summary: Mapping[str, Any]) -> str:
    large = {key for key, _ in _TILES if isinstance(summary.get(key), int)}
    rows = "\n".join(
        f'<tr><th scope="row">{escape(_words(key))}</th><td>{escape(text)}</td></tr>'
        for key, value in summary.items()
        if key not in large and (text := _in_words(value))
    )
    if not rows:
        return ""
    return f'<details>\n<summary>More figures</summary>\n<table class="details">\n{rows}\n</table>\n</details>'


def _in_words(value: Any) -> str:
    """A value for the table; empty for what is too deep for it."""
    if isinstance(value, Mapping):
        inner = {key: _in_words(each) for key, each in value.items() if not isinstance(each, Mapping)}
        return ", ".join(f"{_words(str(key))} {text}" for key, text in inner.items() if text)
    if isinstance(value, (list, tuple)):
        return ", ".join(text for each in value if (text := _in_words(each)))
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _parts(items: Sequence[Shown], names: Sequence[str | None]) -> str:
    if not items:
        return '<p class="empty"><span class="mark pass">&#9679; PASS</span> No part was rejected.</p>'
    template = Template(_resource("templates/contact_sheet_part.html"))
    shown = "\n".join(_part(template, item, name) for item, name in zip(items, names, strict=True))
    return f'<ol class="parts">\n{shown}\n</ol>'


def _part(template: Template, item: Shown, picture: str | None) -> str:
    mark = mark_of(item.verdict)
    texts = [each.text for each in item.verdict.findings] or ["nothing found"]
    if len(texts) > _MOST_REASONS:
        texts[_MOST_REASONS:] = [f"and {len(texts) - _MOST_REASONS} more"]
    about = f"Part {item.verdict.part_id}, {mark.word}: {texts[0]}"
    image = (
        f'<a href="{picture}"><img src="{picture}" alt="{escape(about)}" loading="lazy"></a>'
        if picture
        else '<p class="nothing">no picture</p>'
    )
    return template.substitute(
        picture=image,
        kind=mark.word.lower(),
        shape=_SHAPES[mark],
        word=mark.word,
        number=item.verdict.part_id,
        name=escape(_readable(item.name)),
        reasons="\n".join(f"<li>{escape(_readable(text))}</li>" for text in texts),
    )


def _readable(text: str) -> str:
    """File names may hold bytes that are no text."""
    return text.encode(errors="replace").decode()


def _words(key: str) -> str:
    return key.replace("_", " ").removesuffix(" ms") + (", ms" if key.endswith("_ms") else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _resource(name: str) -> str:
    return files("ui").joinpath(name).read_text(encoding="utf-8")
