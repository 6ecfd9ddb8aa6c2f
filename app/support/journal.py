"""What the units `takt-*` have said, from the system's journal: asked by its own program, with a deadline."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from app.support.log_lines import MOST_LINES, Level, LogLine, level_of, tidy
from app.support.processes import kind_of
from app.support.redaction import Redactor

DEADLINE_S = 5.0
_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT"
_UNIT = re.compile(r"takt-(.+)\.service")
_NO_UNITS = "Failed to add filter for units: No data available"
_ERROR, _WARNING = 3, 4
"""As syslog counts: 0 is the worst."""


def journal_lines(
    since_us: int = 0, most: int = MOST_LINES, deadline_s: float = DEADLINE_S, program: str = "journalctl"
) -> list[LogLine]:
    """The newest lines of the journal, the newest first; none where this system has no journal.

    Args:
        since_us: Not before this moment, in microseconds since 1970 UTC.
        most: So many at most.
        deadline_s: The program may take so long.
        program: That reads the journal.

    Raises:
        OSError: The journal may not be read, or did not answer in time.
    """
    found = shutil.which(program)
    if found is None:
        return []
    command = [found, "-o", "json", "--no-pager", "-q", "-r", "-n", str(most), "-u", "takt-*"]
    command += [f"--output-fields={_FIELDS}"]
    command += [f"--since=@{since_us // 1_000_000}"] if since_us else []
    return list(_parsed(_said(command, deadline_s)))


def _said(command: Sequence[str], deadline_s: float) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=deadline_s,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"the journal did not answer within {deadline_s:g} s") from None
    if done.returncode and not done.stdout:
        why = tidy(done.stderr.decode(errors="replace"), 300) or f"exit code {done.returncode}"
        # Without a single entry of the units it ends with 1, and says this or nothing.
        if done.stderr and _NO_UNITS not in why:
            raise OSError(f"the journal cannot be read: {why}")
    return done.stdout


def _parsed(said: bytes) -> Iterator[LogLine]:
    redactors: dict[str, Redactor] = {}
    found: list[LogLine] = []
    number = 0
    # From the oldest on, as a key's lines come, and so that no two have one number.
    for raw in reversed(said.split(b"\n")):
        entry = _entry(raw)
        if entry is None:
            continue
        at_us, unit, text, priority = entry
        number = max(number + 1, at_us)
        process = (_UNIT.fullmatch(unit) or ["", tidy(unit, 100)])[1]
        for words in text.split("\n"):
            clean = tidy(redactors.setdefault(process, Redactor()).line(tidy(words)))
            if clean:
                found.append(LogLine(number, at_us, process, kind_of(process)[1], clean, _level(priority, clean)))
                number += 1
    return reversed(found)


def _entry(raw: bytes) -> tuple[int, str, str, int] | None:
    try:
        said: dict[str, Any] = json.loads(raw)
        at_us = int(said["__REALTIME_TIMESTAMP"])
        text = _text(said["MESSAGE"])
        unit = str(said.get("UNIT") or said.get("_SYSTEMD_UNIT") or "")
        return at_us, unit, text, int(said.get("PRIORITY") or 6)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(message: Any) -> str:
    """Words that are no UTF-8 come as a list of bytes; several of one entry as a list of them."""
    if isinstance(message, str):
        return message
    if all(isinstance(each, int) for each in message):
        return bytes(message).decode(errors="replace")
    return "\n".join(map(_text, message))


def _level(priority: int, words: str) -> Level:
    if priority <= _ERROR:
        return "error"
    return "warning" if priority == _WARNING else level_of(words)
