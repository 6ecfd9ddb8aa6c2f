"""The server as it is: sockets, streams, its end."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from app.clock import SystemClock
from app.config import UiSettings
from app.errors import ConfigError
from app.web.context import make_context
from app.web.server import listen, open_server
from tests.unit.web.bench import messages


def opened(bench, port):
    """The server of the bench, on the clock of the machine."""
    context = make_context(bench.place, bench.lanes, UiSettings(), SystemClock(), bench.state, hasher=bench.hasher)
    return open_server(context, port=port)


@pytest.fixture
def served(bench):
    """A server on a free port; the bench writes what it shows."""
    server = opened(bench, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.stop()
    thread.join(10)
    assert not thread.is_alive()


def get(server, path):
    """An answer that has been read, and its connection closed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


class Page:
    """An open stream."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.connection.request("GET", "/api/v1/stream")
        self.answer = self.connection.getresponse()

    def read_until(self, *marks):
        received = b""
        for mark in marks:
            start = len(received)
            while mark not in received[start:]:
                chunk = self.answer.read1(4096)
                assert chunk, "the stream ended"
                received += chunk
        return received

    def close(self):
        self.answer.close()
        self.connection.close()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_port_in_use_is_one_clear_error(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is in use by another program; .*port"):
            opened(bench, port=port)


@pytest.mark.parametrize(
    ("host", "words"), [("203.0.113.9", "is no address of this box"), ("no such host.invalid", "is no address")]
)
def test_address_that_this_box_does_not_have_is_one_clear_error(host, words):
    with pytest.raises(ConfigError, match=words):
        listen(host, 0)


def test_port_is_free_again_at_once(bench):
    for _ in range(2):
        server = opened(bench, port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        assert get(server, "/alive").status == 204
        server.stop()
        thread.join(10)
        listen("127.0.0.1", server.port).close()


def test_answer_names_no_server_software(served):
    assert get(served, "/alive").getheader("Server") is None


def test_twenty_streams_and_requests_beside_them(served, bench):
    streams = [Page(served) for _ in range(20)]
    for stream in streams:
        assert b"event: parts" in stream.read_until(b"event: status")
    bench.publish(at_ns=time.monotonic_ns(), lot="C")
    bench.judged(5)

    assert get(served, "/api/v1/status").status == 200
    for stream in streams:
        assert b'"part":5' in stream.read_until(b"event: part\n", b"\n\n")
        stream.close()
    until(lambda: served._live.hub.count == 0)


def test_page_that_fetches_nothing_holds_nobody_up(served, bench):
    lazy = socket.create_connection(("127.0.0.1", served.port))
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: served._live.hub.count == 1)
    for _ in range(200):
        served._live.hub.publish(1, b": " + b"x" * 60_000 + b"\n\n")
        if served._live.hub.lost:
            break
        time.sleep(0.005)

    brisk = Page(served)
    assert messages(brisk.read_until(b"event: status", b"\n\n"))
    assert served._live.hub.lost > 0
    brisk.close()
    lazy.close()


def test_server_ends_although_pages_are_open_and_one_fetches_nothing(bench):
    server = opened(bench, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    streams = [Page(server) for _ in range(5)]
    lazy = socket.create_connection(("127.0.0.1", server.port))
    lazy.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: server._live.hub.count == 6)
    for _ in range(100):
        server._live.hub.publish(1, b": " + b"x" * 60_000 + b"\n\n")

    server.stop()
    thread.join(10)

    assert not thread.is_alive()
    assert [each for each in threading.enumerate() if each.name.startswith("waitress")] == []
    for stream in streams:
        stream.close()
    lazy.close()


def test_failure_of_the_follower_ends_the_server(bench, monkeypatch):
    server = opened(bench, port=0)
    failure = RuntimeError("broken")

    def fail():
        raise failure

    monkeypatch.setattr(server._live, "look", fail)

    with pytest.raises(RuntimeError, match="broken"):
        server.run()
