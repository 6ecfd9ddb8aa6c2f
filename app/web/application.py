"""The Flask application: what every page shares. Each role registers a blueprint here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flask import Flask, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from app import __version__
from app.web.access.pages import make_access
from app.web.api import make_api
from app.web.context import Context
from app.web.failures import add_failures
from app.web.figures.pages import make_figures
from app.web.guard import guard
from app.web.languages import Languages, speak
from app.web.line.pages import make_line
from app.web.machine.pages import make_machine
from app.web.operator import make_operator
from app.web.reference import make_reference
from app.web.reports.pages import make_reports
from app.web.review.pages import make_review
from app.web.secured import insist
from app.web.sheets import add_sheets
from app.web.shell import put_around


def create_app(context: Context) -> Flask:
    """The pages of one box.

    Args:
        context: What they work with.

    Raises:
        ConfigError: There are no texts in the language that is asked for.
    """
    root = Path(str(files("ui")))
    app = Flask(__name__, root_path=str(root), static_folder="static", template_folder="templates")
    app.extensions["takt"] = context
    app.jinja_env.globals.update(version=__version__)
    speak(app, Languages(context.language or context.ui.language))
    insist(app)
    guard(app, context)
    app.register_blueprint(make_api(context.place, context.live))
    app.register_blueprint(make_operator(context.live, context.ui))
    app.register_blueprint(make_access(context))
    app.register_blueprint(make_line(context))
    app.register_blueprint(make_review(context))
    app.register_blueprint(make_figures(context))
    app.register_blueprint(make_reports(context))
    app.register_blueprint(make_machine(context))
    app.register_blueprint(make_reference())
    put_around(app, context.live)
    add_sheets(app, root / "static", context.ui)
    _add_house_pages(app)
    add_failures(app)
    return app


def _add_house_pages(app: Flask) -> None:
    @app.get("/")
    def home() -> AnyResponse:
        return redirect(url_for("operator.overview"))

    @app.get("/alive")
    def alive() -> Response:
        return Response(status=204)
