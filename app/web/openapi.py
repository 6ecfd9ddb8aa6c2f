"""How a view of the API says what it takes and gives, and how it reads the one and writes the other.

    @api.post("/lanes/<int:lane>/stop")
    @documented(answer=Done, body=Stop, errors=(404, 409, 503))
    def stop(lane: int) -> Response:
        "Stops a lane."
        return told(Done(by=sent(Stop).by))

`app/web/describing.py` makes the OpenAPI document of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UsageError

MARK = "__takt_documented__"
JSON = "application/json"
_View = TypeVar("_View", bound=Callable[..., Any])
_Model = TypeVar("_Model", bound=BaseModel)


class Refusal(BaseModel):
    """What every refusal says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str = Field(description="what is wrong, and where")
    mend: str = Field(description="what to do about it")


@dataclass(frozen=True, slots=True)
class Documented:
    """What a view takes and gives.

    Attributes:
        answer: The model of its answer; `None` where it is no JSON.
        body: The model of what is sent to it.
        query: The model of its query.
        errors: The statuses of its own refusals, beside those that every view has.
        media: The type of its answer.
        status: Of its answer.
        also: More statuses that come with the same answer.
    """

    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    media: str = JSON
    status: int = 200
    also: tuple[int, ...] = ()


def documented(
    *,
    answer: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    errors: tuple[int, ...] = (),
    media: str = JSON,
    status: int = 200,
    also: tuple[int, ...] = (),
) -> Callable[[_View], _View]:
    """Says what a view of the API takes and gives; its docstring says what it does.

    Args:
        answer: The model of its answer; `None` where it is no JSON, or empty (status 204).
        body: The model of what is sent to it.
        query: The model of its query.
        errors: The statuses of its own refusals. Every view may say 400, 403 and 429, and 401 where it asks for a
            role; a command also 413.
        media: The type of its answer.
        status: Of its answer.
        also: More statuses that come with the same answer.
    """

    def mark(view: _View) -> _View:
        setattr(view, MARK, Documented(answer, body, query, errors, media, status, also))
        return view

    return mark


def asked(model: type[_Model]) -> _Model:
    """The query of the present request; keys that the model does not name are passed over.

    Raises:
        UsageError: A value is not what the model takes.
    """
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    given = {
        key: request.args.getlist(key) if get_origin(field.annotation) in (list, tuple, set) else request.args[key]
        for key, field in known.items()
        if key in request.args
    }
    return _valid(model, given, "correct the address")


def sent(model: type[_Model]) -> _Model:
    """The JSON of the present request; nothing at all counts as an empty object.

    Raises:
        UsageError: It is no JSON, or not what the model takes.
    """
    said: object = {}
    if request.get_data(cache=True):
        said = request.get_json(silent=True)
        if not isinstance(said, dict):
            raise UsageError("what was sent is no JSON object", "send one, with Content-Type: application/json")
    return _valid(model, said, "correct the command")


def told(said: BaseModel, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(said.model_dump_json(by_alias=True), status=status, mimetype=JSON)


def _valid(model: type[_Model], said: object, mend: str) -> _Model:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where}: {first['msg']}" if where else first["msg"], mend) from error
