"""What shows that a process lives: something of it that changes, seen from outside and never asked of its own word."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from app.bus.beat import beat_path
from app.bus.block import BlockReader
from app.bus.place import Place
from app.clock import NS_PER_MS, NS_PER_S
from app.errors import BusError
from app.processes import Process, Sign, Watchdog

ASK_NS = NS_PER_S
"""A page that answers is asked again after so long."""

RETRY_NS = NS_PER_S // 5
"""And one that nobody serves yet."""

LONGEST_LOOK_MS = 500.0
"""Whoever looks may itself be held up; more than this between two looks is not the other's silence."""

_REQUEST = b"GET /alive HTTP/1.0\r\nHost: localhost\r\nUser-Agent: takt\r\n\r\n"

Look = Callable[[int], object]
"""Given the time in ns: anything that differs from the last time if the process has done something since."""


class Page:
    """Asks a web server for a page and never waits for it; any answer will do.

    Args:
        host: Where it listens.
        port: At which port.
    """

    def __init__(self, host: str, port: int) -> None:
        self.answers = 0
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._has_asked = False
        self._next_ns = 0

    def look(self, now_ns: int) -> int:
        """Goes on with the present question, or asks the next one.

        Returns:
            How often it has answered.
        """
        try:
            self._go_on(now_ns)
        except BlockingIOError:
            pass  # no answer yet
        except OSError:
            self.close()
        return self.answers

    def close(self) -> None:
        """Gives the question up. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _go_on(self, now_ns: int) -> None:
        if self._socket is None:
            if now_ns >= self._next_ns:
                self._next_ns = now_ns + RETRY_NS
                self._connect()
            return
        if not self._has_asked:
            self._socket.send(_REQUEST)
            self._has_asked = True
        if self._socket.recv(64):
            self.answers += 1
            self._next_ns = now_ns + ASK_NS
        self.close()

    def _connect(self) -> None:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._has_asked = False
        with contextlib.suppress(BlockingIOError):
            self._socket.connect(self._address)


class Watch:
    """One process's watchdog.

    Args:
        watchdog: Its limits.
        look: What changes while the process lives.

    Attributes:
        is_alive: It has shown a sign since its start.
        age_ms: How long ago the last one was; since its start while there is none.
    """

    def __init__(self, watchdog: Watchdog, look: Look) -> None:
        self.is_alive = False
        self.age_ms = 0.0
        self._watchdog = watchdog
        self._look = look
        self._seen: object = None
        self._looked_ns = 0

    def start(self, now_ns: int) -> None:
        """The process has been started: what is to be seen now is not of it."""
        self.is_alive = False
        self.age_ms = 0.0
        self._seen = self._look(now_ns)
        self._looked_ns = now_ns

    def look(self, now_ns: int) -> None:
        """Looks once more."""
        seen = self._look(now_ns)
        if seen != self._seen:
            self._seen = seen
            self.is_alive = True
            self.age_ms = 0.0
        else:
            self.age_ms += min((now_ns - self._looked_ns) / NS_PER_MS, LONGEST_LOOK_MS)
        self._looked_ns = now_ns

    @property
    def is_hung(self) -> bool:
        """It has been silent for longer than its row allows."""
        return self.age_ms > (self._watchdog.max_age_ms if self.is_alive else self._watchdog.start_ms)


class Block:
    """Reads what a process publishes; a block that is not there, or not readable, says nothing.

    Args:
        path: The block.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: BlockReader | None = None

    def look(self, _now_ns: int) -> bytes | None:
        """What stands there now."""
        try:
            self._reader = self._reader or BlockReader(self._path)
            return self._reader.read()
        except BusError:
            self.close()
            return None

    def close(self) -> None:
        """Lets go of the block. Idempotent."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def watch_of(row: Process, place: Place, address: tuple[str, int]) -> Watch:
    """The watch over one row.

    Args:
        row: The process.
        place: Where it meets the others.
        address: Host and port of the pages.
    """
    if row.watchdog.sign is Sign.PAGE:
        return Watch(row.watchdog, Page(*address).look)
    if row.watchdog.sign is Sign.STATUS:
        assert row.lane is not None, "only a station has a status"
        return Watch(row.watchdog, Block(place.status(row.lane)).look)
    path = beat_path(place.root, row.name)
    return Watch(row.watchdog, lambda _now_ns: _count(path))


def _count(path: Path) -> bytes | None:
    try:
        # An empty file has been opened and not counted in: its process still starts.
        return path.read_bytes() or None
    except OSError:
        return None
