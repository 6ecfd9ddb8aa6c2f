"""Hands what happens to every page that is open. A slow one loses updates, never the others'."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

QUEUE = 40
"""Messages that wait for one page, at most: at the pace of an ordinary line, some seconds."""


class Subscriber:
    """One open page. `next` belongs to the thread that serves it.

    Args:
        hub: Where the messages come from.
        lane: The lane that it shows.
    """

    def __init__(self, hub: Hub, lane: int) -> None:
        self.lane = lane
        self._hub = hub
        self._waiting: deque[bytes] = deque()
        self._change = threading.Condition()
        self._is_behind = True  # it begins with the whole picture, as does one that has lost something
        self._is_open = True

    def offer(self, message: bytes) -> int:
        """Lays a message down without waiting. Where too many wait already, all of them give way to the whole picture.

        Returns:
            How many were lost.
        """
        with self._change:
            if self._is_behind or not self._is_open:
                return 0
            self._waiting.append(message)
            lost = 0
            if len(self._waiting) > QUEUE:
                lost = len(self._waiting)
                self._waiting.clear()
                self._is_behind = True
            self._change.notify()
            return lost

    def next(self, timeout_s: float) -> bytes | None:
        """What is to be sent next.

        Returns:
            One or more messages; empty where there was none within the time; `None` at the end.
        """
        with self._change:
            self._change.wait_for(self._has_something, timeout_s)
            if not self._is_open:
                return None
            is_behind, self._is_behind = self._is_behind, False
            messages = b"".join(self._waiting)
            self._waiting.clear()
        # Outside the lock: making the whole picture takes time, and what comes meanwhile is queued behind it.
        return self._hub.snapshot(self.lane) if is_behind else messages

    def close(self) -> None:
        """Ends it, also from another thread. Idempotent."""
        with self._change:
            self._is_open = False
            self._change.notify_all()
        self._hub.forget(self)

    def _has_something(self) -> bool:
        return bool(self._waiting) or self._is_behind or not self._is_open


class Hub:
    """All open pages.

    Args:
        most: How many there may be.
        snapshot: Gives the whole picture of a lane, for a page that begins or has fallen behind.

    Attributes:
        lost: Messages that slow pages have lost.
        refused: Pages that were too many.
    """

    def __init__(self, most: int, snapshot: Callable[[int], bytes]) -> None:
        self.lost = 0
        self.refused = 0
        self.snapshot = snapshot
        self._most = most
        self._subscribers: set[Subscriber] = set()
        self._order = threading.Lock()
        self._is_open = True

    @property
    def count(self) -> int:
        """Pages that are open."""
        return len(self._subscribers)

    def subscribe(self, lane: int) -> Subscriber | None:
        """Adds a page; `None` where there are too many, or after `close`."""
        with self._order:
            if not self._is_open or len(self._subscribers) >= self._most:
                self.refused += 1
                return None
            subscriber = Subscriber(self, lane)
            self._subscribers.add(subscriber)
            return subscriber

    def publish(self, lane: int, message: bytes) -> None:
        """Gives a message to every page of a lane; never waits for one."""
        with self._order:
            concerned = [each for each in self._subscribers if each.lane == lane]
        for subscriber in concerned:
            self.lost += subscriber.offer(message)

    def forget(self, subscriber: Subscriber) -> None:
        """Drops a page."""
        with self._order:
            self._subscribers.discard(subscriber)

    def close(self) -> None:
        """Ends every page's stream. Idempotent."""
        with self._order:
            self._is_open = False
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber.close()
