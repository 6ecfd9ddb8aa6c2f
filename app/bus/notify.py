"""Signs of life for systemd: the protocol of `sd_notify(3)`, one datagram per message.

A unit of ours is of type `notify`. Its process says READY once it has read its settings, and from then on has the start
time of its row (`app.processes`) to show its first sign of life; with that it shortens its watchdog to the row's
`max_age_ms`. So a process that hangs while it starts is found as well as one that hangs later, and nobody who is
started after it waits for it to be done.

Where no systemd asks for it, nothing is sent and no system call is made.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from app.clock import NS_PER_MS, Clock, SystemClock

SIGNS_PER_AGE = 4
"""So often within its longest silence a process says that it lives."""

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What systemd tells a process by; not meant for its children."""


class Notifier:
    """What one process tells systemd. Its `pet` and `close` make it a guard of the station.

    Args:
        address: Where systemd listens: a path, or `@` and a name; empty: nowhere.
        max_age_ms: Longest silence after the first sign of life.
        clock: For `alive`.
    """

    def __init__(self, address: str, max_age_ms: float, clock: Clock | None = None) -> None:
        self.is_heard = bool(address)
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._max_age_ns = round(max_age_ms * NS_PER_MS)
        self._clock = clock or SystemClock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)
        self._due_ns = 0
        self._has_lived = False
        self._text = self._said = ""

    @classmethod
    def of(cls, environ: MutableMapping[str, str], max_age_ms: float) -> Notifier:
        """The notifier of this process; takes what systemd has told it out of the environment.

        Args:
            environ: The environment.
            max_age_ms: Longest silence after the first sign of life.
        """
        address, _, pid = (environ.pop(name, "") for name in VARIABLES)
        return cls(address if pid in ("", str(os.getpid())) else "", max_age_ms)

    def ready(self) -> None:
        """The process works, though perhaps not yet at what it is for."""
        self._send("READY=1")

    def describe(self, text: str) -> None:
        """What `systemctl status` shows from the next sign of life on."""
        self._text = text

    def alive(self) -> None:
        """A sign of life; may be given at any pace."""
        if self._socket is not None:
            self.pet(self._clock.now_ns())

    def pet(self, now_ns: int) -> None:
        """A sign of life at a time in ns; most of them are not sent on."""
        if self._socket is None or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + self._max_age_ns // SIGNS_PER_AGE
        words = ["WATCHDOG=1"]
        if not self._has_lived:
            self._has_lived = True
            words.insert(0, f"WATCHDOG_USEC={self._max_age_ns // 1000}")
        if self._text != self._said:
            self._said = self._text
            words.append(f"STATUS={self._text}")
        self._send("\n".join(words))

    def close(self, *, is_safe: bool = True) -> None:
        """Says no more. Idempotent.

        Args:
            is_safe: The process ends as it should, and says so.
        """
        if self._socket is not None:
            if is_safe:
                self._send("STOPPING=1")
            self._socket.close()
            self._socket = None

    def _send(self, words: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # systemd is busy, or being replaced: the next sign of life may reach it
                self._socket.sendto(words.encode(), self._address)
