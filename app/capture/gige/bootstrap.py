"""What a GigE Vision camera tells anyone, without being taken control of: its bootstrap registers.

GigE Vision 2.2, chapters 16 (control protocol, GVCP) and 28 (bootstrap registers). Aravis opens no camera without
taking control of it, and waits seconds for one that is not there; this asks and knows within a fraction of one.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

_PORT = 3956
_KEY, _WANTS_ANSWER = 0x42, 0x01
_READ_REGISTER, _REGISTER_VALUE = 0x0080, 0x0081
_READ_MEMORY, _MEMORY = 0x0084, 0x0085
_ACCESS_DENIED = 0x8006
_HEADER = struct.Struct(">4H")

_DEVICE_VERSION, _DEVICE_VERSION_BYTES = 0x0088, 32
_CONTROL_PRIVILEGE = 0x0A00
_CONTROLLER_ADDRESS = 0x0A14

_TRIES = 3
_PATIENCE_S = 0.1


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a camera answers, and who has it.

    Attributes:
        is_there: It answers.
        holder: Who controls it: an address, or "another program" where the camera does not tell; empty: nobody.
    """

    is_there: bool
    holder: str = ""


class Bootstrap:
    """Asks one camera. Each question takes at most 0.3 s.

    Args:
        address: Its IPv4 address.
    """

    def __init__(self, address: str) -> None:
        self._address = (address, _PORT)
        self._asked = 0

    def presence(self) -> Presence:
        """Asks whether the camera is there and who controls it."""
        answer = self._ask(_READ_REGISTER, _REGISTER_VALUE, struct.pack(">I", _CONTROL_PRIVILEGE))
        if answer is None:
            return Presence(is_there=False)
        status, privilege = answer
        if status == _ACCESS_DENIED or (status == 0 and any(privilege)):
            return Presence(is_there=True, holder=self._controller())
        return Presence(is_there=True)

    def version(self) -> str:
        """Version of the device; empty where it does not tell."""
        wanted = struct.pack(">IHH", _DEVICE_VERSION, 0, _DEVICE_VERSION_BYTES)
        status, content = self._ask(_READ_MEMORY, _MEMORY, wanted) or (1, b"")
        return "" if status else content[4:].split(b"\0")[0].decode("ascii", "replace")

    def _controller(self) -> str:
        wanted = struct.pack(">I", _CONTROLLER_ADDRESS)
        status, value = self._ask(_READ_REGISTER, _REGISTER_VALUE, wanted) or (1, b"")
        return str(IPv4Address(value[:4])) if not status and any(value[:4]) else "another program"

    def _ask(self, command: int, wanted: int, content: bytes) -> tuple[int, bytes] | None:
        """Status and content of the answer; `None` where none came."""
        self._asked = self._asked % 0xFFFF + 1
        question = _HEADER.pack(_KEY << 8 | _WANTS_ANSWER, command, len(content), self._asked) + content
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_PATIENCE_S)
            for _ in range(_TRIES):
                try:
                    channel.connect(self._address)
                    channel.send(question)
                    answer = channel.recv(1024)
                except OSError:  # time-out, nobody there, or the interface is down
                    continue
                if len(answer) < _HEADER.size:
                    continue
                status, command, _, number = _HEADER.unpack_from(answer)
                if (command, number) == (wanted, self._asked):
                    return status, answer[_HEADER.size :]
        return None
