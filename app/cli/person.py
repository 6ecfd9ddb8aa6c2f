"""Who asks, where a command changes something that others rely on."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who asks; by default the user of this shell.")]


def person(named: str) -> str:
    """Who asks: the name given, else the user of this shell.

    Args:
        named: What `--by` says; may be empty.
    """
    if named.strip():
        return named.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A user without a name, as in some containers.
        return "somebody at a shell"
