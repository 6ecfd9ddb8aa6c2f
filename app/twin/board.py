"""The pin board: memory that the twin's process and the box share, with the state of every pin and what changed when.

Each side writes one half and reads the other. A half holds the names of the pins that its writer knows, their present
states, and a queue of changes with their times. Where a queue is full the change is counted as lost and only the
present state tells of it, so that neither side ever waits for the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.bus.place import Place
from app.bus.segment import FIRST_WORD, HEADER_BYTES, Kind, open_to_read, open_to_write
from app.errors import BusError

MOST_PINS = 128
QUEUE_CHANGES = 16_384
NAME_BYTES = 48

_HEADER_WORDS = HEADER_BYTES // 8
_HALF_HEADER_WORDS = 8
_NAME_WORDS = MOST_PINS * NAME_BYTES // 8
_HALF_WORDS = _HALF_HEADER_WORDS + _NAME_WORDS + MOST_PINS + 2 * QUEUE_CHANGES
_KIND = Kind("pins", 1, lambda _: HEADER_BYTES + 16 * _HALF_WORDS)
_MASK = 0xFFFF

CLAIM, CLAIMANT, ACCEPTED, RELEASED = range(FIRST_WORD, FIRST_WORD + 4)
"""Words of the header: which claim of a box this is, by which process, which claim the machine has taken up, and which
one its box has let go of."""

MACHINE, BOX = 0, 1
"""The half that the machine writes, and the half that the box writes."""

Change = tuple[int, int, int]
"""When in ns, the number of the pin among its half's names, its new state."""


def board_path(place: Place, lane: int) -> Path:
    """Where the pins of a lane's machine are."""
    return place.root / f"twin{lane}.pins"


class PinBoard:
    """The shared memory.

    Args:
        place: Where it lies.
        lane: The lane whose pins these are.
        is_new: The machine makes a new board in place of whatever is there, and a box on the old one can tell so.
            Otherwise this is the board that is there.

    Attributes:
        words: The whole of it, in words of 8 bytes.

    Raises:
        BusError: Another machine has the board; or there is none, or none of this version.
    """

    def __init__(self, place: Place, lane: int, *, is_new: bool) -> None:
        path = board_path(place, lane)
        if is_new:
            self._segment = open_to_write(path, _KIND, (), lambda _: "is of an earlier start of the machine")
        else:
            self._segment = open_to_read(path, _KIND, is_writing=True)
        self.words = memoryview(self._segment.memory).cast("Q")

    @property
    def is_retired(self) -> bool:
        """The machine was started anew: this board leads nowhere."""
        return self._segment.is_retired

    def close(self) -> None:
        """Lets the memory go. Idempotent."""
        self.words.release()
        self._segment.close()


class Outbox:
    """The half of a board that one side writes.

    Args:
        board: The board.
        half: `MACHINE` or `BOX`.
    """

    def __init__(self, board: PinBoard, half: int) -> None:
        self._words = board.words
        self._start, self._states, self._queue = _places(half)
        self._names_at, self._head_at, self._tail_at, self._lost_at = range(self._start, self._start + 4)
        self._head = self._words[self._head_at]
        self._is_gathering = False
        self._words[self._names_at] = 0
        self._lost_before = self._words[self._lost_at]
        for pin in range(MOST_PINS):
            self._words[self._states + pin] = 0

    @property
    def lost(self) -> int:
        """Changes that found the queue full."""
        return self._words[self._lost_at] - self._lost_before

    def name(self, name: str) -> int:
        """Enters one more pin, and gives its number.

        Raises:
            BusError: The board is full, or the name is too long for it.
        """
        pin = self._words[self._names_at]
        encoded = name.encode()
        if pin == MOST_PINS or len(encoded) > NAME_BYTES:
            raise BusError(
                f"pin {name} finds no room on the pin board", f"use at most {MOST_PINS} pins with shorter names"
            )
        at = self._start + _HALF_HEADER_WORDS + pin * NAME_BYTES // 8
        padded = encoded.ljust(NAME_BYTES, b"\0")
        for word in range(NAME_BYTES // 8):
            self._words[at + word] = int.from_bytes(padded[8 * word : 8 * word + 8], "little")
        self._words[self._names_at] = pin + 1
        return pin

    def show(self, pin: int, state: int) -> None:
        """Enters the present state of a pin, and nothing in the queue."""
        self._words[self._states + pin] = state

    def put(self, pin: int, state: int, at_ns: int) -> None:
        """Enters the new state of a pin (one byte), and its change in the queue."""
        words, number = self._words, self._head
        words[self._states + pin] = state
        if number - words[self._tail_at] >= QUEUE_CHANGES:
            words[self._lost_at] += 1
            return
        at = self._queue + 2 * (number % QUEUE_CHANGES)
        words[at] = at_ns
        # What the reader checks: a processor may show the head before it shows the record.
        words[at + 1] = (number & _MASK) << 48 | (at_ns & _MASK) << 32 | pin << 8 | state
        self._head = number + 1
        if not self._is_gathering:
            words[self._head_at] = number + 1

    def gather(self) -> None:
        """From now on changes are entered unseen, until `deliver` shows them all at once."""
        self._is_gathering = True

    def deliver(self) -> None:
        """Shows what was gathered."""
        self._is_gathering = False
        self._words[self._head_at] = self._head


class Inbox:
    """The half of a board that the other side writes.

    Args:
        board: The board.
        half: `MACHINE` or `BOX`.
    """

    def __init__(self, board: PinBoard, half: int) -> None:
        self._words = board.words
        self._start, self._states, self._queue = _places(half)
        self._names_at, self._head_at, self._tail_at, self._lost_at = range(self._start, self._start + 4)
        self._lost = 0
        self.skip()

    def skip(self) -> int:
        """Forgets what waits in the queue; returns how many changes were lost since the last call."""
        self._tail = self._words[self._tail_at] = self._words[self._head_at]
        before, self._lost = self._lost, self._words[self._lost_at]
        return self._lost - before

    @property
    def has_lost(self) -> bool:
        """Changes have found the queue full since `skip`."""
        return self._words[self._lost_at] != self._lost

    def names(self) -> list[str]:
        """The names of the pins, by their numbers."""
        start = self._start + _HALF_HEADER_WORDS
        names = []
        for pin in range(self._words[self._names_at]):
            at = start + pin * NAME_BYTES // 8
            encoded = b"".join(word.to_bytes(8, "little") for word in self._words[at : at + NAME_BYTES // 8])
            names.append(encoded.rstrip(b"\0").decode())
        return names

    def state(self, pin: int) -> int:
        """The present state of a pin."""
        return self._words[self._states + pin]

    def take(self) -> Iterator[Change]:
        """The changes that wait, oldest first; each is gone from the queue when it is given."""
        words = self._words
        while self._tail != words[self._head_at]:
            number = self._tail
            at = self._queue + 2 * (number % QUEUE_CHANGES)
            at_ns, record = words[at], words[at + 1]
            if record >> 48 != number & _MASK or record >> 32 & _MASK != at_ns & _MASK:
                return
            self._tail = words[self._tail_at] = number + 1
            yield at_ns, record >> 8 & 0xFF, record & 0xFF


def _places(half: int) -> tuple[int, int, int]:
    """The words at which a half begins, and in it the states and the queue."""
    start = _HEADER_WORDS + half * _HALF_WORDS
    states = start + _HALF_HEADER_WORDS + _NAME_WORDS
    return start, states, states + MOST_PINS
