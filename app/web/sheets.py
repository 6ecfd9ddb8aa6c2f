"""The style sheets of a page as one answer: a page is not painted before the last of them is there.

Each sheet alone would be a request of its own, which the first page of a busy box waits for. The address carries a hash
of what it holds, so that a browser keeps it for good and asks anew where anything of it has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, abort, request, url_for

from app.config import UiSettings

SCREEN = "screen"
"""The sheet that is no file: what the settings say of the screen."""

_BETWEEN = "+"
_DIGITS = 16
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"


class Sheets:
    """All style sheets.

    Args:
        folder: Where their files are.
        ui: The settings of the pages.
    """

    def __init__(self, folder: Path, ui: UiSettings) -> None:
        self._files = {each.stem: each for each in sorted(folder.glob("*.css"))}
        self._screen = f":root {{ --mm: {ui.pixels_per_mm:g}px; }}\n"
        # Some dozen pages, each with its own few: whoever makes up others does not fill the memory.
        self._read = lru_cache(maxsize=64)(self._put_together)

    def text(self, joined: str) -> tuple[str, str]:
        """Sheets one after another.

        Args:
            joined: Their names with a `+` between them.

        Returns:
            Their text, and its hash.

        Raises:
            KeyError: There is no sheet of such a name, or one is named twice.
        """
        return self._read(joined)

    def _put_together(self, joined: str) -> tuple[str, str]:
        names = joined.split(_BETWEEN)
        if len(set(names)) != len(names):
            raise KeyError(joined)
        text = "".join(self._screen if name == SCREEN else self._files[name].read_text("utf-8") for name in names)
        return text, hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def add_sheets(app: Flask, folder: Path, ui: UiSettings) -> None:
    """Serves style sheets together, and gives templates `sheets_url(names)`.

    Args:
        app: The application.
        folder: Where their files are.
        ui: The settings of the pages.
    """
    sheets = Sheets(folder, ui)

    @app.get("/sheets/<joined>.css")
    def sheet(joined: str) -> Response:
        """Style sheets of a page, in the order in which they are named."""
        try:
            text, digest = sheets.text(joined)
        except KeyError:
            abort(404)
        answer = Response(text, mimetype="text/css")
        answer.set_etag(digest)
        answer.headers["Cache-Control"] = _FOR_GOOD if request.args.get("v") == digest else _ASK_FIRST
        answer.make_conditional(request)
        return answer

    @app.template_global()
    def sheets_url(names: Sequence[str]) -> str:
        joined = _BETWEEN.join(names)
        return url_for("sheet", joined=joined, v=sheets.text(joined)[1])
