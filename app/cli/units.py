"""`takt units`: the processes of a line as systemd units."""

# ruff: noqa: PLC0415 - a command imports the rooms it needs when it runs
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from app.cli.console import complain, out, print_json
from app.cli.options import SYSTEM_STATE, Json

Lines = Annotated[
    list[Path] | None,
    typer.Option("--line", metavar="FILE", help="A line.toml, once per lane; by default the twin's own line."),
]
OLDEST_SYSTEMD = 249
"""Of the oldest system that Takt is meant for; taken where this one does not say."""


def units(  # noqa: PLR0913 - an argument per option
    *,
    write: Annotated[Path, typer.Option("--write", metavar="DIR", help="Folder to write the units into.")],
    line: Lines = None,
    installed: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the line.toml files will lie on the box; by default where they lie now."
        ),
    ] = None,
    program: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The command takt on the box; by default this one.")
    ] = None,
    bus: Annotated[Path, typer.Option(metavar="DIR", help="Where the processes meet.")] = Path("/dev/shm/takt"),  # noqa: S108
    state: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the station's state.")] = SYSTEM_STATE,
    user: Annotated[str, typer.Option(help="Who they run as; its group has the same name.")] = "takt",
    cores: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Cores of the box; by default those of this one.")
    ] = None,
    systemd: Annotated[
        int | None, typer.Option(min=200, max=999, help="Version of systemd on the box; by default that of this one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write systemd units for the processes of a line, from the same table that `takt run` uses.

    Copy them to /etc/systemd/system and enable takt.target; deploy/README.md tells the rest. Overwrites units of the
    same names in that folder and names those that are of no process any more.
    """
    from app.cli.files import write_whole
    from app.processes import table
    from app.setup import load_setup, twin_line
    from app.units import Box
    from app.units import units as units_of

    lines = {}
    for path in line or [twin_line()]:
        there = (installed / path.name) if installed else path.absolute()
        lines[there] = load_setup(path).line
    box = Box(
        program=(program or _this_program()).absolute(),
        bus=bus.absolute(),
        state=state.absolute(),
        user=user,
        cores=tuple(range(cores)) if cores else tuple(sorted(os.sched_getaffinity(0))),
        systemd=systemd or _systemd_version(),
    )
    written = units_of(table(lines), box)
    for name, text in written.items():
        write_whole(write / name, text.encode())
    left = sorted(path.name for path in write.glob("takt-*.service") if path.name not in written)
    if as_json:
        print_json({"folder": str(write), "written": sorted(written), "left": left})
        return
    for name in written:
        out().print(escape(str(write / name)), soft_wrap=True)
    if left:
        complain(f"{', '.join(left)} in {write} belong to no process of this line; remove them")


def _this_program() -> Path:
    beside = Path(sys.executable).with_name("takt")
    found = str(beside) if beside.exists() else shutil.which("takt")
    return Path(found or "/opt/takt/bin/takt")


def _systemd_version() -> int:
    try:
        said = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607
        return int(said.stdout.split()[1])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return OLDEST_SYSTEMD
