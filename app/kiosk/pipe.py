"""The browser's control pipe: JSON objects, each ended by a zero byte, on its file descriptors 3 and 4.

Source: the Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/ (`--remote-debugging-pipe`).
A pipe, because a port would let every program of the box drive the operator's screen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]

MOST_BYTES = 4 << 20
"""Nobody here asks for an answer as long as this, so who sends one has lost its way."""

_READ_BYTES = 1 << 16
_END = b"\0"


class Pipe:
    """One end of the pipe. Never blocks: what a hung browser does not take waits here.

    Args:
        reading: The descriptor to read from.
        writing: The descriptor to write to.

    Attributes:
        is_closed: The browser has closed its end, or sent what is no message.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.is_closed = False
        self._reading, self._writing = reading, writing
        self._number = 0
        self._heard = bytearray()
        self._to_say = bytearray()
        for each in (reading, writing):
            os.set_blocking(each, False)

    def fileno(self) -> int:
        """Becomes readable when the browser says something."""
        return self._reading

    def send(self, method: str, session: str = "", **parameters: Any) -> int:
        """Asks for something.

        Args:
            method: The protocol's name of it.
            session: Of a page; empty: of the browser itself.
            parameters: What the method takes.

        Returns:
            The number that its answer will bear.
        """
        self._number += 1
        said: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            said["sessionId"] = session
        # A browser that takes nothing is about to be ended; its words need not be kept for ever.
        if len(self._to_say) < MOST_BYTES:
            self._to_say += json.dumps(said, separators=(",", ":")).encode() + _END
        self.flush()
        return self._number

    def flush(self) -> None:
        """Writes as much as the browser takes now."""
        while self._to_say and not self.is_closed:
            try:
                del self._to_say[: os.write(self._writing, self._to_say)]
            except BlockingIOError:
                return
            except OSError:
                self.is_closed = True

    def receive(self) -> list[Message]:
        """What the browser has said since the last time, in its order."""
        self.flush()
        while not self.is_closed:
            try:
                piece = os.read(self._reading, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            self._heard += piece
            self.is_closed = not piece or len(self._heard) > MOST_BYTES
        *whole, rest = bytes(self._heard).split(_END)
        self._heard = bytearray(rest)
        return [message for message in map(self._read, whole) if message]

    def close(self) -> None:
        """Lets the descriptors go. Idempotent."""
        for each in (self._reading, self._writing):
            if each >= 0:
                os.close(each)
        self._reading = self._writing = -1
        self.is_closed = True

    def _read(self, text: bytes) -> Message:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        self.is_closed = True
        return {}
