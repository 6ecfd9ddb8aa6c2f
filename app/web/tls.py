"""HTTPS before the server: one thread that shakes hands and passes bytes on.

    browser ==TLS== [tls thread, asyncio] --a pair of connected sockets-- [server's loop] --> its request threads

The server knows of each connection where it truly comes from, because the front hands that over with the connection;
no header is believed. Whoever dawdles over the handshake, sends garbage or takes nothing costs one coroutine here, and
a place among those that this address and all together may have; nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

Address = tuple[Any, ...]

HANDSHAKE_S = 5.0
"""From the connection to the end of the handshake, however slowly it goes on."""

MOST = 192
MOST_OF_ONE = 96
"""Connections in all, and of one address: nobody alone can take all the places. Each costs three file handles, of which
a process has 1024 by default."""

PIECE = 64 * 1024
_GOODBYE_S = 5.0
_CHECK_S = 3600.0
_BREATH_S = 0.1
_HANDSHAKE_RECORD = b"\x16"
_LONGEST_REQUEST = 8 * 1024
_LOG = logging.getLogger(__name__)

_NOT_TLS = b"this port speaks HTTPS only; put https:// before the address\n"
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
) % (len(_NOT_TLS), _NOT_TLS)


class TlsFront:
    """Takes connections, makes them secure and hands them over.

    Args:
        listening: Where they come in; belongs to the front from now on.
        context: The certificate and what may be spoken.
        hand_over: Takes one end of a connection in the clear, and the address of who is at the other end of it. Called
            in the front's thread.
        check: Called once an hour in that thread; may load a new certificate into the context.

    Attributes:
        refused: Connections that were too many.
        failed: Handshakes that came to nothing.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        hand_over: Callable[[socket.socket, Address], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.refused = 0
        self.failed = 0
        self._listening = listening
        self._context = context
        self._hand_over = hand_over
        self._check = check
        self._from: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ending = False
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="tls", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def count(self) -> int:
        """Connections that are open now, those that still shake hands among them."""
        return self._from.total() if hasattr(self._from, "total") else sum(self._from.values())

    def start(self) -> None:
        """Starts the thread."""
        self._listening.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """Ends every connection and the thread. Idempotent."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda _loop, said: _LOG.debug("%s", said.get("message")))
        self._start(self._accept())
        self._start(self._look_after())
        try:
            self._loop.run_forever()
        finally:
            self._is_ending = True
            for task in self._tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            self._loop.close()

    def _start(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_S)
            try:
                self._check()
            except Exception:  # noqa: BLE001 - whatever it is: the certificate that is there still serves
                _LOG.exception("the certificate was not renewed")

    async def _accept(self) -> None:
        while True:
            try:
                connection, address = await self._loop.sock_accept(self._listening)
            except OSError as error:
                _LOG.debug("nobody could be let in: %s", error)  # no file handle is free, or who came has gone
                await asyncio.sleep(_BREATH_S)
                continue
            where = str(address[0])
            if self.count >= MOST or self._from[where] >= MOST_OF_ONE:
                self.refused += 1
                connection.close()
                continue
            self._from[where] += 1
            self._start(self._serve(connection, address))

    async def _serve(self, connection: socket.socket, address: Address) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._secure(connection, address)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            self.failed += 1
            _LOG.debug("%s: %s", address[0], error)
        finally:
            connection.close()
            self._from[str(address[0])] -= 1
            self._from += Counter()  # drops those that have none left

    async def _secure(self, connection: socket.socket, address: Address) -> None:
        connection.setblocking(False)
        first = await asyncio.wait_for(self._first_byte(connection), HANDSHAKE_S)
        if first != _HANDSHAKE_RECORD:
            self.failed += 1
            if first.isalpha():  # a request in the clear
                await asyncio.wait_for(self._say_so(connection), HANDSHAKE_S)
            return
        reader = asyncio.StreamReader(limit=PIECE)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
        )
        outer = reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)
        own, theirs = socket.socketpair()
        try:
            inner = await asyncio.open_connection(sock=own, limit=PIECE)
        except BaseException:
            own.close()
            theirs.close()
            raise
        try:
            self._hand_over(theirs, address)
            await _pass_on(inner, outer)
        finally:
            for _, writer in (inner, outer):
                await self._close(writer)

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        """Sends what is left, but does not wait long for somebody who takes nothing, and not at all at the end."""
        writer.close()
        try:
            if not self._is_ending:
                await asyncio.wait_for(writer.wait_closed(), _GOODBYE_S)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.transport.abort()

    async def _first_byte(self, connection: socket.socket) -> bytes:
        """What the other one begins with, left where it is."""
        something = asyncio.Event()
        self._loop.add_reader(connection, something.set)
        try:
            await something.wait()
        finally:
            self._loop.remove_reader(connection)
        return connection.recv(1, socket.MSG_PEEK)

    async def _say_so(self, connection: socket.socket) -> None:
        await self._loop.sock_recv(connection, _LONGEST_REQUEST)  # unread, it would turn the answer into a reset
        await self._loop.sock_sendall(connection, _ANSWER)


async def _pass_on(
    inner: tuple[asyncio.StreamReader, asyncio.StreamWriter], outer: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    """Until one of the two has ended."""
    tasks = [asyncio.ensure_future(_pump(*each)) for each in ((inner[0], outer[1]), (outer[0], inner[1]))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
