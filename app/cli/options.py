"""Options that several commands take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

STATE_VARIABLE = "TAKT_STATE"
SYSTEM_STATE = Path("/var/lib/takt")

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar=STATE_VARIABLE,
        metavar="DIR",
        help="Folder of this station's state; by default /var/lib/takt where it exists, else ~/.local/state/takt.",
    ),
]
Bus = Annotated[
    Path | None,
    typer.Option("--bus", envvar="TAKT_BUS", metavar="DIR", help="Where the processes meet; by default /dev/shm/takt."),
]
Runtime = Annotated[str, typer.Option("--runtime", help="onnx, openvino, or auto: OpenVINO where it is installed.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=64, help="Threads of one inference.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def state_folder(named: Path | None) -> Path:
    """Where this station keeps its state: the folder named, else `$TAKT_STATE`, the system's or the user's."""
    named = named or Path(os.environ.get(STATE_VARIABLE, ""))
    if named != Path():
        return named
    if SYSTEM_STATE.is_dir():
        return SYSTEM_STATE
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "takt"
