"""What the processes have said, for whoever looks: from the file of `takt run`, and from the system's journal."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from app.support.journal import journal_lines
from app.support.log_file import FOLDER, lines_of
from app.support.log_lines import MOST_LINES, LogFilter, LogLine
from app.support.redaction import clean

_ASK_AGAIN_US = 2_000_000
_US_PER_MIN = 60_000_000


class LogSource(Protocol):
    """Where lines come from."""

    def lines(self, chosen: LogFilter) -> Iterable[LogLine]:
        """Lines, the newest first: all that the filter takes, and perhaps others.

        Raises:
            OSError: They cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What was found.

    Attributes:
        lines: The newest first.
        processes: Who has said anything, by name.
        is_more: There are older ones that are wanted too.
        trouble: Why some may be missing, in words; empty where none are.
    """

    lines: tuple[LogLine, ...]
    processes: tuple[str, ...]
    is_more: bool
    trouble: str


class FileLog:
    """The log that `takt run` keeps.

    Args:
        state: The state folder.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def lines(self, chosen: LogFilter) -> Iterator[LogLine]:
        """As `LogSource.lines`."""
        for line in lines_of(self._folder):
            if line.number <= chosen.after:
                return
            yield line


class Journal:
    """What the units say. Asked at most every two seconds, however many look. May be used by any thread.

    Args:
        now_us: The wall time, in microseconds since 1970 UTC.
        ask: Reads the journal, as `journal_lines`.
    """

    def __init__(self, now_us: Callable[[], int], ask: Callable[..., list[LogLine]] = journal_lines) -> None:
        self._now_us = now_us
        self._ask = ask
        self._order = threading.Lock()
        self._asked: tuple[int, int] | None = None
        self._found: list[LogLine] = []
        self._error: OSError | None = None

    def lines(self, chosen: LogFilter) -> list[LogLine]:
        """As `LogSource.lines`."""
        # By the minute: the last hour of one who looks again a second later is asked for in the same words.
        since_us = chosen.since_us // _US_PER_MIN * _US_PER_MIN
        with self._order:
            now_us = self._now_us()
            is_fresh = self._asked and self._asked[0] == since_us and 0 <= now_us - self._asked[1] < _ASK_AGAIN_US
            if not is_fresh:
                self._asked = (since_us, now_us)
                try:
                    self._found, self._error = self._ask(since_us=since_us), None
                except OSError as error:
                    self._found, self._error = [], error
            if self._error is not None:
                raise self._error
            return self._found


def read_logs(sources: Iterable[LogSource], chosen: LogFilter) -> Heard:
    """The newest lines that a filter takes, of all sources together.

    Args:
        sources: Where they come from.
        chosen: Which.
    """
    trouble: list[str] = []
    seen: set[str] = set()
    merged = heapq.merge(
        *(_readable(each, chosen, trouble) for each in sources), key=lambda line: line.number, reverse=True
    )
    most = min(chosen.most, MOST_LINES)
    wanted = (line for line in _noting(merged, seen) if chosen.takes(line))
    # Cleaned before they were written; what a person put there by hand is cleaned here.
    found = [_cleaned(line) for line in islice(wanted, most)]
    is_more = next(wanted, None) is not None
    return Heard(tuple(found), tuple(sorted(seen)), is_more, "; ".join(trouble))


def _readable(source: LogSource, chosen: LogFilter, trouble: list[str]) -> Iterator[LogLine]:
    try:
        yield from source.lines(chosen)
    except OSError as error:
        trouble.append(error.strerror or str(error))


def _noting(lines: Iterable[LogLine], seen: set[str]) -> Iterator[LogLine]:
    for line in lines:
        seen.add(clean(line.process))
        yield line


def _cleaned(line: LogLine) -> LogLine:
    process, words = clean(line.process), clean(line.text)
    return line if (process, words) == (line.process, line.text) else replace(line, process=process, text=words)


__all__ = ["FileLog", "Heard", "Journal", "LogFilter", "LogLine", "LogSource", "read_logs"]
