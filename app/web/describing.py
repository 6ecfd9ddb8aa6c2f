"""The OpenAPI document of the API, made of the routes, their models and the table of permissions.

After the OpenAPI Specification 3.1.1, whose schemas are JSON Schema 2020-12 as pydantic writes it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from app import __version__
from app.web.access.permissions import Permission
from app.web.access.roles import Role
from app.web.access.sessions import COOKIE
from app.web.openapi import JSON, MARK, Documented, Refusal

PREFIX = "/api/v1/"
_PLACE = re.compile(r"<(?:(?P<kind>\w+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
}
_STRING: Mapping[str, Any] = {"type": "string", "minLength": 1}
_SCHEMAS = "#/components/schemas/{model}"
_TAKEN: JsonSchemaMode = "validation"
_GIVEN: JsonSchemaMode = "serialization"
_READING = {"GET", "HEAD"}
_EVERYWHERE = (400, 403, 429)
_TOO_LARGE = 413
_UNKNOWN = 401
_AGAIN = 428


def describe(app: Flask, permissions: Mapping[str, Permission]) -> dict[str, Any]:
    """The document.

    Args:
        app: The application, with all its routes.
        permissions: Who may use which endpoint.
    """
    found = [(rule, said) for rule, said in routes_of(app) if said is not None]
    known = _Schemas(said for _, said in found)
    paths: dict[str, dict[str, Any]] = {}
    for rule, said in found:
        path = _PLACE.sub(lambda place: f"{{{place['name']}}}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = _operation(app, rule, method, said, permissions.get(rule.endpoint), known)
            paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Takt",
            "version": __version__,
            "summary": "What an inspection station tells, and what it can be told.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this box"}],
        "tags": [{"name": each} for each in sorted(set(_tags(paths)))],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(known.all.items())),
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "of a person, by a browser",
                },
                "token": {"type": "http", "scheme": "bearer", "description": "of a machine"},
            },
        },
    }


class _Schemas:
    """The schemas of all models, each under a name of its own.

    Args:
        said: What the views say of themselves.

    Attributes:
        all: By name.
    """

    def __init__(self, said: Iterable[Documented]) -> None:
        models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Refusal, _GIVEN): None}
        for each in said:
            wanted = ((each.body, _TAKEN), (each.query, _TAKEN), (each.answer, _GIVEN))
            models |= {(model, mode): None for model, mode in wanted if model is not None}
        self._by_model, made = models_json_schema(list(models), ref_template=_SCHEMAS)
        self.all: dict[str, Any] = made.get("$defs", {})

    def of(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """A reference to a model's schema."""
        return dict(self._by_model[model, mode])

    def properties(self, model: type[BaseModel]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The schemas of a query's keys, and those that it needs."""
        made = self.all[self.of(model, _TAKEN)["$ref"].rpartition("/")[2]]
        return made.get("properties", {}), tuple(made.get("required", ()))


def routes_of(app: Flask) -> Iterator[tuple[Rule, Documented | None]]:
    """Every route of the API and what its view says of itself; `None` where it says nothing."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PREFIX):
            yield rule, getattr(app.view_functions[rule.endpoint], MARK, None)


def _tags(paths: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    return (tag for path in paths.values() for operation in path.values() for tag in operation["tags"])


def _operation(
    app: Flask, rule: Rule, method: str, said: Documented, permission: Permission | None, known: _Schemas
) -> dict[str, Any]:
    words = inspect.cleandoc(app.view_functions[rule.endpoint].__doc__ or "")
    summary, _, rest = words.partition("\n")
    role = permission.role if permission else Role.ADMIN
    asks_again = permission is not None and permission.asks_again
    is_command = method not in _READING
    made: dict[str, Any] = {
        "operationId": f"{rule.endpoint.replace('.', '_')}_{method.lower()}",
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary.rstrip("."),
        "parameters": [*_in_path(rule), *_in_query(said.query, known)],
        "responses": _responses(said, role, known, is_command=is_command, asks_again=asks_again),
        "x-role": role.name.lower(),
    }
    if rest.strip():
        made["description"] = rest.strip()
    if said.body is not None:
        is_needed = any(field.is_required() for field in said.body.model_fields.values())
        made["requestBody"] = {"required": is_needed, "content": {JSON: {"schema": known.of(said.body, _TAKEN)}}}
    if role is not Role.NONE:
        made["security"] = [{"session": []}, {"token": []}]
    if asks_again:
        made["x-asks-again"] = True
    return made


def _in_path(rule: Rule) -> list[dict[str, Any]]:
    return [
        {"name": place["name"], "in": "path", "required": True, "schema": _KINDS.get(place["kind"] or "", _STRING)}
        for place in _PLACE.finditer(rule.rule)
    ]


def _in_query(model: type[BaseModel] | None, known: _Schemas) -> list[dict[str, Any]]:
    if model is None:
        return []
    properties, needed = known.properties(model)
    return [_parameter(name, dict(schema), is_needed=name in needed) for name, schema in properties.items()]


def _parameter(name: str, schema: dict[str, Any], *, is_needed: bool) -> dict[str, Any]:
    words = schema.pop("description", "")
    schema.pop("title", None)
    # A query cannot say null: what may be left out is left out.
    choices = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["anyOf"] = choices
    if schema.get("default", ...) is None:
        del schema["default"]
    return {"name": name, "in": "query", "required": is_needed, "description": words, "schema": schema}


def _responses(said: Documented, role: Role, known: _Schemas, *, is_command: bool, asks_again: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(said.status).phrase}
    if said.answer is not None:
        answer["content"] = {said.media: {"schema": known.of(said.answer, _GIVEN)}}
    elif said.status != HTTPStatus.NO_CONTENT:
        answer["content"] = {said.media: {"schema": {"type": "string"} if said.media.startswith("text/") else {}}}
    made = {status: {**answer, "description": HTTPStatus(status).phrase} for status in (said.status, *said.also)}
    codes = {*_EVERYWHERE, *said.errors}
    codes |= {_TOO_LARGE} if is_command else set()
    codes |= {_UNKNOWN} if role is not Role.NONE else set()
    codes |= {_AGAIN} if asks_again else set()
    refusal = {JSON: {"schema": known.of(Refusal, _GIVEN)}}
    for code in codes - set(made):
        made[code] = {"description": HTTPStatus(code).phrase, "content": refusal}
    return {str(code): made[code] for code in sorted(made)}
