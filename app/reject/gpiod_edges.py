"""Edges of many lines in one place: fetched by whoever waits for them, or by a thread where nobody does."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from app.errors import LineError

MOST_ROUNDS = 16
"""Lines are looked at again until none has edges, but not for ever: a chattering one must not hold up the rest."""

LOOK_ROUND_S = 1.0
"""How often the thread looks for chips that have gone: kernels before 6.6 do not wake whoever waits for their edges."""


class Source(Protocol):
    """A line whose edges are fetched."""

    def fetch(self) -> list[tuple[int, bool, int]]:
        """The edges that wait: time in ns, level and number of each."""
        ...

    def gone(self) -> OSError:
        """Why there will be no more."""
        ...


Deliver = Callable[[int, bool], None]
"""Takes an edge: its time in ns and the level that it led to."""


class _Heard:
    """A line that is listened to."""

    def __init__(self, source: Source, deliver: Deliver) -> None:
        self.source = source
        self.deliver = deliver
        self.last_number: int | None = None
        self.is_open = True


class EdgeFeed:
    """The edges of all lines, in the order of their times.

    Every line has a request of its own, and one epoll descriptor stands for all of them. The kernel stamps an edge
    when its interrupt comes and queues it a little later. So the lines are looked at until none of them has anything
    left, and what was found is put in order then: an edge that was queued before one that is handed over has been
    found too.

    Either somebody waits on `fileno` and calls `pump`, in one thread of his own; or nobody does, and then a thread is
    started with the first line. The first call of `fileno` or `pump` ends the thread, for good.

    Args:
        is_pumped: Somebody will call `pump`: the thread is never started.

    Attributes:
        lost_edges: Edges that the kernel had to drop because nobody fetched them in time: gaps in their numbers.
    """

    def __init__(self, *, is_pumped: bool = False) -> None:
        self.lost_edges = 0
        self._is_pumped = is_pumped
        self._is_open = True
        self._lock = threading.RLock()
        self._heard: dict[int, _Heard] = {}
        self._gone: dict[int, OSError] = {}
        self._found: deque[tuple[int, _Heard, bool]] = deque()
        self._waits = select.epoll()
        self._looks = select.poll()
        self._wakes = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread: threading.Thread | None = None

    def listen(self, fd: int, source: Source, deliver: Deliver) -> None:
        """Hands the edges of a line over from now on."""
        with self._lock:
            self._heard[fd] = _Heard(source, deliver)
            self._waits.register(fd, select.EPOLLIN)
            self._looks.register(fd, select.POLLIN)
            if not self._is_pumped and self._thread is None:
                self._start_thread()

    def forget(self, fd: int) -> None:
        """Hands no more edges of a line over, not even those that were found. Call it before its descriptor closes."""
        with self._lock:
            heard = self._heard.pop(fd, None)
            self._gone.pop(fd, None)
            if heard:
                heard.is_open = False
                self._drop(fd)

    def fileno(self) -> int:
        """Readable when there are edges; whoever asks for it calls `pump` from then on."""
        self._take_over()
        return self._waits.fileno()

    def pump(self) -> int:
        """Hands over the edges that there are, in this thread.

        Returns:
            How many there were.

        Raises:
            LineError: The chip of a line is gone; those of the others have been handed over.
        """
        self._take_over()
        count = self._turn()
        for error in tuple(self._gone.values()):
            raise LineError(str(error.strerror), "plug it in again; the station starts anew") from error
        return count

    def close(self) -> None:
        """Ends the thread and lets the descriptors go. Idempotent."""
        if not self._is_open:
            return
        self._end_thread()
        self._is_open = False
        self._waits.close()
        os.close(self._wakes)

    def _turn(self) -> int:
        with self._lock:
            found: list[tuple[int, _Heard, bool]] = []
            for _ in range(MOST_ROUNDS):
                ready = self._looks.poll(0)
                if not ready:
                    break
                for fd, mask in ready:
                    found += self._fetch(fd, mask)
            found.sort(key=lambda each: each[0])
            self._found.extend(found)
        count = 0
        while self._found:
            at_ns, heard, is_high = self._found.popleft()
            if heard.is_open:
                heard.deliver(at_ns, is_high)
                count += 1
        return count

    def _fetch(self, fd: int, mask: int) -> list[tuple[int, _Heard, bool]]:
        heard = self._heard[fd]
        edges: list[tuple[int, bool, int]] = []
        try:
            if mask & select.POLLIN:
                edges = heard.source.fetch()
            elif mask:
                raise heard.source.gone()
        except OSError as error:
            self._gone[fd] = error
            self._drop(fd)
        for _, _, number in edges:
            if heard.last_number is not None and number > heard.last_number + 1:
                self.lost_edges += number - heard.last_number - 1
            heard.last_number = number
        return [(at_ns, heard, is_high) for at_ns, is_high, _ in edges]

    def _drop(self, fd: int) -> None:
        with suppress(KeyError, FileNotFoundError):
            self._looks.unregister(fd)
            self._waits.unregister(fd)

    def _take_over(self) -> None:
        if not self._is_pumped:
            self._is_pumped = True
            self._end_thread()

    def _start_thread(self) -> None:
        self._waits.register(self._wakes, select.EPOLLIN)
        self._thread = threading.Thread(target=self._work, name="gpiod-edges", daemon=True)
        self._thread.start()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        os.eventfd_write(self._wakes, 1)
        if thread is not threading.current_thread():
            thread.join()
        self._waits.unregister(self._wakes)

    def _work(self) -> None:
        me = threading.current_thread()
        try:
            while self._thread is me:
                self._waits.poll(LOOK_ROUND_S)
                if self._thread is me:
                    self._turn()
        finally:
            # A handler that raises is told by the thread's end; the other pins must not fall silent with it.
            with self._lock:
                if self._thread is me:
                    self._waits.unregister(self._wakes)
                    self._start_thread()
