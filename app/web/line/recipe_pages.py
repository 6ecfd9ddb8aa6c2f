"""Choosing another recipe on the operator's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request, url_for

from app.recipe import ClassRule, DefaultRule
from app.setup import Setup
from app.web.access.present import reason, somebody
from app.web.access.refusals import RefusedError
from app.web.context import Context
from app.web.line.answers import ChangeRecipe, Done, RecipeAnswer, RecipesAnswer, RuleAnswer
from app.web.line.asking import check_lane
from app.web.line.recipes import Model, Offer, adopt, golden_of, offers, setup_of
from app.web.openapi import documented, sent, told

_RECIPES = "/api/v1/lanes/<int:lane>/recipes"
_PICTURE_PX = 480
_QUALITY = 85


def add_recipes(line: Blueprint, context: Context) -> None:
    """Adds what is about recipes.

    Args:
        line: The blueprint.
        context: What it works with.
    """

    @line.get(_RECIPES)
    @documented(answer=RecipesAnswer, errors=(404,))
    def recipes(lane: int) -> Response:
        """The recipe at work, and those that it can be changed to."""
        check_lane(context, lane)
        status = context.live.status(lane)["status"] or {}
        sha256 = str(status.get("recipe_sha256", ""))
        setup = _setup(context, lane)
        found = [_answer(lane, setup, each, sha256) for each in offers(setup, Model.of(context, lane))] if setup else []
        name, package = str(status.get("recipe", "")), str(status.get("package", ""))
        return told(RecipesAnswer(name=name, sha256=sha256, package=package, recipes=found))

    @line.get(f"{_RECIPES}/picture")
    @documented(media="image/jpeg", errors=(404,))
    def recipe_picture(lane: int) -> Response:
        """The picture of a part without defects that a recipe names; `file` in the query says which recipe."""
        check_lane(context, lane)
        setup = _setup(context, lane)
        wanted = request.args.get("file", "")
        offer = next((each for each in offers(setup) if each.file == wanted), None) if setup else None
        path = golden_of(setup, offer.recipe) if setup and offer and offer.recipe else None
        content = _small(path) if path else None
        if content is None:
            abort(404)
        return Response(content, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=60"})

    @line.post(f"{_RECIPES}/adopt")
    @documented(answer=Done, body=ChangeRecipe, errors=(404, 409, 503))
    def change_recipe(lane: int) -> Response:
        """Changes the recipe: parts that are triggered from now on are judged by it."""
        check_lane(context, lane)
        wanted = sent(ChangeRecipe)
        known = offers(setup_of(context, lane), Model.of(context, lane))
        offer = next((each for each in known if each.file == wanted.file), None)
        if offer is None:
            raise RefusedError(409, f"there is no recipe {wanted.file[:80]!r} any more", "choose another one")
        if offer.trouble:
            key = f"refused.{offer.code}" if offer.code else ""
            raise RefusedError(409, offer.trouble, "choose another one", key=key, values=offer.values)
        if offer.sha256 != wanted.sha256:
            raise RefusedError(409, f"{offer.file} has been changed since it was shown", "look at it again")
        reply = adopt(lane, offer.text, somebody(), reason())
        return told(Done.of(reply))


def _setup(context: Context, lane: int) -> Setup | None:
    return next((each for each in context.setups if each.line.line.lane == lane), None)


def _answer(lane: int, setup: Setup, offer: Offer, at_work: str) -> RecipeAnswer:
    recipe = offer.recipe
    has_picture = recipe is not None and golden_of(setup, recipe) is not None
    return RecipeAnswer(
        file=offer.file,
        name=recipe.name if recipe else offer.file,
        sha256=offer.sha256,
        package=recipe.package if recipe else "",
        picture=url_for("line.recipe_picture", lane=lane, file=offer.file) if has_picture else "",
        is_at_work=offer.sha256 == at_work and not offer.trouble,
        default=_rule("", recipe.default, recipe.default) if recipe else None,
        classes=[_rule(label, recipe.rule(label), own) for label, own in recipe.classes.items()] if recipe else [],
        trouble=offer.trouble,
        trouble_code=offer.code,
        trouble_values=dict(offer.values),
    )


def _rule(label: str, rule: DefaultRule, own: ClassRule | DefaultRule) -> RuleAnswer:
    is_said = "threshold" in own.model_fields_set or "threshold" in rule.model_fields_set
    return RuleAnswer(
        label=label,
        threshold=rule.threshold if is_said else None,
        policy=rule.policy,
        destination=rule.destination,
    )


def _small(path: Path) -> bytes | None:
    """A picture as a small JPEG; `None` where it cannot be read."""
    import cv2  # noqa: PLC0415 - only this needs it, and it is large

    image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = min(1.0, _PICTURE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    is_done, content = cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return content.tobytes() if is_done else None
