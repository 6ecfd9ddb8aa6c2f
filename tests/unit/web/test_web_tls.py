"""HTTPS: the front before the server, and who is sent to it."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from dataclasses import replace

import pytest
from flask import request

from app.config import UiSettings
from app.errors import ConfigError
from app.web import tls
from app.web.application import create_app
from app.web.certificate import CERTIFICATE
from app.web.secured import HTTPS_PORT
from app.web.server import listen, open_server
from app.web.store.database import FOLDER
from tests.unit.web.bench import Bench
from tests.unit.web.test_web_server import until

SECURE = UiSettings(https_port=8443)
WAIT_S = 60


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "bus", most_clients=64)
    made.judged(1)  # the server looks for a ring that is not there once, on a clock that stands still
    yield made
    made.close()


@pytest.fixture
def seen(monkeypatch):
    """Address and scheme of each request, as the application knows them."""
    told = []

    def listening(context):
        app = create_app(context)
        app.before_request_funcs.setdefault(None, []).insert(
            0, lambda: told.append((request.remote_addr, request.scheme))
        )
        return app

    monkeypatch.setattr("app.web.server.create_app", listening)
    return told


@pytest.fixture
def served(bench, seen):
    """A server with HTTPS on free ports."""
    server = open_server(replace(bench.context, ui=SECURE), port=0, secure_port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert [each.name for each in threading.enumerate() if each.name == "tls"] == []


@pytest.fixture
def trust(bench):
    """A client's side that knows the certificate of the box."""
    context = ssl.create_default_context()

    def trusting():
        context.load_verify_locations(bench.state / FOLDER / CERTIFICATE)
        return context

    return trusting


class Secured:
    """An open connection by HTTPS."""

    def __init__(self, server, context, path="/alive", host="localhost", headers=None):
        self.connection = http.client.HTTPSConnection(host, server.secure_port, timeout=WAIT_S, context=context)
        self.connection.request("GET", path, headers=headers or {})
        self.answer = self.connection.getresponse()

    def read_until(self, mark):
        received = b""
        while mark not in received:
            chunk = self.answer.read1(4096)
            assert chunk, "the stream ended"
            received += chunk

    def close(self):
        self.answer.close()
        self.connection.close()


def status(server, context):
    page = Secured(server, context)
    page.close()
    return page.answer.status


def plain(server, content=b""):
    connection = socket.create_connection(("127.0.0.1", server.secure_port), timeout=WAIT_S)
    connection.sendall(content)
    return connection


def rest_of(connection):
    """What still comes until the other side closes."""
    received = b""
    try:
        while piece := connection.recv(4096):
            received += piece
    except ConnectionResetError:
        pass
    connection.close()
    return received


def test_page_comes_by_https_with_the_certificate_of_the_box(served, trust):
    page = Secured(served, trust(), "/operator/")

    assert page.answer.status == 200
    assert b"</html>" in page.answer.read()
    assert page.connection.sock.version() in ("TLSv1.2", "TLSv1.3")
    page.close()


def test_application_knows_scheme_and_true_address(served, trust, seen):
    page = Secured(served, trust(), "/alive", "127.0.0.1")
    page.close()

    assert seen == [("127.0.0.1", "https")]


def test_header_that_claims_another_address_is_not_believed(served, trust, seen):
    claims = {"X-Forwarded-For": "10.9.9.9", "Forwarded": "for=10.9.9.9", "X-Forwarded-Proto": "http"}
    page = Secured(served, trust(), "/alive", "127.0.0.1", claims)
    page.close()

    assert seen == [("127.0.0.1", "https")]


def test_plain_request_on_the_secure_port_gets_one_clear_answer(served):
    said = rest_of(plain(served, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"speaks HTTPS only" in said


@pytest.mark.parametrize(
    "content", [b"\x00" * 64, b"\x16\x03\x01" + b"\xff" * 300, b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02"]
)
def test_garbage_is_sent_away_and_nobody_else_notices(served, trust, content):
    garbage = plain(served, content)

    assert status(served, trust()) == 204
    rest_of(garbage)
    until(lambda: served._front.failed >= 1)


def test_handshake_that_never_comes_is_given_up_and_holds_nobody_up(served, trust, monkeypatch):
    monkeypatch.setattr(tls, "HANDSHAKE_S", 0.3)
    silent = plain(served)
    slow = plain(served, b"\x16\x03\x01")

    assert status(served, trust()) == 204
    assert rest_of(silent) == b""
    rest_of(slow)
    until(lambda: served._front.failed == 2)


def test_old_version_of_tls_is_refused(served):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256:@SECLEVEL=0")  # without forward secrecy, as an old browser would

    with pytest.raises(ssl.SSLError):
        Secured(served, context)


def test_connections_of_one_address_are_bounded_and_others_still_come_in(served, trust, monkeypatch):
    monkeypatch.setattr(tls, "MOST_OF_ONE", 3)
    held = [plain(served) for _ in range(3)]
    until(lambda: served._front.count == 3)

    assert rest_of(plain(served, b"\x16")) == b""
    assert served._front.refused == 1
    for each in held:
        each.close()
    until(lambda: served._front.count == 0)
    assert status(served, trust()) == 204


def test_fifty_streams_by_https_hear_of_every_part(served, trust, bench):
    streams = [Secured(served, trust(), "/api/v1/stream") for _ in range(50)]
    for stream in streams:
        stream.read_until(b"event: status")  # the whole picture: what comes after it is news
    bench.judged(5)

    for stream in streams:
        stream.read_until(b'"part":5')
        stream.close()
    until(lambda: served._live.hub.count == 0)
    until(lambda: served._front.count == 0)


def test_large_answer_arrives_whole(served, trust):
    page = Secured(served, trust(), "/static/takt.css")
    content = page.answer.read()

    assert len(content) == int(page.answer.getheader("Content-Length"))
    page.close()


def test_server_ends_although_streams_are_open(bench, trust):
    server = open_server(replace(bench.context, ui=SECURE), port=0, secure_port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    streams = [Secured(server, trust(), "/api/v1/stream") for _ in range(3)]
    silent = plain(server)

    server.stop()
    thread.join(WAIT_S)

    assert not thread.is_alive()
    for each in (*streams, silent):
        each.close()


def test_secure_port_in_use_is_one_clear_error_and_leaves_nothing_open(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} is in use by another program"):
            open_server(replace(bench.context, ui=SECURE), port=0, secure_port=port)


@pytest.mark.parametrize("settings", [{"certificate": "a.pem"}, {"key": "a.pem"}, {"https_port": 8080}])
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ValueError, match=r"go together|must differ"):
        UiSettings(**settings)


# Who is sent to HTTPS


@pytest.fixture
def insisting(bench):
    bench.app.config[HTTPS_PORT] = 8443
    return bench.client


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.1.2.3:8080", "https://10.1.2.3:8443/operator/?lang=de"),
        ("10.1.2.3", "https://10.1.2.3:8443/operator/?lang=de"),
        ("[fe80::1]:8080", "https://[fe80::1]:8443/operator/?lang=de"),
    ],
)
def test_whoever_comes_in_the_clear_from_elsewhere_is_sent_to_https(insisting, host, expected):
    answer = insisting.get("/operator/?lang=de", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})

    assert (answer.status_code, answer.headers["Location"]) == (308, expected)
    assert "Strict-Transport-Security" not in answer.headers


def test_command_in_the_clear_from_elsewhere_is_refused(insisting):
    answer = insisting.post("/api/v1/lanes/1/stop", json={}, environ_overrides={"REMOTE_ADDR": "10.0.0.9"})

    assert answer.status_code == 403
    assert "by HTTPS only" in answer.json["what"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.7", "::ffff:10.0.0.7"])
def test_kiosk_of_the_box_itself_stays_in_the_clear(insisting, address, monkeypatch):
    monkeypatch.setattr("app.web.secured.own_addresses", lambda: ["10.0.0.7"])
    assert insisting.get("/operator/", environ_overrides={"REMOTE_ADDR": address}).status_code == 200


def test_nobody_is_sent_away_where_there_is_no_https(bench):
    assert bench.client.get("/operator/", environ_overrides={"REMOTE_ADDR": "10.0.0.9"}).status_code == 200


def test_listening_socket_of_the_front_is_its_own_to_close():
    listening = listen("127.0.0.1", 0)
    front = tls.TlsFront(listening, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), lambda *_: None)

    front.stop()
    front.stop()

    assert listening.fileno() == -1
