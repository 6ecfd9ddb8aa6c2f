"""What a support bundle is to hold, and how its parts give what they collect."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.errors import DataError, TaktError
from app.support.redaction import clean, clean_value
from app.tied import tied

CHILD_S = 15.0
DOCTOR_S = 90.0

Trail = Callable[[int], Iterable[Mapping[str, Any]]]
"""Gives so many of the newest rows of the audit trail."""


def _nobody(_most: int) -> Iterable[Mapping[str, Any]]:
    return ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be collected.

    Attributes:
        state: The state folder.
        bus: Where the processes meet.
        wall: The present.
        now_ns: The same on the monotonic clock.
        lines: The files of the lanes.
        stages: The stages of a part, as the latency of each is kept.
        days: Logs of so many days.
        pictures: So many of the newest rejects with their pictures.
        trail: The audit trail.
        takt: The command line that runs `takt` here.
    """

    state: Path
    bus: Path
    wall: datetime
    now_ns: int
    lines: tuple[Path, ...] = ()
    stages: tuple[str, ...] = ()
    days: int = 7
    pictures: int = 0
    trail: Trail = _nobody
    takt: tuple[str, ...] = ()

    def with_lines(self, lines: tuple[Path, ...]) -> Order:
        """The same with the files of the lanes."""
        return replace(self, lines=lines)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the bundle.

    Attributes:
        name: Its name.
        pieces: Its content.
        is_packed: Packing it again makes it no smaller.
    """

    name: str
    pieces: Iterable[bytes]
    is_packed: bool = False


Missing = tuple[str, str]
"""What could not be collected, and why."""

Collected = Iterator[Member | Missing]


def text_member(name: str, text: str) -> Member:
    """A text without secrets."""
    return Member(name, (clean(text).encode("utf-8", "replace"),))


def json_member(name: str, value: Any) -> Member:
    """A JSON document without secrets."""
    return Member(name, (_json(value, indent=1) + b"\n",))


def rows_member(name: str, rows: Iterable[Any]) -> Member:
    """One JSON object a line, without secrets, made while it is written."""
    return Member(name, (_json(each) + b"\n" for each in rows))


def child_said(command: Sequence[str], limit_s: float = CHILD_S, codes: Sequence[int] = (0,)) -> str:
    """What a program says on its standard output. It ends with the thread that asks.

    Args:
        command: Its command line.
        limit_s: It is killed after so long.
        codes: Exit codes that are none of a failure.

    Raises:
        OSError: No process can be started.
        DataError: It did not end in time, cannot be started, or failed.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed command lines
            tied(command), capture_output=True, stdin=subprocess.DEVNULL, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{command[0]} did not end within {limit_s:g} s", "run it in a shell") from None
    if done.returncode not in codes:
        words = clean(done.stderr.decode(errors="replace").strip())[-300:]
        raise DataError(f"{command[0]} failed: {words or f'exit code {done.returncode}'}", "run it in a shell")
    return done.stdout.decode(errors="replace")


def why(error: BaseException) -> str:
    """Why something could not be collected, in words."""
    if isinstance(error, TaktError):
        return str(error)
    if isinstance(error, OSError) and error.strerror and not str(error).startswith(error.strerror):
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _json(value: Any, indent: int | None = None) -> bytes:
    separators = None if indent else (",", ":")
    return json.dumps(clean_value(value), indent=indent, separators=separators, default=str).encode()
