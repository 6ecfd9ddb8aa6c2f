"""The Flask application: what every page shares. Each role registers a blueprint here."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from app import __version__
from app.bus.place import Place
from app.config import UiSettings
from app.errors import BusError, CommandRefusedError, LineError, TaktError, UsageError
from app.web.api import make_api
from app.web.guard import guard
from app.web.live import Live
from app.web.operator import make_operator
from app.web.texts import Texts

_CODES: tuple[tuple[type[TaktError], int], ...] = (
    (UsageError, 400),
    (CommandRefusedError, 403),
    (LineError, 503),
    (BusError, 503),
)
_LOG = logging.getLogger(__name__)


def create_app(place: Place, live: Live, ui: UiSettings, language: str = "en") -> Flask:
    """The pages of one box.

    Args:
        place: Where the processes meet.
        live: What is known of the lanes.
        ui: The settings of the pages.
        language: Of the texts.

    Raises:
        ConfigError: There are no texts in that language.
    """
    root = Path(str(files("ui")))
    app = Flask(__name__, root_path=str(root), static_folder="static", template_folder="templates")
    texts = Texts(language)
    app.jinja_env.globals.update(t=texts, language=texts.language, words=dict(texts.words), version=__version__)
    guard(app, names=(ui.host,))
    app.register_blueprint(make_api(place, live))
    app.register_blueprint(make_operator(live))
    _add_house_pages(app, ui)
    _add_errors(app, texts)
    return app


def _add_house_pages(app: Flask, ui: UiSettings) -> None:
    @app.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("operator.overview"))

    @app.get("/alive")
    def alive() -> Response:
        return Response(status=204)

    @app.get("/screen.css")
    def screen() -> Response:
        """What is known of the screen; a file, because the policy allows no style within a page."""
        return Response(f":root {{ --mm: {ui.pixels_per_mm:g}px; }}\n", mimetype="text/css")


def _add_errors(app: Flask, texts: Texts) -> None:
    @app.errorhandler(TaktError)
    def refused(error: TaktError) -> tuple[Response, int]:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), 500)
        return jsonify({"what": error.what, "mend": error.mend}), code

    @app.errorhandler(HTTPException)
    def wrong(error: HTTPException) -> AnyResponse | tuple[str, int] | tuple[Response, int]:
        code = error.code or 500
        if error.response is not None or code < 400:  # noqa: PLR2004 - a redirection
            return error.get_response()
        known = f"error.{code}" if f"error.{code}" in texts.words else "error.other"
        if request.path.startswith("/api/"):
            return jsonify({"what": texts(known), "mend": texts(f"{known}.mend")}), code
        return render_template("error.html", title=texts(known), mend=texts(f"{known}.mend")), code

    @app.errorhandler(Exception)
    def broken(error: Exception) -> tuple[Response, int]:
        """The border of a request: the line does not depend on it, and the next one may go well."""
        _LOG.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        return jsonify({"what": texts("error.500"), "mend": texts("error.500.mend")}), 500
