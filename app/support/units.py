"""The processes of a box that systemd started: `systemctl show` of their units, asked in a child with a deadline."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from app.clock import NS_PER_S
from app.support.processes import Line, Meter, Processes, kind_of

PATTERN = "takt-*.service"
LIMIT_S = 3.0
FRESH_NS = 2 * NS_PER_S
"""Who asks again sooner gets the answer before: a child for each page and second would cost more than it tells."""

_ASKED = (
    "Id",
    "MainPID",
    "ActiveState",
    "SubState",
    "NRestarts",
    "Result",
    "ExecMainStatus",
    "ExecMainStartTimestampMonotonic",
    "ExecMainExitTimestampMonotonic",
)
_NS_PER_US = 1000
_UNIT = re.compile(r"takt-(?P<name>[\w:.-]{1,100})\.service")

Ask = Callable[[], str]
"""Gives what `systemctl show` says.

Raises:
    OSError: It cannot be asked.
    subprocess.SubprocessError: It fails, or does not answer in time.
"""


class Units:
    """Asks systemd for the units of the process table. Any thread may.

    Args:
        meter: Measures the processes.
        ask: Asks; by default `systemctl`.
        root: Where `run` is.
    """

    def __init__(self, meter: Meter, ask: Ask | None = None, root: Path = Path("/")) -> None:
        self._meter = meter
        self._ask = ask or _systemctl
        self._root = root
        self._order = threading.Lock()
        self._said = ""
        self._trouble = ""
        self._at_ns: int | None = None

    def read(self, now_ns: int) -> Processes:
        """The units as systemd knows them."""
        if not (self._root / "run/systemd/system").is_dir():
            return Processes("", trouble="neither takt run nor systemd has started the processes of this bus")
        with self._order:
            if self._at_ns is None or now_ns - self._at_ns >= FRESH_NS:
                self._at_ns = now_ns
                self._said, self._trouble = _answer(self._ask)
            said, trouble = self._said, self._trouble
        lines = tuple(self._line(each, now_ns) for each in parse_units(said))
        self._meter.keep({each.pid for each in lines})
        if not lines:
            return Processes("", trouble=trouble or "neither takt run nor a unit of systemd is at work on this bus")
        return Processes("systemd", lines, trouble=trouble)

    def _line(self, unit: Mapping[str, str], now_ns: int) -> Line:
        found = _UNIT.fullmatch(unit["Id"])
        name = found["name"] if found else unit["Id"]
        kind, lane = kind_of(name)
        pid = _number(unit, "MainPID")
        stamp = "ExecMainStartTimestampMonotonic" if pid else "ExecMainExitTimestampMonotonic"
        is_alive = unit.get("ActiveState") == "active" and unit.get("SubState") == "running"
        return Line(
            name,
            kind,
            lane,
            pid,
            _number(unit, stamp) * _NS_PER_US,
            is_alive,
            _number(unit, "NRestarts"),
            _ending(unit),
            self._meter.read(pid, now_ns) if pid else None,
        )


def parse_units(said: str) -> Iterator[Mapping[str, str]]:
    """The units of an answer of `systemctl show`: blocks of `Name=value` with an empty line between them."""
    for block in said.split("\n\n"):
        unit = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if _UNIT.fullmatch(unit.get("Id", "")):
            yield unit


def _ending(unit: Mapping[str, str]) -> str:
    result, status = unit.get("Result", ""), unit.get("ExecMainStatus", "0")
    if result in ("", "success") or not _number(unit, "NRestarts"):
        return ""
    return f"{result}, exit code {status}" if result == "exit-code" else result


def _number(unit: Mapping[str, str], name: str) -> int:
    said = unit.get(name, "")
    return int(said) if said.isdecimal() and len(said) < 20 else 0  # noqa: PLR2004 - longer ones are no time and no id


def _answer(ask: Ask) -> tuple[str, str]:
    try:
        return ask(), ""
    except subprocess.TimeoutExpired:
        return "", f"systemctl does not answer within {LIMIT_S:g} s"
    except (OSError, subprocess.SubprocessError) as error:
        return "", f"systemd cannot be asked for its units: {error}"


def _systemctl() -> str:
    program = shutil.which("systemctl")
    if program is None:
        raise FileNotFoundError("there is no systemctl on this box")
    command = [program, "show", f"--property={','.join(_ASKED)}", "--", PATTERN]
    run = subprocess.run(  # noqa: S603 - a program of the system with words of ours
        command, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=True, stdin=subprocess.DEVNULL
    )
    return run.stdout
