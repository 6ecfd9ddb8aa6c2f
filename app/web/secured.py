"""The server's side of HTTPS: connections that the front hands over, each with its true address and scheme."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, redirect, request
from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from werkzeug.wrappers import Response

from app.config import UiSettings
from app.errors import CommandRefusedError
from app.web.certificate import Certificate, device_certificate, given_certificate, own_addresses
from app.web.tls import Address

HTTPS_PORT = "TAKT_HTTPS_PORT"
"""The key of the application's settings that says where HTTPS is."""

_PERMANENT = 308
_USUAL = 443
_PORT = re.compile(r":\d*$")
_READING = {"GET", "HEAD"}


class SecureTask(WSGITask):  # type: ignore[misc] # waitress ships no types
    """A request that came by HTTPS."""

    def get_environment(self) -> dict[str, Any]:
        """What the application gets to know of it."""
        environment: dict[str, Any] = super().get_environment()
        environment["wsgi.url_scheme"] = "https"
        return environment


class SecureChannel(HTTPChannel):  # type: ignore[misc] # waitress ships no types
    """A connection that the front has made secure."""

    task_class = SecureTask


class Arrivals:
    """Connections on their way from the front's thread to the server's.

    Args:
        server: The server that takes them.
        channels: What its loop looks after.
    """

    def __init__(self, server: Any, channels: dict[int, Any]) -> None:
        self._server = server
        self._channels = channels
        self._waiting: deque[tuple[socket.socket, Address]] = deque()
        self._is_open = True

    def hand_over(self, connection: socket.socket, address: Address) -> None:
        """Takes one end of a connection. Called in the front's thread."""
        if not self._is_open:
            connection.close()
            return
        self._waiting.append((connection, address))
        self._server.pull_trigger()

    def admit(self) -> None:
        """Lets in who waits. Called in the server's thread."""
        while self._waiting:
            connection, address = self._waiting.popleft()
            # As the server's own `handle_accept` does it, with the address that the front saw.
            SecureChannel(self._server, connection, address, self._server.adj, map=self._channels)

    def close(self) -> None:
        """Sends away who still waits."""
        self._is_open = False
        while self._waiting:
            self._waiting.popleft()[0].close()


def certificate_of(ui: UiSettings, folder: Path, now: datetime) -> Certificate | None:
    """The certificate that the pages are served with; `None` where they are not served by HTTPS.

    Args:
        ui: The settings of the pages.
        folder: Where the box keeps its own.
        now: The present.

    Raises:
        ConfigError: The one that was given cannot be used, or the box's own cannot be written.
    """
    if not ui.https_port:
        return None
    if ui.certificate:
        return given_certificate(Path(ui.certificate), Path(ui.key))
    return device_certificate(folder, ui.host, now)


def insist(app: Flask) -> None:
    """Sends whoever comes in the clear, and not from this box itself, to HTTPS, once `app.config` names its port.

    No Strict-Transport-Security is ever sent: a browser would then take no certificate that the box signs itself, and
    a box whose certificate was lost could not be reached at all.
    """

    @app.before_request
    def go_secure() -> Response | None:
        https_port = app.config.get(HTTPS_PORT, 0)
        if not https_port or request.is_secure or _is_this_box(request.remote_addr or ""):
            return None
        if request.method not in _READING:
            raise CommandRefusedError("this box takes commands by HTTPS only", "put https:// before its address")
        host = _PORT.sub("", request.host)
        port = "" if https_port == _USUAL else f":{https_port}"
        return redirect(f"https://{host}{port}{request.full_path.rstrip('?')}", _PERMANENT)


def _is_this_box(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    # What comes from an address of the box has not left it: the kernel takes no such packet from a cable.
    return plain.is_loopback or str(plain) in own_addresses()
