"""The socket of a GigE Vision stream hears the camera and nobody else."""

import socket

import pytest

from app.capture.gige.guard import guard_stream

CAMERA, STRANGER = "127.0.0.1", "127.0.0.9"


@pytest.fixture
def udp():
    sockets = []

    def udp(address):
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((address, 0))
        sockets[-1].settimeout(10)
        return sockets[-1]

    yield udp
    for each in sockets:
        each.close()


def test_packets_of_the_camera_come_and_those_of_strangers_do_not(udp):
    stream = udp("0.0.0.0")
    port = stream.getsockname()[1]
    guard_stream(CAMERA, port, 1)
    udp(STRANGER).sendto(b"made up", ("127.0.0.1", port))
    udp(CAMERA).sendto(b"picture", ("127.0.0.1", port))

    assert stream.recv(100) == b"picture"


def test_room_is_what_the_kernel_grants_and_never_less_than_before(udp):
    stream = udp(CAMERA)
    port = stream.getsockname()[1]
    before = stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    assert guard_stream(CAMERA, port, 1) == before
    assert guard_stream(CAMERA, port, before + 100_000) >= before


def test_other_sockets_are_left_alone(udp):
    stream, other = udp(CAMERA), udp(CAMERA)
    guard_stream(STRANGER, stream.getsockname()[1], 1)
    stream.sendto(b"hello", other.getsockname())

    assert other.recv(100) == b"hello"


def test_port_that_nobody_has_is_no_error(udp):
    gone = udp(CAMERA)
    port = gone.getsockname()[1]
    gone.close()

    assert guard_stream(CAMERA, port, 1) == 0
