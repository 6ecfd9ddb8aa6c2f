"""What a GigE Vision camera tells anyone: answers of every kind, made by a socket that a test scripts."""

import socket
import struct
import threading

import pytest

from app.capture.gige import bootstrap
from app.capture.gige.bootstrap import Bootstrap, Presence

HELD, FREE, DENIED = 2, 0, 0x8006
PRIVILEGE, CONTROLLER = 0x0A00, 0x0A14


class Camera:
    """Answers GVCP read commands from a table: register -> value, or a status that refuses."""

    def __init__(self, registers, statuses=(), version=b"1.2.3"):
        self._registers, self._statuses, self._version = registers, dict(statuses), version
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            question, peer = self._socket.recvfrom(1024)
            if question == b"end":
                return
            _, command, _, number = struct.unpack_from(">4H", question)
            register = struct.unpack_from(">I", question, 8)[0]
            content = struct.pack(">I", self._registers.get(register, 0))
            if command == 0x0084:
                content = question[8:12] + self._version.ljust(32, b"\0")
            status = self._statuses.get(register, 0)
            self._socket.sendto(struct.pack(">4H", status, command + 1, len(content), number) + content, peer)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def ask(monkeypatch):
    cameras = []

    def ask(*args, **more):
        cameras.append(Camera(*args, **more))
        monkeypatch.setattr(bootstrap, "_PORT", cameras[-1].port)
        monkeypatch.setattr(bootstrap, "_PATIENCE_S", 10)
        return Bootstrap("127.0.0.1")

    yield ask
    for each in cameras:
        each.close()


def test_free_camera_is_there(ask):
    assert ask({PRIVILEGE: FREE}).presence() == Presence(is_there=True)


def test_camera_names_the_address_that_has_it(ask):
    assert ask({PRIVILEGE: HELD, CONTROLLER: 0xC0A80107}).presence().holder == "192.168.1.7"


def test_camera_that_does_not_tell_who_has_it(ask):
    assert ask({PRIVILEGE: HELD}).presence().holder == "another program"


def test_camera_that_answers_only_whoever_has_it_is_in_use(ask):
    camera = ask({}, {PRIVILEGE: DENIED, CONTROLLER: DENIED})

    assert camera.presence() == Presence(is_there=True, holder="another program")


def test_version_is_told(ask):
    assert ask({}, version=b"4.5.6-beta").version() == "4.5.6-beta"


def test_nobody_there_is_no_presence(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        monkeypatch.setattr(bootstrap, "_PORT", gone.getsockname()[1])
    camera = Bootstrap("127.0.0.1")

    assert camera.presence() == Presence(is_there=False)
    assert camera.version() == ""
