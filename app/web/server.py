"""Serves the pages: one thread per open page and some for requests, ended within a second."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from waitress import create_server, wasyncore

from app.errors import ConfigError
from app.web.application import create_app
from app.web.certificate import load, server_context
from app.web.context import Context
from app.web.live import MOST_CLIENTS, Live
from app.web.secured import HTTPS_PORT, Arrivals, certificate_of
from app.web.store.database import FOLDER
from app.web.tls import TlsFront

REQUEST_THREADS = 8
_LOOP_S = 0.1
_END_S = 0.4
_BACKLOG = 256
_SEND_BYTES = 128 * 1024
_WATERMARK_BYTES = 64 * 1024
_SILENT_MS = 15_000
"""A page that takes nothing for so long is cut off: its machine has gone, or its browser hangs."""

_REASONS = {
    errno.EADDRINUSE: ("is in use by another program", "stop that, or choose another with [ui] port"),
    errno.EACCES: ("may not be used by this user", "choose a port from 1024 up with [ui] port"),
    errno.EPERM: ("may not be used by this user", "choose a port from 1024 up with [ui] port"),
    errno.EADDRNOTAVAIL: ("is no address of this box", "set [ui] host to one that it has, or to 0.0.0.0 for all"),
}


class WebServer:
    """The pages of one box, being served.

    Args:
        app: The application.
        live: What its pages show.
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.

    Attributes:
        port: The port.

    Raises:
        ConfigError: The address cannot be listened on.
    """

    def __init__(self, app: Flask, live: Live, host: str, port: int) -> None:
        self._live = live
        self._front: TlsFront | None = None
        self._is_stopping = False
        self._map: dict[int, Any] = {}
        # What a page does not fetch is noticed below; the server's own words about it would fill the log.
        logging.getLogger("waitress").setLevel(logging.CRITICAL)
        listening = listen(host, port)
        self.port: int = listening.getsockname()[1]
        try:
            self._server: Any = create_server(
                app,
                map=self._map,
                sockets=[listening],
                threads=MOST_CLIENTS + REQUEST_THREADS,
                ident=None,
                asyncore_use_poll=True,
                connection_limit=4 * MOST_CLIENTS,
                outbuf_high_watermark=_WATERMARK_BYTES,
                max_request_header_size=32 * 1024,
                max_request_body_size=64 * 1024,
                channel_timeout=60,
                log_socket_errors=False,
                server_name=host,
            )
        except BaseException:
            listening.close()
            raise
        self._arrivals = Arrivals(self._server, self._map)

    @property
    def secure_port(self) -> int:
        """The port of HTTPS; 0 where there is none."""
        return self._front.port if self._front else 0

    def secure(self, host: str, port: int, context: ssl.SSLContext, check: Callable[[], None]) -> None:
        """Serves by HTTPS as well, from `run` on.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0 takes any that is free.
            context: The certificate, and what may be spoken.
            check: Called once an hour; may load a new certificate into the context.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        self._front = TlsFront(listen(host, port), context, self._arrivals.hand_over, check)

    def run(self, is_stopping: Callable[[], bool] = lambda: False) -> None:
        """Serves until `stop` is called, or the given function says so.

        Raises:
            BaseException: What has ended the thread that follows the lanes.
        """
        self._live.start()
        if self._front:
            self._front.start()
        try:
            while not self._is_stopping and not is_stopping() and self._live.failure is None:
                wasyncore.loop(timeout=_LOOP_S, use_poll=True, map=self._map, count=1)
                self._arrivals.admit()
        finally:
            self._close()
        if self._live.failure is not None:
            raise self._live.failure

    def stop(self) -> None:
        """Ends `run`; to be called from another thread or a signal handler."""
        self._is_stopping = True
        with contextlib.suppress(OSError):
            self._server.pull_trigger()

    def close(self) -> None:
        """Lets go of everything, where `run` was never called."""
        self._close()

    def _close(self) -> None:
        self._arrivals.close()
        self._live.stop()
        end_s = time.monotonic() + _END_S
        while self._live.hub.count and time.monotonic() < end_s:
            wasyncore.loop(timeout=0.02, use_poll=True, map=self._map, count=1)
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()  # lets go of threads that wait for a page which fetches nothing
        self._server.task_dispatcher.shutdown(timeout=_END_S)
        wasyncore.close_all(self._map, ignore_all=True)
        if self._front:
            self._front.stop()


def open_server(context: Context, *, port: int | None = None, secure_port: int | None = None) -> WebServer:
    """Opens the pages of a box; `run` serves them.

    Args:
        context: What they work with.
        port: Another port than the settings name.
        secure_port: Another port for HTTPS than the settings name, where they name one.

    Raises:
        ConfigError: The address cannot be listened on, the certificate cannot be used, or there are no texts in the
            language that is asked for.
    """
    ui, folder = context.ui, context.state / FOLDER
    certificate = certificate_of(ui, folder, context.clock.wall())
    app = create_app(context)
    server = WebServer(app, context.live, ui.host, ui.port if port is None else port)
    if certificate is None:
        return server
    tls = server_context(certificate)

    def check() -> None:
        found = certificate_of(ui, folder, context.clock.wall())
        if found:
            load(tls, found)

    try:
        server.secure(ui.host, ui.https_port if secure_port is None else secure_port, tls, check)
    except ConfigError:
        server.close()
        raise
    app.config[HTTPS_PORT] = server.secure_port
    return server


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ConfigError: It cannot; says why and what to do about it.
    """
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(f"{host!r} is no address", "set [ui] host to an address of this box") from error
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and ipaddress.ip_address(str(address[0]).partition("%")[0]).is_unspecified:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # These pass on to the connections.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        what, mend = _REASONS.get(
            error.errno or 0, (f"cannot be used: {os.strerror(error.errno or 0)}", "choose another with [ui] port")
        )
        raise ConfigError(f"the pages cannot be served, {where} {what}", mend) from error
    return listening
