"""Files that are mapped into memory by several processes, and outlive each of them.

A file has one writer at a time, which the kernel sees to. It appears whole, by renaming, and is never cut: whoever has
it mapped keeps it for as long as he likes. A writer that needs another shape puts a new file in its place and marks the
old one as retired, in memory, where readers see it without a system call.

The first page is the header, in words of 8 bytes in the machine's own order. A store to one of these words is a single
store of the processor: a reader sees the old value or the new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.bus.place import FILE_MODE, trouble_at
from app.errors import BusError

HEADER_BYTES = 4096
FIRST_WORD = 16
"""Where the words of a kind begin; those before it are the same in every layout, so that any version can tell."""

_MAGIC = int.from_bytes(b"TAKTBUS\x1a", sys.byteorder)
_AT_MAGIC, _AT_KIND, _AT_VERSION, _AT_SIZE, _AT_RETIRED, _AT_SESSION, _AT_WRITER = range(7)
_AT_GEOMETRY = 8
_GEOMETRY_WORDS = 8
_MEND = "start or restart the process that writes it, which replaces the file"


class _Own(threading.local):
    """A lock for each thread, so that none ever waits for another."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()


_OWN = _Own()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds.

    Attributes:
        name: At most 8 letters.
        version: Of its layout; a file of another version is replaced by its writer and refused by readers.
        size_of: The size in bytes of a file with a given geometry.
    """

    name: str
    version: int
    size_of: Callable[[tuple[int, ...]], int]

    @property
    def word(self) -> int:
        """The name as it stands in the header."""
        return int.from_bytes(self.name.encode().ljust(8), sys.byteorder)


class Segment:
    """A mapped file. Use `open_to_write` or `open_to_read`.

    Attributes:
        path: The file.
        memory: All its bytes.
        words: The header's words.
        geometry: Eight numbers whose meaning belongs to the kind.
        replaced: What lay there before and could not be used, with the reason; empty where nothing did.
    """

    def __init__(self, path: Path, descriptor: int, *, is_writing: bool) -> None:
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        self.path = path
        self.replaced = ""
        self.memory = mmap.mmap(
            descriptor,
            os.fstat(descriptor).st_size,
            flags=mmap.MAP_SHARED | mmap.MAP_POPULATE,  # no page fault later, in the hot loop
            prot=mmap.PROT_READ | (mmap.PROT_WRITE if is_writing else 0),
        )
        self.words = memoryview(self.memory)[:HEADER_BYTES].cast("Q")
        self.geometry = tuple(self.words[_AT_GEOMETRY : _AT_GEOMETRY + _GEOMETRY_WORDS])

    @property
    def is_retired(self) -> bool:
        """A writer has put another file in its place, or is about to."""
        return bool(self.words[_AT_RETIRED])

    @property
    def session(self) -> int:
        """Counts the writers that this file has had."""
        return self.words[_AT_SESSION]

    @property
    def writer_pid(self) -> int:
        """The process that writes it, or that did last."""
        return self.words[_AT_WRITER]

    def fence(self) -> None:
        """Lets every other process see what was stored before in this order, also on processors that reorder.

        A lock that is released and acquired again is such a barrier wherever CPython's own threads are right.
        """
        lock = _OWN.lock
        lock.release()
        lock.acquire()

    def begin_session(self) -> None:
        """Notes that a new writer begins."""
        self.words[_AT_WRITER] = os.getpid()
        self.words[_AT_SESSION] += 1

    def retire(self) -> None:
        """Tells readers that another file comes in its place."""
        self.words[_AT_RETIRED] = 1

    def close(self) -> None:
        """Lets go of the file and of the right to write it. Idempotent; pictures still held stay valid."""
        if not self._close.alive:
            return
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.words.release()
        with contextlib.suppress(BufferError):  # somebody still looks at a picture in it
            self.memory.close()
        self._close()


def open_to_read(path: Path, kind: Kind, *, is_writing: bool = False) -> Segment:
    """Maps a file that another process writes.

    Args:
        path: The file.
        kind: What it must hold.
        is_writing: The reader has something to note in it.

    Raises:
        BusError: There is none, or it is cut short, of another layout, or not a file of the bus at all.
    """
    try:
        descriptor = os.open(path, os.O_RDWR if is_writing else os.O_RDONLY)
    except OSError as error:
        raise trouble_at(path, error) from error
    why = _why_unsound(descriptor, kind)
    if why:
        os.close(descriptor)
        raise BusError(f"{path} {why}", _MEND)
    return _mapped(path, descriptor, is_writing=is_writing)


def open_to_write(path: Path, kind: Kind, geometry: tuple[int, ...], why_not: Callable[[Segment], str]) -> Segment:
    """Maps a file as its one writer: the one that is there if it serves, else a new one.

    Args:
        path: The file.
        kind: What it holds.
        geometry: The geometry of a new one, up to eight numbers.
        why_not: Why a sound file that is there does not serve, as the end of a sentence; empty if it serves.

    Returns:
        The file; `replaced` says what was wrong with the one before.

    Raises:
        BusError: Another process writes it, or it cannot be made: no room, no permission.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return _created(path, kind, geometry)
    except OSError as error:
        raise trouble_at(path, error) from error
    _claim(path, descriptor)
    why = _why_unsound(descriptor, kind)
    if why:
        _retire_unread(descriptor)
        made = _replacing(path, kind, geometry, lambda: os.close(descriptor))
    else:
        there = _mapped(path, descriptor, is_writing=True)
        why = why_not(there)
        if not why:
            there.begin_session()
            return there
        there.retire()
        made = _replacing(path, kind, geometry, there.close)
    made.replaced = f"{path} {why}"
    return made


def other_geometry(segment: Segment, geometry: tuple[int, ...]) -> str:
    """Why a file of this geometry does not serve one who needs that geometry; empty if it does."""
    there = segment.geometry[: len(geometry)]
    return "" if there == geometry else f"was laid out for {there}, not for {geometry}"


def _replacing(path: Path, kind: Kind, geometry: tuple[int, ...], close: Callable[[], None]) -> Segment:
    try:
        return _created(path, kind, geometry)
    finally:
        close()


def _created(path: Path, kind: Kind, geometry: tuple[int, ...]) -> Segment:
    size = kind.size_of(geometry)
    unfinished = path.with_name(f".{path.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except OSError as error:
        raise trouble_at(path, error) from error
    try:
        os.fchmod(descriptor, FILE_MODE)
        # All of it now: a page that is missing later would kill the process that touches it.
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)
        raise trouble_at(path, error) from error
    _claim(path, descriptor)
    segment = _mapped(unfinished, descriptor, is_writing=True)
    words = segment.words
    words[_AT_KIND], words[_AT_VERSION], words[_AT_SIZE] = kind.word, kind.version, size
    for index, number in enumerate(geometry):
        words[_AT_GEOMETRY + index] = number
    segment.begin_session()
    words[_AT_MAGIC] = _MAGIC
    segment.geometry = tuple(words[_AT_GEOMETRY : _AT_GEOMETRY + _GEOMETRY_WORDS])
    segment.path = path
    try:
        unfinished.rename(path)
    except OSError as error:
        segment.close()
        raise trouble_at(path, error) from error
    return segment


def _mapped(path: Path, descriptor: int, *, is_writing: bool) -> Segment:
    try:
        return Segment(path, descriptor, is_writing=is_writing)
    except OSError as error:
        raise trouble_at(path, error) from error
    except ValueError as error:  # cut short since it was looked at
        raise trouble_at(path, OSError(errno.EINVAL, str(error))) from error


def _claim(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        words = _header(descriptor)
        os.close(descriptor)
        writer = f"process {words[_AT_WRITER]}" if words else "another process"
        raise BusError(
            f"{path} is being written by {writer}", "stop it first, or give this one a folder of its own: --bus DIR"
        ) from error
    except OSError as error:
        os.close(descriptor)
        raise trouble_at(path, error) from error


def _header(descriptor: int) -> memoryview[int] | None:
    header = os.pread(descriptor, HEADER_BYTES, 0)
    return memoryview(header).cast("Q") if len(header) == HEADER_BYTES else None


def _why_unsound(descriptor: int, kind: Kind) -> str:
    size = os.fstat(descriptor).st_size
    words = _header(descriptor)
    if words is None or words[_AT_MAGIC] != _MAGIC:
        return "is not a file of the bus"
    if words[_AT_KIND] != kind.word:
        return f"is no {kind.name}"
    if words[_AT_VERSION] != kind.version:
        return f"is of layout {words[_AT_VERSION]}, not {kind.version}"
    geometry = tuple(words[_AT_GEOMETRY : _AT_GEOMETRY + _GEOMETRY_WORDS])
    if size != words[_AT_SIZE] or size != kind.size_of(geometry):
        return f"is damaged: it has {size} bytes and should have {kind.size_of(geometry)}"
    return "is being replaced" if words[_AT_RETIRED] else ""


def _retire_unread(descriptor: int) -> None:
    words = _header(descriptor)
    if words is not None and words[_AT_MAGIC] == _MAGIC:
        os.pwrite(descriptor, (1).to_bytes(8, sys.byteorder), _AT_RETIRED * 8)
