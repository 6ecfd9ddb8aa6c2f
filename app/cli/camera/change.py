"""`KNOB=VALUE` of a command line, and the change that it makes to a camera that is open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from app.capture.camera import Camera, Knob
from app.cli.camera.asked import EXPOSURES, GAIN, agree
from app.cli.camera.choice import as_settings, said_of
from app.cli.camera.probe import bounds_of, knobs_of
from app.cli.console import printable
from app.config import CameraSettings
from app.errors import CameraError, UsageError
from app.types import Scalar

LINE_KEYS = ("exposure_ms", "gain_db")
"""Keys of a line.toml that may be set like knobs, whatever the camera itself calls them."""

_TRUTHS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_WORDS = {True: "[green]✓ taken[/]", False: "[yellow]▲ it took another[/]", None: "[dim]it does not say[/]"}
_WHOLE = re.compile(r"[+-]?\d+|0[xX][0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Change:
    """One knob that was set.

    Attributes:
        name: The knob, or the key of the line.toml.
        unit: Of its values.
        before: What it was; `None` where nobody can tell.
        asked: What it was to be.
        after: What the camera says now.
        is_taken: That is what was asked for, give or take its rounding; `None` where nobody can tell.
    """

    name: str
    unit: str
    before: Scalar
    asked: Scalar
    after: Scalar
    is_taken: bool | None


def split(words: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """Takes the words of the command line apart.

    Returns:
        The camera's name, where the first word is one, and the values by knob.

    Raises:
        UsageError: A word is no KNOB=VALUE, a knob is named twice, or none is.
    """
    name = words[0] if words and "=" not in words[0] else None
    wanted: dict[str, str] = {}
    for word in words[0 if name is None else 1 :]:
        knob, equals, value = word.partition("=")
        if not equals or not knob.strip():
            raise UsageError(f"{word!r} is no KNOB=VALUE", "write it as in ExposureTime=2000")
        if knob.strip() in wanted:
            raise UsageError(f"{knob.strip()} is named twice", "name each knob once")
        wanted[knob.strip()] = value.strip()
    if not wanted:
        raise UsageError("nothing to set is named", "write it as in ExposureTime=2000; takt camera probe lists them")
    return name, wanted


def with_line_keys(settings: CameraSettings, wanted: Mapping[str, str]) -> CameraSettings:
    """The settings with those keys of a line.toml that are named among the knobs.

    Raises:
        UsageError: A value is no number, or out of bounds.
    """
    changes = {key: _typed(wanted[key], Knob(key, 0.0)) for key in LINE_KEYS if key in wanted}
    return as_settings({**said_of(settings), **changes}) if changes else settings


def check_savable(wanted: Mapping[str, str]) -> None:
    """Refuses what a line.toml has a key of its own for: two that say different things would be one too many.

    Raises:
        UsageError: It has.
    """
    for names, key in ((EXPOSURES, "exposure_ms"), ((GAIN,), "gain_db")):
        for name in names:
            if name in wanted:
                raise UsageError(f"{name} is what {key} of a line.toml sets", f"set that instead: {key}=...")


def adjust(camera: Camera, wanted: Mapping[str, str]) -> tuple[Change, ...]:
    """Sets knobs, all of them or none.

    Raises:
        CameraError: The camera has no settings of its own, has no such knob, or refuses a value; those set before are
            what they were again.
        UsageError: A value is not of the knob's kind.
    """
    if not hasattr(camera, "adjust"):
        raise CameraError(
            f"camera {camera.name!r} has no settings of its own", "change the line.toml, or its source, instead"
        )
    adjustable: Any = camera
    before = {each.name: each for each in knobs_of(camera)}
    values = {name: _typed(text, before.get(name)) for name, text in wanted.items()}
    taken: dict[str, Scalar] = {}
    try:
        for name, value in values.items():
            taken[name] = adjustable.adjust(name, value)
    except BaseException:
        for name in reversed(taken):
            if name in before and before[name].value is not None:
                adjustable.adjust(name, before[name].value)
        raise
    after = {each.name: each for each in knobs_of(camera)}
    return tuple(
        _change(name, values[name], before.get(name), after.get(name, Knob(name, taken[name]))) for name in values
    )


def change_table(changes: Sequence[Change]) -> Table:
    """One row per knob."""
    table = Table()
    table.add_column("knob", style="bold", overflow="fold")
    for heading in ("before", "asked", "after"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("")
    for each in changes:
        cells = (
            _told(each.before),
            _told(each.asked),
            _told(each.after) if each.after is None else f"{_told(each.after)} {each.unit}".strip(),
        )
        table.add_row(escape(printable(each.name)), *(escape(printable(cell)) for cell in cells), _WORDS[each.is_taken])
    return table


def _change(name: str, asked: Scalar, before: Knob | None, after: Knob) -> Change:
    is_taken = agree(asked, after.value, after.step)
    return Change(name, after.unit, before.value if before else None, asked, after.value, is_taken)


def _told(value: Scalar) -> str:
    if value is None:
        return "-"
    return (
        str(value).lower() if isinstance(value, bool) else f"{value:.10g}" if isinstance(value, float) else str(value)
    )


def _typed(text: str, knob: Knob | None) -> Scalar:
    """A value of the kind that the knob has now; of a knob that nobody knows, whatever it looks like."""
    if knob is None:
        return _guessed(text)
    if knob.choices and text not in knob.choices:
        return _guessed(text)  # entries of V4L2's menus have numbers too
    if knob.choices or isinstance(knob.value, str):
        return text
    if isinstance(knob.value, bool):
        if text.casefold() not in _TRUTHS:
            raise UsageError(f"{knob.name}={text} is neither true nor false", "write one of them")
        return _TRUTHS[text.casefold()]
    number = _number(text)
    if number is None and (knob.value is not None or knob.low is not None):
        bounds = bounds_of(knob)
        raise UsageError(f"{knob.name}={text} is no number", f"write one from {bounds}" if bounds else "write one")
    return text if number is None else number


def _guessed(text: str) -> Scalar:
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text):
        return int(text, 16) if "x" in text.casefold() else int(text)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
