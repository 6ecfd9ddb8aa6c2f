"""What ails the accelerator of the twin: a few words in memory, which say what goes wrong and at which request.

Whoever injects a fault writes them, and the runtime `sick` (`sick.py`) reads them at each request. They outlive its
process, so that a fault may also wait for the next start.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from app.bus.place import FILE_MODE, trouble_at
from app.errors import BusError, UsageError

MANY = 200
"""Requests that a lasting fault meets; it ends earlier with its process."""


class Act(Enum):
    """What goes wrong at a request."""

    NOTHING = 0
    KILL = 1
    HANG = 2
    SLOW_2 = 3
    SLOW_10 = 4
    NAN = 5
    FLIP = 6
    ERROR = 7
    LOST = 8
    LATE = 9
    LIE = 10
    TORN = 11


class Load(Enum):
    """What goes wrong at a start."""

    NOTHING = 0
    SHAPE = 1
    OOM = 2
    LIBRARY = 3
    ENGINE = 4
    LOST = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """How a kind of fault shows.

    Attributes:
        words: What happens.
        act: At a request.
        times: At so many requests.
        gap: With so many good ones between two of them.
        is_curable: It ends with the process that has it.
        load: At the starts after that.
        loads: At so many of them.
    """

    words: str
    act: Act
    times: int = 1
    gap: int = 0
    is_curable: bool = False
    load: Load = Load.NOTHING
    loads: int = 0


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "kill": Fault("its process is killed", Act.KILL),
        "hang": Fault("its process stands still", Act.HANG),
        "slow-x2": Fault("it takes twice as long", Act.SLOW_2, MANY, is_curable=True),
        "slow-x10": Fault("it takes ten times as long", Act.SLOW_10, MANY, is_curable=True),
        "nan": Fault("its answer has no numbers", Act.NAN),
        "flip": Fault("bits of its answer are flipped", Act.FLIP),
        "shape": Fault("killed, and once offers more rows than allowed", Act.KILL, load=Load.SHAPE, loads=1),
        "oom": Fault("killed, and twice finds no memory at its start", Act.KILL, load=Load.OOM, loads=2),
        "library": Fault("killed, and twice misses a library at its start", Act.KILL, load=Load.LIBRARY, loads=2),
        "engine": Fault("killed, and once finds an engine of another version", Act.KILL, load=Load.ENGINE, loads=1),
        "driver": Fault("its driver reports an error", Act.ERROR),
        "gone": Fault(
            "its device is gone, at two starts too", Act.LOST, MANY, is_curable=True, load=Load.LOST, loads=2
        ),
        "storm": Fault("five failures in a row", Act.ERROR, 5),
        "promotion": Fault("killed, and killed again while it is proven", Act.KILL, 2, gap=2),
        "full": Fault("other questions come first: its answer is late", Act.LATE),
        "lie": Fault("it drops the best finding of each picture", Act.LIE, MANY, is_curable=True),
        "torn": Fault("killed between writing its answer and saying so", Act.TORN),
    }
)
"""The faults by the name of their kind."""

_AT_ACT, _AT_LEFT, _AT_SKIP, _AT_GAP, _AT_CURABLE, _AT_LOAD, _AT_LOADS, _AT_FIRED, _AT_FIRED_NS, _AT_CUT_OFF = range(10)
_BYTES = mmap.PAGESIZE


class Sickness:
    """The words. Made where they are absent: all is well then.

    Args:
        path: Their file.

    Raises:
        BusError: It cannot be made, or is something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                if os.fstat(descriptor).st_size == 0:
                    os.ftruncate(descriptor, _BYTES)
                self._memory = mmap.mmap(descriptor, _BYTES)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise trouble_at(path, error) from error
        except ValueError as error:
            raise BusError(f"{path} holds no sickness", f"remove it: rm {path}") from error
        self._words = memoryview(self._memory).cast("Q")

    @property
    def fired(self) -> int:
        """How many requests have gone wrong, since the file was made."""
        return self._words[_AT_FIRED]

    @property
    def fired_ns(self) -> int:
        """When the first of them since the last `strike` did, by the monotonic clock; 0 while none has."""
        return self._words[_AT_FIRED_NS]

    @property
    def cut_off_ns(self) -> int:
        """By when its answer was wanted."""
        return self._words[_AT_CUT_OFF]

    @property
    def is_over(self) -> bool:
        """Nothing goes wrong any more."""
        return not self._words[_AT_LEFT] and not self._words[_AT_LOADS]

    def strike(self, kind: str, after: int = 0) -> None:
        """Lets things go wrong, from the next request on or a later one.

        Args:
            kind: A key of `FAULTS`.
            after: So many requests are answered well before that.

        Raises:
            UsageError: There is no such kind.
        """
        fault = FAULTS.get(kind)
        if fault is None:
            raise UsageError(f"there is no fault {kind!r}", f"use one of {', '.join(FAULTS)}")
        words = self._words
        words[_AT_LEFT] = words[_AT_FIRED_NS] = 0
        words[_AT_ACT], words[_AT_SKIP], words[_AT_GAP] = fault.act.value, after, fault.gap
        words[_AT_CURABLE], words[_AT_LOAD], words[_AT_LOADS] = int(fault.is_curable), fault.load.value, fault.loads
        words[_AT_LEFT] = fault.times

    def heal(self) -> None:
        """Lets nothing go wrong any more."""
        self._words[_AT_LEFT] = self._words[_AT_LOADS] = 0

    def at_request(self, now_ns: int, cut_off_ns: int) -> Act:
        """What goes wrong at a request that wants its answer by then. Allocates nothing while nothing does."""
        words = self._words
        if not words[_AT_LEFT]:
            return Act.NOTHING
        if words[_AT_SKIP]:
            words[_AT_SKIP] -= 1
            return Act.NOTHING
        words[_AT_SKIP] = words[_AT_GAP]
        if not words[_AT_FIRED_NS]:
            words[_AT_CUT_OFF], words[_AT_FIRED_NS] = cut_off_ns, now_ns
        words[_AT_FIRED] += 1
        words[_AT_LEFT] -= 1
        return Act(words[_AT_ACT])

    def at_start(self) -> Load:
        """What goes wrong at this start of the process; a fault that ends with a process has ended."""
        words = self._words
        if words[_AT_CURABLE]:
            words[_AT_LEFT] = 0
        if not words[_AT_LOADS]:
            return Load.NOTHING
        words[_AT_LOADS] -= 1
        return Load(words[_AT_LOAD])

    def close(self) -> None:
        """Lets the file go. Idempotent."""
        self._words.release()
        self._memory.close()
