"""TOML in, frozen models out, with errors that a person on the floor can act on."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.errors import ConfigError, redacted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # the same library under its older name

MAX_BYTES = 1_000_000
Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        ConfigError: Absent, unreadable, over 1 MB, not UTF-8 or not TOML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes", "give a settings file, not data")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "correct that line") from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Reads TOML that is no file.

    Args:
        text: What the file would hold.
        where: What it is called, for the message.

    Raises:
        ConfigError: It is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}", "correct that line") from error


def validated(model: type[Model], values: Mapping[str, Any], where: str) -> Model:
    """Checks values against a model and freezes them.

    Args:
        model: The model.
        values: What the file held.
        where: The file's name, for the message.

    Raises:
        ConfigError: All problems at once, each with its key, the value found and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = _problems(model, error.errors())
        noun = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"{where} has {noun}: {' / '.join(problems)}", "correct the file") from error


def _problems(model: type[BaseModel], errors: list[ErrorDetails]) -> list[str]:
    places = [details["loc"] for details in errors]
    problems: list[str] = []
    for details in errors:
        # A list whose items are refused is also reported as too short: say only what is wrong inside.
        hides_inner = any(
            len(place) > len(details["loc"]) and place[: len(details["loc"])] == details["loc"] for place in places
        )
        if not (details["type"] == "too_short" and hides_inner):
            problems += _sentence(model, details).split("\n")
    return problems


def _sentence(model: type[BaseModel], details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(details["loc"][-1]), _keys(model), n=1)
        return f"unknown key {key}" + (f", did you mean {near[0]}?" if near else "")
    if details["type"] == "missing":
        return f"{key} is missing"
    if details["type"] == "value_error":
        text = str(details["ctx"]["error"])
        return f"{key}: {text}" if key else text
    said = details["input"]
    shown = redacted(said) if isinstance(said, str) else said
    return f"{key} = {shown!r}: {details['msg'].lower()}"


def _keys(model: type[BaseModel]) -> list[str]:
    """Every key at any depth, for "did you mean"."""
    keys: list[str] = []
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for name, field in current.model_fields.items():
            keys.append(field.alias or name)
            waiting += _models_in(field.annotation)
    return keys


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in getattr(annotation, "__args__", ()) for model in _models_in(arg)]
