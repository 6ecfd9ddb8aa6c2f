"""Which language a page speaks: the one asked for in the address, else this browser's, the box's, or English."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, g, request

from app.web.texts import ENGLISH, Texts, languages

AUTO = "auto"
COOKIE = "takt_language"
_A_YEAR_S = 365 * 24 * 3600


class Languages:
    """Every language, loaded once.

    Args:
        default: The box's own, or `auto` for what each browser prefers.

    Attributes:
        codes: Their codes, English first.

    Raises:
        ConfigError: The box's own does not exist, or a file of texts is broken.
    """

    def __init__(self, default: str = AUTO) -> None:
        self.codes = languages()
        self._texts = {code: Texts(code) for code in self.codes}
        self._default = "" if default == AUTO else Texts(default).language

    def __getitem__(self, code: str) -> Texts:
        return self._texts[code]

    def chosen(self) -> Texts:
        """The texts of the language that the present request asks for."""
        wishes = (request.args.get("lang", ""), request.cookies.get(COOKIE, ""), self._default)
        code = next((each for each in wishes if each in self._texts), None)
        return self._texts[code or request.accept_languages.best_match(self.codes) or ENGLISH]


def texts() -> Texts:
    """The texts of the present request; outside of one it is an error to ask."""
    said: Texts | None = g.get("texts")
    if said is None:  # a request that failed before it was looked at
        said = g.texts = Texts()
    return said


def speak(app: Flask, known: Languages) -> None:
    """Gives templates `t`, `language`, `languages` and `words_of(area, ...)` in the language of each request.

    A language named in the address is remembered by the browser.
    """

    @app.before_request
    def choose() -> None:
        g.texts = known.chosen()

    @app.context_processor
    def say() -> dict[str, Any]:
        said = texts()
        names = {code: known[code]("language.name") for code in known.codes}
        return {
            "t": said,
            "language": said.language,
            "languages": names,
            "words": dict(said.words),
            "words_of": said.of,
        }

    @app.after_request
    def remember(response: Response) -> Response:
        asked = request.args.get("lang", "")
        if asked in known.codes and request.cookies.get(COOKIE) != asked:
            response.set_cookie(
                COOKIE, asked, max_age=_A_YEAR_S, secure=request.is_secure, httponly=True, samesite="Lax"
            )
        return response
