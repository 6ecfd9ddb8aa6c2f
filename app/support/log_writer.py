"""Writes the log, in a process of its own, which may wait for the disk: `python -m app.support.log_writer FOLDER`.

Takes lines of JSON, [microseconds since 1970 UTC, process, lane, text], until its input ends. Says on its output, once,
why lines are lost. Cleans them of secrets, so that none lies on the disk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from app.support.log_file import LogFile
from app.support.log_lines import tidy
from app.support.redaction import Redactor

_NICE = 10


def write_log(folder: Path, said: Iterable[bytes], tell: Callable[[str], None]) -> None:
    """Writes what is said until there is no more of it.

    Args:
        folder: The log's folder.
        said: The lines.
        tell: Told once, in words, when lines are lost.
    """
    log: LogFile | None = None
    redactors: dict[str, Redactor] = {}
    is_told = False
    for raw in said:
        try:
            at_us, process, lane, text = json.loads(raw)
            words = tidy(redactors.setdefault(process, Redactor()).line(tidy(text)))
        except (ValueError, TypeError):
            continue
        try:
            log = log or LogFile(folder)
            log.append(at_us, process, lane, words)
        except OSError as error:
            if not is_told:
                tell(_reason(folder, error))
            is_told = True
    if log:
        log.close()


def _reason(folder: Path, error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return f"another takt run writes the log in {folder}; give this one a state folder of its own: --state DIR"
    return (
        f"lines of the log in {folder} are lost: {error.strerror or error};"
        " make room, or let this user write there; the line is not affected"
    )


def main() -> None:
    """Runs it over standard input."""
    # Whoever started it ends it by closing its input, once the last words are in.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)

    def tell(words: str) -> None:
        sys.stdout.write(words + "\n")
        sys.stdout.flush()

    write_log(Path(sys.argv[1]), sys.stdin.buffer, tell)


if __name__ == "__main__":
    main()
