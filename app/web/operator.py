"""The operator's pages. Each role has a module like this one: a blueprint, templates and ES modules of its own."""

from __future__ import annotations

from flask import Blueprint, abort, render_template

from app.config import UiSettings
from app.web.live import Live


def make_operator(live: Live, ui: UiSettings) -> Blueprint:
    """The pages of the operator.

    Args:
        live: What is known of the lanes.
        ui: The settings of the pages.
    """
    operator = Blueprint("operator", __name__, url_prefix="/operator")

    @operator.get("/")
    @operator.get("/<int:number>")
    def overview(number: int | None = None) -> str:
        lanes = live.lanes
        chosen = next((lane for lane in lanes if number in (None, lane.number)), None)
        if chosen is None:
            abort(404)
        return render_template("operator.html", lane=chosen, lanes=lanes, ui=ui)

    return operator
