"""The pages of the quality engineer: the queue, and one part."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.exceptions import NotFound

from app.web.access.present import person
from app.web.access.roles import Role
from app.web.context import Context
from app.web.review.api import add_review_api
from app.web.review.desk import ReviewDesk
from app.web.review.filters import KEYS, QueueFilter, read_filter
from app.web.review.label import LabelKind

LABEL_KEYS = {
    LabelKind.TRUE_DEFECT: "1",
    LabelKind.FALSE_REJECT: "2",
    LabelKind.ESCAPE: "3",
    LabelKind.OTHER_CLASS: "4",
    LabelKind.GOOD: "5",
    LabelKind.UNSURE: "6",
}
"""The keys of the keyboard that give each label."""


def make_review(context: Context) -> Blueprint:
    """The pages and the API of reviews.

    Args:
        context: What they work with.
    """
    review = Blueprint("review", __name__)
    desk = ReviewDesk.of(context)
    _add_pages(review, context, desk)
    add_review_api(review, desk)
    return review


def _add_pages(review: Blueprint, context: Context, desk: ReviewDesk) -> None:
    @review.get("/review/")
    def queue() -> str:
        chosen, wrong = read_filter(request.args)
        return render_template(
            "review/queue.html",
            chosen=_as_query(chosen),
            wrong=wrong,
            choices=_choices(desk, chosen),
            asked=desk.asked(),
            lanes=context.live.lanes,
            keys=LABEL_KEYS,
            may_label=_may_label(),
            me=_name(),
        )

    @review.get("/review/<int:lane>/<int:epoch>/<int:part_id>")
    def part(lane: int, epoch: int, part_id: int) -> tuple[str, int] | str:
        chosen, _ = read_filter(request.args)
        query = _as_query(chosen)
        try:
            found = desk.part(lane, epoch, part_id)
        except NotFound:
            return render_template("review/missing.html", lane=lane, epoch=epoch, part=part_id, query=query), 404
        return render_template(
            "review/part.html",
            part=found,
            query=query,
            classes=_choices(desk, chosen)["class"],
            keys=LABEL_KEYS,
            may_label=_may_label(),
            me=_name(),
        )


def _as_query(chosen: QueueFilter) -> dict[str, Any]:
    """The filter as it stands in an address."""
    said = chosen.model_dump(by_alias=True, exclude_none=True)
    for key in ("from", "to"):
        if key in said:
            said[key] = said[key].astimezone().strftime("%Y-%m-%dT%H:%M")
    return {key: said[key] for key in KEYS if key in said}


def _choices(desk: ReviewDesk, chosen: QueueFilter) -> dict[str, list[str]]:
    """What can be chosen; what is chosen is among it, even where the newest parts have none of it."""
    known = desk.queue.choices()
    for key, value in (
        ("recipe", chosen.recipe),
        ("package", chosen.package),
        ("lot", chosen.lot),
        ("class", chosen.class_name),
    ):
        if value is not None and value not in known[key]:
            known[key].insert(0, value)
    return known


def _may_label() -> bool:
    who = person()
    return who is not None and who.role >= Role.QUALITY


def _name() -> str:
    who = person()
    return who.name if who else ""
