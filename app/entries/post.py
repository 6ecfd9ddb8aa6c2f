"""Where a process of the table works, and how it is told to stop."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from app.bus.notify import Notifier
from app.bus.place import Place
from app.processes import Process
from app.realtime import schedule

_NAP_S = 0.05


class Closable(Protocol):
    """What has to be let go of."""

    def close(self) -> None:
        """Lets go."""


T = TypeVar("T", bound=Closable)


@dataclass(frozen=True, slots=True)
class Post:
    """Where a process works.

    Attributes:
        place: Where the processes meet.
        state: The station's state folder.
        row: Its row in the table.
        camera: The camera's name, for a capture process.
        port: Another port for the pages than the settings name.
        notifier: Shows systemd that the process lives.
    """

    place: Place
    state: Path
    row: Process
    camera: str = ""
    port: int | None = None
    notifier: Notifier = field(default_factory=lambda: Notifier("", 0.0))


class StopFlag:
    """Set by SIGTERM and SIGINT.

    Args:
        wake_fd: Written to by the signal, so that a loop that waits on it wakes.
    """

    def __init__(self, wake_fd: int = -1) -> None:
        self._is_set = False
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._set)
        if wake_fd >= 0:
            signal.set_wakeup_fd(wake_fd, warn_on_full_buffer=False)

    def is_set(self) -> bool:
        """The process was told to stop."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for that, no longer than the time in s; says whether it is to end."""
        end_s = None if timeout is None else time.monotonic() + timeout
        while not self._is_set and (end_s is None or time.monotonic() < end_s):
            time.sleep(_NAP_S if end_s is None else min(_NAP_S, max(0.0, end_s - time.monotonic())))
        return self._is_set

    def _set(self, _number: int, _frame: object) -> None:
        self._is_set = True


def closing(opened: ExitStack, thing: T) -> T:
    """Has a thing let go of when the stack is closed, and gives it back."""
    opened.callback(thing.close)
    return thing


def calm(post: Post) -> None:
    """Scheduling of a process that the line does not wait for; its collector stays on."""
    thread = post.row.threads["main"]
    schedule(thread.policy, thread.priority, nice=thread.nice)
