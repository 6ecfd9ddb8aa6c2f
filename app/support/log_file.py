"""The log on the disk: `log/takt.jsonl` in the state folder, with its forerunners `.1`, `.2` ...

Only `app/support/log_writer.py` writes it. Whoever reads it takes no lock: each line has a number, so that one that is
met twice while files are renamed is known.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from app.support.log_lines import LogLine, decode_line, encode_line

FOLDER = "log"
FILE = "takt.jsonl"
FILE_BYTES = 2_000_000
FILES = 5
_LOCK = ".lock"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
_PIECE = 64 * 1024
_LONGEST = 32 * 1024


class LogFile:
    """The one writer of a log. Each call says by OSError what the disk refuses, and may be repeated.

    Args:
        folder: Where it lies; made where it is missing.
        file_bytes: A file that would become longer is put aside.
        files: So many are kept.

    Raises:
        BlockingIOError: Another process writes it.
        OSError: The folder cannot be used.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        self._path = folder / FILE
        self._file_bytes = file_bytes
        self._files = files
        self._handle = -1
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._lock)
            raise
        self._number = next((line.number for line in lines_of(folder)), 0)

    def append(self, at_us: int, process: str, lane: int | None, text: str) -> None:
        """Writes a line, whole or not at all; arguments as the attributes of `LogLine`."""
        # By the clock, so that a log that was deleted does not begin anew with numbers that somebody knows.
        number = max(self._number + 1, at_us)
        said = encode_line(LogLine(number, at_us, process, lane, text, "info"))
        handle = self._opened(len(said))
        before = os.fstat(handle).st_size
        try:
            written = os.write(handle, said)
        except OSError:
            written = 0
            raise
        finally:
            if written != len(said):
                os.ftruncate(handle, before)
        if written != len(said):
            raise OSError(28, "no space left on device", str(self._path))
        self._number = number

    def close(self) -> None:
        """Lets go of the files. Idempotent."""
        for handle in (self._handle, self._lock):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock = -1

    def _opened(self, more: int) -> int:
        if self._handle >= 0:
            known = os.fstat(self._handle)
            if known.st_nlink and known.st_size + more <= self._file_bytes:
                return self._handle
            os.close(self._handle)
            self._handle = -1
            if known.st_nlink:
                self._put_aside()
        self._path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self._path, flags, _FILE_MODE)
        _end_torn_line(self._handle)
        if os.fstat(self._handle).st_size + more > self._file_bytes:
            return self._opened(more)
        return self._handle

    def _put_aside(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._path.with_name(f"{FILE}.{number}")
            newer = self._path.with_name(f"{FILE}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)


def lines_of(folder: Path, files: int = FILES) -> Iterator[LogLine]:
    """The lines of a log, the newest first; what is no line is passed over.

    Raises:
        OSError: A file is there and cannot be read.
    """
    last = None
    for raw in raw_lines(folder, files):
        line = decode_line(raw)
        if line is not None and (last is None or line.number < last):
            last = line.number
            yield line


def raw_lines(folder: Path, files: int = FILES) -> Iterator[bytes]:
    """The same as bytes."""
    with ExitStack() as opened:
        for number in range(files):
            path = folder / (f"{FILE}.{number}" if number else FILE)
            try:
                file = opened.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue
            yield from _backwards(file)


def _backwards(file: IO[bytes]) -> Iterator[bytes]:
    end, rest = file.seek(0, os.SEEK_END), b""
    while end > 0:
        start = max(0, end - _PIECE)
        file.seek(start)
        first, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from (line for line in reversed(lines) if line)
        # What has no line end for so long is no log of ours, and is not gathered up.
        rest, end = (first if len(first) <= _LONGEST else b""), start
    if rest:
        yield rest


def _end_torn_line(handle: int) -> None:
    """A power cut may have left half a line, to which nothing must be added."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
