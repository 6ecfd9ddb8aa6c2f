"""Writes the tables of docs/settings.md and docs/commands.md from the code that they describe.

Between `<!-- generated: NAME -->` and `<!-- end -->` a page belongs to this module, the rest to people. The house test
compares; `python -m tests.reference --update` (make docs) writes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app import errors
from app.config import Input, Line, Output
from app.recipe import Recipe
from tests.groups import ROOT

PAGES = ("docs/settings.md", "docs/commands.md")
_SECTION = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}


def row(*cells: str) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return "\n".join([row(*head), row(*["---"] * len(head)), *(row(*cells) for cells in rows)])


# Settings


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The settings model inside a field's type, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := model_of(each))), None)


def is_list(annotation: Any) -> bool:
    """The field is an array of tables."""
    return get_origin(annotation) is tuple


def is_named(annotation: Any) -> bool:
    """The field holds tables by names that the writer of the file chooses."""
    return get_origin(annotation) is dict


def settings_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table below a model, with its heading in TOML; inputs and outputs, which many tables have, once."""
    yield path, model
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None or inner in (Input, Output):
            continue
        key = f"{path}.{field.alias or name}".lstrip(".")
        brackets = "[[{}]]" if is_list(field.annotation) else "[{}]"
        if is_named(field.annotation):
            key += ".NAME"
        yield from ((brackets.format(key) if sub == key else sub, each) for sub, each in settings_of(inner, key))


def kind_of_table(inner: type[BaseModel], annotation: Any) -> str:
    """The same, for settings within settings."""
    if inner in (Input, Output):
        return f"an [{inner.__name__.lower()}](#{inner.__name__.lower()}s)"
    return "tables, see below" if is_list(annotation) or is_named(annotation) else "a table, see below"


def kind_of(annotation: Any, metadata: list[Any]) -> str:
    """What may stand at a key, in words."""
    inner = model_of(annotation)
    if inner:
        return kind_of_table(inner, annotation)
    bounds = ", ".join(bound for each in metadata for bound in bounds_of(each))
    if is_named(annotation) or get_origin(annotation) is tuple:
        return kind_of_several(annotation, metadata, bounds)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{json.dumps(each)}`" for each in get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return kind_of(annotation.__origin__, [*annotation.__metadata__, *metadata])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind_of(each, metadata) for each in get_args(annotation) if each is not type(None)]
        return " or ".join(kinds)
    return f"{_WORDS[annotation]} {bounds}".strip()


def kind_of_several(annotation: Any, metadata: list[Any], bounds: str) -> str:
    """The same, for values by name and for lists of them."""
    if is_named(annotation):
        return f"a table of names, each with {kind_of(get_args(annotation)[1], metadata)}"
    return f"list of {kind_of(get_args(annotation)[0], [])}, {bounds.replace('characters', 'of them')}"


def number(value: float) -> str:
    """A bound as a person writes it in TOML."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def bounds_of(metadata: Any) -> Iterator[str]:
    """The bounds that one piece of a field's metadata sets."""
    for name, sign in _BOUNDS.items():
        if getattr(metadata, name, None) is not None:
            yield f"{sign} {number(getattr(metadata, name))}"
    if getattr(metadata, "max_length", None) is not None:
        yield f"up to {metadata.max_length} characters"
    for each in getattr(metadata, "metadata", ()):
        yield from bounds_of(each)


def default_of(field: FieldInfo) -> str:
    """What holds where the key is absent."""
    if field.is_required():
        return "**required**"
    if field.default is None:
        return "absent"
    if is_named(field.annotation):
        return "none"
    if is_list(field.annotation) and model_of(field.annotation):
        return "one with its defaults"
    if field.default is PydanticUndefined or model_of(field.annotation):
        return "its defaults"
    return f"`{json.dumps(field.default)}`"


def meaning_of(field: FieldInfo) -> str:
    """What a key means; a table says it in its own words."""
    inner = model_of(field.annotation)
    if field.description or inner is None:
        return field.description or ""
    return inspect.getdoc(inner).splitlines()[0]


def settings_table(model: type[BaseModel]) -> str:
    """One row for each key of a model."""
    rows = [
        (
            f"`{field.alias or name}`",
            kind_of(field.annotation, field.metadata),
            default_of(field),
            meaning_of(field),
        )
        for name, field in model.model_fields.items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def settings_section(root: type[BaseModel]) -> str:
    """Every table of a file."""
    parts = []
    for path, model in settings_of(root):
        heading = f"### `{path}`\n\n" if path else ""
        parts.append(f"{heading}{inspect.getdoc(model)}\n\n{settings_table(model)}\n")
    return "\n".join(parts)


# Commands


def errors_of(root: type[errors.TaktError] = errors.TaktError) -> Iterator[type[errors.TaktError]]:
    """Every error of the tree that `app.errors` draws."""
    yield root
    for each in root.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from errors_of(each)


def exit_code_section() -> str:
    """What each exit code means."""
    meanings: dict[int, list[str]] = {}
    for error in errors_of():
        meaning = inspect.getdoc(error).splitlines()[0].rstrip(".")
        meanings.setdefault(error.exit_code, []).append(f"`{error.__name__}`: {meaning}")
    return table(
        ("code", "what ended the command"), [(str(code), "; ".join(meanings[code])) for code in sorted(meanings)]
    )


def commands_of(command: Any, path: str = "takt") -> Iterator[tuple[str, Any]]:
    """Every command that does something, and every group with options of its own, by the words that call it."""
    children = getattr(command, "commands", None) or {}
    if not children or described_of(command):
        yield path, command
    for name, child in children.items():
        yield from commands_of(child, f"{path} {name}")


def described_of(command: Any) -> list[Any]:
    """The arguments and options of a command, but for those that every command has."""
    return [each for each in command.params if each.name != "help" and not getattr(each, "hidden", False)]


def parameter_row(parameter: Any) -> tuple[str, str, str]:
    """One argument or option."""
    is_argument = parameter.param_type_name == "argument"
    name = parameter.metavar or parameter.name.upper()
    words = name if is_argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    if parameter.required:
        shown = "**required**"
    elif default in (None, False, "", (), []) or callable(default):
        shown = ""
    else:
        shown = "on" if default is True else f"`{default}`"
    return f"`{words}`", parameter.help or "", shown


def root_command() -> Any:
    """The command `takt`, as typer builds it."""
    return typer.main.get_command(importlib.import_module("app.cli").app)


def command_section() -> str:
    """Every command with its arguments and options."""
    parts = []
    for path, command in commands_of(root_command()):
        rows = [parameter_row(each) for each in described_of(command)]
        described = table(("argument or option", "meaning", "default"), rows) if rows else "It takes no options."
        parts.append(f"### `{path}`\n\n{inspect.cleandoc(command.help or '')}\n\n{described}\n")
    return "\n".join(parts)


SECTIONS: dict[str, Callable[[], str]] = {
    "line": lambda: settings_section(Line),
    "recipe": lambda: settings_section(Recipe),
    "input": lambda: settings_table(Input) + "\n",
    "output": lambda: settings_table(Output) + "\n",
    "commands": command_section,
    "exit_codes": lambda: exit_code_section() + "\n",
}


def rendered(text: str) -> str:
    """A page with its generated sections written anew."""
    return _SECTION.sub(lambda found: f"{found[1]}\n{SECTIONS[found['name']]()}\n{found[3]}", text)


def main() -> None:
    """Writes the pages."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: python -m tests.reference --update")
    main()
