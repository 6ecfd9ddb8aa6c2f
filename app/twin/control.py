"""What a person at the twin's machine can do and see, as datagrams of JSON: it is the hands and eyes of a test.

The station knows nothing of it. The machine never waits here: nonsense is answered with what is wrong with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.bus.place import Place, trouble_at
from app.errors import BusError, LineError
from app.twin.scenario import FaultKind

MOST_BYTES = 2_000
MOST_ANSWER_BYTES = 150_000
MOST_AT_ONCE = 8
MOST_RECENT = 500


class Order(BaseModel):
    """What the machine is to do."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    command: Literal["clear", "fault", "mend", "speed", "truth"] = Field(
        description="clear: take every part off the stretch; fault: let something break; mend: end such faults; "
        "speed: drive the belt so fast; truth: only tell how the machine is"
    )
    kind: FaultKind | None = Field(None, description="fault, mend: what breaks")
    gate: str = Field("", max_length=40, description="fault: the destination whose gate, chute or bin it befalls")
    amount: float | None = Field(None, description="fault: how much")
    duration_ms: float | None = Field(None, gt=0, le=3.6e6, description="fault: how long")
    speed_mm_s: float | None = Field(None, ge=-10_000, le=10_000, description="speed: of the belt")
    recent: int = Field(0, ge=0, le=MOST_RECENT, description="truth: of so many of the last parts")

    @model_validator(mode="after")
    def _is_complete(self) -> Order:
        if self.command in ("fault", "mend") and self.kind is None:
            raise ValueError(f"{self.command} needs a kind")
        if self.command == "speed" and self.speed_mm_s is None:
            raise ValueError("speed needs speed_mm_s")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """An order that waits for its answer.

    Attributes:
        order: The order.
        sender: Who waits; `None` for one who has not said where.
    """

    order: Order
    sender: bytes | str | None


def control_path(place: Place, lane: int) -> Path:
    """The socket at which the machine of a lane takes orders."""
    return place.root / f"twin{lane}.control"


class ControlServer:
    """The machine's side. It replaces the socket of a machine that has ended: two of one lane there cannot be.

    Args:
        path: The socket.

    Raises:
        BusError: The socket cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            path.unlink(missing_ok=True)
            with _named(path) as address:
                self._socket.bind(address)
            path.chmod(0o660)
        except OSError as error:
            self._socket.close()
            raise trouble_at(path, error) from error

    def fileno(self) -> int:
        """Readable while orders wait."""
        return self._socket.fileno()

    def receive(self) -> list[Asked]:
        """The orders that wait; what is none is answered here."""
        asked = []
        for _ in range(MOST_AT_ONCE):
            try:
                datagram, sender = self._socket.recvfrom(MOST_BYTES + 1)
            except OSError:  # none waits
                break
            try:
                asked.append(Asked(Order.model_validate_json(datagram), sender))
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False, include_input=False)[0]
                why = ": ".join([*map(str, first["loc"]), first["msg"]])
                self._send(sender, {"ok": False, "what": f"this is no order: {why[:300]}", "mend": "correct it"})
        return asked

    def answer(self, asked: Asked, answer: Mapping[str, Any]) -> None:
        """Sends an answer; one that nobody fetches is lost."""
        self._send(asked.sender, {"ok": True, **answer})

    def refuse(self, asked: Asked, error: LineError) -> None:
        """Says why an order was not carried out."""
        self._send(asked.sender, {"ok": False, "what": error.what, "mend": error.mend})

    def close(self) -> None:
        """Removes the socket. Idempotent."""
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _send(self, sender: bytes | str | None, answer: Mapping[str, Any]) -> None:
        if sender:
            with contextlib.suppress(OSError):
                self._socket.sendto(json.dumps(answer).encode(), sender)


def tell_twin(place: Place, lane: int, command: str, *, timeout_s: float = 2.0, **details: Any) -> dict[str, Any]:
    """Gives an order to the machine of a lane, and waits for its answer.

    Args:
        place: Where it runs.
        lane: The lane.
        command: As in `Order`.
        timeout_s: How long to wait.
        **details: The other fields of `Order`.

    Returns:
        What the machine answers.

    Raises:
        LineError: No machine answers, or it refuses.
        BusError: The socket cannot be used.
    """
    path = control_path(place, lane)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.settimeout(timeout_s)
        try:
            own.bind("")  # a name of the kernel's choice, which leaves no file behind
            with _named(path) as address:
                own.connect(address)
            own.send(json.dumps({"command": command, **details}).encode())
            answer: dict[str, Any] = json.loads(own.recv(MOST_ANSWER_BYTES))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise LineError(f"no machine answers at {path}", "start the twin") from error
        except TimeoutError as error:
            raise LineError(
                f"the machine at {path} did not answer within {timeout_s:g} s", "see whether it hangs"
            ) from error
        except OSError as error:
            raise trouble_at(path, error) from error
    if not answer.pop("ok"):
        raise LineError(answer["what"], answer["mend"])
    return answer


@contextlib.contextmanager
def _named(path: Path) -> Any:
    # A socket's address has 107 bytes and a folder's name may be longer: name the folder by a descriptor.
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BusError(f"{path.parent} cannot be used: {error.strerror}", "name another folder: --bus DIR") from error
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
