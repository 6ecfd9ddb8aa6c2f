"""The socket of a stream: room for a whole picture, and nothing that does not come from the camera.

Aravis takes whatever arrives at the port of a stream. A packet from elsewhere, by malice or by mistake, may claim a
picture that does not exist; the pictures after it would wait for it or be lost. So a filter (Linux: socket(7),
SO_ATTACH_FILTER; classic BPF) on the stream's socket lets the camera's own address through and nothing else.

A camera sends a picture as one burst. What the kernel cannot hold until Aravis' thread runs is lost, and the picture is
torn; Linux grants 208 KiB unless the socket asks for more and `net.core.rmem_max` or the right to pass it allows it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path

_ATTACH_FILTER = 26
_BUFFER_BY_FORCE = 33
_NETWORK_HEADER = 0xFFF0_0000
_SOURCE_ADDRESS = 12
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_WHOLE, _NOTHING = 0xFFFF_FFFF, 0


def guard_stream(address: str, port: int, room_bytes: int) -> int:
    """Gives the UDP socket of this process that is bound to a port room, and lets it receive from one address only.

    Args:
        address: The camera's IPv4 address.
        port: The port of the stream.
        room_bytes: Bytes of packets that should find room.

    Returns:
        Bytes that the kernel granted, its own book-keeping included; 0 where no such socket was found.
    """
    for link in Path("/proc/self/fd").iterdir():
        try:
            if not str(link.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as found:
                is_stream = found.family == socket.AF_INET and found.type == socket.SOCK_DGRAM
                if is_stream and found.getsockname()[1] == port:
                    _attach(found, address)
                    return _widen(found, room_bytes)
        except OSError:  # closed since
            continue
    return 0


def _widen(stream: socket.socket, room_bytes: int) -> int:
    granted = stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if granted >= room_bytes:
        return granted
    try:
        stream.setsockopt(socket.SOL_SOCKET, _BUFFER_BY_FORCE, room_bytes)
    except PermissionError:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
    return stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def _attach(stream: socket.socket, address: str) -> None:
    steps = (
        (_LOAD_WORD, 0, 0, _NETWORK_HEADER + _SOURCE_ADDRESS),
        (_JUMP_EQUAL, 0, 1, int(IPv4Address(address))),
        (_RETURN, 0, 0, _WHOLE),
        (_RETURN, 0, 0, _NOTHING),
    )
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    stream.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(program)))
