"""The reference of the API: the OpenAPI document, and a page that a person can read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, render_template

from app.web.access.permissions import PERMISSIONS
from app.web.describing import describe
from app.web.openapi import JSON, documented

_MOST_DEPTH = 6
_NULL: Mapping[str, Any] = {"type": "null"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation as the page shows it.

    Attributes:
        method: In capitals.
        path: With its places in braces.
        said: The operation in the document.
        takes: An outline of what is sent; empty where nothing is.
        gives: An outline of the answer.
    """

    method: str
    path: str
    said: Mapping[str, Any]
    takes: str
    gives: str


def make_reference() -> Blueprint:
    """The pages about the API."""
    reference = Blueprint("reference", __name__)

    @reference.get("/api/v1/openapi.json")
    @documented()
    def document() -> Response:
        """This document."""
        return Response(json.dumps(describe(current_app, PERMISSIONS), indent=1), mimetype=JSON)

    @reference.get("/api/")
    def page() -> str:
        made = describe(current_app, PERMISSIONS)
        groups: dict[str, list[Shown]] = {}
        for path, operations in made["paths"].items():
            for method, said in operations.items():
                groups.setdefault(said["tags"][0], []).append(_shown(method.upper(), path, said, made))
        return render_template("reference.html", groups=sorted(groups.items()), made=made)

    return reference


def _shown(method: str, path: str, said: Mapping[str, Any], made: Mapping[str, Any]) -> Shown:
    good = next(answer for code, answer in said["responses"].items() if code < "400")
    schemas = made["components"]["schemas"]
    return Shown(method, path, said, _outlined(said.get("requestBody", {}), schemas), _outlined(good, schemas))


def _outlined(said: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    content = said.get("content", {})
    if JSON not in content:
        return ", ".join(content)
    return json.dumps(outline(content[JSON]["schema"], schemas), indent=1, ensure_ascii=False)


def outline(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """What a value looks like: the same shape, with the types in the values' places.

    Args:
        schema: Its JSON schema.
        schemas: Those that it refers to, by name.
        depth: How deep in the value it stands.
    """
    if depth > _MOST_DEPTH:
        return "..."
    if "$ref" in schema:
        return outline(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    if "anyOf" in schema:
        return _outline_of_choice(schema["anyOf"], schemas, depth)
    if schema.get("type") == "array":
        return [outline(schema.get("items", {}), schemas, depth + 1)]
    if "properties" in schema:
        return {name: outline(each, schemas, depth + 1) for name, each in schema["properties"].items()}
    return _outline_of_value(schema, schemas, depth)


def _outline_of_choice(choices: Sequence[Mapping[str, Any]], schemas: Mapping[str, Any], depth: int) -> Any:
    """The first choice stands for all of them, with `null` where that is one."""
    others = [each for each in choices if each != _NULL]
    said = outline(others[0] if others else _NULL, schemas, depth)
    return f"{said} | null" if isinstance(said, str) and len(others) < len(choices) else said


def _outline_of_value(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> Any:
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        return {"...": outline(more, schemas, depth + 1)}
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("const", schema.get("type", "any")))
