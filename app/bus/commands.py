"""Requests to a running station and its answers, as datagrams of JSON at a socket in the bus folder.

The station never waits for anybody here: who sends nonsense is told so, who does not fetch the answer loses it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from app.bus.place import FILE_MODE, trouble_at
from app.clock import NS_PER_S
from app.errors import BusError, LineError

VERSION = 1
MOST_BYTES = 32_000
"""Of one datagram; the bounds of the fields keep a request below."""

RECIPE_BYTES = 14_000
"""Of a recipe's text, which JSON at most doubles."""

MOST_AT_ONCE = 16
"""Datagrams that one call of `receive` looks at, so that a flood cannot hold the line up."""

Command = Literal[
    "stop",
    "purge",
    "reset",
    "open_lot",
    "close_lot",
    "start_challenge",
    "serial",
    "adopt_recipe",
    "silence",
    "unpark",
    "pulse",
]

_PRINTED = r"^[^\x00-\x1f\x7f]*$"
_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_NEEDS: dict[str, tuple[str, ...]] = {
    "reset": ("by", "role", "reason"),
    "open_lot": ("lot",),
    "serial": ("part_id", "serial"),
    "adopt_recipe": ("by", "role", "reason", "recipe"),
    "unpark": ("by",),
    "pulse": ("by", "role", "reason", "output", "pulse_ms"),
}


def _text(most: int) -> Any:
    return StringConstraints(max_length=most, pattern=_PRINTED)


class Request(BaseModel):
    """A command to a station. Whether it is allowed now is the station's business."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = Field(1, description="of this form")
    id: Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=r"^[\w-]+$")] = Field(
        default_factory=lambda: secrets.token_hex(8), description="the answer carries it"
    )
    command: Command = Field(description="what to do")
    by: Annotated[str, _text(64)] = Field("", description="who asks")
    role: Annotated[str, _text(32)] = Field("", description="as what: operator, quality, maintenance")
    reason: Annotated[str, _text(200)] = Field("", description="why")
    is_cleared: bool = Field(False, description="reset: somebody has cleared the belt by hand")
    lot: Annotated[str, _text(64)] = Field("", description="open_lot: its name")
    part_id: int | None = Field(None, ge=0, lt=2**63, description="serial: the part")
    serial: Annotated[str, _text(64)] | None = Field(None, description="serial: the part's serial number")
    recipe: Annotated[str, StringConstraints(max_length=RECIPE_BYTES, pattern=_LINES)] = Field(
        "", description="adopt_recipe: its text, as the file holds it"
    )

    output: Annotated[str, _text(80)] = Field("", description="pulse: the output, as `gate:reject` or `lamp_red`")
    pulse_ms: int | None = Field(None, ge=1, le=60_000, description="pulse: for so many milliseconds")

    @field_validator("recipe")
    @classmethod
    def _is_short(cls, text: str) -> str:
        if len(text.encode()) > RECIPE_BYTES:
            raise ValueError(f"it has more than {RECIPE_BYTES} bytes")
        return text

    @model_validator(mode="after")
    def _is_complete(self) -> Request:
        missing = [name for name in _NEEDS.get(self.command, ()) if getattr(self, name) in ("", None)]
        if missing:
            raise ValueError(f"{self.command} needs {', '.join(missing)}")
        return self


class Reply(BaseModel):
    """What a station answers.

    A request that changed something is acknowledged by the ledger event that says so: (lane, `epoch`, `sequence`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = Field(VERSION, description="of this form")
    id: str = Field("", description="that of the request")
    ok: bool = Field(description="it was done")
    what: str = Field("", description="what was done, or what is wrong")
    mend: str = Field("", description="where it was not done: what to do about it")
    code: str = Field("", description="where it was not done: why, as a code; empty: it has none")
    values: dict[str, str] = Field(default_factory=dict, description="what the words of the code name")
    epoch: int | None = Field(None, description="start of the station that the event belongs to")
    sequence: int | None = Field(None, description="the event in the ledger")


@dataclass(frozen=True, slots=True)
class Received:
    """A request that waits for its answer.

    Attributes:
        request: The request.
        sender: The name of the socket that waits, in the bus folder.
    """

    request: Request
    sender: str


class CommandServer:
    """The station's side. Belongs to one thread, and never waits.

    Replaces the socket of a station that died.

    Args:
        path: The socket.

    Attributes:
        refused: Datagrams that were no request.
        unanswered: Answers that nobody fetched.

    Raises:
        BusError: A living station answers there, or the socket cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.refused = 0
        self.unanswered = 0
        self._path = path
        self._buffer = bytearray(MOST_BYTES + 1)
        self._folder = _open_folder(path.parent)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._close = weakref.finalize(self, _close, self._socket, self._folder)
        try:
            self._bind()
        except BusError:
            self._close()
            raise
        except OSError as error:
            self._close()
            raise trouble_at(path, error) from error

    def fileno(self) -> int:
        """Readable while requests wait."""
        return self._socket.fileno()

    def receive(self) -> list[Received]:
        """The requests that wait, at most `MOST_AT_ONCE`. What is none is answered here and now."""
        received = []
        for _ in range(MOST_AT_ONCE):
            try:
                size, address = self._socket.recvfrom_into(self._buffer)
            except OSError:  # none waits
                break
            sender = _name_of(address)
            request = self._parse(size, sender)
            if request:
                received.append(Received(request, sender))
        return received

    def answer(self, received: Received, reply: Reply) -> None:
        """Sends the answer, which gets the request's id. Never waits; `unanswered` counts what nobody fetched."""
        self._send(received.sender, reply.model_copy(update={"id": received.request.id}))

    def close(self) -> None:
        """Removes the socket. Idempotent."""
        if self._close.alive:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._close()

    def _bind(self) -> None:
        address = _address(self._folder, self._path.name)
        if os.path.lexists(self._path):
            self._check_dead(address)
            self._path.unlink(missing_ok=True)
        for left in self._path.parent.glob(f"{self._path.name}.*"):  # by clients that were killed
            left.unlink(missing_ok=True)
        self._socket.bind(address)
        self._path.chmod(FILE_MODE)

    def _check_dead(self, address: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(address)
            except (ConnectionRefusedError, FileNotFoundError):
                return
        raise BusError(
            f"another station answers at {self._path}", "stop it first, or give this one a folder: --bus DIR"
        )

    def _parse(self, size: int, sender: str) -> Request | None:
        try:
            if size <= MOST_BYTES:
                return Request.model_validate_json(bytes(memoryview(self._buffer)[:size]))
            why = f"it has more than {MOST_BYTES} bytes"
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            why = ": ".join([*map(str, first["loc"]), first["msg"]])
        self.refused += 1
        self._send(sender, Reply(ok=False, what=f"this is no request: {why[:300]}", mend="see docs/commands.md"))
        return None

    def _send(self, sender: str, reply: Reply) -> None:
        # From a socket of its own: what slow clients do not fetch counts against the socket that sent it.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own:
                if not sender.startswith(f"{self._path.name}."):
                    raise FileNotFoundError(errno.ENOENT, "it did not say who it is")
                own.sendto(reply.model_dump_json().encode(), _address(self._folder, sender))
        except OSError:
            self.unanswered += 1


def ask(path: Path, request: Request, timeout_s: float = 2.0) -> Reply:
    """Sends a request to a station and waits for its answer.

    Args:
        path: The station's socket.
        request: What to do.
        timeout_s: How long to wait.

    Returns:
        The answer, also where the station refused.

    Raises:
        LineError: No station answers.
        BusError: This process may not ask it.
    """
    try:
        with _client(path) as (own, address):
            own.settimeout(timeout_s)
            own.sendto(request.model_dump_json().encode(), address)
            return _fetch(own, request.id, timeout_s)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise LineError(f"no station answers at {path}", "start it with: takt run", code="STATION_ABSENT") from error
    except TimeoutError as error:
        raise LineError(
            f"the station at {path} did not answer within {timeout_s:g} s",
            "see whether it hangs; restart it with: takt run",
            code="STATION_LATE",
            values={"seconds": f"{timeout_s:g}"},
        ) from error
    except BusError:
        raise
    except OSError as error:
        raise trouble_at(path, error) from error


def _fetch(own: socket.socket, number: str, timeout_s: float) -> Reply:
    end_ns = time.monotonic_ns() + round(timeout_s * NS_PER_S)
    while True:
        own.settimeout(max((end_ns - time.monotonic_ns()) / NS_PER_S, 1e-3))
        try:
            reply = Reply.model_validate_json(own.recv(MOST_BYTES))
        except ValidationError:
            continue
        if reply.id in (number, ""):
            return reply


@contextlib.contextmanager
def _client(path: Path) -> Iterator[tuple[socket.socket, str]]:
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    folder = _open_folder(path.parent)
    name = f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}"
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        own.bind(_address(folder, name))
        path.with_name(name).chmod(FILE_MODE)
        yield own, _address(folder, path.name)
    finally:
        _close(own, folder)
        path.with_name(name).unlink(missing_ok=True)


def _open_folder(folder: Path) -> int:
    try:
        return os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise trouble_at(folder, error) from error


def _address(folder: int, name: str) -> str:
    # A socket's address has 107 bytes and a folder's name may be longer; both sides name it by their own descriptor.
    return f"/proc/self/fd/{folder}/{name}"


def _name_of(address: Any) -> str:
    text = address.decode("ascii", "replace") if isinstance(address, bytes) else address or ""
    return str(text).rpartition("/")[2]


def _close(own: socket.socket, folder: int) -> None:
    own.close()
    os.close(folder)
