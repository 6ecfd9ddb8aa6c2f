"""The pages of the figures: charts, and other thresholds tried."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.web.context import Context
from app.web.figures.api import add_figures, add_what_if, choices_of
from app.web.figures.desk import FiguresDesk
from app.web.figures.opinion_pages import add_opinions


def make_figures(context: Context) -> Blueprint:
    """The blueprint `figures`.

    Args:
        context: What the pages work with.

    Raises:
        ConfigError: The shifts cannot be.
    """
    figures = Blueprint("figures", __name__)
    desk, lanes = FiguresDesk(context), context.live.lanes
    add_figures(figures, desk, lanes)
    add_what_if(figures, desk)
    add_opinions(figures, context)

    @figures.get("/figures/")
    def page() -> str:
        return render_template("figures/figures.html", choices=choices_of(desk, lanes))

    @figures.get("/figures/what-if")
    def what_if() -> str:
        return render_template("figures/what_if.html", lanes=lanes)

    return figures
