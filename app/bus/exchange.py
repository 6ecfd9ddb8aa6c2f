"""One question and one answer at a time, in memory that both sides see: pictures there, tables back.

The server makes the file and is its one writer in the kernel's eyes; the client notes in it what it asks. Each side
stores only words of its own, and publishes with the last of them. Nobody waits in here: bells wake, and clocks tell who
is late. A server that dies leaves the file behind; its successor begins a new session, in which nothing is owed.
"""

from __future__ import annotations

import json
import struct
import zlib
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bus.segment import FIRST_WORD, HEADER_BYTES, Kind, open_to_read, open_to_write, other_geometry
from app.errors import BusError

_AT_STATE, _AT_ASKED, _AT_CUT_OFF, _AT_ANSWERED, _AT_CODE, _AT_WORK, _AT_DISTRUSTED = range(FIRST_WORD, FIRST_WORD + 7)
_ABOUT_BYTES = 16 * 1024
_WORDS_BYTES = 1024
_PAGE = 4096
_TEXT = struct.Struct("=II")
_NO_REASON = "no reason was given"

_AT_ABOUT = HEADER_BYTES
_AT_ERROR = _AT_ABOUT + _ABOUT_BYTES
_AT_REASON = _AT_ERROR + _WORDS_BYTES
_AT_INPUT = -(-(_AT_REASON + _WORDS_BYTES) // _PAGE) * _PAGE


def _paged(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


LAYOUT = Kind("exchange", 1, lambda geometry: _AT_INPUT + _paged(geometry[0]) + _paged(geometry[1]))


class Offer(IntEnum):
    """What a server is ready for."""

    STARTING = 0
    READY = 1
    CLOSED = 2
    """It has ended, or could not start."""

    LEFT = 3
    """It has ended because it was asked to."""


class ExchangeServer:
    """The side that answers. Belongs to one thread.

    Args:
        path: The file.
        input_bytes: Room for a question's pictures.
        output_bytes: Room for an answer's tables.

    Attributes:
        input: uint8 (input_bytes,), on a page of its own: whoever copies it elsewhere by itself wants that.
        output: uint8 (output_bytes,).

    Raises:
        BusError: Another process answers here, or the file cannot be made.
    """

    def __init__(self, path: Path, input_bytes: int, output_bytes: int) -> None:
        geometry = (input_bytes, output_bytes)
        self._segment = open_to_write(path, LAYOUT, geometry, lambda there: other_geometry(there, geometry))
        self.input, self.output = _areas(self._segment.memory, geometry)
        self._is_open = True
        words = self._segment.words
        self._say(Offer.STARTING)
        words[_AT_CODE] = 1
        _put_text(self._segment.memory, _AT_ERROR, _WORDS_BYTES, "the process before it ended")
        self._segment.fence()
        words[_AT_ANSWERED] = words[_AT_ASKED]

    @property
    def session(self) -> int:
        """Counts the servers that this file has had."""
        return self._segment.session

    def offer(self, about: dict[str, Any]) -> None:
        """Says what answers here, and that it is ready.

        Raises:
            BusError: The description is too long.
        """
        _put_text(self._segment.memory, _AT_ABOUT, _ABOUT_BYTES, json.dumps(about, separators=(",", ":")))
        self._segment.fence()
        self._say(Offer.READY)

    def asked(self) -> int | None:
        """By when the question that waits wants its answer, by the monotonic clock in ns; `None` where none waits."""
        words = self._segment.words
        if words[_AT_ASKED] == words[_AT_ANSWERED]:
            return None
        self._segment.fence()
        return words[_AT_CUT_OFF]

    def answer(self, error: str = "", work_ns: int = 0) -> None:
        """Publishes what lies in `output`, or the reason why nothing does."""
        words = self._segment.words
        if error:
            _put_text(self._segment.memory, _AT_ERROR, _WORDS_BYTES, _cut(error))
        words[_AT_CODE], words[_AT_WORK] = int(bool(error)), work_ns
        self._segment.fence()
        words[_AT_ANSWERED] = words[_AT_ASKED]

    @property
    def distrust(self) -> str:
        """Why the client wants this very server to end; empty while it trusts it."""
        if self._segment.words[_AT_DISTRUSTED] != self.session:
            return ""
        self._segment.fence()
        return _text(self._segment.memory, _AT_REASON, _WORDS_BYTES) or _NO_REASON

    def leave(self) -> None:
        """Says that it ends because it was asked to, which speaks against nobody; `close` comes after this."""
        self._say(Offer.LEFT)

    def close(self, why: str = "") -> None:
        """Answers no more. Idempotent.

        Args:
            why: Why nothing answers here; the client tells it to a person.
        """
        if not self._is_open:
            return
        self._is_open = False
        if self._segment.words[_AT_STATE] != _state(self.session, Offer.LEFT):
            _put_text(self._segment.memory, _AT_ERROR, _WORDS_BYTES, _cut(why))
            self._segment.fence()
            self._say(Offer.CLOSED)
        self._segment.close()

    def _say(self, offer: Offer) -> None:
        self._segment.words[_AT_STATE] = _state(self.session, offer)


class ExchangeClient:
    """The side that asks. Belongs to one thread.

    Args:
        path: The file.

    Attributes:
        input: uint8 (input_bytes,), filled before `ask`.
        output: uint8 (output_bytes,), valid from an answer until the next question.

    Raises:
        BusError: There is no server, or the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._segment = open_to_read(path, LAYOUT, is_writing=True)
        self.input, self.output = _areas(self._segment.memory, self._segment.geometry)

    @property
    def is_ready(self) -> bool:
        """A server has said what it is, and has not closed."""
        return self._says(Offer.READY) and not self._segment.is_retired

    @property
    def has_left(self) -> bool:
        """The server has ended because it was asked to."""
        return self._says(Offer.LEFT)

    @property
    def refusal(self) -> str:
        """Why the last server could not start, or ended; empty where it said nothing."""
        if not self._says(Offer.CLOSED):
            return ""
        self._segment.fence()
        return _text(self._segment.memory, _AT_ERROR, _WORDS_BYTES)

    @property
    def is_distrusted(self) -> bool:
        """This very server was asked to end."""
        return self._segment.words[_AT_DISTRUSTED] == self.session

    @property
    def is_retired(self) -> bool:
        """Another file has taken this one's place."""
        return self._segment.is_retired

    @property
    def session(self) -> int:
        """Counts the servers that this file has had."""
        return self._segment.session

    @property
    def server_pid(self) -> int:
        """The process that answers, or that did last."""
        return self._segment.writer_pid

    @property
    def is_busy(self) -> bool:
        """An earlier question has no answer yet: the pictures in `input` are still the server's."""
        words = self._segment.words
        return words[_AT_ASKED] != words[_AT_ANSWERED]

    def about(self) -> dict[str, Any]:
        """What the server said of itself.

        Raises:
            BusError: It is just being replaced.
        """
        try:
            said = json.loads(_text(self._segment.memory, _AT_ABOUT, _ABOUT_BYTES))
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise BusError(f"{self._segment.path} says nothing whole of its server", "it is starting: try again")
        return said

    def ask(self, cut_off_ns: int) -> None:
        """Puts the question that lies in `input`; ring the server's bell after this.

        Args:
            cut_off_ns: When the answer is no longer wanted, by the monotonic clock.
        """
        words = self._segment.words
        words[_AT_CUT_OFF] = cut_off_ns
        self._segment.fence()
        words[_AT_ASKED] += 1

    @property
    def error(self) -> str:
        """Why the last question got no answer; empty where `output` holds one."""
        self._segment.fence()
        if not self._segment.words[_AT_CODE]:
            return ""
        return _text(self._segment.memory, _AT_ERROR, _WORDS_BYTES) or _NO_REASON

    @property
    def work_ns(self) -> int:
        """How long the server worked at the last answer."""
        return self._segment.words[_AT_WORK]

    def distrust(self, session: int, why: str) -> None:
        """Asks one server to end, as it cannot be trusted; ring its bell after this.

        Args:
            session: Which server: it may have a successor by now, which is not meant.
            why: The reason.
        """
        _put_text(self._segment.memory, _AT_REASON, _WORDS_BYTES, _cut(why))
        self._segment.fence()
        self._segment.words[_AT_DISTRUSTED] = session

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        self._segment.close()

    def _says(self, offer: Offer) -> bool:
        return self._segment.words[_AT_STATE] == _state(self.session, offer)


def _areas(memory: Any, geometry: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    input_bytes, output_bytes = geometry[:2]
    behind = _AT_INPUT + _paged(input_bytes)
    return (
        np.frombuffer(memory, np.uint8, input_bytes, _AT_INPUT),
        np.frombuffer(memory, np.uint8, output_bytes, behind),
    )


def _state(session: int, offer: Offer) -> int:
    """The word of a state. It names its session: what a predecessor was ready for says nothing of its successor."""
    return session * len(Offer) + offer


def _cut(text: str) -> str:
    """As much of a text as there is room for."""
    return text.encode(errors="replace")[: _WORDS_BYTES - _TEXT.size].decode(errors="ignore")


def _put_text(memory: Any, at: int, room: int, text: str) -> None:
    blob = text.encode()
    if len(blob) > room - _TEXT.size:
        raise BusError(f"{len(blob)} bytes of text do not fit into {room - _TEXT.size}", "say less")
    _TEXT.pack_into(memory, at, len(blob), zlib.crc32(blob))
    memory[at + _TEXT.size : at + _TEXT.size + len(blob)] = blob


def _text(memory: Any, at: int, room: int) -> str:
    """The text that lies there; empty where it is not whole."""
    length, check = _TEXT.unpack_from(memory, at)
    blob = memory[at + _TEXT.size : at + _TEXT.size + min(length, room - _TEXT.size)]
    return blob.decode() if zlib.crc32(blob) == check else ""
