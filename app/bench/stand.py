"""The stand for a run: folders of its own, the line that is measured, and the processes of the table that it needs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.bus.place import DEFAULT_ROOT, Place
from app.clock import SystemClock
from app.config import Line
from app.errors import BusError
from app.processes import Kind, Process, Watchdog, table
from app.recipe import Recipe
from app.setup import Setup, load_setup
from app.signs import watch_of
from app.supervisor import Supervisor

HOST = "127.0.0.1"
RING_MB_PER_PART = 0.006
"""Events of a part take less than this: without a recorder all of them stay in the ring."""

_PREFIX = "takt-bench-"
_NEVER_MS = 1e12


@dataclass(frozen=True, slots=True)
class Stand:
    """A stand.

    Attributes:
        place: The bus.
        state: The state folder.
        setup: The line, as written beside it.
    """

    place: Place
    state: Path
    setup: Setup


@contextmanager
def raised(line: Line, recipe: Recipe) -> Iterator[Stand]:
    """Makes the stand, and takes it away however the run ends.

    Args:
        line: The line that is measured.
        recipe: Its recipe.

    Raises:
        BusError: There is no room for it.
    """
    _clear_away()
    shared = DEFAULT_ROOT.parent if DEFAULT_ROOT.parent.is_dir() else None
    bus = folder = None
    try:
        try:
            bus = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=shared))
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            (folder / "recipe.toml").write_text(toml_text(_said(recipe)), encoding="utf-8")
            path = folder / "line.toml"
            path.write_text(toml_text(_said(line) | {"recipe": "recipe.toml"}), encoding="utf-8")
        except OSError as error:
            raise BusError(f"the stand cannot be set up: {error}", "make room there, or set TMPDIR") from error
        yield Stand(Place(bus), folder / "state", load_setup(path))
    finally:
        for each in (bus, folder):
            if each is not None:
                shutil.rmtree(each, ignore_errors=True)


def supervisor_of(
    stand: Stand, kinds: Sequence[Kind], *, parts_per_min: float, port: int, say: Callable[[str, str], None]
) -> Supervisor:
    """Whoever starts and ends the processes of a run.

    Args:
        stand: The stand.
        kinds: The kinds of processes that take part.
        parts_per_min: How many parts the machine sends.
        port: For the pages.
        say: Takes what a process says: its name and a line.
    """
    rows = [row for row in table({stand.setup.path: stand.setup.line}) if row.kind in kinds]

    def command(row: Process) -> list[str]:
        if row.kind is Kind.TWIN:
            words = (str(stand.setup.path), str(stand.place.root), str(parts_per_min))
            return [sys.executable, "-m", "app.bench.machine", *words]
        more = ["--port", str(port)] if row.kind is Kind.WEB else []
        return row.command(stand.place.root, stand.state, more)

    return Supervisor(
        [_patient(row) for row in rows],
        stand.place,
        clock=SystemClock(),
        command=command,
        watch=lambda row: watch_of(row, stand.place, (HOST, port)),
        say=say,
        pause=time.sleep,
    )


def toml_text(values: Mapping[str, Any]) -> str:
    """Values as TOML, one key per line."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(str(key))} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    # A text of JSON is one of TOML too, as long as it holds its characters as they are; so is a number or a truth.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _said(settings: Line | Recipe) -> dict[str, Any]:
    # What was not said stays unsaid: a recipe without a threshold takes the model's.
    return settings.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)


def _patient(row: Process) -> Process:
    """The recorder is held still in every second block, which is no reason to end it."""
    if row.kind is not Kind.RECORDER:
        return row
    return replace(row, watchdog=Watchdog(row.watchdog.sign, _NEVER_MS, row.watchdog.start_ms))


def _clear_away() -> None:
    """Takes away what runs left behind that were killed."""
    for root in {DEFAULT_ROOT.parent, Path(tempfile.gettempdir())}:
        for folder in root.glob(f"{_PREFIX}*"):
            number = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if number.isdigit() and not Path(f"/proc/{number}").exists():
                with suppress(OSError):
                    shutil.rmtree(folder)
