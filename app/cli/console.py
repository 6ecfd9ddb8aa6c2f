"""Where commands write: tables and JSON to stdout, errors and progress to stderr, colour only where a person looks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

WIDE = 240
"""Columns of a table that nobody looks at: rows of a file or a pipe are not folded."""


def out() -> Console:
    """The console for results. rich honours NO_COLOR, and writes no colour into a pipe."""
    return _console(is_error=False)


def err() -> Console:
    """The console for errors and progress."""
    return _console(is_error=True)


def print_json(value: Any) -> None:
    """Writes one JSON document to stdout and nothing else; NaN, which is no JSON, is refused."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def printable(text: object) -> str:
    """A text for one line of a terminal: file names may hold line breaks, escape codes or bytes that are no text."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


def one_line(text: object) -> str:
    """A text with all its white space as single spaces, fit for one line."""
    return printable(" ".join(str(text).split()))


def complain(sentence: object) -> None:
    """Writes what is wrong and how to mend it to stderr, on one line whatever the terminal's width."""
    err().print(Text.assemble(("takt:", "bold red"), " ", one_line(sentence)), soft_wrap=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Shows a bar on stderr while work goes on; nothing where stderr is no terminal.

    Args:
        what: What is being done.
        total: How many steps it has.

    Yields:
        A function to call after each step, with the name of what is next or done.
    """
    if not total or not sys.stderr.isatty():
        yield lambda _name: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda _name: bar.advance(task)


def _console(*, is_error: bool) -> Console:
    stream = sys.stderr if is_error else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(stderr=is_error, width=width, highlight=False, emoji=False)
