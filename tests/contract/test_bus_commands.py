"""The contract of commands to a station: nobody who asks can hold it up, and nobody is left without an answer."""

import random
import socket
import stat

import pytest

from app.bus.commands import MOST_AT_ONCE, MOST_BYTES, CommandServer, Reply, Request, ask
from app.errors import BusError, LineError
from tests.contract.bus_peers import Peer, bus_folder

FUZZED = 300
LAZY = 60
"""Enough that their answers together would not fit into one socket's buffer."""

LAZY_REQUESTS = 20
TIMEOUT_S = 30
STOP = Request(command="stop", by="Ann", role="operator", reason="jam")


@pytest.fixture
def folder():
    with bus_folder() as path:
        yield path


@pytest.fixture
def path(folder):
    return folder / "lane1.command"


class Client:
    """Somebody who sends what he likes, and fetches answers when he likes."""

    def __init__(self, path, name="client"):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path.with_name(f"{path.name}.{name}")))
        self.socket.settimeout(TIMEOUT_S)
        self._path = str(path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def send(self, datagram):
        self.socket.sendto(datagram, self._path)

    def fetch(self):
        return Reply.model_validate_json(self.socket.recv(MOST_BYTES))


def test_request_is_answered_with_the_event_that_says_so(path):
    with Peer("command_server", path) as server:
        reply = ask(path, STOP, TIMEOUT_S)
        counted = server.stop()

    assert reply == Reply(id=STOP.id, ok=True, what="stop", epoch=1, sequence=1)
    assert counted == {"done": 1, "refused": 0, "unanswered": 0}


def test_request_arrives_as_it_was_sent(path):
    server = CommandServer(path)
    request = Request(command="serial", by="plc", part_id=2**62, serial="ß-1", lot="L" * 64, reason="é" * 200)

    with Client(path) as client:
        client.send(request.model_dump_json().encode())
        received = server.receive()

    assert [each.request for each in received] == [request]
    server.close()


GARBAGE = {
    b"": "EOF",
    b"\x00\xff\xfe": "expected",
    b"{}": "command: Field required",
    b"[1, 2]": "object",
    b'{"command": "explode"}': "command: Input should be 'stop'",
    b'{"command": "stop", "force": true}': "force: Extra inputs are not permitted",
    b'{"command": "stop", "version": 2}': "version: Input should be 1",
    b'{"command": "stop", "by": "a\\u0007b"}': "by: String should match",
    b'{"command": "reset"}': "reset needs by, role, reason",
    b'{"command": "open_lot"}': "open_lot needs lot",
    b'{"command": "serial", "part_id": 3}': "serial needs serial",
    b'{"command": "serial", "part_id": -3, "serial": "x"}': "part_id",
    b'{"command": "stop", "by": "' + b"x" * 65 + b'"}': "by: String should have at most 64",
    b'{"command": "stop", "id": ""}': "id",
    b"[" * 3000: "recursion limit",
    b"x" * (MOST_BYTES + 1): f"more than {MOST_BYTES} bytes",
    b"x" * 60_000: f"more than {MOST_BYTES} bytes",
}


@pytest.mark.parametrize("datagram", GARBAGE, ids=lambda datagram: repr(datagram[:30]))
def test_what_is_no_request_is_answered_with_the_reason(path, datagram):
    server = CommandServer(path)

    with Client(path) as client:
        client.send(datagram)
        received = server.receive()
        reply = client.fetch()

    assert received == []
    assert not reply.ok
    assert GARBAGE[datagram] in reply.what
    assert server.refused == 1
    server.close()


def test_random_datagrams_do_not_disturb_the_station(path):
    chance = random.Random(5)
    valid = STOP.model_dump_json().encode()

    with Peer("command_server", path) as server, Client(path) as client:
        for _ in range(FUZZED):
            datagram = bytearray(valid if chance.random() < 0.5 else chance.randbytes(chance.randrange(2 * MOST_BYTES)))
            for _ in range(chance.randrange(8)):
                datagram[chance.randrange(len(datagram)) :][:1] = chance.randbytes(1)
            client.send(bytes(datagram[: chance.randrange(len(datagram) + 1)]))
            client.fetch()
        reply = ask(path, STOP, TIMEOUT_S)
        counted = server.stop()

    assert reply.ok
    assert counted["refused"] + counted["done"] == FUZZED + 1
    assert counted["unanswered"] == 0


def test_clients_that_never_fetch_their_answers_hold_nobody_up(path):
    with Peer("command_server", path) as server:
        lazy = [Client(path, f"lazy{number}") for number in range(LAZY)]
        for client in lazy:
            for _ in range(LAZY_REQUESTS):
                client.send(STOP.model_dump_json().encode())
        reply = ask(path, STOP, TIMEOUT_S)
        counted = server.stop()
        for client in lazy:
            client.socket.close()

    assert reply.ok
    assert counted["done"] == LAZY * LAZY_REQUESTS + 1
    assert counted["unanswered"] > 0


def test_client_that_does_not_say_who_it_is_gets_no_answer_and_does_no_harm(path, folder):
    server = CommandServer(path)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(b"garbage", str(path))
        nameless.sendto(STOP.model_dump_json().encode(), str(path))
        received = server.receive()
    server.answer(received[0], Reply(ok=True))

    assert server.unanswered == 2
    server.close()


def test_answers_go_to_clients_of_this_station_only(path, folder):
    server = CommandServer(path)
    with Client(folder / "lane2.command") as stranger:
        stranger.socket.sendto(STOP.model_dump_json().encode(), str(path))
        server.answer(server.receive()[0], Reply(ok=True))
        stranger.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.fetch()

    assert server.unanswered == 1
    server.close()


class Flood:
    """A socket that never runs dry."""

    def recvfrom_into(self, buffer):
        datagram = STOP.model_dump_json().encode()
        buffer[: len(datagram)] = datagram
        return len(datagram), None


def test_flood_is_taken_in_portions(path, monkeypatch):
    server = CommandServer(path)
    monkeypatch.setattr(server, "_socket", Flood())

    portion = server.receive()

    assert len(portion) == MOST_AT_ONCE
    server.close()


def test_nobody_there_is_told_to_start_the_station(path):
    with pytest.raises(LineError, match=r"no station answers at .*lane1\.command; start it with: takt run"):
        ask(path, STOP)


def test_absent_folder_is_told_to_start_the_station_and_not_made(folder):
    with pytest.raises(LineError, match="no station answers"):
        ask(folder / "absent" / "lane1.command", STOP)

    assert not (folder / "absent").exists()


def test_dead_station_is_told_from_a_living_one(path):
    with Peer("command_server", path) as server:
        server.kill()
        assert path.exists()

        with pytest.raises(LineError, match="no station answers"):
            ask(path, STOP)


def test_hung_station_does_not_hold_the_client_up(path):
    with Peer("command_server", path) as server:
        server.hang()

        with pytest.raises(LineError, match=r"did not answer within 0\.1 s; see whether it hangs"):
            ask(path, STOP, 0.1)


def test_socket_of_a_dead_station_is_replaced(path):
    with Peer("command_server", path) as dead:
        dead.kill()

    with Peer("command_server", path):
        assert ask(path, STOP, TIMEOUT_S).ok


def test_second_station_at_the_same_socket_is_refused(path):
    with Peer("command_server", path):
        with pytest.raises(BusError, match="another station answers at"):
            CommandServer(path)

        assert ask(path, STOP, TIMEOUT_S).ok


def test_clients_leave_nothing_behind_and_what_killed_ones_left_is_removed(path, folder):
    with Client(path, "killed"):
        pass

    with Peer("command_server", path) as server:
        ask(path, STOP, TIMEOUT_S)
        left = [each.name for each in folder.iterdir()]
        server.stop()

    assert left == ["lane1.command"]
    assert list(folder.iterdir()) == []


def test_socket_belongs_to_owner_and_group(path):
    server = CommandServer(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    server.close()


def test_folder_with_a_long_name_serves(folder):
    deep = folder / ("x" * 120)
    deep.mkdir()

    with Peer("command_server", deep / "lane1.command"):
        assert ask(deep / "lane1.command", STOP, TIMEOUT_S).ok


def test_socket_without_a_folder_is_an_error(folder):
    with pytest.raises(BusError, match="cannot be used: No such file or directory"):
        CommandServer(folder / "absent" / "lane1.command")
