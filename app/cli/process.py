"""`takt process`: runs one row of the process table. `takt run` and the systemd units call it; people need not."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Bus, StateDir, state_folder

Lines = Annotated[list[Path], typer.Option("--line", metavar="FILE", help="The line.toml; once per lane.")]


def process(
    name: Annotated[str, typer.Argument(help="twin, capture, station, recorder, accelerator or web.")],
    *,
    line: Lines,
    camera: Annotated[str, typer.Option(help="The camera's name, for capture.")] = "",
    bus: Bus = None,
    state: StateDir = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="The pages' port, for web.")] = None,
) -> None:
    """Run one process of the table until it is told to stop."""
    from app.bus.notify import Notifier
    from app.bus.place import default_place
    from app.entries.post import Post
    from app.processes import row_of, table
    from app.setup import load_setup

    setups = {path: load_setup(path) for path in line}
    rows = table({path: setup.line for path, setup in setups.items()})
    first = next(iter(setups.values()))
    row = row_of(rows, name, first.line.line.lane if len(setups) == 1 else None, camera)
    notifier = Notifier.of(os.environ, row.watchdog.max_age_ms)
    notifier.ready()
    post = Post(default_place(bus), state_folder(state), row, camera, port, notifier)
    import_module(f"app.entries.{row.kind.value}").run(list(setups.values()), post)
