"""The heartbeat behind the permit relay (REJECT_TRACKING, rule 11)."""

from __future__ import annotations

from collections.abc import Iterable

LOOKS_PER_TOGGLE = 4


class Heartbeat:
    """Says when the permit may be toggled: only while every worker has made progress since the last toggle.

    Pure: it counts, and knows only the times that it is given. `progress` may be called from the worker's own thread,
    as each counter has one writer; everything else belongs to the thread that toggles.

    Args:
        names: The workers that must all make progress.
        toggle_ns: Shortest time between two toggles, in ns.

    Raises:
        ValueError: No names: a heartbeat of nobody would never stop.
    """

    def __init__(self, names: Iterable[str], toggle_ns: int) -> None:
        self._progress = dict.fromkeys(names, 0)
        if not self._progress:
            raise ValueError("a heartbeat needs at least one worker whose progress it proves")
        self._toggle_ns = toggle_ns
        self._at_toggle = dict(self._progress)
        self._due_ns = 0
        self._look_ns = 0
        self._noticed: dict[str, tuple[int, int]] = {}

    def progress(self, name: str) -> None:
        """Notes that a worker has done a round of its work.

        Raises:
            KeyError: No worker has this name.
        """
        self._progress[name] += 1

    def should_toggle(self, now_ns: int) -> bool:
        """Whether the permit is to be toggled now; the answer `True` counts as the toggle."""
        self._notice(now_ns)
        if now_ns < self._due_ns:
            return False
        counts = dict(self._progress)
        if any(counts[name] == self._at_toggle[name] for name in counts):
            # Asked in vain: look again soon, as the progress of another thread wakes nobody.
            self._look_ns = now_ns + max(1, self._toggle_ns // LOOKS_PER_TOGGLE)
            return False
        self._at_toggle = counts
        self._due_ns = self._look_ns = now_ns + self._toggle_ns
        return True

    def next_due_ns(self) -> int:
        """When to ask `should_toggle` next: a toggle time after the last toggle, a quarter of it after asking in vain.

        0 before the first question.
        """
        return self._look_ns

    def stalled(self, now_ns: int, limit_ns: int) -> tuple[str, ...]:
        """The workers without progress for `limit_ns` and longer, in the order of their names' declaration.

        Progress is dated by the call of `should_toggle` or `stalled` that first noticed it.
        """
        self._notice(now_ns)
        return tuple(name for name, (_, at_ns) in self._noticed.items() if now_ns - at_ns >= limit_ns)

    def _notice(self, now_ns: int) -> None:
        for name, count in self._progress.items():
            if name not in self._noticed or self._noticed[name][0] != count:
                self._noticed[name] = (count, now_ns)
