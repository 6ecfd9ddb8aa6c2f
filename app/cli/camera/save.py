"""Changes of a camera written into its line.toml, with every comment and blank line of it left where it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable, Item, Table

from app.cli.files import write_whole
from app.config import CameraSettings, Line
from app.errors import ConfigError, UsageError
from app.toml import read_toml, validated
from app.types import Scalar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # the same library under its older name

DEFAULT_NAME: str = CameraSettings.model_fields["name"].default


def save(path: Path, camera: str, keys: Mapping[str, Scalar], controls: Mapping[str, Scalar]) -> Path:
    """Writes keys and controls of one camera into a line.toml.

    The file is checked as a whole before it is written, must say what it said but for these values, and is replaced at
    once; what it was stays beside it.

    Args:
        path: The line.toml.
        camera: The camera's name in it.
        keys: For `[[camera]]` itself, such as `exposure_ms`.
        controls: For its table `controls`.

    Returns:
        The copy of the file as it was.

    Raises:
        ConfigError: The file cannot be used, would not describe a line that works, or is laid out so that a change
            would touch more than this.
        UsageError: It cannot be written.
    """
    path = path.resolve()  # a link stays a link
    before = validated(Line, read_toml(path), str(path))
    content = path.read_bytes()
    text = _edited(content.decode("utf-8"), path, camera, keys, controls)
    after = validated(Line, tomllib.loads(text), str(path))
    if after.model_dump() != _expected(before, camera, keys, controls).model_dump():
        raise _by_hand(path, keys, controls)
    kept = path.with_name(f"{path.name}.bak")
    mode = path.stat().st_mode
    for place, bytes_ in ((kept, content), (path, text.encode())):
        write_whole(place, bytes_)
        try:
            place.chmod(mode)
        except OSError as error:
            raise UsageError(f"{place} keeps other permissions: {error.strerror}", "set them by hand") from error
    return kept


def as_toml(keys: Mapping[str, Scalar], controls: Mapping[str, Scalar]) -> str:
    """The same values as a piece of a line.toml, to be written by hand."""
    lines = [f"{key} = {_item(value).as_string()}" for key, value in keys.items()]
    if controls:
        table = tomlkit.table()
        for name, value in controls.items():
            table.add(name, _item(value))
        lines += ["", "[camera.controls]", table.as_string().strip()]
    return "\n".join(lines).strip() + "\n"


def _edited(text: str, path: Path, camera: str, keys: Mapping[str, Scalar], controls: Mapping[str, Scalar]) -> str:
    try:
        for key, value in keys.items():
            document, table = _table_of(text, camera)
            _put(table, key, _item(value))
            text = tomlkit.dumps(document)
        for name, value in controls.items():
            document, table = _table_of(text, camera)
            there = table.get("controls")
            if there is None or isinstance(there, InlineTable):
                _put(table, "controls", _inline({**(there or {}), name: value}))
            else:
                _put(there, name, _item(value))
            text = tomlkit.dumps(document)
        tomllib.loads(text)
    except (TOMLKitError, tomllib.TOMLDecodeError, StopIteration, AttributeError, TypeError, ValueError) as error:
        raise _by_hand(path, keys, controls) from error
    return text


def _table_of(text: str, camera: str) -> tuple[tomlkit.TOMLDocument, Any]:
    """The file read anew, as `_put` leaves a document fit for nothing but to be written, and the camera in it."""
    document = tomlkit.parse(text)
    cameras: Any = document.get("camera", [])
    return document, next(each for each in cameras if each.get("name", DEFAULT_NAME) == camera)


def _put(table: Any, key: str, item: Item) -> None:
    """Sets a key, or adds it below the last key of the table.

    tomlkit itself adds below the comments that follow, which most often are about the table after this one.
    """
    if key in table or not isinstance(table, Table) or table.is_super_table():
        table[key] = item
        return
    body = table.value.body
    own = [index for index, (name, value) in enumerate(body) if name is not None and not _is_table(value)]
    at = own[-1] if own else -1
    if own:
        trivia = body[at][1].trivia
        item.trivia.indent = trivia.indent
        trivia.trail = item.trivia.trail = trivia.trail or "\n"
    body.insert(at + 1, (tomlkit.key(key), item))


def _inline(values: Mapping[str, Scalar]) -> Item:
    """A table in one row, with blanks where people put them."""
    pairs = ", ".join(f"{tomlkit.key(name).as_string()} = {_item(value).as_string()}" for name, value in values.items())
    row = tomlkit.parse(f"row = {{ {pairs} }}")["row"]
    assert isinstance(row, InlineTable)
    return row


def _is_table(value: Item) -> bool:
    return isinstance(value, (Table, AoT))


def _expected(before: Line, camera: str, keys: Mapping[str, Scalar], controls: Mapping[str, Scalar]) -> Line:
    cameras = []
    for each in before.cameras:
        changes = {**keys, "controls": {**each.controls, **controls}} if each.name == camera else {}
        cameras.append(validated(CameraSettings, {**each.model_dump(), **changes}, "the camera"))
    return before.model_copy(update={"cameras": tuple(cameras)})


def _by_hand(path: Path, keys: Mapping[str, Scalar], controls: Mapping[str, Scalar]) -> ConfigError:
    wanted = ", ".join(as_toml(keys, controls).split("\n")).strip(", ")
    return ConfigError(f"{path} is laid out so that it cannot be changed safely", f"write it by hand: {wanted}")


def _item(value: Scalar) -> Item:
    return tomlkit.item(value)
