"""Pages that are open at the same time, as the server sees them: sockets that take its events and lose none."""

from __future__ import annotations

import json
import selectors
import socket
import time
from urllib.parse import urlsplit

TOOK = 1 << 16


class Reader:
    """One open page.

    Args:
        url: The address of the box.

    Attributes:
        parts: The number of each part that it was told of, in the order in which it heard.
        statuses: Reports that it has had.
        is_open: The server has not hung up.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self.parts: list[int] = []
        self.statuses = 0
        self.is_open = True
        self._unread = b""
        self.socket = socket.create_connection((place.hostname, place.port), timeout=30)
        # Without chunks: a server may not send them to whoever speaks HTTP/1.0.
        self.socket.sendall(f"GET /api/v1/stream?lane=1 HTTP/1.0\r\nHost: {place.netloc}\r\n\r\n".encode())
        self.socket.setblocking(False)

    def read(self) -> None:
        """Takes what has come."""
        came = self.socket.recv(TOOK)
        self.is_open = bool(came)
        *events, self._unread = (self._unread + came).split(b"\n\n")
        for each in events:
            self._take(each)

    def _take(self, event: bytes) -> None:
        head, _, data = event.partition(b"\ndata: ")
        name = head.rpartition(b"event: ")[2]
        if name == b"status":
            self.statuses += 1
        elif name == b"part":
            self._note(json.loads(data))
        elif name == b"parts":
            for each in reversed(json.loads(data)["parts"]):
                self._note(each)

    def _note(self, part: dict) -> None:
        # A part is told again when its outcome is known.
        if part["part"] not in self.parts[-100:]:
            self.parts.append(part["part"])


class Readers:
    """Many of them, read by one thread. A page that is not read is dropped by the server."""

    def __init__(self) -> None:
        self.all: list[Reader] = []
        self._selector = selectors.DefaultSelector()

    def add(self, url: str, count: int) -> None:
        """Opens more of them.

        Args:
            url: The address of the box.
            count: How many.
        """
        for each in [Reader(url) for _ in range(count)]:
            self.all.append(each)
            self._selector.register(each.socket, selectors.EVENT_READ, each)

    def read_for(self, lasts_s: float) -> None:
        """Takes what comes for so long."""
        end_s = time.monotonic() + lasts_s
        while (left_s := end_s - time.monotonic()) > 0:
            for key, _ in self._selector.select(left_s):
                key.data.read()
                if not key.data.is_open:
                    self._selector.unregister(key.fileobj)

    def close(self) -> None:
        """Closes all."""
        self._selector.close()
        for each in self.all:
            each.socket.close()
