"""What the machine has to do at which time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from app.twin.motion import NEVER_NS

Action = Callable[[int], None]
"""Called with the time at which it is due."""


class Agenda:
    """Actions in the order of their times; those of one time in the order in which they were entered.

    Attributes:
        next_ns: When the first action is due; `NEVER_NS` when there is none.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Action]] = []
        self._entered = 0
        self.next_ns = NEVER_NS

    def at(self, at_ns: int, action: Action) -> None:
        """Enters an action."""
        heappush(self._entries, (at_ns, self._entered, action))
        self._entered += 1
        self.next_ns = self._entries[0][0]

    def do_next(self) -> None:
        """Does the first action.

        Raises:
            IndexError: There is none.
        """
        at_ns, _, action = heappop(self._entries)
        self.next_ns = self._entries[0][0] if self._entries else NEVER_NS
        action(at_ns)
